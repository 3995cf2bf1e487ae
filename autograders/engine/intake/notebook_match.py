"""Which submitted file is which notebook of the lab, whatever the student called it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from autograders.engine.intake.limits import IntakeLimits
from autograders.engine.intake.lms_names import own_name
from course_lib.handin.read_notebook import ReadNotebook, read_notebook

__all__ = ["NamedFile", "match_notebooks", "notebook_stem", "shown_name"]

_ENDINGS = re.compile(r"(\.ipynb)?\.(ipynb|json|txt)", re.IGNORECASE)
_COPY_MARK = re.compile(
    r"([\s_.-]*(\(\d{1,3}\)|-\d{1,2}|copy\d{0,3}|kopie|copia|copie|final|finished|done|new|last|latest|solution|"
    r"submission|answers?|v\d{1,3}|version[\s_-]?\d{1,3}|\d{1,2}))",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class NamedFile:
    """A file as the student named it. `order` rises with the time of upload where that is known."""

    name: str
    raw: bytes
    order: int = 0


@dataclass(frozen=True)
class _Claim:
    file: NamedFile
    notebook: str
    exact: bool


def match_notebooks(
    files: Sequence[NamedFile],
    notebooks: Sequence[str],
    cells: Mapping[str, Collection[str]],
    limits: IntakeLimits,
) -> tuple[dict[str, bytes], list[str]]:
    """Notebook id -> bytes, and sentences about files that fit nowhere or of which there are several.

    cells  notebook id -> ids of its cells, for a file that neither metadata nor name tells.

    A file is known by the course's entry in its metadata, else by its name, else by the cells it holds; cells decide
    too where metadata and name disagree. Of several files for one notebook the one with the exact name counts, else
    the last uploaded, and the sentence names both.
    """
    claims: dict[str, list[_Claim]] = {}
    problems = []
    for file in files:
        claim = _claim(file, notebooks, cells, limits)
        if claim is None:
            problems.append(f"{shown_name(file.name)} is no notebook of this lab and was left out.")
        else:
            claims.setdefault(claim.notebook, []).append(claim)
    chosen: dict[str, bytes] = {}
    for notebook, several in claims.items():
        best = max(several, key=lambda claim: (claim.exact, claim.file.order, claim.file.name))
        chosen[notebook] = best.file.raw
        others = sorted({shown_name(claim.file.name) for claim in several if claim.file.raw != best.file.raw})
        if others:
            problems.append(
                f"Several different files could be {notebook}: {shown_name(best.file.name)} was used, "
                f"{', '.join(others[:5])}{' and more' if len(others) > 5 else ''} not."
            )
    return {notebook: chosen[notebook] for notebook in notebooks if notebook in chosen}, problems


def _claim(
    file: NamedFile, notebooks: Sequence[str], cells: Mapping[str, Collection[str]], limits: IntakeLimits
) -> _Claim | None:
    stem = _ENDINGS.sub("", own_name(file.name))
    by_name = notebook_stem(stem, notebooks)
    read = read_notebook(file.raw, limits)
    by_metadata = read.notebook_id
    if by_metadata in notebooks and by_name in ("", by_metadata):
        return _Claim(file, by_metadata, stem == by_metadata)
    by_cells = _by_cells(read, cells)
    if by_metadata and by_metadata not in notebooks and by_cells not in notebooks:
        return None
    known = by_cells or (by_metadata if by_metadata in notebooks else by_name)
    return _Claim(file, known, stem == known) if known in notebooks else None


def notebook_stem(stem: str, notebooks: Sequence[str]) -> str:
    """The notebook that a file name without its ending means, or ""; case, separators and marks of copies aside."""
    plain = {_plain(notebook): notebook for notebook in notebooks}
    rest = stem
    while _plain(rest) not in plain:
        shorter = _without_copy_mark(rest)
        if shorter == rest:
            return _contained(stem, plain)
        rest = shorter
    return plain[_plain(rest)]


def _without_copy_mark(stem: str) -> str:
    """One mark less at the end; one at the start, such as "Copy of", as the last resort."""
    text = stem[-120:].strip()
    for start in range(max(len(text) - 24, 1), len(text)):
        if _COPY_MARK.fullmatch(text, start):
            return text[:start]
    return re.sub(r"(?i)^(copy|kopie|copia|copie)[\s_-]+(of|von|de|di)[\s_-]+", "", text)


def _contained(stem: str, plain: Mapping[str, str]) -> str:
    """The one notebook whose whole name stands in the file's name, such as `doe_1a_neural_networks_hw`."""
    text = _plain(stem[-300:])
    found = [notebook for key, notebook in plain.items() if key in text]
    return found[0] if len(found) == 1 else ""


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()


def _by_cells(read: ReadNotebook, cells: Mapping[str, Collection[str]]) -> str:
    """The one notebook that most of the file's cells belong to."""
    held = {name for cell in read.cells for name in (*cell.ids, cell.grade_id) if name}
    votes = sorted(((len(held & set(known)), notebook) for notebook, known in cells.items()), reverse=True)
    if not votes or votes[0][0] == 0 or (len(votes) > 1 and votes[1][0] == votes[0][0]):
        return ""
    return votes[0][1]


def shown_name(name: str) -> str:
    """A student's file name in a sentence: printable and short."""
    text = "".join(sign if sign.isprintable() else "\ufffd" for sign in name)
    return repr(text if len(text) <= 80 else f"{text[:40]}...{text[-35:]}")
