"""A kernel that a student wrote as text: compile it, run it apart, look for faults, for a visible check.

    with checking.check("scale"):
        kernel = written_kernel.compiled(scale, "scale")
        written_kernel.launch(kernel, grid, block, (out, x, n))
        checking.close(out, 2 * x, "out")
        written_kernel.no_faults(kernel, grid, block, (out, x, n))

On the host every launch is a process of its own: a kernel that crashes or never ends fails its check, and the notebook
goes on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, get_args

from course_lib import checking, native
from course_lib.cuda.calling import backends
from course_lib.cuda.calling.errors import LaunchError
from course_lib.cuda.calling.geometry import Size
from course_lib.cuda.kernel import Kernel
from course_lib.cuda.reading.kernel_text import read_kernel
from course_lib.cuda.reading.signature import NoSuchKernel
from course_lib.cuda.runner.host_compile import build_program
from course_lib.cuda.runner.job import Mode
from course_lib.cuda.watching.watched_run import check
from course_lib.handin.stubs import BEGIN, END, MARK, UNWRITTEN

__all__ = ["UnwrittenKernel", "apart", "compiled", "is_unwritten", "launch", "no_faults", "prepare", "text"]

# lines around and above an answer: comments for Python, nothing that a C++ compiler could read
MARKER = re.compile(rf"^[ \t]*(?:{BEGIN}|{END}|{MARK})[ \t]*$", re.MULTILINE)
SHOWN = 4  # lines of a compiler's message


class UnwrittenKernel(NotImplementedError):
    """The text still holds `raise NotImplementedError(...)` where the answer belongs."""


def is_unwritten(source: str) -> bool:
    """Whether the place for the answer still holds what students get."""
    return UNWRITTEN in source


def text(source: str) -> str:
    """What the compiler gets of a student's text, for `cuda.compile`. Raises UnwrittenKernel if it is unwritten."""
    if is_unwritten(source):
        raise UnwrittenKernel(f"write the kernel first: replace the line that starts with {UNWRITTEN}")
    return MARKER.sub("", source) + "\n"  # a text that ends in .cu would be taken for a path


def apart(source: str, name: str) -> Kernel:
    """The kernel `name` of a CUDA C++ source, not yet compiled; nothing of it is ever loaded into this process by
    launches with `isolated=True` or by `cuda.check`.

    Raises NoSuchKernel for a kernel that is not in the source.
    """
    return Kernel(read_kernel(text(source), name))


def compiled(source: str, name: str) -> Kernel:
    """The kernel `name` of a student's source. Raises UnwrittenKernel for the untouched place of the answer and
    CheckFailed, with the first lines of the compiler's message, for a source that does not compile.
    """
    if not isinstance(source, str):
        raise checking.CheckFailed(f"{name} is a text with CUDA C++ in it, not a {type(source).__name__}.")
    try:
        kernel = apart(source, name)
        build_program(kernel.text, "checked")
    except native.CompileError as error:
        lines = str(error).splitlines()
        first = next((k for k, line in enumerate(lines) if "error" in line), 0)
        said = "\n".join(lines[first : first + SHOWN])
        raise checking.CheckFailed(f"The compiler refuses {name}:\n{said}") from None
    except NoSuchKernel as error:
        raise checking.CheckFailed(f"{error}") from None
    return kernel


def prepare(kernel: Kernel) -> None:
    """Compile the programs in which isolated launches, `cuda.check` and `access_trace.trace` run a kernel."""
    for mode in get_args(Mode):
        build_program(kernel.text, mode)


def launch(
    kernel: Kernel, grid: Size, block: Size, args: Sequence[Any], shared_mem: int = 0, *, time_limit: float = 10.0
) -> None:
    """Run a kernel where its arrays lie: on the GPU, or on the host in a process of its own. Raises CheckFailed."""
    try:
        with backends.use(None, isolated=True, time_limit=time_limit):
            kernel(grid, block, args, shared_mem)
    except LaunchError as error:
        raise checking.CheckFailed(f"{error}") from None


def no_faults(
    kernel: Kernel,
    grid: Size,
    block: Size,
    args: Sequence[Any],
    shared_mem: int = 0,
    *,
    time_limit: float = 10.0,
    hint: str = "",
) -> None:
    """Require that `cuda.check` finds nothing: no access outside the arrays, no race, no barrier that some miss."""
    report = check(kernel, grid, block, args, shared_mem, time_limit=time_limit)
    problem = f"{kernel.name}: {report.message}" if report.findings else ""
    checking.that(report.ok, _cut(problem), hint=hint)


def _cut(text: str, most: int = 5) -> str:
    lines = text.splitlines()
    return "\n".join(lines[:most])
