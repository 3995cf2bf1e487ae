"""CSR times dense beside cuSPARSE (through torch and through CuPy), scipy and the dense product.

    PYTHONPATH=. python -m benchmarks.csr_matmul            # on the GPU if there is one; --quick, --help

On a CPU it times what runs there by default (torch's sparse product), not the kernels on the host runner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.harness import Case, Contender, Family, Prediction, Unavailable, run
from benchmarks.harness.case import Medians
from course_lib.dtypes import dtype_name
from course_lib.sparse import CSR, csr_matmul

# relative error of a result that is right: rounding once to the type, and float32 sums before it
TOLERANCE = {torch.float32: 1e-5, torch.float16: 1e-3, torch.bfloat16: 6e-3}


@dataclass(frozen=True)
class Problem:
    """weight [rows, columns] with zeros, the same matrix as CSR, and dense [columns, width]."""

    weight: Tensor
    matrix: CSR
    dense: Tensor


def case(
    device: torch.device, rows: int, columns: int, width: int, sparsity: float, dtype: torch.dtype, skewed: bool = False
) -> Case:
    """A matrix whose values are zero with probability `sparsity`, independently, as after unstructured pruning.

    skewed   the rows' densities differ: uniform between nothing and twice the mean (cut at 1).
    """

    def make(seed: int) -> Problem:
        generator = torch.Generator(device).manual_seed(seed)
        keep = torch.full((rows, 1), 1 - sparsity, device=device)
        if skewed:
            keep *= 2 * torch.rand((rows, 1), device=device, generator=generator)
        weight = torch.randn((rows, columns), device=device, generator=generator)
        weight *= torch.rand((rows, columns), device=device, generator=generator) < keep
        dense = torch.randn((columns, width), device=device, generator=generator).to(dtype)
        weight = weight.to(dtype)
        return Problem(weight, CSR.from_dense(weight), dense)

    name = dtype_name(dtype)
    size = dtype.itemsize
    nnz = round(rows * columns * (1 - sparsity))
    index = 2 if columns <= 1 << 15 else 4
    parameters = {
        "rows": rows,
        "columns": columns,
        "width": width,
        "sparsity": sparsity,
        "dtype": name,
        "skewed": skewed,
    }
    return Case(
        name=f"{rows}x{columns}x{width} {sparsity:.0%} {name}{' skewed' if skewed else ''}",
        parameters=parameters,
        make=make,
        oracle=lambda problem: problem.weight.double() @ problem.dense.double(),
        bytes=nnz * (size + index) + 4 * (rows + 1) + size * width * (columns + rows),
        operations=2 * nnz * width,
        arithmetic="float32",  # the multiply-adds of an unstructured matrix; tensor cores take dense or 2:4 tiles only
        tolerance=TOLERANCE[dtype],
    )


def checks(device: torch.device, quick: bool) -> list[Case]:
    shapes = [(1, 1, 1, 0.0), (127, 257, 33, 0.5), (64, 768, 8, 0.9), (33, 40000, 8, 0.99), (61, 64, 1, 1.0)]
    shapes += [(512, 768, 512, 0.8), (40, 96, 1000, 0.0)]
    shapes = [shapes[1], shapes[5]] if quick else shapes  # each is a template to compile; the tests have them all
    return [case(device, *shape, dtype) for shape in shapes for dtype in TOLERANCE]


def cases(device: torch.device, quick: bool) -> list[Case]:
    if device.type == "cpu":
        widths, sparsities = ([64], [0.7, 0.95]) if quick else ([8, 64, 512], [0.7, 0.9, 0.95, 0.98])
        return [case(device, 1024, 1024, width, each, torch.float32) for width in widths for each in sparsities]
    widths, sparsities = ([16, 512], [0.7, 0.9]) if quick else ([8, 16, 64, 512, 4096], [0.7, 0.8, 0.9, 0.95, 0.98])
    square = [
        case(device, 4096, 4096, width, sparsity, dtype)
        for dtype in (torch.float32, torch.float16)
        for width in widths
        for sparsity in sparsities
    ]
    if quick:
        return square
    others = [
        case(device, 14336, 4096, 16, 0.8, torch.bfloat16),
        case(device, 4096, 14336, 512, 0.9, torch.bfloat16),
        case(device, 4093, 4099, 509, 0.9, torch.float32),
        case(device, 4096, 4096, 512, 0.9, torch.float32, skewed=True),
        case(device, 2048, 40000, 64, 0.98, torch.float32),
    ]
    return square + others


def contenders(device: torch.device, case: Case) -> list[Contender]:
    if device.type == "cpu":
        return [
            Contender("csr_matmul", lambda problem: lambda: csr_matmul(problem.matrix, problem.dense), ours=True),
            Contender("dense", _dense),
            Contender("torch sparse CSR", _torch_sparse),
            Contender("scipy CSR", _scipy),
        ]
    return [
        Contender("1 row per thread", _kernel(1, torch.int32), ours=True),
        Contender("2 row per warp", _kernel(2, torch.int32), ours=True),
        Contender("3 tiled, 32-bit columns", _kernel(3, torch.int32), ours=True),
        Contender("3 tiled, 16-bit columns", _kernel(3, torch.int16), ours=True),
        Contender("dense (cuBLAS)", _dense),
        Contender("torch sparse CSR (cuSPARSE)", _torch_sparse),
        Contender("cupyx CSR (cuSPARSE)", _cupyx),
    ]


def _kernel(version: int, index_dtype: torch.dtype) -> Callable[[Problem], Callable[[], Tensor]]:
    def prepare(problem: Problem) -> Callable[[], Tensor]:
        if index_dtype == torch.int16 and problem.matrix.shape[1] > 1 << 15:
            raise Unavailable("more than 32768 columns")
        matrix = problem.matrix.with_index_dtype(index_dtype)
        return lambda: csr_matmul(matrix, problem.dense, version=version)

    return prepare


def _dense(problem: Problem) -> Callable[[], Tensor]:
    return lambda: problem.weight @ problem.dense


def _torch_sparse(problem: Problem) -> Callable[[], Tensor]:
    matrix = problem.matrix.to_torch()
    return lambda: matrix @ problem.dense


def _scipy(problem: Problem) -> Callable[[], Tensor]:
    import scipy.sparse

    parts = (problem.matrix.values, problem.matrix.columns.int(), problem.matrix.row_pointers)
    if problem.dense.dtype != torch.float32:
        raise Unavailable("scipy multiplies float32 and float64")
    matrix = scipy.sparse.csr_matrix(tuple(part.numpy() for part in parts), shape=problem.matrix.shape)
    dense = problem.dense.numpy()
    return lambda: torch.from_numpy(matrix @ dense)


def _cupyx(problem: Problem) -> Callable[[], Tensor]:
    import cupy
    import cupyx.cusparse
    import cupyx.scipy.sparse

    parts = (problem.matrix.values, problem.matrix.columns.int(), problem.matrix.row_pointers)
    matrix = cupyx.scipy.sparse.csr_matrix(tuple(cupy.asarray(part) for part in parts), shape=problem.matrix.shape)
    # cuSPARSE counts by columns: a row-major matrix is its transpose there, so nothing is copied
    dense = cupy.asarray(problem.dense).T
    out = cupy.empty((matrix.shape[0], dense.shape[0]), dense.dtype, order="F")
    return lambda: torch.as_tensor(cupyx.cusparse.spmm(matrix, dense, out, transb=True), device=problem.dense.device)


def _faster(name: str, ours: str, theirs: str) -> Callable[[Medians], float]:
    """How many times faster `ours` is than `theirs` in the case `name`."""
    return lambda medians: medians[name, theirs] / medians[name, ours]


_WIDE, _NARROW = "4096x4096x512 90% float32", "4096x4096x8 90% float16"
_TILED, _DENSE = "3 tiled, 16-bit columns", "dense (cuBLAS)"

# Written before the first run on a GPU, for an H100 or H200. The L1 cache delivers 128 bytes per cycle, so `tiled` can
# do a quarter of the float32 peak (about 16 of 64 T operations/s), and a dense float32 product reaches about 50.
PREDICTIONS = (
    Prediction(
        "coalesced reads make version 2 at least 3 times as fast as version 1 (90% float32, width 512)",
        _faster(_WIDE, "2 row per warp", "1 row per thread"),
        low=3,
    ),
    Prediction(
        "16-byte reads and staging make version 3 at least 1.5 times as fast as version 2 (90% float32, width 512)",
        _faster(_WIDE, _TILED, "2 row per warp"),
        low=1.5,
    ),
    Prediction(
        "16-bit columns save 1.2 to 1.5 times where the matrix is the traffic (90% float16, width 8: 4 bytes for 6)",
        _faster(_NARROW, _TILED, "3 tiled, 32-bit columns"),
        low=1.2,
        high=1.5,
    ),
    Prediction(
        "version 3 is 1.7 to 3 times as fast as dense at 90% (float32, width 512)",
        _faster(_WIDE, _TILED, _DENSE),
        low=1.7,
        high=3,
    ),
    Prediction(
        "at 70% the L1 cache keeps version 3 at 0.6 to 1.0 of dense (float32, width 512)",
        _faster("4096x4096x512 70% float32", _TILED, _DENSE),
        low=0.6,
        high=1.0,
    ),
    Prediction(
        "with few columns bytes decide and version 3 beats dense from 70% (float16, width 16)",
        _faster("4096x4096x16 70% float16", _TILED, _DENSE),
        low=1.0,
    ),
    Prediction(
        "with many columns dense float16 uses tensor cores: version 3 reaches 0.2 to 0.6 of it at 90% (width 512)",
        _faster("4096x4096x512 90% float16", _TILED, _DENSE),
        low=0.2,
        high=0.6,
    ),
    Prediction(
        "row swizzle makes rows of unequal length cost at most 1.2 times as much (90% float32, width 512)",
        lambda medians: medians[f"{_WIDE} skewed", _TILED] / medians[_WIDE, _TILED],
        high=1.2,
    ),
)

FAMILY = Family("csr_matmul", checks=checks, cases=cases, contenders=contenders, predictions=PREDICTIONS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Check, time, print, save."""
    run(FAMILY, arguments)


if __name__ == "__main__":
    main()
