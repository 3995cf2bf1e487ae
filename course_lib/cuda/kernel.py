"""A kernel as Python sees it: compiled where it is first used, called with a grid, a block and arguments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from course_lib.cuda.calling import backends
from course_lib.cuda.calling.arguments import Binder, Bound
from course_lib.cuda.calling.geometry import check_shared, triple
from course_lib.cuda.calling.transfer import on_host
from course_lib.cuda.reading.signature import Signature, parse
from course_lib.cuda.reading.source import Source, read_source
from course_lib.cuda.runner.host_kernel import HostKernel

__all__ = ["Kernel", "compile"]


def compile(
    source_or_path: str | Path, name: str, *, options: Sequence[str] = (), backend: str | None = None
) -> Kernel:
    """A kernel of a CUDA C++ source, to be called as `kernel(grid, block, args, shared_mem=0)`.

    source_or_path  the source text, or the path of a .cu file.
    name     the `__global__` function, with template arguments if it is a template: "scale<float, 16>".
    options  NVRTC options, such as "-DTILE=32" or "-std=c++20"; the host compiler takes -D, -U, -I and -std.
    backend  "cuda" or "host" compiles at once and always runs there. None: the arrays of each call decide, and the
             source is compiled for where this computer would run it.

    Raises ValueError for a kernel that is not in the source, `native.CompileError` with the compiler's message and
    the source's own line numbers, and `native.NoCompiler` if the host backend finds no compiler.
    """
    if backend is not None and backend not in backends.BACKENDS:
        raise ValueError(f'backend is "cuda", "host" or None, not {backend!r}')
    source = read_source(source_or_path, name, options)
    kernel = Kernel(source, parse(source.text, name, options), tuple(options), backend)
    kernel.prepare()
    return kernel


class Kernel:
    """Made by `compile`.

    signature  the name and the parameters, as declared.
    source     the text that was compiled.
    """

    def __init__(self, source: Source, signature: Signature, options: tuple[str, ...], backend: str | None) -> None:
        self.source = source
        self.signature = signature
        self.options = options
        self.backend = backend
        self.bind = Binder(signature)
        self._host: HostKernel | None = None
        self._gpu: Any = None

    @property
    def name(self) -> str:
        """The kernel's name, as given to `compile`."""
        return self.signature.name

    def __repr__(self) -> str:
        return f"<CUDA kernel {self.signature}>"

    def __call__(self, grid: Any, block: Any, args: Sequence[Any], shared_mem: int = 0) -> None:
        """Launch the kernel.

        grid, block  a whole number or up to three: how many blocks, and how many threads in each.
        args         a tuple with one value per parameter: tensors or arrays for pointers (None for a null pointer),
                     numbers for scalars.
        shared_mem   bytes of dynamic shared memory (`extern __shared__`).

        On the GPU the launch is put on torch's current stream and returns at once; on the host it returns when the
        kernel is done.
        """
        bound = self.bind(args)
        grid, block = triple(grid, "grid"), triple(block, "block")
        shared_mem = check_shared(shared_mem)
        if self._choose(bound) == "cuda":
            self.gpu().launch(grid, block, bound, shared_mem)
        else:
            self._launch_host(grid, block, bound, shared_mem)

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
            self._host = HostKernel(self.source, self.name, self.options)
        return self._host

    def gpu(self) -> Any:
        """The kernel compiled for this computer's GPU."""
        if self._gpu is None:
            from course_lib.cuda.gpu.gpu_kernel import GpuKernel

            self._gpu = GpuKernel(self.source, self.name, self.options)
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

    def _choose(self, bound: Sequence[Bound]) -> str:
        return backends.choose(self.name, bound, backends.current().backend or self.backend)

    def _launch_host(
        self, grid: tuple[int, int, int], block: tuple[int, int, int], bound: Sequence[Bound], shared_mem: int
    ) -> None:
        setting = backends.current()
        with on_host(bound) as local:
            if setting.isolated:
                from course_lib.cuda.runner.isolated import run_isolated

                run_isolated(self, grid, block, local, shared_mem, setting.time_limit)
            else:
                self.host().launch(grid, block, local, shared_mem)
