"""Runs a compiled job in a process of its own, with a time limit, and says in words how it ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course_lib.cuda.calling.arguments import Bound
from course_lib.cuda.calling.geometry import LaunchError
from course_lib.cuda.runner.host_compile import build_program
from course_lib.cuda.runner.host_kernel import STATUS, workers
from course_lib.cuda.runner.job import Buffer, group, read_back, write_job

__all__ = ["Outcome", "died_in_words", "run_isolated", "run_program"]

RUNNER_CODES = (64, 65, 71)  # host/runtime/isolated.cpp: wrong call, unreadable job, unwritable report
GRACE = 2.0  # seconds between the limit that the process keeps itself and the one that ends it
SIGNALS = {
    signal.SIGSEGV: "an access to memory that does not exist (segmentation fault)",
    signal.SIGBUS: "an access to memory that does not exist (bus error)",
    signal.SIGFPE: "an integer division by zero",
    signal.SIGILL: "an instruction that cannot be executed",
    signal.SIGABRT: "abort()",
    signal.SIGTRAP: "a trap",
    signal.SIGKILL: "a kill from outside, perhaps for lack of memory",
}


@dataclass
class Outcome:
    """What became of a job.

    records   the report's lines, split at tabs.
    finished  the process came to its own end.
    timed_out it did not within the limit.
    signal    that ended it, or 0.
    printed   what the kernel printed.
    """

    records: list[list[str]] = field(default_factory=list)
    finished: bool = False
    timed_out: bool = False
    signal: int = 0
    code: int = 0
    printed: str = ""

    def first(self, kind: str) -> list[str] | None:
        """The first record of a kind, without the kind."""
        return next((record[1:] for record in self.records if record[0] == kind), None)


def run_program(program: Path, job: Path, seconds: float) -> Outcome:
    """Run the job and read its report. No process is left behind, however it ends."""
    report, printed = job.with_name("report"), job.with_name("printed")
    process = subprocess.Popen(
        [str(program), str(job), str(report), str(printed)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=job.parent,
        env={"PATH": os.defpath},
    )
    outcome = Outcome()
    try:
        code = process.wait(seconds + GRACE)
    except subprocess.TimeoutExpired:
        outcome.timed_out = True
        code = 0
    finally:
        # also when the notebook's user interrupts: the kernel's process and whatever it started
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    outcome.signal, outcome.code = max(-code, 0), max(code, 0)
    if report.exists():
        lines = report.read_text(errors="replace").splitlines()
        outcome.records = [line.split("\t") for line in lines]
    outcome.finished = outcome.first("done") is not None
    died = outcome.first("died")
    if died and int(died[0]) == signal.SIGALRM:
        outcome.timed_out = True
    elif died:
        outcome.signal = int(died[0])
    if printed.exists():
        outcome.printed = printed.read_text(errors="replace")
    return outcome


def run_isolated(
    kernel: Any,
    grid: tuple[int, int, int],
    block: tuple[int, int, int],
    bound: Sequence[Bound],
    shared_mem: int,
    seconds: float,
) -> None:
    """One launch in its own process: arrays are copied there and back. Raises LaunchError for whatever goes wrong."""
    program = build_program(kernel.source, kernel.name, kernel.options, checked=False)
    with prepared(bound, kernel.variables(), False, grid, block, shared_mem, workers(), seconds) as (job, buffers):
        outcome = run_program(program, job, seconds)
        sys.stdout.write(outcome.printed)
        stopped = outcome.first("pass")
        if stopped and int(stopped[0]):
            raise LaunchError(f"{kernel.name}: {STATUS[int(stopped[0])]}{stopped[1]}")
        if not outcome.finished:
            raise LaunchError(f"{kernel.name} {died_in_words(outcome, grid, block, seconds)}")
        read_back(job, buffers)


@contextlib.contextmanager
def prepared(
    bound: Sequence[Bound],
    variables: Mapping[str, bytes],
    check: bool,
    grid: tuple[int, int, int],
    block: tuple[int, int, int],
    shared_mem: int,
    threads: int,
    seconds: float,
    **more: Any,
) -> Any:
    """A folder with the job file in it, gone afterwards. Yields (the file, the buffers)."""
    buffers: list[Buffer] = group(bound)
    with tempfile.TemporaryDirectory(prefix="cuda-host-") as folder:
        job = Path(folder) / "job"
        write_job(
            job,
            bound,
            buffers,
            variables,
            check=check,
            grid=grid,
            block=block,
            shared_mem=shared_mem,
            workers=threads,
            seconds=seconds,
            **more,
        )
        yield job, buffers


def died_in_words(outcome: Outcome, grid: tuple[int, int, int], block: tuple[int, int, int], seconds: float) -> str:
    """`did not finish within 10 s, ...` or `stopped by ...`, with thread and block where known."""
    died = outcome.first("died")
    where = ""
    if died and int(died[3]) >= 0:
        b, t = int(died[3]), int(died[4])
        where = f" in thread {unflatten(t, block)} of block {unflatten(b, grid)}"
    if outcome.timed_out:
        return f"did not finish within {seconds:g} s: a loop that never ends, or too much work for that time." + (
            f" Last seen{where}" if where else ""
        )
    if died and int(died[2]):
        return f"ran out of stack{where}: recursion without an end, or local arrays beyond 256 KB"
    if outcome.signal:
        name = SIGNALS.get(outcome.signal, f"signal {outcome.signal}")
        return f"was stopped by {name}{where}"
    if outcome.code == 70:
        return "could not run: not enough memory"
    if outcome.code in RUNNER_CODES and not outcome.records:
        return f"could not run: the program around it gave up (code {outcome.code}); is the temporary folder full?"
    return f"ended its process with exit code {outcome.code}: a kernel cannot call exit()"


def unflatten(index: int, size: tuple[int, int, int]) -> tuple[int, int, int]:
    """(x, y, z) of a linear index."""
    return index % size[0], index // size[0] % size[1], index // size[0] // size[1]
