"""Runs a kernel under observation: every access, every barrier, several thread orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from course_lib.cuda.calling.bound_launch import Launchable
from course_lib.cuda.calling.geometry import Size
from course_lib.cuda.runner.isolated import run_apart
from course_lib.cuda.runner.job import RunSettings
from course_lib.cuda.watching.explanations import explain
from course_lib.cuda.watching.report import Report
from course_lib.cuda.watching.source_lines import SourceLines

__all__ = ["check"]


def check(
    kernel: Launchable,
    grid: Size,
    block: Size,
    args: Sequence[Any],
    shared_mem: int = 0,
    *,
    time_limit: float = 10.0,
    orders: int = 3,
    seed: int = 1,
) -> Report:
    """Run a kernel on copies of its arguments and report what a GPU would not tell.

    Found, with thread, block and source line: reads and writes outside an array or a shared variable, misaligned and
    invalid pointers; races, that is two accesses to one place, one of them a write, with no barrier (or __syncwarp;
    between blocks: fence and atomic) between them; barriers that not all threads of a block reach; shared memory that
    is read before it is written; results that depend on the order of threads or blocks; faults, endless loops.

    time_limit  seconds for all runs together. The kernel runs in a process of its own: nothing that it does can harm
                this one.
    orders      how many orders of threads and blocks to try: forward, then reverse, then random ones.

    The arrays that are passed in are not changed. Arrays have to be pointer parameters: one whose address stands in a
    struct is not known to be an array. Run small sizes: watching costs about a hundredfold.
    """
    launch = kernel.bound(grid, block, args, shared_mem)
    settings = RunSettings("checked", time_limit, orders=max(orders, 1), seed=seed)
    with run_apart(launch, kernel.variables(), settings) as run:
        findings, notes = explain(run.outcome, launch, SourceLines(launch.kernel.source, run.program))
    return Report(launch.name, tuple(findings), tuple(notes), run.outcome.printed, run.outcome.seconds)
