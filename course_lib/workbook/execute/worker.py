"""Executes tasks with papermill, in a process of its own, and judges the outcome."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course_lib.workbook.execute import executed, judge
from course_lib.workbook.execute.excerpt import numbered
from course_lib.workbook.execute.result import Problem, ProblemKind, Progress, Result
from course_lib.workbook.execute.tasks import Task

__all__ = ["work"]

KERNEL = "python3"
KERNEL_START_SECONDS = 120


def work(connection: Connection) -> None:
    """Entry point of a worker process: takes Tasks; sends Progress while one goes on, and its Result at the end."""
    while True:
        try:
            task: Task = connection.recv()
        except EOFError:
            return
        task.scratch.mkdir(parents=True, exist_ok=True)
        _send_output_to(task.scratch / "worker.log")
        _prepare_environment(task)
        connection.send(_perform(task, connection.send))


def _perform(task: Task, report: Callable[[Progress], None]) -> Result:
    started = time.monotonic()
    run = _Run(task, deadline=started + task.budget.stop, report=report)
    problem = run.execute()
    wall_seconds = time.monotonic() - started
    found, notebook, size = [problem] if problem else [], None, None
    if task.executed.exists():
        notebook, size = nbformat.read(task.executed, as_version=4), task.executed.stat().st_size
        found += judge.problems(task, notebook, size)
    if not found and run.done < run.total:
        found.append(Problem("worker", f"the execution ended after {run.done} of {run.total} cells, without an error"))
    seconds = executed.seconds_after_setup(notebook) if notebook and task.part == "graded" else wall_seconds
    overrun = judge.budget_overrun(task, seconds)
    return Result(
        task=task,
        seconds=seconds,
        wall_seconds=wall_seconds,
        cells=Progress(run.done, run.total),
        size=size,
        metrics=executed.metrics(notebook) if notebook else [],
        problems=found,
        warnings=[overrun] if overrun and not found else [],
    )


class _Run:
    """One papermill execution that counts its cells and ends at a deadline (a time of `time.monotonic`)."""

    def __init__(self, task: Task, deadline: float, report: Callable[[Progress], None]) -> None:
        self.task, self.deadline, self.report = task, deadline, report
        self.current: NotebookNode | None = None
        self.done = 0
        notebook = nbformat.read(task.input, as_version=4)
        # papermill adds the cell that sets the parameters
        self.total = len(executed.code_cells(notebook, skipped_tag=task.skipped_tag)) + 1

    def execute(self) -> Problem | None:
        """Leaves the executed copy; returns a Problem for what the copy does not tell: time ran out, a dead kernel."""
        import papermill
        from nbclient.exceptions import CellTimeoutError
        from papermill.exceptions import PapermillExecutionError

        task = self.task
        task.executed.unlink(missing_ok=True)
        task.executed.parent.mkdir(parents=True, exist_ok=True)
        self.report(Progress(0, self.total))
        try:
            papermill.execute_notebook(
                task.input,
                task.executed,
                parameters=task.parameters,
                kernel_name=KERNEL,
                language="python",
                cwd=task.scratch,
                progress_bar=False,
                start_timeout=KERNEL_START_SECONDS,
                allow_errors=task.allow_errors,
                skip_cells_with_tag=task.skipped_tag,
                coalesce_streams=True,
                shutdown_kernel="immediate",
                timeout_func=lambda cell: max(1, round(self.deadline - time.monotonic())),
                on_cell_execute=self._on_start,
                on_cell_executed=self._on_end,
            )
        except PapermillExecutionError:
            return None  # the executed copy holds the error
        except CellTimeoutError:
            return self._problem("time", f"stopped after {task.budget.stop:.0f} s")
        except Exception as error:  # a kernel that died or did not start; any other fault must not end the run
            lines = str(error).strip().splitlines()
            return self._problem("worker", f"{type(error).__name__}: {lines[-1] if lines else ''}".rstrip(": "))
        return None

    def _problem(self, kind: ProblemKind, summary: str) -> Problem:
        if self.current is None:
            return Problem(kind, f"{summary}, before the first cell")
        where = self.current.id
        return Problem(kind, f"{summary}, in cell {where}", numbered(self.current.source, None), where)

    def _on_start(self, cell: NotebookNode, cell_index: int) -> None:
        self.current = cell

    def _on_end(self, cell: NotebookNode, cell_index: int, execute_reply: dict[str, object]) -> None:
        self.done += 1
        self.report(Progress(self.done, self.total))


def _prepare_environment(task: Task) -> None:
    """What the kernel inherits: its share of the cores, this environment's kernel, nothing from the user's settings."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(task.threads)
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # a kernel of the same name in the home folder runs another Python
    os.environ["IPYTHONDIR"] = str(task.scratch / "ipython")
    os.environ.pop("MPLBACKEND", None)  # figures belong in the notebook
    library = str(Path(__file__).resolve().parents[3])  # the kernel uses the library that this command is part of
    others = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != library]
    os.environ["PYTHONPATH"] = os.pathsep.join([library, *others])


def _send_output_to(log: Path) -> None:
    """Jupyter's own chatter must not write across the progress table."""
    with log.open("ab") as file:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
                os.dup2(file.fileno(), stream.fileno())
