"""Runs a compiled job in a process of its own, with a time limit, and reads what it reports."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from course_lib.cuda.calling.bound_launch import BoundLaunch

__all__ = ["Outcome", "died_in_words", "run_program"]

RUNNER_CODES = (64, 65, 71)  # host/runtime/isolated.cpp: wrong call, unreadable job, unwritable report
GRACE = 2.0  # seconds between the limit that the process keeps itself and the one that ends it
SIGNALS: dict[int, str] = {
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

    limit      seconds that it had; seconds that it took.
    records    the report's lines, split at tabs.
    finished   the process came to its own end.
    timed_out  it did not within the limit.
    signal     that ended it, or 0; code: its exit code.
    printed    what the kernel printed.
    """

    limit: float
    seconds: float = 0.0
    records: list[list[str]] = field(default_factory=list)
    finished: bool = False
    timed_out: bool = False
    signal: int = 0
    code: int = 0
    printed: str = ""

    def first(self, kind: str) -> list[str] | None:
        """The first record of a kind, without the kind."""
        return next((record[1:] for record in self.records if record[0] == kind), None)


def run_program(program: Path, job: Path, limit: float) -> Outcome:
    """Run the job and read its report, which lies beside it. No process is left behind, however it ends."""
    report, printed = job.with_name("report"), job.with_name("printed")
    outcome = Outcome(limit)
    start = time.perf_counter()
    process = subprocess.Popen(
        [str(program), str(job), str(report), str(printed)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=job.parent,
        env={"PATH": os.defpath},
    )
    try:
        code = process.wait(limit + GRACE)
    except subprocess.TimeoutExpired:
        outcome.timed_out = True
        code = 0
    finally:
        # also when the notebook's user interrupts: the kernel's process and whatever it started
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    outcome.seconds = time.perf_counter() - start
    outcome.signal, outcome.code = max(-code, 0), max(code, 0)
    if report.exists():
        outcome.records = [line.split("\t") for line in report.read_text(errors="replace").splitlines()]
    outcome.finished = outcome.first("done") is not None
    died = outcome.first("died")
    if died and int(died[0]) == signal.SIGALRM:
        outcome.timed_out = True
    elif died:
        outcome.signal = int(died[0])
    if printed.exists():
        outcome.printed = printed.read_text(errors="replace")
    return outcome


def died_in_words(outcome: Outcome, launch: BoundLaunch) -> str:
    """`did not finish within 10 s, ...` or `stopped by ...`, with thread and block where known."""
    died = outcome.first("died")
    where = ""
    if died and int(died[3]) >= 0:
        block, thread = launch.block_index(int(died[3])), launch.thread_index(int(died[4]))
        where = f" in thread {thread} of block {block}"
    if outcome.timed_out:
        return f"did not finish within {outcome.limit:g} s: a loop that never ends, or too much work for that time." + (
            f" Last seen{where}" if where else ""
        )
    if died and int(died[2]):
        return f"ran out of stack{where}: recursion without an end, or local arrays beyond 256 KB"
    if outcome.signal:
        return f"was stopped by {SIGNALS.get(outcome.signal, f'signal {outcome.signal}')}{where}"
    if outcome.code == 70:
        return "could not run: not enough memory"
    if outcome.code in RUNNER_CODES and not outcome.records:
        return f"could not run: the program around it gave up (code {outcome.code}); is the temporary folder full?"
    return f"ended its process with exit code {outcome.code}: a kernel cannot call exit()"
