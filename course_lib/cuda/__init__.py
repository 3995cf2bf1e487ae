"""CUDA kernels, on a GPU or without one.

from course_lib import cuda

add = cuda.compile(source, "add")
add(grid, block, (x, y, out, n))          # on the GPU if x lies there, else compiled for this computer's processor
print(cuda.check(add, grid, block, (x, y, out, n)))    # out of bounds? a race? a barrier that not all reach?
"""

from __future__ import annotations

from course_lib.cuda.arguments import ArgumentError
from course_lib.cuda.backends import use
from course_lib.cuda.checking import check
from course_lib.cuda.geometry import LaunchError
from course_lib.cuda.kernel import Kernel, compile
from course_lib.cuda.launch import Launch, c_type, ceil_div
from course_lib.cuda.nvrtc import NoNvrtc
from course_lib.cuda.report import Finding, Report
from course_lib.cuda.resources import Resources, inspect
from course_lib.cuda.versions import backend_of, capability_of, chosen_version

__all__ = [
    "ArgumentError",
    "Finding",
    "Kernel",
    "Launch",
    "LaunchError",
    "NoNvrtc",
    "Report",
    "Resources",
    "backend_of",
    "c_type",
    "capability_of",
    "ceil_div",
    "check",
    "chosen_version",
    "compile",
    "inspect",
    "use",
]
