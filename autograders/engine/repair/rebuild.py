"""A submitted file -> the student's answers and nothing else of it: everything around them is the course's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from autograders.engine.repair.answer_pieces import Answer, OwnCells, join_code, join_text
from autograders.engine.repair.cell_match import CellMatch, match_cells
from autograders.engine.repair.cell_repairs import structure_repairs
from autograders.engine.repair.helper_cells import Helper, OwnCode, added_code, find_helpers
from autograders.engine.repair.released import KnownCell, Released, released
from course_lib.handin.limits import HandInLimits
from course_lib.handin.read_notebook import ReadNotebook, read_notebook
from course_lib.workbook.source import SourceNotebook

__all__ = ["Helper", "Rebuilt", "rebuild"]


@dataclass(frozen=True)
class Rebuilt:
    """What one submitted notebook brings to grading.

    answers   exercise or quiz id -> the student's code, "" when there is none. Every id of the source is a key.
    texts     question id -> the student's markdown, "" when there is none.
    helpers   code of the student's own that answers need, in the order of the file.
    repairs   sentences: what was put right.
    problems  sentences: what could not be read.
    """

    answers: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    helpers: tuple[Helper, ...] = ()
    repairs: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def rebuild(source: SourceNotebook, raw: bytes, limits: HandInLimits | None = None) -> Rebuilt:
    """Take the answers out of a submitted file. Never raises for any bytes.

    Text of an answer is always the student's: whole cells of the file, joined by line ends where a cell was split.
    """
    ours = released(source)
    read = read_notebook(raw, limits)
    if not read.cells:
        answers, texts = _by_kind(ours, {})
        problems = read.problems or ("The notebook has no cells.",)
        return Rebuilt(answers, texts, repairs=read.repairs, problems=problems)
    match = match_cells(read.cells, ours)
    found = _answers(ours, match)
    added, left_out = added_code(_altered(ours, match))
    helpers = list(_helpers(ours, match, found, added))
    repairs = [
        *read.repairs,
        *_other_notebook(source, read),
        *structure_repairs(ours, match, found),
        *(f"{_title(known)} {clause}." for known in ours.answers for clause in found[known.id].repairs),
        *_helper_repair([name for _, name in helpers]),
    ]
    answers, texts = _by_kind(ours, found)
    return Rebuilt(
        answers, texts, tuple(helper for helper, _ in helpers), tuple(repairs), (*read.problems, *_left_out(left_out))
    )


def _answers(ours: Released, match: CellMatch) -> dict[str, Answer]:
    own = OwnCells(match.own)
    found = {}
    for known in ours.answers:
        if known.cell_type == "code":
            found[known.id] = join_code(known, match.of(known), own)
        else:
            prompt = match.named.get(f"{known.id}_prompt", [])
            found[known.id] = join_text(known, match.of(known), prompt, own)
    return found


def _by_kind(ours: Released, found: dict[str, Answer]) -> tuple[dict[str, str], dict[str, str]]:
    answers: dict[str, str] = {}
    texts: dict[str, str] = {}
    for known in ours.answers:
        kept = answers if known.cell_type == "code" else texts
        kept[known.id] = found[known.id].source if known.id in found else ""
    return answers, texts


def _altered(ours: Released, match: CellMatch) -> Iterator[tuple[str, list[OwnCode]]]:
    """Each code cell of ours that is no answer, and what stood in its place where that is not ours."""
    for known in ours.cells:
        if known.cell_type == "code" and not known.is_answer:
            copies = [cell for cell in match.of(known) if not known.is_unaltered(cell.source)]
            yield known.source, [OwnCode(cell.position, cell.source) for cell in copies]


def _helpers(
    ours: Released, match: CellMatch, found: dict[str, Answer], added: list[OwnCode]
) -> list[tuple[Helper, str]]:
    used = {position for answer in found.values() for position in answer.used}
    codes = [
        OwnCode(cell.position, cell.source) for cell in match.own if cell.kind == "code" and cell.position not in used
    ]
    code_answers = {
        known.id: (found[known.id].position, found[known.id].source)
        for known in ours.answers
        if known.cell_type == "code" and not known.is_untouched(found[known.id].source)
    }
    return find_helpers([*codes, *added], code_answers, ours.graded_names)


def _left_out(count: int) -> list[str]:
    if not count:
        return []
    copies = "One altered copy" if count == 1 else f"{count} altered copies"
    return [f"{copies} of cells that are no answers went unread: there were too many of them, or they were too long."]


def _helper_repair(names: list[str]) -> list[str]:
    if not names:
        return []
    shown = [name if len(name) <= 40 else f"{name[:39]}…" for name in names[:5]]
    shown += ["more"] if len(names) > 5 else []
    pieces = "a piece" if len(names) == 1 else f"{len(names)} pieces"
    return [f"Of the student's own code {pieces} had to be taken along: answers need {', '.join(shown)}."]


def _other_notebook(source: SourceNotebook, read: ReadNotebook) -> list[str]:
    if read.notebook_id in ("", source.id):
        return []
    return [f"The file calls itself another notebook; it was read as {source.id}."]


def _title(known: KnownCell) -> str:
    return f"The answer to {known.id}"
