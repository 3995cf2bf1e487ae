"""What a student's notebook lacks before it is handed in, in sentences that say what to do."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from course_lib.progress.attempts import Attempt
from course_lib.progress.outline import Task
from course_lib.workbook.expand import CHECK_PREFIX
from course_lib.workbook.nbgrader_settings import CODE_STUB, TEXT_STUB
from course_lib.workbook.student_notebook import StudentCell, StudentNotebook

__all__ = ["Findings", "inspect_notebook", "tasks_of"]

CELLS, CELL_BYTES = 2_000, 256 * 2**10  # what grading reads of one notebook, and of one cell
CLOCKS_APART = timedelta(seconds=3)  # a file's time may come from another computer's clock
_STUB_LINE = CODE_STUB.splitlines()[-1]
_MAGIC = re.compile(r"^\s*[%!]", re.MULTILINE)


@dataclass(frozen=True)
class Findings:
    """gaps      what costs marks if it is handed in like this.
    notes     what is worth knowing.
    answered  how many of the notebook's tasks have an answer.
    """

    gaps: tuple[str, ...]
    notes: tuple[str, ...]
    answered: int
    tasks: int


def inspect_notebook(
    notebook: StudentNotebook, tasks: Sequence[Task], attempts: Sequence[Attempt], saved: datetime
) -> Findings:
    """Look for everything that a student can still mend.

    tasks     what the course asks in this notebook; tasks that only the notebook knows are added.
    attempts  the record of visible checks.
    saved     when the file was last written.
    """
    known = {task.id for task in tasks}
    tasks = [*tasks, *(task for task in tasks_of(notebook) if task.id not in known)]
    gone = [task.id for task in tasks if not notebook.of(task.id)]
    empty = [task.id for task in tasks if task.id not in gone and not _is_answered(task, notebook)]
    gaps = [
        *_listed("the cell is gone (copy it from the notebook as you got it)", gone),
        *_listed("no answer yet", ["all of it"] if len(empty) == len(tasks) > 1 else empty),
        *_unsaved(tasks, empty, attempts, saved),
        *_beyond_limits(notebook),
        *(sentence for task in tasks if task.kind != "question" for sentence in _not_python(task, notebook)),
    ]
    notes = [
        *_listed("the visible check failed when it last ran", _failed(tasks, empty, attempts)),
        *_listed("several cells have this name, and grading joins them; keep one", _doubled(tasks, notebook)),
        *_listed("locked cells were changed or removed; grading uses the course's own", _altered(tasks, notebook)),
    ]
    return Findings(tuple(gaps), tuple(notes), len(tasks) - len(gone) - len(empty), len(tasks))


def tasks_of(notebook: StudentNotebook) -> Iterator[Task]:
    """The exercises, quizzes and questions that a notebook's own metadata tells of, without their points."""
    kinds = {cell.id: cell.kind for cell in notebook.cells if cell.is_answer and cell.id}
    for identifier, kind in kinds.items():
        yield Task(identifier, "question" if kind == "markdown" else "exercise", 0)


def _is_answered(task: Task, notebook: StudentNotebook) -> bool:
    return any(_holds_answer(task, cell) for cell in notebook.of(task.id))


def _holds_answer(task: Task, cell: StudentCell) -> bool:
    text = cell.source.strip()
    if not text or cell.is_as_released:
        return False
    if task.kind == "question":
        return text != TEXT_STUB
    return not any(line.strip() == _STUB_LINE for line in text.splitlines())


def _unsaved(
    tasks: Sequence[Task], empty: Sequence[str], attempts: Sequence[Attempt], saved: datetime
) -> Iterator[str]:
    """Checks that ran after the file was written tell of answers that may not be in it."""
    own = {task.id for task in tasks}
    latest = max((attempt.when for attempt in attempts if attempt.exercise in own), default=None)
    last = {attempt.exercise: attempt.outcome for attempt in attempts}
    lost = [name for name in empty if last.get(name) in ("passed", "failed", "answered")]
    if latest and latest > saved + CLOCKS_APART:
        yield (
            f"checks ran at {_clock(latest)}, after the file was last saved ({_clock(saved)}): "
            "save it in JupyterLab (Ctrl+S) and submit again"
        )
    elif lost:
        yield f"a check ran on an answer that the file does not hold: {', '.join(lost)}; is this the right copy?"


def _clock(when: datetime) -> str:
    return when.astimezone().strftime("%d %b %H:%M:%S")


def _beyond_limits(notebook: StudentNotebook) -> Iterator[str]:
    if len(notebook.cells) > CELLS:
        yield f"it has {len(notebook.cells):,} cells; grading reads the first {CELLS:,}"
    for cell in notebook.cells:
        size = len(cell.source.encode("utf-8", "replace"))
        if size > CELL_BYTES:
            yield f"a cell ({cell.id}) has {size // 1024:,} KiB of text; grading reads at most {CELL_BYTES // 1024} KiB"


def _not_python(task: Task, notebook: StudentNotebook) -> Iterator[str]:
    for cell in notebook.of(task.id):
        if cell.kind != "code":
            yield f"the cell of {task.id} is no code cell; make it one (press Y beside it)"
        elif not _MAGIC.search(cell.source):  # IPython's own commands are no Python
            try:
                # "await" may stand outside functions in a notebook
                compile(cell.source, task.id, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            except SyntaxError as error:
                yield f"{task.id} is not Python: line {error.lineno}: {error.msg}"
            except (ValueError, RecursionError, MemoryError):
                yield f"{task.id} is not Python"


def _failed(tasks: Sequence[Task], empty: Sequence[str], attempts: Sequence[Attempt]) -> list[str]:
    last = {attempt.exercise: attempt.outcome for attempt in attempts}
    return [task.id for task in tasks if last.get(task.id) == "failed" and task.id not in empty]


def _doubled(tasks: Sequence[Task], notebook: StudentNotebook) -> list[str]:
    return [task.id for task in tasks if len(notebook.of(task.id)) > 1]


def _altered(tasks: Sequence[Task], notebook: StudentNotebook) -> list[str]:
    altered = [cell.id for cell in notebook.cells if cell.is_locked and not cell.is_as_released]
    checks = [f"{CHECK_PREFIX}{task.id}" for task in tasks if task.kind != "question"]
    return list(dict.fromkeys([*altered, *(name for name in checks if not notebook.of(name))]))


def _listed(what: str, names: Sequence[str]) -> Iterator[str]:
    if names:
        yield f"{what}: {', '.join(names)}"
