"""One launch in a process of its own: what the kernel does there can harm nothing here."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from course_lib.cuda.calling.bound_launch import BoundLaunch
from course_lib.cuda.calling.errors import LaunchError
from course_lib.cuda.calling.transfer import on_host
from course_lib.cuda.runner.host_compile import build_program
from course_lib.cuda.runner.host_kernel import STATUS, workers
from course_lib.cuda.runner.job import Buffer, RunSettings, read_back, write_job
from course_lib.cuda.runner.process import Outcome, died_in_words, run_program

__all__ = ["ApartRun", "run_apart", "run_isolated"]


class ApartRun(NamedTuple):
    """A process that has ended.

    program  what ran: its line table says where in the source an address belongs.
    job      the job's file; the process's other files lie beside it.
    buffers  the arrays in it.
    """

    outcome: Outcome
    program: Path
    job: Path
    buffers: list[Buffer]


@contextlib.contextmanager
def run_apart(
    launch: BoundLaunch, variables: Mapping[str, bytes], settings: RunSettings, *, back: bool = False
) -> Iterator[ApartRun]:
    """Compile the kernel to a program, run it on copies of the arrays, and keep its files for the `with` block.

    variables  what the kernel's `__device__` and `__constant__` variables hold at the start.
    back       arrays that lie on a GPU take what the block leaves in their copies; `read_back` brings it there.
    """
    program = build_program(launch.kernel, settings.mode)
    with on_host(launch, back=back) as local, tempfile.TemporaryDirectory(prefix="cuda-host-") as folder:
        job = Path(folder) / "job"
        buffers = write_job(job, local, variables, settings)
        yield ApartRun(run_program(program, job, settings.seconds), program, job, buffers)


def run_isolated(launch: BoundLaunch, variables: Mapping[str, bytes], seconds: float) -> None:
    """Run a kernel apart and copy its results back. Raises LaunchError for whatever goes wrong."""
    with run_apart(launch, variables, RunSettings("plain", seconds, workers()), back=True) as run:
        sys.stdout.write(run.outcome.printed)
        stopped = run.outcome.first("pass")
        if stopped and int(stopped[0]):
            raise LaunchError(f"{launch.name}: {STATUS[int(stopped[0])]}{stopped[1]}")
        if not run.outcome.finished:
            raise LaunchError(f"{launch.name} {died_in_words(run.outcome, launch)}")
        read_back(run.job, run.buffers)
