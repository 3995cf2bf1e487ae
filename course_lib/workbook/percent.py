"""Reads a notebook's one text source: jupytext percent cells whose headers carry the course's short keys.

    # %% exercise="magnitude_mask" topics="magnitude_mask"
    # %% check="magnitude_mask" points=4

`CONTRIBUTING.md` lists the keys. This file only reads; what may not be built is refused in `refusals.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course_lib.course_root import shown
from course_lib.errors import CourseError

__all__ = ["Cell", "PercentFile", "read_percent", "read_sections"]

KIND_KEYS = ("exercise", "check", "experiment", "question", "quiz", "demo", "wrong", "right")
KNOWN_KEYS = frozenset({*KIND_KEYS, "points", "topics", "tags", "name", "of"})
_CELL_HEADER = re.compile(r"#\s*%%+(\s|$)")
_EDITOR_NOISE = frozenset({"lines_to_next_cell", "lines_to_end_of_cell_marker"})


@dataclass(frozen=True)
class Cell:
    """One cell as its author wrote it.

    kind  "text", "code", "parameters", "setup", or the key that names its role: "exercise", "check", "experiment",
        "question", "quiz", "demo"; in files of answers "wrong" and "right".
    id    the value of that key; empty for the first four kinds.
    path, line  the file it stands in, and its header's line there.
    """

    kind: str
    id: str
    source: str
    is_markdown: bool = False
    topics: tuple[str, ...] = ()
    points: float | None = None
    name: str = ""
    of: str = ""
    unknown_keys: tuple[str, ...] = ()
    path: Path = field(default=Path(), compare=False)
    line: int = field(default=0, compare=False)

    @property
    def place(self) -> str:
        """Where it stands, as messages say it."""
        return _place(self.path, self.line)


@dataclass(frozen=True)
class PercentFile:
    """The cells of one file, or of a folder's files joined, and the `course:` entries of its header."""

    path: Path
    cells: tuple[Cell, ...]
    header: dict[str, Any] = field(default_factory=dict)

    def of_kind(self, *kinds: str) -> list[Cell]:
        return [cell for cell in self.cells if cell.kind in kinds]


def read_percent(path: Path) -> PercentFile:
    """Read one percent file. Raises CourseError if it is not UTF-8 text or its header is not YAML."""
    import jupytext

    try:
        text = path.read_text(encoding="utf-8")
        cells = jupytext.reads(text, fmt="py:percent").cells
        header = _header(cells[0].source) if cells and cells[0].cell_type == "raw" else {}
    except Exception as error:  # jupytext and yaml have no common class of errors
        raise CourseError(f"{path} cannot be read as a percent file: {error}") from error
    cells = [raw for raw in cells if raw.cell_type != "raw"]
    lines = _header_lines(text, len(cells))
    return PercentFile(path, tuple(_cell(path, raw, line) for raw, line in zip(cells, lines, strict=True)), header)


def read_sections(folder: Path, files: Sequence[Path]) -> PercentFile:
    """The percent files of one folder, joined. Raises CourseError if another than the first has a header."""
    parts = [read_percent(file) for file in files]
    for part in parts[1:]:
        if part.header:
            raise CourseError(f"{part.path} has a header; the first section, {files[0].name}, holds the notebook's")
    return PercentFile(folder, tuple(cell for part in parts for cell in part.cells), parts[0].header)


def _header_lines(text: str, count: int) -> list[int]:
    """The line of each cell's header; 0 where lines and cells cannot be told to agree, as with %% inside a text."""
    lines = [number for number, line in enumerate(text.splitlines(), start=1) if _CELL_HEADER.match(line)]
    return lines if len(lines) == count else [0] * count


def _header(front_matter: str) -> dict[str, Any]:
    """jupytext leaves a file's YAML header, between lines of dashes, as a first raw cell."""
    import yaml

    return dict(yaml.safe_load(front_matter.strip().strip("-"))["course"])


def _place(path: Path, line: int) -> str:
    return f"{shown(path)}:{line}" if line else shown(path)


def _cell(path: Path, raw: Any, line: int) -> Cell:
    keys = {key: value for key, value in raw.metadata.items() if key not in _EDITOR_NOISE}
    tags = keys.get("tags", [])
    try:
        kind, identifier = _kind(keys, tags, raw.cell_type)
        points = _points(identifier, keys.get("points"))
    except ValueError as error:
        raise CourseError(f"{_place(path, line)}: {error}") from error
    return Cell(
        kind=kind,
        id=identifier,
        source=raw.source.rstrip(),
        is_markdown=raw.cell_type == "markdown",
        topics=tuple(part.strip() for part in str(keys.get("topics", "")).split(",") if part.strip()),
        points=points,
        name=str(keys.get("name", "")),
        of=str(keys.get("of", "")),
        unknown_keys=tuple(sorted(keys.keys() - KNOWN_KEYS)),
        path=path,
        line=line,
    )


def _kind(keys: dict[str, Any], tags: list[str], cell_type: str) -> tuple[str, str]:
    named = [key for key in KIND_KEYS if key in keys]
    if len(named) > 1:
        raise ValueError(f"one cell is both {named[0]}={keys[named[0]]!r} and {named[1]}={keys[named[1]]!r}")
    if named:
        return named[0], str(keys[named[0]])
    for tag in ("parameters", "setup"):
        if tag in tags:
            return tag, ""
    return ("text" if cell_type == "markdown" else "code"), ""


def _points(identifier: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
        raise ValueError(f"{identifier!r} has points={value!r}; points are a number above 0, without quotes")
    return value
