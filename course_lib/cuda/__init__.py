"""CUDA kernels, on a GPU or without one.

from course_lib import cuda

add = cuda.compile(source, "add")
add(grid, block, (x, y, out, n))          # on the GPU if x lies there, else compiled for this computer's processor
print(cuda.check(add, grid, block, (x, y, out, n)))    # out of bounds? a race? a barrier that not all reach?
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from course_lib.cuda.calling.backends import use
from course_lib.cuda.calling.errors import ArgumentError, LaunchError
from course_lib.cuda.gpu.nvrtc import NoNvrtc
from course_lib.cuda.gpu.resources import Resources, inspect
from course_lib.cuda.kernel import Kernel, compile
from course_lib.cuda.launch import Launch, c_type, ceil_div
from course_lib.cuda.reading.signature import NoSuchKernel
from course_lib.cuda.versions import backend_of, capability_of, chosen_version
from course_lib.cuda.watching.report import Finding, Report
from course_lib.cuda.watching.watched_run import check

if TYPE_CHECKING:
    from course_lib.cuda import written_kernel
    from course_lib.cuda.watching import access_picture, access_trace

__all__ = [
    "ArgumentError",
    "Finding",
    "Kernel",
    "Launch",
    "LaunchError",
    "NoNvrtc",
    "NoSuchKernel",
    "Report",
    "Resources",
    "access_picture",
    "access_trace",
    "backend_of",
    "c_type",
    "capability_of",
    "ceil_div",
    "check",
    "chosen_version",
    "compile",
    "inspect",
    "use",
    "written_kernel",
]

# loaded when first used: they bring torch or drawing, which a kernel alone has no need of
_LATER = {
    "access_picture": "watching.access_picture",
    "access_trace": "watching.access_trace",
    "written_kernel": "written_kernel",
}


def __getattr__(name: str) -> ModuleType:
    if name in _LATER:
        return importlib.import_module(f"{__name__}.{_LATER[name]}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(__all__)}")
