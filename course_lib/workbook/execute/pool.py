"""Executes tasks in parallel, each in a process of its own, so that none can take the others with it."""

from __future__ import annotations

import multiprocessing
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Protocol

from course_lib.workbook.execute.result import Problem, Progress, Result
from course_lib.workbook.execute.tasks import Task
from course_lib.workbook.execute.worker import work

__all__ = ["Watcher", "run_tasks"]

# A worker ends its notebook by itself when the time is over; one that does not is killed this much later.
GRACE_SECONDS = 30


class Watcher(Protocol):
    """Is told what happens."""

    def started(self, task: Task) -> None: ...

    def progressed(self, task: Task, progress: Progress) -> None: ...

    def finished(self, result: Result) -> None: ...


@dataclass
class _Worker:
    task: Task
    process: BaseProcess
    connection: Connection
    started: float = field(default_factory=time.monotonic)
    progress: Progress = field(default_factory=lambda: Progress(0, 0))

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def is_overdue(self) -> bool:
        return self.seconds > self.task.budget.stop + GRACE_SECONDS

    def lost(self, summary: str) -> Result:
        problem = Problem("worker", summary, _tail(self.task))
        return Result(self.task, self.seconds, self.seconds, self.progress, problems=[problem])

    def end(self) -> None:
        self.process.terminate()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.connection.close()


def run_tasks(tasks: Iterable[Task], jobs: int, watcher: Watcher) -> list[Result]:
    """Execute every task, at most `jobs` at a time; results in the order of `tasks`."""
    waiting, running, results = deque(tasks), dict[Connection, _Worker](), dict[int, Result]()
    order = {id(task): index for index, task in enumerate(waiting)}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                worker = _start(waiting.popleft())
                running[worker.connection] = worker
                watcher.started(worker.task)
            for worker, result in _news(running, watcher):
                del running[worker.connection]
                worker.end()
                results[order[id(worker.task)]] = result
                watcher.finished(result)
    finally:  # an interrupt leaves none behind
        for worker in running.values():
            worker.end()
    return [results[index] for index in sorted(results)]


def _start(task: Task) -> _Worker:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(task, there), daemon=True)
    process.start()
    there.close()
    return _Worker(task, process, here)


def _news(running: dict[Connection, _Worker], watcher: Watcher) -> list[tuple[_Worker, Result]]:
    """Waits a moment for messages; returns the workers that have ended, with their results."""
    ended = []
    for connection in wait(list(running), timeout=0.5):
        worker = running[connection]
        try:
            message = connection.recv()
        except EOFError:
            worker.process.join(5)
            ended.append((worker, worker.lost(f"its worker died with exit code {worker.process.exitcode}")))
            continue
        if isinstance(message, Progress):
            worker.progress = message
            watcher.progressed(worker.task, message)
        else:
            # the worker's copy of the task equals ours
            ended.append((worker, message))
    done = {id(worker) for worker, _ in ended}
    for worker in running.values():
        if worker.is_overdue and id(worker) not in done:
            ended.append((worker, worker.lost(f"killed after {worker.seconds:.0f} s: it did not stop when asked to")))
    return ended


def _tail(task: Task, lines: int = 8) -> str:
    log = task.scratch / "worker.log"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
