"""Runs a kernel under observation: every access, every barrier, several thread orders."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from course_lib.cuda.calling.geometry import check_shared, triple
from course_lib.cuda.calling.transfer import on_host
from course_lib.cuda.kernel import Kernel
from course_lib.cuda.reading.shared_declarations import dynamic_name
from course_lib.cuda.runner.host_compile import build_program
from course_lib.cuda.runner.isolated import prepared, run_program
from course_lib.cuda.watching.explanations import explain
from course_lib.cuda.watching.report import Report
from course_lib.cuda.watching.source_lines import SourceLines

__all__ = ["check"]


def check(
    kernel: Kernel,
    grid: Any,
    block: Any,
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
    bound = kernel.bind(args)
    grid, block = triple(grid, "grid"), triple(block, "block")
    shared_mem = check_shared(shared_mem)
    program = build_program(kernel.source, kernel.name, kernel.options, checked=True)
    options = {"passes": max(orders, 1), "seed": seed}
    start = time.perf_counter()
    with (
        on_host(bound, back=False) as local,
        prepared(local, kernel.variables(), True, grid, block, shared_mem, 1, time_limit, **options) as (job, _),
    ):
        outcome = run_program(program, job, time_limit)
    seconds = time.perf_counter() - start
    lines = SourceLines(kernel.source, program) if outcome.records else None
    dynamic = dynamic_name(kernel.source.text)
    findings, notes = explain(outcome, local, lines, grid, block, shared_mem, dynamic, time_limit)
    return Report(kernel.name, tuple(findings), tuple(notes), outcome.printed, seconds)
