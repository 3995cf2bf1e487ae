"""How much of a stranger's files intake looks at: everything beyond is refused with a sentence, never read."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["IntakeLimits", "megabytes"]

KIB, MIB, GIB = 2**10, 2**20, 2**30


@dataclass(frozen=True)
class IntakeLimits:
    """Caps on untrusted input. An executed notebook with its figures has 1 to 5 MiB, some 60 cells and depth 12.

    file_bytes         one notebook, or one zip inside a zip or folder, uncompressed
    submission_bytes   all that one student's files may hold together, uncompressed
    total_bytes        all that is read in one run, uncompressed
    files              files of one submission that are looked at, those inside its zip included
    submissions        students of one run
    entries            files and folders of the whole folder or zip
    depth              folders inside folders
    zip_ratio          uncompressed / compressed bytes of one file in a zip, from 1 MiB on: text reaches 20, zeros 1000
    json_depth         lists and objects inside one another
    json_values        values of one JSON text: bounds the memory that 1 byte of `[` can claim
    cells              cells of one notebook
    cell_bytes         UTF-8 bytes of one cell's source
    """

    file_bytes: int = 32 * MIB
    submission_bytes: int = 128 * MIB
    total_bytes: int = 64 * GIB
    files: int = 1_000
    submissions: int = 10_000
    entries: int = 500_000
    depth: int = 12
    zip_ratio: float = 200.0
    json_depth: int = 64
    json_values: int = 1_000_000
    cells: int = 2_000
    cell_bytes: int = 256 * KIB


def megabytes(count: int) -> str:
    """`count` bytes as people say it."""
    return f"{count / MIB:.3g} MiB" if count >= MIB else f"{count / KIB:.3g} KiB"
