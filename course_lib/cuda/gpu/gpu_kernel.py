"""A kernel on a GPU: a cubin for the device that the arrays are on, launched on the stream that torch uses."""

from __future__ import annotations

from typing import Any

from course_lib.cuda.calling.bound_launch import BoundLaunch
from course_lib.cuda.calling.errors import ArgumentError, LaunchError
from course_lib.cuda.gpu.gpu_launch import Parameters, current_stream
from course_lib.cuda.gpu.nvrtc import compile_cubin
from course_lib.cuda.reading.kernel_text import KernelText
from course_lib.errors import CourseError

__all__ = ["GpuKernel", "architecture"]

STATIC_LIMIT = 48 * 1024  # more dynamic shared memory than this has to be asked for


def architecture(capability: tuple[int, int]) -> str:
    """The compiler's name for a device of this compute capability.

    From Hopper on with the suffix that opens all of the chip (wgmma, TMA): the cubin is for this device alone.
    """
    major, minor = capability
    return f"sm_{major}{minor}" + ("a" if major >= 9 else "")


class GpuKernel:
    """One kernel of a source, loaded on each device where it is launched."""

    def __init__(self, kernel: KernelText) -> None:
        self.name = kernel.name
        self._kernel = kernel
        self._modules: dict[int, tuple[Any, Any, int]] = {}  # device: (module, function, the function's handle)
        self._shared_allowed: dict[int, int] = {}
        self._parameters = Parameters()
        self._load(_cupy().cuda.runtime.getDevice())

    def run(self, launch: BoundLaunch) -> None:
        """Put the kernel on the current stream; returns at once. Raises LaunchError if the driver refuses."""
        cupy = _cupy()
        device = _device(launch, cupy)
        if device == cupy.cuda.runtime.getDevice():
            self._run_on(device, launch)
        else:
            with cupy.cuda.Device(device):
                self._run_on(device, launch)

    def _run_on(self, device: int, launch: BoundLaunch) -> None:
        cupy = _cupy()
        _, function, address = self._load(device)
        grid, block, shared_mem = launch.grid, launch.block, launch.shared_mem
        if shared_mem > self._shared_allowed[device]:
            self._allow_shared(device, function, shared_mem)
        stream = current_stream(launch.arguments, device, cupy)
        parameters = self._parameters.pack(launch.arguments)
        try:
            cupy.cuda.driver.launchKernel(address, *grid, *block, shared_mem, stream, parameters, 0)
        except cupy.cuda.driver.CUDADriverError as error:
            raise LaunchError(f"{self.name}: the driver refused grid {grid}, block {block}: {error}") from None

    def variable_names(self) -> list[str]:
        """The __device__ and __constant__ variables of the source."""
        return list(self._cubin.variables)

    def variable(self, name: str) -> Any:
        """The bytes of a __device__ or __constant__ variable on the current device, as a CuPy array."""
        cupy = _cupy()
        module, _, _ = self._load(cupy.cuda.runtime.getDevice())
        if name not in self._cubin.variables:
            known = ", ".join(self._cubin.variables) or "none"
            raise CourseError(f"{self.name}'s source has no variable {name!r}; it declares: {known}")
        memory = module.get_global(self._cubin.variables[name])
        return cupy.ndarray((memory.mem.size,), dtype=cupy.uint8, memptr=memory)

    def _load(self, device: int) -> tuple[Any, Any, int]:
        if device not in self._modules:
            cupy = _cupy()
            with cupy.cuda.Device(device):
                # CuPy would add an architecture of its own to the options, so NVRTC is called directly and CuPy only
                # loads the result
                self._cubin = compile_cubin(self._kernel, architecture(_capability(device)))
                module = cupy.RawModule(path=str(self._cubin.path))
                function = module.get_function(self._cubin.symbol)
                self._shared_allowed[device] = max(STATIC_LIMIT - function.shared_size_bytes, 0)
                self._modules[device] = (module, function, function.kernel.ptr)
        return self._modules[device]

    def _allow_shared(self, device: int, function: Any, shared_mem: int) -> None:
        try:
            function.max_dynamic_shared_size_bytes = shared_mem
        except _cupy().cuda.driver.CUDADriverError as error:
            raise LaunchError(
                f"{self.name}: this GPU does not give a block {shared_mem} bytes of dynamic shared memory "
                f"(beside {function.shared_size_bytes} static): {error}"
            ) from None
        self._shared_allowed[device] = shared_mem


def _cupy() -> Any:
    import cupy

    return cupy


def _capability(device: int) -> tuple[int, int]:
    text = _cupy().cuda.Device(device).compute_capability  # "90", "120"
    return int(text[:-1]), int(text[-1])


def _device(launch: BoundLaunch, cupy: Any) -> int:
    """The device that all arrays are on. Arrays in the computer's memory cannot be passed to a GPU."""
    device = None
    for argument in launch.arguments:
        array = argument.array
        if array is None:
            continue
        if array.gpu is None:
            raise ArgumentError(
                f"{launch.name} runs on the GPU, but `{argument.parameter.declared}` got {array.describe()} in the "
                'computer\'s memory. Move it (.cuda(), cupy.asarray), or run on the CPU: with cuda.use("host").'
            )
        if device is not None and device != array.gpu:
            raise ArgumentError(
                f"the arrays of {launch.name} lie on GPUs {device} and {array.gpu}; a kernel runs on one"
            )
        device = array.gpu
    return cupy.cuda.runtime.getDevice() if device is None else device
