"""A kernel as Python sees it: compiled where it is first used, called with a grid, a block and arguments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from course_lib.cuda.calling import backends
from course_lib.cuda.calling.arguments import Binder, Bound
from course_lib.cuda.calling.backends import Backend
from course_lib.cuda.calling.bound_launch import BoundLaunch
from course_lib.cuda.calling.geometry import Size, check_shared, triple
from course_lib.cuda.calling.transfer import on_host
from course_lib.cuda.gpu.gpu_kernel import GpuKernel
from course_lib.cuda.reading.kernel_text import KernelText, read_kernel
from course_lib.cuda.reading.signature import Signature
from course_lib.cuda.reading.source import Source
from course_lib.cuda.runner.host_kernel import HostKernel
from course_lib.cuda.runner.isolated import run_isolated

__all__ = ["Kernel", "compile"]


def compile(
    source_or_path: str | Path, name: str, *, options: Sequence[str] = (), backend: Backend | None = None
) -> Kernel:
    """A kernel of a CUDA C++ source, to be called as `kernel(grid, block, args, shared_mem=0)`.

    source_or_path  the source text, or the path of a .cu file.
    name     the `__global__` function, with template arguments if it is a template: "scale<float, 16>".
    options  NVRTC options, such as "-DTILE=32" or "-std=c++20"; the host compiler takes -D, -U, -I and -std.
    backend  "cuda" or "host" compiles at once and always runs there. None: the arrays of each call decide, and the
             source is compiled for where this computer would run it.

    Raises CourseError for a kernel that is not in the source, `native.CompileError` with the compiler's message and
    the source's own line numbers, and `native.NoCompiler` if the host backend finds no compiler.
    """
    backends.check_backend(backend)
    kernel = Kernel(read_kernel(source_or_path, name, options), backend)
    kernel.prepare()
    return kernel


class Kernel:
    """Made by `compile`.

    text  what is compiled: the source, the kernel's name and the options.
    """

    def __init__(self, text: KernelText, backend: Backend | None = None) -> None:
        self.text = text
        self.backend = backend
        self._binder = Binder(text.signature)
        self._host: HostKernel | None = None
        self._gpu: GpuKernel | None = None

    @property
    def name(self) -> str:
        """The kernel's name, as given to `compile`."""
        return self.text.name

    @property
    def source(self) -> Source:
        """The source that is compiled."""
        return self.text.source

    @property
    def signature(self) -> Signature:
        """The name and the parameters, as declared."""
        return self.text.signature

    def __repr__(self) -> str:
        return f"<CUDA kernel {self.signature}>"

    def __call__(self, grid: Size, block: Size, args: Sequence[Any], shared_mem: int = 0) -> None:
        """Launch the kernel.

        grid, block  a whole number or up to three: how many blocks, and how many threads in each.
        args         a tuple with one value per parameter: tensors or arrays for pointers (None for a null pointer),
                     numbers for scalars.
        shared_mem   bytes of dynamic shared memory (`extern __shared__`).

        On the GPU the launch is put on torch's current stream and returns at once; on the host it returns when the
        kernel is done. Raises ArgumentError for arguments that do not fit, LaunchError for sizes that no GPU takes
        and for a kernel that stopped before its end.
        """
        launch = self.bound(grid, block, args, shared_mem)
        if self._choose(launch.arguments) == "cuda":
            self.gpu().run(launch)
            return
        setting = backends.current()
        if setting.isolated:
            run_isolated(launch, self.variables(), setting.time_limit)
        else:
            with on_host(launch) as local:
                self.host().run(local)

    def bound(self, grid: Size, block: Size, args: Sequence[Any], shared_mem: int = 0) -> BoundLaunch:
        """The launch that such a call is, checked and not yet made. Raises ArgumentError or LaunchError."""
        arguments = self._binder(args)
        return BoundLaunch(self.text, triple(grid, "grid"), triple(block, "block"), arguments, check_shared(shared_mem))

    def prepare(self) -> None:
        """Compile for the backend that calls without arrays would take; nothing if it is compiled already."""
        forced = self.backend or backends.current().backend
        if (forced or backends.preferred()) == "cuda":
            self.gpu()
        else:
            self.host()

    def host(self) -> HostKernel:
        """The kernel compiled for this computer's processor."""
        if self._host is None:
            self._host = HostKernel(self.text)
        return self._host

    def gpu(self) -> GpuKernel:
        """The kernel compiled for this computer's GPU."""
        if self._gpu is None:
            self._gpu = GpuKernel(self.text)
        return self._gpu

    def variable(self, name: str) -> Any:
        """A `__device__` or `__constant__` variable as an array of bytes that writes through.

        A NumPy array on the host, a CuPy array on the GPU: `kernel.variable("weights").view("float32")[:] = w`.
        """
        if self._choose([]) == "cuda":
            return self.gpu().variable(name)
        return self.host().variable(name)

    def variables(self) -> dict[str, bytes]:
        """What the `__device__` and `__constant__` variables hold, where the kernel has been used."""
        if self._host is not None:
            return {name: bytes(self._host.variable(name)) for name in self._host.library.variables}
        if self._gpu is not None:
            return {name: self._gpu.variable(name).get().tobytes() for name in self._gpu.variable_names()}
        return {}

    def _choose(self, arguments: Sequence[Bound]) -> Backend:
        return backends.choose(self.name, arguments, backends.current().backend or self.backend)
