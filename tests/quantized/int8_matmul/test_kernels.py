"""Every kernel against the oracle, bit for bit: on the host always, on a GPU where there is one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib import cuda
from course_lib.quantized import int8_matmul
from course_lib.quantized.int8_matmul import launch
from course_lib.quantized.int8_matmul.op import OPERATION
from tests.examples import examples
from tests.quantized.int8_matmul.oracle import Problem, assert_exact, problem
from tests.rooms.launched import spy_on_launches

GPU = pytest.param(
    "cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")]
)
DEVICES = ["cpu", GPU]
VERSIONS = list(OPERATION.versions)

# One of each: an output type, a set of zero points, per tensor or per row, a bias. They share compiled kernels where
# they can: an output type with a set of zero points is one compilation.
FORMS = [
    {},
    {"zeros": "aw", "per": "row", "bias": "int"},
    {"out": "int8", "zeros": "a", "per": "row", "bias": "float"},
    {"out": "float32", "zeros": "w", "bias": "float"},
    {"out": "float16", "per": "row"},
    {"out": "bfloat16", "per": "row", "bias": "int"},
]
LEFT_OUT = {(1, "bfloat16"), (2, "float16")}  # they differ in one line that all versions share
# M, N, K: one, primes, the edges of tiles (64, and 64 bytes of K), rows that do and do not start at 16 bytes
SHAPES = [(1, 1, 1), (3, 5, 7), (16, 8, 32), (64, 64, 64), (65, 63, 65), (17, 127, 48), (67, 13, 149), (2, 130, 16)]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("version", "form"),
    [(version, form) for version in VERSIONS for form in FORMS if (version, form.get("out")) not in LEFT_OUT],
    ids=lambda value: str(value) if isinstance(value, int) else "-".join(value.values()) or "int32",
)
def test_exact_in_every_form(version, form, device):
    for shape in SHAPES:
        p = problem(*shape, **form)
        assert_exact(int8_matmul(**p.call(device), version=version), p)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("version", VERSIONS)
@given(
    m=st.integers(0, 80),
    n=st.integers(0, 80),
    k=st.integers(0, 200),
    per=st.sampled_from(["tensor", "row"]),
    extreme=st.booleans(),
    form=st.sampled_from([{}, {"zeros": "aw", "bias": "int"}, {"out": "int8", "zeros": "a", "bias": "float"}]),
)
@examples(25)
def test_exact_at_any_shape(version, device, m, n, k, per, extreme, form):
    p = problem(m, n, k, **{**form, "per": per}, extreme=extreme)
    assert_exact(int8_matmul(**p.call(device), version=version), p)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("form", [FORMS[1], FORMS[2]], ids=["int32", "int8"])
def test_large_tiles_of_the_tensor_core_kernel(monkeypatch, form, device):
    """Large problems take tiles of 128 x 128; here small ones are made to."""
    monkeypatch.setattr(launch, "_multiprocessors", lambda device: 1)
    launched = spy_on_launches(monkeypatch)
    for shape in [(128, 128, 128), (131, 257, 80), (1, 1, 1), (100, 129, 33)]:
        p = problem(*shape, **form)
        assert_exact(int8_matmul(**p.call(device), version=3), p)
    assert all("128, 128, 3>" in name or "128, 128, 2>" in name for name in launched)


def test_two_stages_where_copies_are_not_asynchronous(monkeypatch):
    monkeypatch.setattr(launch, "_copies_are_asynchronous", lambda device: False)
    launched = spy_on_launches(monkeypatch)
    for k in (1, 64, 65, 300):
        p = problem(70, 9, k)
        assert_exact(int8_matmul(**p.call(), version=3), p)
    assert set(launched) == {"int8_matmul_mma<int, false, false, 64, 64, 2>"}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("k", "zeros"), [(131071, ""), (33025, "aw")])
def test_the_largest_sums(version, k, zeros, device):
    p = problem(1, 2, k, zeros=zeros, extreme=True)
    assert_exact(int8_matmul(**p.call(device), version=version), p)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("shape", [(0, 3, 5), (3, 0, 5), (0, 0, 0), (3, 4, 0)])
def test_nothing_to_add_or_nowhere_to_put_it(version, shape):
    p = problem(*shape, zeros="aw", bias="int", per="row")
    assert_exact(int8_matmul(**p.call(), version=version), p)


@pytest.mark.parametrize("version", VERSIONS)
def test_operands_that_start_off_a_16_byte_boundary(version):
    p = problem(20, 18, 32)
    call = p.call()
    for name in ("a", "w"):
        storage = torch.empty(call[name].numel() + 1, dtype=torch.int8)
        call[name] = storage[1:].view(call[name].shape).copy_(call[name])
        assert call[name].data_ptr() % 16 == 1
    assert_exact(int8_matmul(**call, version=version), p)


def test_extreme_requantization_is_the_same_everywhere():
    """Halves, saturation, infinity and NaN: the last step of every kernel."""
    one = np.ones((1, 1), np.int8)
    sums = np.arange(-128, 128).astype(np.int8)[:, None]
    for scale in (2.0, 0.25, 1e-38, np.inf, np.nan):
        p = Problem(
            one,
            sums,
            "int8",
            a_scale=np.ones(1, np.float32),
            w_scale=np.ones(1, np.float32),
            a_zero_point=np.zeros(1, np.int8),
            bias=np.full(256, np.float32(scale)) if not np.isfinite(scale) else None,
            out_scale=np.array([scale if np.isfinite(scale) else 1], np.float32),
            out_zero_point=np.array([-7], np.int8),
        )
        for version in (None, *VERSIONS):
            assert_exact(int8_matmul(**p.call(), version=version), p)


@pytest.mark.parametrize("version", [None, *VERSIONS])
def test_the_output_zero_point_is_0_unless_given(version):
    p = problem(9, 8, 20, "int8", zeros="a")
    p.out_zero_point[:] = 0
    call = p.call()
    assert_exact(int8_matmul(**call, version=version), p)
    del call["out_zero_point"]
    assert_exact(int8_matmul(**call, version=version), p)


def test_the_default_is_the_reference_and_a_kernel_where_kernels_are_asked_for(monkeypatch):
    launched = spy_on_launches(monkeypatch)
    p = problem(5, 4, 20)
    assert_exact(int8_matmul(**p.call()), p)
    assert launched == []
    with cuda.use("host"):
        assert_exact(int8_matmul(**p.call()), p)
    assert launched == ["int8_matmul_mma<int, false, false, 64, 64, 3>"]


def test_kernels_run_in_a_compiled_graph():
    torch._dynamo.reset()
    p = problem(5, 4, 20)
    compiled = torch.compile(lambda a, w: int8_matmul(a, w, version=2), fullgraph=True, backend="aot_eager")
    call = p.call()
    assert_exact(compiled(call["a"], call["w"]), p)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("version", VERSIONS)
def test_large_on_the_gpu(version):
    p = problem(1000, 1021, 4099, "int8", zeros="aw", per="row", bias="float")
    assert_exact(int8_matmul(**p.call("cuda"), version=version), p)
