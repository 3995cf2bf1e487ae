"""Executes tasks in parallel worker processes; a worker that dies or hangs costs its task, not the run."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Protocol

from course_lib.workbook.execute.result import Problem, Progress, Result
from course_lib.workbook.execute.tasks import Task
from course_lib.workbook.execute.worker import work

__all__ = ["Watcher", "run_tasks"]

# A worker ends its notebook by itself when the time is over; one that does not is killed this much later.
GRACE_SECONDS = 30
# Importing what a worker needs takes seconds, on a busy machine many; that counts for no notebook.
FIRST_WORD_SECONDS = 180


class Watcher(Protocol):
    """Is told what happens."""

    def started(self, task: Task) -> None: ...

    def progressed(self, task: Task, progress: Progress) -> None: ...

    def finished(self, result: Result) -> None: ...


def run_tasks(tasks: Sequence[Task], jobs: int, watcher: Watcher) -> list[Result]:
    """Execute every task, at most `jobs` at a time; results in the order of `tasks`."""
    waiting = list(enumerate(tasks))[::-1]
    workers: list[_Worker] = []
    results: dict[int, Result] = {}
    try:
        while len(results) < len(tasks):
            while waiting and (worker := _free(workers, jobs)):
                number, task = waiting.pop()
                worker.give(number, task)
                watcher.started(task)
            for number, result in _finished(workers, watcher):
                results[number] = result
                watcher.finished(result)
    finally:  # an interrupt leaves none behind
        for worker in workers:
            worker.end()
    return [results[number] for number in range(len(tasks))]


@dataclass
class _Assignment:
    """A task that a worker is at.

    number    the task's place in the list.
    clock     when it began: the worker's first word, until then when it was given.
    progress  the worker's last word, None until the first.
    """

    number: int
    task: Task
    clock: float
    progress: Progress | None = None

    def hear(self, progress: Progress) -> None:
        if self.progress is None:
            self.clock = time.monotonic()
        self.progress = progress

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.clock

    @property
    def is_overdue(self) -> bool:
        return self.seconds > (self.task.budget.stop + GRACE_SECONDS if self.progress else FIRST_WORD_SECONDS)

    def lost(self, summary: str) -> Result:
        """The result of a task whose worker cannot tell it any more."""
        problem = Problem("worker", summary, _tail(self.task.scratch / "worker.log"))
        return Result(self.task, self.seconds, self.seconds, self.progress or Progress(0, 0), problems=[problem])


class _Worker:
    """One process, which executes one task after the other; `at` is None while it is idle."""

    at: _Assignment | None = None

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def give(self, number: int, task: Task) -> None:
        self.at = _Assignment(number, task, time.monotonic())
        self.connection.send(task)

    def end(self) -> None:
        self.process.terminate()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.connection.close()


def _free(workers: list[_Worker], jobs: int) -> _Worker | None:
    """A worker without a task: an idle one, or a new one while there are fewer than `jobs`."""
    workers[:] = [worker for worker in workers if worker.at or worker.process.is_alive()]
    idle = next((worker for worker in workers if worker.at is None), None)
    if idle is None and len(workers) < jobs:
        idle = _Worker()
        workers.append(idle)
    return idle


def _finished(workers: Sequence[_Worker], watcher: Watcher) -> Iterator[tuple[int, Result]]:
    """Waits a moment for news; yields the number and result of each task that is over, and frees its worker."""
    busy = [(worker, worker.at) for worker in workers if worker.at]
    speaking = wait([worker.connection for worker, _ in busy], timeout=0.5)
    for worker, at in busy:
        result = _heard(worker, at, watcher) if worker.connection in speaking else _overdue(worker, at)
        if result:
            worker.at = None
            yield at.number, result


def _heard(worker: _Worker, at: _Assignment, watcher: Watcher) -> Result | None:
    try:
        message: Progress | Result = worker.connection.recv()
    except (EOFError, ConnectionError):
        worker.process.join(5)
        code = worker.process.exitcode
        worker.end()
        return at.lost(f"its worker died with exit code {code}")
    if isinstance(message, Result):
        return message
    at.hear(message)
    watcher.progressed(at.task, message)
    return None


def _overdue(worker: _Worker, at: _Assignment) -> Result | None:
    if not at.is_overdue:
        return None
    seconds = at.seconds
    worker.end()
    return at.lost(f"killed after {seconds:.0f} s: it did not stop by itself")


def _tail(log: Path, lines: int = 8) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
