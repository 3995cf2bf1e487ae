"""2e: a sparse layer as CUDA kernels. Oracle: torch's dense layer. The kernels are compiled and run in a sandbox that
has run none of the student's cells, on the host runner.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from autograders.engine.asking.comparison import close, that
from autograders.engine.asking.inputs import Inputs
from autograders.engine.asking.native_question import NativeKernel, native_question
from autograders.engine.asking.question import Cases
from autograders.engine.asking.reference import Reference
from course_lib.cuda import ceil_div
from course_lib.sparse import CSR

PARAMETERS = """(float* out, const float* x, const float* values, const int* columns, const int* row_pointers,
                const float* bias, int rows, int width)"""

# Walks over every column of the dense row, as if the zeros were stored
EVERY_COLUMN = f"""__global__ void csr_spmm_row_per_thread{PARAMETERS} {{
    const int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= rows) return;
    int p = row_pointers[row];
    float sum = bias[row];
    for (int c = 0; c < width; ++c)
        if (p < row_pointers[row + 1] && columns[p] == c) sum += values[p++] * x[blockIdx.y * width + c];
    out[blockIdx.y * rows + row] = fmaxf(sum, 0.0f);
}}"""

# Each of the 32 lanes adds up the whole row
EVERY_LANE = f"""__global__ void csr_spmm_row_per_warp{PARAMETERS} {{
    const int row = blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= rows) return;
    volatile float sum = bias[row];
    for (int p = row_pointers[row]; p < row_pointers[row + 1]; ++p)
        sum = sum + values[p] * x[blockIdx.y * width + columns[p]];
    if (threadIdx.x == 0) out[blockIdx.y * rows + row] = fmaxf(sum, 0.0f);
}}"""


class Layer(NamedTuple):
    """One task: the kernel's arguments, and what it should write."""

    args: list[Any]
    expected: Tensor

    @classmethod
    def of(cls, weight: Tensor, x: Tensor, bias: Tensor) -> Layer:
        matrix = CSR.from_dense(weight, index_dtype=torch.int32)
        out = torch.full((len(x), len(weight)), torch.nan)
        parts = [out, x, matrix.values, matrix.columns, matrix.row_pointers, bias, *weight.shape]
        expected = F.relu(F.linear(x.double(), weight.double(), bias.double())).float()
        return cls(parts, expected)

    @property
    def rows(self) -> int:
        return self.expected.shape[1]

    @property
    def batch(self) -> int:
        return self.expected.shape[0]

    @property
    def values(self) -> int:
        return len(self.args[2])


def drawn(rng: Inputs, rows: int, width: int, density: float, batch: int, empty: Sequence[int] = ()) -> Layer:
    """A layer with normal values at random places and the rows in `empty` without any."""
    weight = rng.normal(rows, width) * (rng.uniform(rows, width) < density)
    weight[list(empty)] = 0
    return Layer.of(weight, rng.normal(batch, width), rng.normal(rows))


