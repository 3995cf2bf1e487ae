"""A notebook as a student has it now: read from its file, never written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

__all__ = ["StudentCell", "StudentNotebook", "UnreadableNotebook", "checksum", "read_student_notebook"]


JSON_VALUES = 1_000_000  # what grading reads of one file


class UnreadableNotebook(ValueError):
    """The file holds no notebook; the message is a clause that follows its name."""


@dataclass(frozen=True)
class StudentCell:
    """id        nbgrader's name for the cell, else the cell's own id.
    kind      "code", "markdown" or "raw".
    nbgrader  nbgrader's entries; {} for a cell it does not know.
    """

    id: str
    kind: str
    source: str
    nbgrader: dict[str, Any] = field(default_factory=dict)

    @property
    def is_as_released(self) -> bool:
        """Whether nothing was changed since the build, by the checksum it left in the cell."""
        return bool(self.nbgrader) and self.nbgrader.get("checksum") == checksum(self)

    @property
    def is_answer(self) -> bool:
        return bool(self.nbgrader.get("solution"))

    @property
    def is_locked(self) -> bool:
        return bool(self.nbgrader.get("locked"))


@dataclass(frozen=True)
class StudentNotebook:
    """id  the course's name for the notebook, from its metadata; "" if that was lost."""

    id: str
    cells: tuple[StudentCell, ...]

    def of(self, identifier: str) -> list[StudentCell]:
        """A cell that was copied stands there twice."""
        return [cell for cell in self.cells if cell.id == identifier]


def read_student_notebook(raw: bytes) -> StudentNotebook:
    """Read format 4. Raises UnreadableNotebook for anything else."""
    try:
        value = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UnreadableNotebook("is not UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise UnreadableNotebook(f"is damaged: {error.msg} in line {error.lineno}") from error
    except (ValueError, RecursionError) as error:
        raise UnreadableNotebook("is damaged") from error
    if _is_costly(raw, value):
        most = f"{JSON_VALUES:,} values, more than grading reads: choose Edit, Clear Outputs of All Cells, and save"
        raise UnreadableNotebook(f"holds more than {most}")
    if not isinstance(value, dict) or value.get("nbformat") != 4 or not isinstance(value.get("cells"), list):
        raise UnreadableNotebook("is not a notebook that JupyterLab wrote")
    identifier = _entries(_entries(value.get("metadata")).get("course")).get("notebook")
    cells = tuple(_cell(entry) for entry in value["cells"] if isinstance(entry, dict))
    return StudentNotebook(identifier if isinstance(identifier, str) else "", cells)


def checksum(cell: StudentCell) -> str:
    """nbgrader's own, which its release step leaves in each cell (nbgrader 0.9, utils.compute_checksum)."""
    entries = cell.nbgrader
    flags = [bool(entries.get(name, False)) for name in ("grade", "solution", "locked")]
    parts = [cell.source, cell.kind, *map(str, flags), cell.id]
    if flags[0]:
        try:
            parts.append(str(float(entries["points"])))
        except (KeyError, TypeError, ValueError):
            return ""
    return hashlib.md5("".join(parts).encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def _cell(entry: dict[str, Any]) -> StudentCell:
    nbgrader = _entries(_entries(entry.get("metadata")).get("nbgrader"))
    source = entry.get("source", "")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    identifier = nbgrader.get("grade_id") or entry.get("id")
    return StudentCell(
        id=identifier if isinstance(identifier, str) else "",
        kind=str(entry.get("cell_type")),
        source=source if isinstance(source, str) else "",
        nbgrader=nbgrader,
    )


def _is_costly(raw: bytes, value: Any) -> bool:
    if sum(map(raw.count, (b",", b"[", b"{"))) <= JSON_VALUES:  # never fewer than there are values
        return False
    count, waiting = 0, [value]
    while waiting and count <= JSON_VALUES:
        count += 1
        item = waiting.pop()
        waiting += item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    return count > JSON_VALUES


def _entries(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
