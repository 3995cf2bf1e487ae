"""A student's file -> the cells in it, in any notebook format, without trusting a single entry.

The one reader: `course submit` says what it says, and grading takes what it takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from course_lib.handin.bounded_json import RefusedJson, parse_json
from course_lib.handin.limits import HandInLimits, size_text
from course_lib.handin.text_decoding import decode, replace_unpaired

__all__ = ["ReadNotebook", "SubmittedCell", "read_notebook"]

CURRENT_FORMAT = (4, 5)
_LONGEST_ID = 200  # nbformat allows 64


@dataclass(frozen=True)
class SubmittedCell:
    """One cell of a student's file.

    position   0 for the first cell.
    kind       "code", "markdown" or "raw".
    ids        what the cell calls itself: its id, and the id that Colab keeps in the metadata.
    grade_id   nbgrader's name for it, or "".
    nbgrader   nbgrader's entries as the file has them: untrusted values of any JSON type.
    """

    position: int
    kind: str
    source: str
    ids: tuple[str, ...] = ()
    grade_id: str = ""
    nbgrader: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """nbgrader's name for the cell, else the cell's own id, else ""."""
        return next((name for name in (self.grade_id, *self.ids) if name), "")


@dataclass(frozen=True)
class ReadNotebook:
    """What a file holds.

    notebook_id  the course's name of the notebook as its metadata has it, or "".
    repairs      sentences: what a stricter reader would have refused.
    problems     sentences: why there is nothing to read, or not all of it.
    """

    cells: tuple[SubmittedCell, ...] = ()
    notebook_id: str = ""
    repairs: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def of(self, name: str) -> list[SubmittedCell]:
        """A cell that was copied stands there twice."""
        return [cell for cell in self.cells if cell.name == name]


def read_notebook(raw: bytes, limits: HandInLimits | None = None) -> ReadNotebook:
    """Read formats 2, 3 and 4. Never raises: what cannot be read is told in `problems`."""
    limits = limits or HandInLimits()
    if not raw.strip():
        return ReadNotebook(problems=("The file is empty.",))
    if len(raw) > limits.file_bytes:
        sentence = f"The file has {size_text(len(raw))}; at most {size_text(limits.file_bytes)} are read."
        return ReadNotebook(problems=(f"{sentence} Clear the outputs and hand it in again.",))
    decoded = decode(raw)
    try:
        parsed = parse_json(decoded.text, limits)
    except RefusedJson as error:
        return ReadNotebook(problems=(f"The file is not a notebook: {error}.",))
    repairs = [sentence for sentence in (decoded.repair, *parsed.repairs) if sentence]
    return _read_value(parsed.value, limits, repairs)


def _read_value(value: Any, limits: HandInLimits, repairs: list[str]) -> ReadNotebook:
    entries = _cell_entries(value)
    if entries is None:
        return ReadNotebook(repairs=tuple(repairs), problems=("The file is JSON but not a notebook: it has no cells.",))
    repairs += _format_repair(value)
    problems = []
    if len(entries) > limits.cells:
        problems.append(f"The notebook has {len(entries):,} cells; only the first {limits.cells:,} were read.")
    cells = []
    for position, entry in enumerate(entries[: limits.cells]):
        cell = _cell(position, entry, limits)
        if isinstance(cell, str):
            problems.append(f"Cell {position + 1} was not read: {cell}.")
        else:
            cells.append(cell)
    clean = tuple(_clean(cells, repairs))
    return ReadNotebook(clean, _text(_get(value, "metadata", "course", "notebook")), tuple(repairs), tuple(problems))


def _cell_entries(value: Any) -> list[Any] | None:
    """Formats up to 3 keep their cells in worksheets."""
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("cells"), list):
        return value["cells"]
    worksheets = value.get("worksheets")
    if not isinstance(worksheets, list):
        return None
    sheets = [
        sheet["cells"] for sheet in worksheets if isinstance(sheet, dict) and isinstance(sheet.get("cells"), list)
    ]
    return [cell for sheet in sheets for cell in sheet] if sheets else None


def _format_repair(value: dict[str, Any]) -> list[str]:
    major, minor = value.get("nbformat"), value.get("nbformat_minor", 0)
    if not (_is_number(major) and _is_number(minor)):
        return ["The file does not say which notebook format it has; it was read as format 4.5."]
    if (major, minor) == CURRENT_FORMAT:
        return []
    if 2 <= major <= 4 and 0 <= minor <= 99:
        return [f"The file was saved in notebook format {major}.{minor} and was read as format 4.5."]
    return ["The file claims a notebook format that does not exist; it was read as format 4.5."]


def _is_number(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _cell(position: int, entry: Any, limits: HandInLimits) -> SubmittedCell | str:
    """The cell, or why there is none."""
    if not isinstance(entry, dict):
        return "it is not an object"
    source = _source(entry)
    if source is None:
        return "its source is neither text nor a list of texts"
    if len(source) > limits.cell_bytes or len(source.encode("utf-8", "surrogatepass")) > limits.cell_bytes:
        return f"its source has more than {size_text(limits.cell_bytes)}"
    kind = entry.get("cell_type")
    metadata = entry.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    nbgrader = metadata.get("nbgrader")
    nbgrader = nbgrader if isinstance(nbgrader, dict) else {}
    ids = (_text(entry.get("id")), _text(metadata.get("id")))
    return SubmittedCell(
        position=position,
        kind=kind if kind in ("code", "raw") else "markdown",
        source=source.replace("\r\n", "\n").replace("\r", "\n"),
        ids=tuple(identifier for identifier in ids if identifier),
        grade_id=_text(nbgrader.get("grade_id")),
        nbgrader=nbgrader,
    )


def _source(entry: dict[str, Any]) -> str | None:
    """Format 3 calls the text of a code cell `input`."""
    source = entry["source"] if "source" in entry else entry.get("input", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        return "".join(source)
    return source if isinstance(source, str) else None


def _clean(cells: list[SubmittedCell], repairs: list[str]) -> Iterator[SubmittedCell]:
    replaced = False
    for cell in cells:
        source = replace_unpaired(cell.source)
        replaced |= source != cell.source
        yield SubmittedCell(cell.position, cell.kind, source, cell.ids, cell.grade_id, cell.nbgrader)
    if replaced:
        repairs.append("Some cells hold code points that are no characters; the sign \ufffd stands for them.")


def _get(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _text(value: Any) -> str:
    return replace_unpaired(value) if isinstance(value, str) and len(value) <= _LONGEST_ID else ""
