"""What a student's notebook lacks before it is handed in, in sentences that say what to do."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from course_lib.handin.answers import Answered, how_far, same_text
from course_lib.handin.nbgrader_entries import CHECK_PREFIX, is_answer, is_as_released, is_locked
from course_lib.handin.read_notebook import ReadNotebook, SubmittedCell
from course_lib.handin.stubs import TEXT_STUB, stub_lines
from course_lib.progress.attempts import Attempt
from course_lib.progress.outline import Task

__all__ = ["Findings", "how_far_is", "inspect_notebook", "tasks_of"]

CLOCKS_APART = timedelta(seconds=3)  # a file's time may come from another computer's clock
# outcomes of a check that such an answer cannot have had
_TELLS_OF_MORE: dict[Answered, tuple[str, ...]] = {
    Answered.UNTOUCHED: ("passed", "failed", "answered"),
    Answered.PARTLY: ("passed", "answered"),
    Answered.WRITTEN: (),
}
_MAGIC = re.compile(r"^\s*[%!]", re.MULTILINE)


@dataclass(frozen=True)
class Findings:
    """gaps      what costs marks if it is handed in like this.
    notes     what is worth knowing.
    answered  how many of the notebook's tasks have a whole answer.
    """

    gaps: tuple[str, ...]
    notes: tuple[str, ...]
    answered: int
    tasks: int


def inspect_notebook(
    notebook: ReadNotebook, tasks: Sequence[Task], attempts: Sequence[Attempt], saved: datetime
) -> Findings:
    """Look for everything that a student can still mend.

    tasks     what the course asks in this notebook; tasks that only the notebook knows are added.
    attempts  the record of visible checks.
    saved     when the file was last written.
    """
    known = {task.id for task in tasks}
    tasks = [*tasks, *(task for task in tasks_of(notebook) if task.id not in known)]
    gone = [task.id for task in tasks if not notebook.of(task.id)]
    states = {task.id: how_far_is(task, notebook) for task in tasks if task.id not in gone}
    empty = [name for name, state in states.items() if state is Answered.UNTOUCHED]
    partly = [name for name, state in states.items() if state is Answered.PARTLY]
    gaps = [
        *_listed("the cell is gone (copy it from the notebook as you got it)", gone),
        *_listed(Answered.UNTOUCHED, ["all of it"] if len(empty) == len(tasks) > 1 else empty),
        *_listed(Answered.PARTLY, [_what_is_left(task, notebook) for task in tasks if task.id in partly]),
        *_unsaved(tasks, states, attempts, saved),
        *map(_clause, notebook.problems),
        *(sentence for task in tasks if task.kind != "question" for sentence in _not_python(task, notebook)),
    ]
    notes = [
        *_listed("the visible check failed when it last ran", _failed(states, attempts)),
        *_listed("several cells have this name, and grading joins them; keep one", _doubled(tasks, notebook)),
        *_listed("locked cells were changed or removed; grading uses the course's own", _altered(tasks, notebook)),
        *map(_clause, notebook.repairs),
    ]
    return Findings(tuple(gaps), tuple(notes), len(states) - len(empty) - len(partly), len(tasks))


def tasks_of(notebook: ReadNotebook) -> Iterator[Task]:
    """The exercises, quizzes and questions that a notebook's own metadata tells of, without their points."""
    kinds = {cell.name: cell.kind for cell in notebook.cells if is_answer(cell) and cell.name}
    for identifier, kind in kinds.items():
        yield Task(identifier, "question" if kind == "markdown" else "exercise", 0)


def how_far_is(task: Task, notebook: ReadNotebook) -> Answered:
    """How far the answer to one task is written; of several cells of its name the one that is furthest."""
    order = list(Answered)
    states = [_state(task, cell) for cell in notebook.of(task.id)]
    return max(states, key=order.index, default=Answered.UNTOUCHED)


def _state(task: Task, cell: SubmittedCell) -> Answered:
    if task.kind == "question":  # a text has no parts, whatever stands in it
        untouched = is_as_released(cell) or not cell.source.strip() or same_text(cell.source, TEXT_STUB)
        return Answered.UNTOUCHED if untouched else Answered.WRITTEN
    return how_far(cell.source, as_released=is_as_released(cell))


def _what_is_left(task: Task, notebook: ReadNotebook) -> str:
    """The task's name, and where a part is still to be written: in the last of its cells that holds something."""
    lines = [stub_lines(cell.source) for cell in notebook.of(task.id) if _state(task, cell) is Answered.PARTLY][-1]
    return f"{task.id} (line{'s' * (len(lines) > 1)} {' and '.join(map(str, lines))} still to be written)"


def _unsaved(
    tasks: Sequence[Task], states: Mapping[str, Answered], attempts: Sequence[Attempt], saved: datetime
) -> Iterator[str]:
    """Checks that ran after the file was written tell of answers that may not be in it."""
    own = {task.id for task in tasks}
    latest = max((attempt.when for attempt in attempts if attempt.exercise in own), default=None)
    last = {attempt.exercise: attempt.outcome for attempt in attempts}
    lost = [name for name, state in states.items() if last.get(name) in _TELLS_OF_MORE[state]]
    if latest and latest > saved + CLOCKS_APART:
        yield (
            f"checks ran at {_clock(latest)}, after the file was last saved ({_clock(saved)}): "
            "save it in JupyterLab (Ctrl+S) and submit again"
        )
    elif lost:
        yield f"a check ran on an answer that the file does not hold: {', '.join(lost)}; is this the right copy?"


def _clock(when: datetime) -> str:
    return when.astimezone().strftime("%d %b %H:%M:%S")


def _clause(sentence: str) -> str:
    """A sentence of the reader's, to stand behind the notebook's name."""
    return sentence[:1].lower() + sentence[1:].rstrip(".")


def _not_python(task: Task, notebook: ReadNotebook) -> Iterator[str]:
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


def _failed(states: Mapping[str, Answered], attempts: Sequence[Attempt]) -> list[str]:
    last = {attempt.exercise: attempt.outcome for attempt in attempts}
    return [name for name, state in states.items() if last.get(name) == "failed" and state is Answered.WRITTEN]


def _doubled(tasks: Sequence[Task], notebook: ReadNotebook) -> list[str]:
    return [task.id for task in tasks if len(notebook.of(task.id)) > 1]


def _altered(tasks: Sequence[Task], notebook: ReadNotebook) -> list[str]:
    altered = [cell.name for cell in notebook.cells if is_locked(cell) and not is_as_released(cell)]
    checks = [f"{CHECK_PREFIX}{task.id}" for task in tasks if task.kind != "question"]
    return list(dict.fromkeys([*altered, *(name for name in checks if not notebook.of(name))]))


def _listed(what: str, names: Sequence[str]) -> Iterator[str]:
    if names:
        yield f"{what}: {', '.join(names)}"
