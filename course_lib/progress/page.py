"""Progress as the start page shows it: bars in HTML, and the same in plain text."""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path

from course_lib.course_root import course_root
from course_lib.errors import CourseError
from course_lib.progress.standing import LabStanding, Next, NotebookStanding, read_standing

__all__ = ["HIDDEN_REMAIN", "as_html", "as_text", "show"]

HIDDEN_REMAIN = "These are the visible checks only. Grading asks hidden questions about the same functions, too."
ALL_PASS = "Every visible check passes. `course submit LAB` packs a lab to hand in."

# JupyterLab's own colours, light or dark as it is; the second value is for other programs that show notebooks
_TEXT = "color: var(--jp-content-font-color1, inherit); font-family: var(--jp-content-font-family, sans-serif)"
_PASSED = "var(--jp-success-color1, #2e8b57)"
_TRIED = "var(--jp-warn-color1, #f0a030)"
_TRACK = "background: var(--jp-layout-color3, rgba(128, 128, 128, 0.3))"
_QUIET = "color: var(--jp-content-font-color2, inherit)"
_FIGURES = "text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap"


def show(course: Path | None = None) -> None:
    """Show how far the labs are: in a notebook as bars, elsewhere as text. What cannot be read is said, not raised.

    course  its folder; default: where the working directory lies.
    """
    try:
        labs, following = read_standing(course or course_root(holding="labs"))
    except CourseError as error:
        print(f"Your progress cannot be shown: {error}.")
        return
    text = as_text(labs, following)
    if "IPython" in sys.modules:
        from IPython import get_ipython
        from IPython.display import display

        if get_ipython() is not None:
            display({"text/html": as_html(labs, following), "text/plain": text}, raw=True)
            return
    print(text)


def as_text(labs: tuple[LabStanding, ...], following: Next | None) -> str:
    """One line a notebook."""
    lines = []
    for lab in labs:
        width = max((len(part.notebook.label) for part in lab.notebooks), default=0)
        lines += [lab.lab.title, *(f"  {part.notebook.label:{width}}  {_counts(part)}" for part in lab.notebooks)]
    go_on = f"Next: {following.task.id} in {following.notebook.label}." if following else ALL_PASS.replace("`", "")
    return "\n".join([*lines, go_on, HIDDEN_REMAIN])


def as_html(labs: tuple[LabStanding, ...], following: Next | None) -> str:
    """A bar over everything, then a row for each notebook; read aloud, each bar says its numbers."""
    every = [part for lab in labs for part in lab.notebooks]
    passed, tried, exercises = (_sum(every, what) for what in ("passed", "tried", "exercises"))
    head = f'<b>{passed} of {exercises} exercises pass</b><span style="{_QUIET}"> &middot; {_go_on(following)}</span>'
    rows = "".join(_lab_rows(lab) for lab in labs)
    return (
        f'<div style="{_TEXT}; max-width: 62em">'
        f'<div style="margin: 4px 0 6px">{head}</div>{_bar(passed, tried, exercises, height=14)}'
        '<div style="display: grid; grid-template-columns: auto minmax(8em, 1fr) auto auto auto; '
        f'gap: 5px 16px; align-items: center; margin: 10px 0">{rows}</div>'
        f'<div style="{_QUIET}">{_legend()}<br>{HIDDEN_REMAIN}</div></div>'
    )


def _lab_rows(lab: LabStanding) -> str:
    title = f'<div style="grid-column: 1 / -1; font-weight: bold; margin-top: 4px">{escape(lab.lab.title)}</div>'
    return title + "".join(_row(lab.lab.folder, part) for part in lab.notebooks)


def _row(folder: str, part: NotebookStanding) -> str:
    link = f'<a href="{escape(folder)}/{escape(part.notebook.id)}.ipynb">{escape(part.notebook.label)}</a>'
    quizzes = f"{_count(len(part.answered), part.quizzes, 'quiz', 'quizzes')} answered" if part.quizzes else ""
    cells = (
        f'<div style="{_FIGURES}">{len(part.passed)} of {part.exercises}</div>',
        f'<div style="{_FIGURES}; {_QUIET}">{part.points:g} of {part.points_in_all:g} points</div>',
        f'<div style="{_FIGURES}; {_QUIET}">{quizzes}</div>',
    )
    return f"<div>{link}</div>{_bar(len(part.passed), len(part.tried), part.exercises)}{''.join(cells)}"


def _bar(passed: int, tried: int, exercises: int, height: int = 10) -> str:
    says = f"{passed} passed, {tried} tried, {exercises - passed - tried} left"
    pieces = "".join(
        f'<div style="width: {100 * count / max(exercises, 1):.2f}%; background: {colour}"></div>'
        for count, colour in ((passed, _PASSED), (tried, _TRIED))
    )
    return (
        f'<div role="img" aria-label="{says}" title="{says}" style="display: flex; height: {height}px; '
        f'border-radius: {height // 2}px; overflow: hidden; {_TRACK}">{pieces}</div>'
    )


def _legend() -> str:
    square = "display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin: 0 5px 0 0"
    kinds = ((f"background: {_PASSED}", "passed"), (f"background: {_TRIED}", "tried"), (_TRACK, "left"))
    return " &nbsp; ".join(f'<span style="{square}; {fill}"></span>{word}' for fill, word in kinds)


def _go_on(following: Next | None) -> str:
    if following is None:
        return ALL_PASS.replace("`course submit LAB`", "<code>course submit LAB</code>")
    path = f"{following.lab.folder}/{following.notebook.id}.ipynb"
    link = f'<a href="{escape(path)}">{escape(following.notebook.label)}</a>'
    return f"next: <code>{escape(following.task.id)}</code> in {link}"


def _counts(part: NotebookStanding) -> str:
    """`3 of 12 exercises pass, 1 tried; 9 of 34 points`."""
    tried = f", {len(part.tried)} tried" if part.tried else ""
    quizzes = f"; {_count(len(part.answered), part.quizzes, 'quiz', 'quizzes')} answered" if part.quizzes else ""
    of = _count(len(part.passed), part.exercises, "exercise", "exercises")
    return f"{of} pass{tried}; {part.points:g} of {part.points_in_all:g} points{quizzes}"


def _count(done: int, of: int, one: str, many: str) -> str:
    return f"{done} of {of} {one if of == 1 else many}"


def _sum(parts: list[NotebookStanding], what: str) -> int:
    counted = (getattr(part, what) for part in parts)
    return sum(value if isinstance(value, int) else len(value) for value in counted)
