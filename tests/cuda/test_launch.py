"""A launch as a value, and what launchers are written with."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from course_lib import cuda
from course_lib.cuda.calling.arguments import ELEMENTS
from course_lib.cuda.launch import C_TYPES
from course_lib.cuda.reading.c_types import NAMES
from course_lib.dtypes import dtype_name

SCALE = """template <typename T> __global__ void scale(const T* x, T* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = T(2) * x[i];
}
__global__ void beyond(int* y) { y[threadIdx.x + 1] = 1; }
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "scale.cu"
    path.write_text(SCALE)
    return path


def launch(file, x, y):
    name = f"scale<{cuda.c_type(x.dtype)}>"
    return cuda.Launch(file, name, (cuda.ceil_div(len(x), 32),), (32,), (x, y, len(x)))


@pytest.mark.parametrize("make", [torch.arange, np.arange])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "int16", "uint8"])
def test_runs_by_the_dtype_of_its_arrays(file, make, dtype):
    x = make(70, dtype=getattr(torch if make is torch.arange else np, dtype))
    y = x * 0
    one = launch(file, x, y)
    one.run()
    assert y.tolist() == [2 * number % 256 if dtype == "uint8" else 2 * number for number in range(70)]
    assert one.kernel is launch(file, x, y).kernel


def test_is_checked_and_traced_without_touching_its_arrays(file):
    x, y = torch.arange(40, dtype=torch.float32), torch.zeros(40)
    one = launch(file, x, y)
    assert one.check().ok
    assert one.trace().of("x").bytes() == 160
    assert y.count_nonzero() == 0
    report = cuda.Launch(file, "beyond", (1,), (4,), (torch.zeros(4, dtype=torch.int32),)).check()
    assert report.kinds() == {"out-of-bounds write"}


def test_an_empty_grid_launches_nothing(file, monkeypatch):
    empty = torch.zeros(0)
    monkeypatch.setattr(cuda.launch, "_compiled", None)  # it would be called
    launch(file, empty, empty).run()
    assert launch(file, empty, empty).check().ok


def test_says_what_it_is(file):
    x = torch.zeros(70)
    assert str(launch(file, x, x)) == "scale<float> of scale.cu, grid (3,), block (32,)"
    one = cuda.Launch(file, "scale<float>", (1, 2), (32,), (x, x, 70), 1024)
    assert str(one).endswith("block (32,), 1024 bytes of dynamic shared memory")


@pytest.mark.parametrize("name", C_TYPES)
def test_every_c_type_takes_arrays_of_its_dtype(name):
    """The map from C types to the arrays that they accept is written the other way round, elsewhere."""
    spelled = C_TYPES[name]
    assert name in ELEMENTS[NAMES.get(spelled, spelled)]


def test_dtypes_are_called_alike():
    assert {dtype_name(each) for each in (torch.float32, np.float32, np.dtype("float32"))} == {"float32"}
    assert {dtype_name(each) for each in (torch.bool, np.dtype(bool))} == {"bool"}
    assert dtype_name(torch.bfloat16) == "bfloat16"
    with pytest.raises(KeyError, match="complex64"):
        cuda.c_type(torch.complex64)


@pytest.mark.parametrize("each", [1, 2, 7, 32])
def test_pieces_cover_and_none_is_spare(each):
    for count in range(70):
        pieces = cuda.ceil_div(count, each)
        assert pieces * each >= count > (pieces - 1) * each or pieces == count == 0


def test_version_that_would_run():
    needs = {1: (0, 0), 2: (7, 5), 3: (9, 0)}
    x = torch.ones(3)
    assert cuda.chosen_version(x, needs) is None
    assert cuda.backend_of(x) is None
    with cuda.use("host"):
        assert cuda.backend_of(x) == "host"
        assert cuda.chosen_version(x, needs) == 3
    assert cuda.capability_of(x) is None
