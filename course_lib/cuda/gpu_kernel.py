"""A kernel on a GPU: a cubin for the device that the arrays are on, launched on the stream that torch uses."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from typing import Any

from course_lib.cuda.arguments import ArgumentError, Bound
from course_lib.cuda.geometry import LaunchError
from course_lib.cuda.nvrtc import compile_cubin
from course_lib.cuda.source import Source

__all__ = ["GpuKernel", "architecture"]

STATIC_LIMIT = 48 * 1024  # more dynamic shared memory than this has to be asked for


def architecture(capability: tuple[int, int]) -> str:
    """The compiler's name for a device of this compute capability.

    From Hopper on with the suffix that gives access to all of the chip (wgmma, TMA): the cubin is for this device alone.
    """
    major, minor = capability
    return f"sm_{major}{minor}" + ("a" if major >= 9 else "")


class GpuKernel:
    """One kernel of a source, loaded on each device where it is launched."""

    def __init__(self, source: Source, name: str, options: Sequence[str]) -> None:
        self.name = name
        self._source = source
        self._options = tuple(options)
        self._modules: dict[int, tuple[Any, Any]] = {}  # device: (module, function)
        self._shared_allowed: dict[int, int] = {}
        self._load(_cupy().cuda.runtime.getDevice())

    def launch(
        self, grid: tuple[int, int, int], block: tuple[int, int, int], bound: Sequence[Bound], shared_mem: int
    ) -> None:
        """Put the kernel on the current stream; returns at once. Raises LaunchError if the driver refuses."""
        cupy = _cupy()
        device = _device(self.name, bound, cupy)
        buffers = [ctypes.create_string_buffer(argument.data, len(argument.data)) for argument in bound]
        pointers = (ctypes.c_void_p * max(len(buffers), 1))(*[ctypes.addressof(buffer) for buffer in buffers])
        with cupy.cuda.Device(device):
            _, function = self._load(device)
            self._allow_shared(device, function, shared_mem)
            stream = _stream(bound, device, cupy)
            try:
                cupy.cuda.driver.launchKernel(
                    function.kernel.ptr, *grid, *block, shared_mem, stream, ctypes.addressof(pointers), 0
                )
            except cupy.cuda.driver.CUDADriverError as error:
                raise LaunchError(f"{self.name}: the driver refused grid {grid}, block {block}: {error}") from None

    def variable_names(self) -> list[str]:
        """The __device__ and __constant__ variables of the source."""
        return list(self._cubin.variables)

    def variable(self, name: str) -> Any:
        """The bytes of a __device__ or __constant__ variable on the current device, as a CuPy array."""
        cupy = _cupy()
        module, _ = self._load(cupy.cuda.runtime.getDevice())
        if name not in self._cubin.variables:
            known = ", ".join(self._cubin.variables) or "none"
            raise KeyError(f"{self.name}'s source has no variable {name!r}; it declares: {known}")
        memory = module.get_global(self._cubin.variables[name])
        return cupy.ndarray((memory.mem.size,), dtype=cupy.uint8, memptr=memory)

    def _load(self, device: int) -> tuple[Any, Any]:
        if device not in self._modules:
            cupy = _cupy()
            with cupy.cuda.Device(device):
                # CuPy would add an architecture of its own to the options, so NVRTC is called directly and CuPy only
                # loads the result
                self._cubin = compile_cubin(self._source, self.name, architecture(_capability(device)), self._options)
                module = cupy.RawModule(path=str(self._cubin.path))
                self._modules[device] = (module, module.get_function(self._cubin.symbol))
        return self._modules[device]

    def _allow_shared(self, device: int, function: Any, shared_mem: int) -> None:
        if shared_mem <= max(STATIC_LIMIT - function.shared_size_bytes, self._shared_allowed.get(device, 0)):
            return
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


def _device(name: str, bound: Sequence[Bound], cupy: Any) -> int:
    """The device that all arrays are on. Arrays in the computer's memory cannot be passed to a GPU."""
    arrays = [argument for argument in bound if argument.array is not None]
    for argument in arrays:
        if argument.array.gpu is None:
            raise ArgumentError(
                f"{name} runs on the GPU, but `{argument.parameter.declared}` got {argument.array.describe()} in the computer's "
                'memory. Move it (.cuda(), cupy.asarray), or run on the CPU: with cuda.use("host").'
            )
    devices = {argument.array.gpu for argument in arrays}
    if len(devices) > 1:
        raise ArgumentError(f"the arrays of {name} lie on GPUs {sorted(devices)}; a kernel runs on one")
    return devices.pop() if devices else cupy.cuda.runtime.getDevice()


def _stream(bound: Sequence[Bound], device: int, cupy: Any) -> int:
    """torch's current stream if a tensor is passed (or no array at all), else CuPy's: results are then in order."""
    torch = sys.modules.get("torch")
    libraries = {argument.array.library for argument in bound if argument.array is not None}
    if torch is not None and torch.cuda.is_initialized() and libraries != {"cupy"}:
        return torch.cuda.current_stream(device).cuda_stream
    return cupy.cuda.get_current_stream().ptr
