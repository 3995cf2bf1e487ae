"""What students were given: every cell of a notebook, as it is and as the build released it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from autograders.engine.repair.python_names import names_of
from course_lib.handin.answers import is_untouched, same_text
from course_lib.workbook.expand import expand
from course_lib.workbook.release import student_version
from course_lib.workbook.source import SourceNotebook

__all__ = ["KnownCell", "Released", "released"]

GRADED_KINDS = ("parameters", "setup", "code", "exercise", "quiz")  # the code that runs when a submission is graded


@dataclass(frozen=True)
class KnownCell:
    """One cell of a built notebook.

    kind      the course's word for it: "exercise", "check", "text" ...
    source    with the answer; staff only.
    released  what students got.
    nbgrader  its nbgrader entries, {} for a cell that nbgrader does not know.
    """

    id: str
    kind: str
    cell_type: str
    source: str
    released: str
    nbgrader: dict[str, Any] = field(default_factory=dict)

    @property
    def is_answer(self) -> bool:
        return bool(self.nbgrader.get("solution"))

    @property
    def is_locked(self) -> bool:
        return bool(self.nbgrader.get("locked"))

    @property
    def defines(self) -> frozenset[str]:
        """Functions and classes that the cell as given to students binds, or else its variables."""
        if self.cell_type != "code":
            return frozenset()
        names = names_of(self.released)
        return names.callables or names.defined

    def is_untouched(self, text: str) -> bool:
        """Blank, or the released text up to whitespace."""
        return is_untouched(text, self.released)

    def is_unaltered(self, text: str) -> bool:
        """The released text, or staff's own, up to whitespace."""
        return same_text(text, self.released) or same_text(text, self.source)


@dataclass(frozen=True)
class Released:
    """A notebook's cells in order, and by id."""

    cells: tuple[KnownCell, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_id", {cell.id: cell for cell in self.cells})

    by_id: dict[str, KnownCell] = field(init=False, repr=False, compare=False)

    @property
    def answers(self) -> list[KnownCell]:
        return [cell for cell in self.cells if cell.is_answer]

    @property
    def graded_names(self) -> frozenset[str]:
        """Names that the graded part of our own notebook binds."""
        return frozenset().union(*(names_of(cell.source).defined for cell in self.cells if cell.kind in GRADED_KINDS))


_CACHE: dict[tuple[Any, ...], Released] = {}
_CACHE_SIZE = 64  # notebooks; a course has some thirty


def released(source: SourceNotebook) -> Released:
    """Made once in a process for equal text: a worker gets a fresh copy of `source` with every submission."""
    key = (source.id, source.cells)
    if key not in _CACHE:
        if len(_CACHE) >= _CACHE_SIZE:
            _CACHE.clear()
        _CACHE[key] = Released(tuple(_known_cells(source)))
    return _CACHE[key]


def _known_cells(source: SourceNotebook) -> Iterator[KnownCell]:
    for node, given in zip(expand(source).cells, student_version(source).cells, strict=True):
        yield KnownCell(
            id=node.id,
            kind=node.metadata["course"]["kind"],
            cell_type=node.cell_type,
            source=node.source,
            released=given.source,
            nbgrader=dict(node.metadata.get("nbgrader", {})),
        )
