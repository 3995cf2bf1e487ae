"""What the build writes into a cell for nbgrader, as a student's file has it: any of it may have been changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from course_lib.handin.read_notebook import SubmittedCell

__all__ = ["CHECK_PREFIX", "checksum", "is_answer", "is_as_released", "is_locked"]

CHECK_PREFIX = "check_"  # an exercise and its check share a name; notebook-wide ids may not


def is_answer(cell: SubmittedCell) -> bool:
    return bool(cell.nbgrader.get("solution"))


def is_locked(cell: SubmittedCell) -> bool:
    return bool(cell.nbgrader.get("locked"))


def is_as_released(cell: SubmittedCell) -> bool:
    """Whether the cell is what the build made, by the checksum it left: exactly, or but for blanks at the ends of lines
    and blank lines around it, of which the build leaves none.
    """
    tidy = "\n".join(line.rstrip() for line in cell.source.split("\n")).strip("\n")
    left = cell.nbgrader.get("checksum")
    return bool(left) and left in [checksum(source, cell.kind, cell.nbgrader) for source in (cell.source, tidy)]


def checksum(source: str, kind: str, entries: Mapping[str, Any]) -> str:
    """nbgrader's own (nbgrader 0.9, utils.compute_checksum) over a cell's source, its type and some of its entries for
    nbgrader; "" for a graded cell whose points are no number.
    """
    flags = [bool(entries.get(name, False)) for name in ("grade", "solution", "locked")]
    parts = [source, kind, *map(str, flags), str(entries.get("grade_id", ""))]
    if flags[0]:
        try:
            parts.append(str(float(entries["points"])))
        except (KeyError, TypeError, ValueError):
            return ""
    return hashlib.md5("".join(parts).encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
