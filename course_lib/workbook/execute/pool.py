"""Executes tasks in parallel worker processes; a worker that dies or hangs costs its task, not the run."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
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
            for worker, result in _finished(workers, watcher):
                results[worker.number] = result
                worker.task = None
                watcher.finished(result)
    finally:  # an interrupt leaves none behind
        for worker in workers:
            worker.end()
    return [results[number] for number in range(len(tasks))]


class _Worker:
    """One process, which executes one task after the other.

    task      what it is at, None while it is idle; number  the task's place in the list.
    progress  its last word on the task, None until the first.
    """

    task: Task | None = None
    number: int
    progress: Progress | None

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def give(self, number: int, task: Task) -> None:
        self.number, self.task = number, task
        self.clock, self.progress = time.monotonic(), None
        self.connection.send(task)

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
        """The result of a task whose worker cannot tell it any more; ends the worker."""
        self.end()
        problem = Problem("worker", summary, _tail(self.task.scratch / "worker.log"))
        return Result(self.task, self.seconds, self.seconds, self.progress or Progress(0, 0), problems=[problem])

    def end(self) -> None:
        self.process.terminate()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.connection.close()


def _free(workers: list[_Worker], jobs: int) -> _Worker | None:
    """A worker without a task: an idle one, or a new one while there are fewer than `jobs`."""
    workers[:] = [worker for worker in workers if worker.task or worker.process.is_alive()]
    idle = next((worker for worker in workers if worker.task is None), None)
    if idle is None and len(workers) < jobs:
        idle = _Worker()
        workers.append(idle)
    return idle


def _finished(workers: Sequence[_Worker], watcher: Watcher) -> Iterator[tuple[_Worker, Result]]:
    """Waits a moment for news; yields the workers whose task is over, with its result."""
    busy: dict[Connection, _Worker] = {worker.connection: worker for worker in workers if worker.task}
    for connection in wait(list(busy), timeout=0.5):
        worker = busy.pop(connection)
        try:
            message = connection.recv()
        except (EOFError, ConnectionError):
            worker.process.join(5)
            yield worker, worker.lost(f"its worker died with exit code {worker.process.exitcode}")
            continue
        if isinstance(message, Result):
            yield worker, message
        else:
            worker.hear(message)
            watcher.progressed(worker.task, message)
    for worker in busy.values():
        if worker.is_overdue:
            yield worker, worker.lost(f"killed after {worker.seconds:.0f} s: it did not stop by itself")


def _tail(log: Path, lines: int = 8) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
