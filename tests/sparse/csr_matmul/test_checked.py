"""The kernels under observation: nothing to find in them, and something to find once a fault is planted."""

from __future__ import annotations

import pytest
import torch

from course_lib import cuda
from course_lib.sparse import CSR
from course_lib.sparse.csr_matmul.launch import HERE, csr_matmul_launch, sddmm_launch
from tests.sparse.csr_matmul.problems import random_dense, random_matrix


def launch(version, rows, columns, width, dtype, index_dtype, density=0.3):
    """The launch of kernel `version`, 0 for sddmm. Rows of up to `columns` values: beyond 128 more than one stage."""
    matrix = CSR.from_dense(random_matrix(rows, columns, density, dtype), index_dtype=index_dtype)
    dense = random_dense(columns, width, dtype)
    pattern = (matrix.columns, matrix.row_pointers)
    if version:
        out = dense.new_empty(rows, width)
        return csr_matmul_launch(version, matrix.values, *pattern, matrix.row_order, dense, out)
    samples = dense.new_empty(matrix.nnz)
    return sddmm_launch(random_dense(rows, width, dtype, 2), dense, *pattern, matrix.row_order, samples)


@pytest.mark.parametrize(
    "problem",
    [
        (1, 7, 150, 9, torch.float32, torch.int16),
        (2, 7, 150, 37, torch.float16, torch.int32),
        (3, 7, 300, 12, torch.float32, torch.int16),
        (3, 5, 40, 520, torch.bfloat16, torch.int16),
        (0, 7, 150, 12, torch.float16, torch.int32),
    ],
    ids=str,
)
def test_nothing_is_found(problem):
    version, rows, columns, width, *types = problem
    for density in (0, 0.3, 1):
        report = launch(version, rows, columns, width, *types, density).check()
        assert report.ok, report
        assert report.notes == ()


# version, what the source says, what it says with the fault, what is found. Rows of 301 values: three stages, and the
# last one ends where no vector load may.
PLANTED = {
    "reads past the end of the values": (3, "if (mine + FETCH <= last)", "if (mine < last)", "out-of-bounds read"),
    "overwrites a stage that is still read": (
        3,
        "__syncwarp();  // every lane is done with the stage before",
        "",
        "race",
    ),
    "reads a stage that is not there yet": (
        3,
        "__syncwarp();  // every lane's share is there",
        "",
        "uninitialised shared memory",
    ),
    "writes past the width": (2, "if (n < width) out", "out", "out-of-bounds write"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_fault_is_found(name):
    version, right, wrong, kind = PLANTED[name]
    watched = launch(version, 5, 301, 12, torch.float32, torch.int16, density=1)
    source = watched.file.read_text()
    assert source.count(right) == 1
    kernel = cuda.compile(source.replace(right, wrong), watched.template, options=(f"-I{HERE}",), backend="host")
    report = cuda.check(kernel, watched.grid, watched.block, watched.args)
    assert kind in [finding.kind for finding in report.findings], report
