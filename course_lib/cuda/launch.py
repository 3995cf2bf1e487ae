"""What an operation's launcher is written with: one launch as a value, C names of dtypes, rounding up.

grid, block = (cuda.ceil_div(n, 128),), (128,)
launch = cuda.Launch(HERE / "scale.cu", f"scale<{cuda.c_type(x.dtype)}>", grid, block, (x, out, n))
launch.run()                            # on the GPU or on the host, as the arrays say
print(launch.check())                   # the same launch, watched: bounds, races, barriers
launch.trace().of("x").sectors()        # what its reads of x fetch
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.cuda import kernel as kernels
from course_lib.cuda.watching.report import Report
from course_lib.cuda.watching.watched_run import check
from course_lib.dtypes import dtype_name

if TYPE_CHECKING:
    from course_lib.cuda.watching.access_trace import Trace

__all__ = ["C_TYPES", "Launch", "c_type", "ceil_div"]

# as kernels and their template arguments write them; a 64-bit integer is `long long` on every system
C_TYPES = {
    "float64": "double",
    "float32": "float",
    "float16": "__half",
    "bfloat16": "__nv_bfloat16",
    "int8": "signed char",
    "uint8": "unsigned char",
    "int16": "short",
    "uint16": "unsigned short",
    "int32": "int",
    "uint32": "unsigned int",
    "int64": "long long",
    "uint64": "unsigned long long",
    "bool": "bool",
}


@dataclass(frozen=True, eq=False)
class Launch:
    """A kernel and all that one call of it takes.

    file        the .cu file.
    template    the `__global__` function, with its template arguments: "tiled<float, short, 4, 2>".
    grid        one to three numbers of blocks; a 0 among them means that there is nothing to do.
    block       one to three numbers of threads.
    args        one for each parameter: tensors or arrays, None for a null pointer, numbers.
    shared_mem  bytes of dynamic shared memory.
    """

    file: Path
    template: str
    grid: Sequence[int]
    block: Sequence[int]
    args: tuple[object, ...]
    shared_mem: int = 0

    @property
    def kernel(self) -> kernels.Kernel:
        """Compiled when first asked for, and kept."""
        return _compiled(self.file, self.template)

    def run(self) -> None:
        """Launch on the GPU that holds the arrays, or on the host, as for any kernel; nothing for an empty grid."""
        if all(self.grid):
            self.kernel(self.grid, self.block, self.args, self.shared_mem)

    def check(self, *, time_limit: float = 10.0) -> Report:
        """Run on copies of the arrays under observation: see `cuda.check`. An empty grid has no fault."""
        if not all(self.grid):
            return Report(self.template)
        return check(self.kernel, self.grid, self.block, self.args, self.shared_mem, time_limit=time_limit)

    def trace(self, *, time_limit: float = 10.0) -> Trace:
        """Run on copies of the arrays and return every access: see `access_trace.trace`. Needs a block to run."""
        from course_lib.cuda.watching.access_trace import trace

        return trace(self.kernel, self.grid, self.block, self.args, self.shared_mem, time_limit=time_limit)

    def __str__(self) -> str:
        shared = f", {self.shared_mem} bytes of dynamic shared memory" if self.shared_mem else ""
        return f"{self.template} of {self.file.name}, grid {tuple(self.grid)}, block {tuple(self.block)}{shared}"


def c_type(dtype: Any) -> str:
    """The C++ type of one element, as template arguments name it: "__half" for torch.float16.

    Raises KeyError for a dtype that kernels have no type for; operations refuse those before, in words.
    """
    return C_TYPES[dtype_name(dtype)]


def ceil_div(count: int, each: int) -> int:
    """How many pieces of `each` cover `count`: blocks over elements, tiles over rows."""
    return -(-count // each)


@functools.cache
def _compiled(file: Path, template: str) -> kernels.Kernel:
    return kernels.compile(file, template)
