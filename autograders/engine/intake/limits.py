"""How much of a class's folder or zip intake looks at: everything beyond is refused with a sentence, never read."""

from __future__ import annotations

from dataclasses import dataclass

from course_lib.handin.limits import HandInLimits

__all__ = ["IntakeLimits"]

GIB = 2**30


@dataclass(frozen=True)
class IntakeLimits(HandInLimits):
    """Caps on what a class hands in, beside those on each student's files.

    total_bytes        all that is read in one run, uncompressed
    files              files of one submission that are looked at, those inside its zip included
    submissions        students of one run
    entries            files and folders of the whole folder or zip
    depth              folders inside folders
    """

    total_bytes: int = 64 * GIB
    files: int = 1_000
    submissions: int = 10_000
    entries: int = 500_000
    depth: int = 12
