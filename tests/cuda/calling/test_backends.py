"""Where a kernel runs: by its arguments, or by force."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest

from course_lib import cuda
from course_lib.cuda.calling import backends
from course_lib.cuda.calling.arguments import Binder, Bound
from course_lib.cuda.calling.arrays import Array
from course_lib.cuda.calling.geometry import check_shared, triple
from course_lib.cuda.reading.kernel_text import read_kernel
from course_lib.errors import CourseError

SOURCE = "__global__ void k(float* x, float* y, int n) { if (threadIdx.x < n) y[threadIdx.x] = x[threadIdx.x]; }"


def on_gpu(bound, device=0):
    array = bound.array
    return replace(bound, array=Array(array.owner, "torch", array.dtype, array.itemsize, device, array.address))


@pytest.fixture
def bound():
    return Binder(read_kernel(SOURCE, "k").signature)((np.zeros(3, np.float32), np.zeros(3, np.float32), 3))


def test_the_arrays_decide(bound):
    x, y, n = bound
    assert backends.choose("k", bound, None) == "host"
    assert backends.choose("k", [on_gpu(x), on_gpu(y), n], None) == "cuda"
    assert backends.choose("k", [Bound(n.parameter, None, 3, "i")], None) == "host"
    with pytest.raises(cuda.ArgumentError, match="x on the GPU, y in the computer's memory"):
        backends.choose("k", [on_gpu(x), y, n], None)


def test_use_has_the_last_word_and_ends():
    assert backends.current().backend is None
    with cuda.use("host", time_limit=3):
        assert backends.current() == backends.Setting("host", False, 3)
        with cuda.use("cuda"):
            assert backends.current().backend == "cuda"
        assert backends.current().backend == "host"
    with contextlib.suppress(KeyError), cuda.use("host"):
        raise KeyError
    assert backends.current().backend is None


def test_names_of_backends():
    with pytest.raises(CourseError, match='"cuda", "host" or None'), cuda.use("cpu"):
        pass
    with pytest.raises(CourseError, match='"cuda", "host" or None'):
        cuda.compile(SOURCE, "k", backend="gpu")


def test_use_host_compiles_for_the_host():
    with cuda.use("host"):
        kernel = cuda.compile(SOURCE, "k")
    assert kernel._host is not None
    assert kernel._gpu is None


def test_torch_and_numpy_share_a_call():
    torch = pytest.importorskip("torch")
    x, y = np.arange(3, dtype=np.float32), torch.zeros(3)
    cuda.compile(SOURCE, "k", backend="host")(1, 32, (x, y, 3))
    assert y.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("size", "what", "said"),
    [
        (0, "grid", "1 to 2147483647"),
        ((1, 65536), "grid", "y is 65536"),
        (1025, "block", "x is 1025"),
        ((1, 1, 65), "block", "z is 65"),
        ((32, 33), "block", r"\(32, 33, 1\) are 1056"),
        ((1, 2, 3, 4), "grid", "one to three"),
        (1.5, "grid", "one to three"),
        ("16", "grid", "one to three"),
        ((float("nan"), 1), "grid", "one to three"),
        (([2],), "block", "one to three"),
        (None, "block", "not None"),
        ((), "block", "one to three"),
    ],
)
def test_sizes_that_no_gpu_takes(size, what, said):
    with pytest.raises(cuda.LaunchError, match=said):
        triple(size, what)


def test_sizes():
    assert triple(5, "grid") == (5, 1, 1)
    assert triple((np.int64(5), 2), "grid") == (5, 2, 1)
    assert triple((8, 8, 16), "block") == (8, 8, 16)
    assert check_shared(232448) == 232448
    for bytes_asked in (-1, 1.5, "48 KB"):
        with pytest.raises(cuda.LaunchError, match="227 KB"):
            check_shared(bytes_asked)


def test_compile_errors_name_the_file_and_line(tmp_path):
    from course_lib import native

    path = tmp_path / "broken.cu"
    path.write_text("// one\n__global__ void k(float* x) {\n    x[0] = missing;\n}\n")
    with pytest.raises(native.CompileError, match=r"broken.cu:3:\d+: error: .*missing"):
        cuda.compile(path, "k", backend="host")
    with pytest.raises(native.CompileError, match=r"k.cu:1:\d+: error"):
        cuda.compile("__global__ void k(float* x) { return 1 }", "k", backend="host")


def test_inline_ptx_is_refused_with_the_way_out():
    from course_lib import native

    source = '__global__ void k(int* x) { int v; asm volatile("mov.u32 %0, %%laneid;" : "=r"(v)); x[0] = v; }'
    with pytest.raises(native.CompileError, match="PTX"):
        cuda.compile(source, "k", backend="host")
