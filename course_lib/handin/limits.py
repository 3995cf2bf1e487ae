"""How much of a student's hand-in is read: everything beyond is refused with a sentence."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["KIB", "MIB", "HandInLimits", "size_text"]

KIB, MIB = 2**10, 2**20


@dataclass(frozen=True)
class HandInLimits:
    """Caps on one student's files. An executed notebook with its figures has 1 to 5 MiB, some 60 cells and depth 12.

    file_bytes         one notebook, or one zip, uncompressed
    submission_bytes   all that one student's files may hold together, uncompressed
    zip_ratio          uncompressed / compressed bytes of one file in a zip, from 1 MiB on: text reaches 20, zeros 1000
    json_depth         lists and objects inside one another
    json_values        values of one JSON text: bounds the memory that 1 byte of `[` can claim
    cells              cells of one notebook
    cell_bytes         UTF-8 bytes of one cell's source
    """

    file_bytes: int = 32 * MIB
    submission_bytes: int = 128 * MIB
    zip_ratio: float = 200.0
    json_depth: int = 64
    json_values: int = 1_000_000
    cells: int = 2_000
    cell_bytes: int = 256 * KIB


def size_text(count: int) -> str:
    """`count` bytes as people say it."""
    return f"{count / MIB:.3g} MiB" if count >= MIB else f"{count / KIB:.3g} KiB"