@native_question("csr_spmm_row_per_thread", seconds=120)
def row_per_thread(kernel: NativeKernel, reference: Reference, rng: Inputs, case: Cases) -> None:
    def answer(layer: Layer, threads: int) -> Tensor:
        grid = ceil_div(layer.rows, threads), layer.batch
        return kernel.launch(grid, (threads,), layer.args, outputs=(0,))[0]

    rows, width = rng.integer(20, 32), rng.integer(8, 40)
    tasks = {
        "one sample, one block that is full": (drawn(rng, 32, width, 0.3, 1), 32, "One thread computes one row."),
        "several samples": (drawn(rng, 32, width, 0.3, rng.integer(3, 6)), 32, "The sample is blockIdx.y."),
        "a last block that is not full": (drawn(rng, 32 + rows, width, 0.3, 2), 32, "Threads past the last row rest."),
        "blocks of another size": (drawn(rng, 90, width, 0.2, 2), 3 * rng.integer(5, 9), "A block may have any size."),
        "empty rows, the first and the last too": (
            drawn(rng, rows, width, 0.3, 2, (0, rows // 2, rows - 1)), 32, "An empty row's sum is its bias."
        ),
        "a matrix without values": (drawn(rng, rows, width, 0.0, 2), 32, "An empty row's sum is its bias."),
    }  # fmt: skip
    watched, large = drawn(rng, rows + 32, width, 0.3, 3, (rows,)), drawn(rng, 1024, 4096, 0.01, 24)
    for name, (layer, threads, hint) in tasks.items():
        with case(name):
            close(answer(layer, threads), layer.expected, rtol=1e-3, atol=1e-4, hint=hint)
    with case("no access outside the arrays and no conflict, watched", weight=2):
        kernel.no_faults((ceil_div(watched.rows, 32), watched.batch), (32,), watched.args)
        close(answer(watched, 32), watched.expected, rtol=1e-3, atol=1e-4)
    with case("columns without a value cost nothing"):
        close(answer(large, 128), large.expected, rtol=1e-3, atol=1e-3)
        kernel.faster_than(
            EVERY_COLUMN, 2, (8, large.batch), (128,), large.args, hint="Only the row's own values are visited."
        )


@native_question("csr_spmm_row_per_warp", seconds=150)
def row_per_warp(kernel: NativeKernel, reference: Reference, rng: Inputs, case: Cases) -> None:
    def answer(layer: Layer, warps: int) -> Tensor:
        grid = ceil_div(layer.rows, warps), layer.batch
        return kernel.launch(grid, (32, warps), layer.args, outputs=(0,))[0]

    rows, width = rng.integer(9, 15), rng.integer(150, 250)
    tasks = {
        "rows of fewer values than lanes": (drawn(rng, 8, 24, 0.4, 1), 4, "Idle lanes take part in the sum too."),
        "rows of many values, several samples": (
            drawn(rng, 8, width, 0.5, rng.integer(2, 4)), 4, "A lane goes on by a warp's width until the row ends."
        ),
        "rows that fill whole steps of the warp": (drawn(rng, 6, 64, 1.0, 2), 3, "All lanes' parts are added."),
        "a last block that is not full": (drawn(rng, 4 + rows, width, 0.3, 2), 4, "Warps beyond the last row rest."),
        "empty rows, the first and the last too": (
            drawn(rng, rows, 40, 0.5, 2, (0, rows // 2, rows - 1)), 4, "An empty row's sum is its bias."
        ),
    }  # fmt: skip
    watched = drawn(rng, rows, width, 0.4, 2, (rows // 2,))
    large = drawn(rng, 32, 4096, 0.5, 32)
    for name, (layer, warps, hint) in tasks.items():
        with case(name):
            close(answer(layer, warps), layer.expected, rtol=1e-3, atol=1e-3, hint=hint)
    place = (ceil_div(watched.rows, 4), watched.batch), (32, 4)
    with case("no access outside the arrays and no conflict, watched", weight=2):
        kernel.no_faults(*place, watched.args, hint="All lanes of a warp reach its shuffles and barriers.")
        close(answer(watched, 4), watched.expected, rtol=1e-3, atol=1e-3)
    with case("each value is read by one lane, neighbours by neighbours"):
        close(answer(watched, 4), watched.expected, rtol=1e-3, atol=1e-3)
        reads, _, sectors = kernel.traffic("values", *place, watched.args)
        needed = watched.values * watched.batch
        that(0 < reads <= needed, "Values are read by more than one lane.")
        that(sectors <= needed / 4, "The lanes of a warp read values that lie far apart.")
    with case("the lanes share the work"):
        close(answer(large, 4), large.expected, rtol=1e-3, atol=1e-3)
        kernel.faster_than(
            EVERY_LANE, 2, (8, large.batch), (32, 4), large.args, hint="Each lane takes its part of a row."
        )
