"""A kernel compiled for this computer's processor, and its launches in this process."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence

import numpy as np

from course_lib.cuda.calling.arguments import Bound
from course_lib.cuda.calling.bound_launch import BoundLaunch
from course_lib.cuda.calling.errors import ArgumentError, LaunchError
from course_lib.cuda.reading.kernel_text import KernelText
from course_lib.cuda.runner.host_compile import build_kernel, build_runtime
from course_lib.cuda.runner.host_library import HostLibrary, LaunchRequest, load_runtime
from course_lib.errors import CourseError
from course_lib.machine import usable_cores

__all__ = ["HostKernel", "workers"]

STATUS = {1: "", 2: "deadlock: ", 3: ""}


def workers() -> int:
    """OS threads for blocks: $COURSE_CUDA_WORKERS, else the processors this process may use."""
    chosen = os.environ.get("COURSE_CUDA_WORKERS")
    if chosen:
        return max(1, int(chosen))
    return usable_cores()


class HostKernel:
    """One kernel of a source, as machine code in this process."""

    def __init__(self, kernel: KernelText) -> None:
        runtime = build_runtime()
        self.name = kernel.name
        file = build_kernel(kernel, runtime)
        self.library = HostLibrary(file, load_runtime(file if runtime.suffix == ".o" else runtime))

    def run(self, launch: BoundLaunch) -> None:
        """Run the kernel and wait for it; prints what it printed. Raises LaunchError if it stopped early."""
        self._compare_sizes(launch.arguments)
        buffers = [ctypes.create_string_buffer(each.data, max(len(each.data), 1)) for each in launch.arguments]
        arguments = (ctypes.c_void_p * (len(buffers) + 1))(*[ctypes.addressof(buffer) for buffer in buffers])
        table = self.library.table
        request = LaunchRequest(
            thread=table.thread,
            block=table.block,
            arguments=arguments,
            grid=launch.grid,
            size=launch.block,
            dynamic_bytes=launch.shared_mem,
            shared=self.library.shared_use,
            workers=workers(),
        )
        status = self.library.runtime.host_launch(ctypes.byref(request))
        printed = ctypes.string_at(request.printed, request.printed_bytes) if request.printed_bytes else b""
        self.library.runtime.host_release(ctypes.byref(request))
        if printed:
            sys.stdout.write(printed.decode(errors="replace"))
        if status:
            raise LaunchError(f"{self.name}: {STATUS[status]}{request.message.decode(errors='replace')}")

    def variable(self, name: str) -> np.ndarray:
        """The bytes of a __device__ or __constant__ variable, as an array that writes through."""
        if name not in self.library.variables:
            known = ", ".join(self.library.variables) or "none"
            raise CourseError(f"{self.name}'s source has no variable {name!r}; it declares: {known}")
        address, count = self.library.variables[name]
        return np.ctypeslib.as_array((ctypes.c_uint8 * count).from_address(address))

    def _compare_sizes(self, bound: Sequence[Bound]) -> None:
        for position, (argument, size) in enumerate(zip(bound, self.library.sizes, strict=True)):
            if len(argument.data) != size:
                raise ArgumentError(
                    f"argument {position + 1} of {self.name} is declared `{argument.parameter.declared}`, which takes "
                    f"{size} bytes; {len(argument.data)} arrived"
                )
