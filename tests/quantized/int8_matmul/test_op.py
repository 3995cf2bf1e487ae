from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib.quantized import int8_matmul
from tests.examples import examples
from tests.quantized.int8_matmul.oracle import DTYPES, Problem, as_numpy, assert_exact, exact_sums, problem

SIZES = st.one_of(st.integers(0, 4), st.sampled_from([7, 13, 16, 31, 64, 67]))


@st.composite
def problems(draw):
    out = draw(st.sampled_from(list(DTYPES)))
    bias = draw(st.sampled_from(["", "int"] if out == "int32" else ["", "int", "float"]))
    return problem(
        draw(SIZES),
        draw(SIZES),
        draw(st.one_of(SIZES, st.just(1031))),
        out,
        zeros=draw(st.sampled_from(["", "a", "w", "aw"])),
        per=draw(st.sampled_from(["tensor", "row"])),
        bias=bias,
        seed=draw(st.integers(0, 999)),
        extreme=draw(st.booleans()),
    )


@given(problems())
@examples(300)
def test_equals_the_oracle_bit_for_bit(p):
    assert_exact(int8_matmul(**p.call()), p)


def test_means_the_product_of_the_numbers_that_the_bytes_stand_for():
    """Jacob et al. 2018, equation 1: q stands for scale * (q - zero point). No formula of ours on this side."""
    p = problem(40, 30, 200, "int8", zeros="aw", per="row", bias="float", seed=5)
    real_a = p.a_scale[:, None].astype(np.float64) * (p.a.astype(np.float64) - p.a_zero_point[:, None])
    real_w = p.w_scale[:, None].astype(np.float64) * (p.w.astype(np.float64) - p.w_zero_point[:, None])
    real = real_a @ real_w.T + p.bias
    step = float(p.out_scale[0])
    q = as_numpy(int8_matmul(**p.call())).astype(np.float64)
    decoded = step * (q - int(p.out_zero_point[0]))
    inside = np.abs(q) < 127
    assert 0.2 < inside.mean() < 1
    assert np.abs(decoded - real)[inside].max() <= step * 0.5001
    low, high = (step * (end - int(p.out_zero_point[0])) for end in (-128, 127))
    assert np.abs(decoded - np.clip(real, low, high)).max() <= step * 0.5001


def requantized(sums, rate_denominator, zero=0):
    """One output for each of `sums`, each at most 127 in size: 1 * sum, scaled by 1 / rate_denominator."""
    w = torch.tensor(sums, dtype=torch.int8)[:, None]
    one = torch.ones(1, 1, dtype=torch.int8)
    scale = float(rate_denominator)
    return int8_matmul(
        one, w, a_scale=1.0, w_scale=1.0, out_dtype=torch.int8, out_scale=scale, out_zero_point=zero
    ).tolist()[0]


def test_halves_are_rounded_to_even():
    assert requantized([1, 3, 5, 7, -1, -3, -5, -7], 2) == [0, 2, 2, 4, 0, -2, -2, -4]
    assert requantized([1, 3, 5], 2, zero=1) == [1, 3, 3]  # the zero point is added after rounding


def test_the_reciprocal_of_out_scale_is_rounded_before_it_multiplies():
    assert requantized([91, -91], 14) == [7, -7]  # 91 / 14 is 6.5; times float32's 1 / 14 it is above


@pytest.mark.parametrize("zero", [-128, 0, 127])
def test_saturates_at_both_ends(zero):
    assert requantized([127, -128], 0.25, zero) == [min(127, 508 + zero), max(-128, zero - 512)]
    assert requantized([127, -128, 0], 1e-38, zero) == [127, -128, zero]  # 127 / 1e-38 is infinite in float32


def test_nan_becomes_the_zero_point():
    nan = torch.tensor([float("nan")])
    one = torch.ones(1, 1, dtype=torch.int8)
    result = int8_matmul(one, one, a_scale=nan, w_scale=1.0, out_dtype=torch.int8, out_scale=1.0, out_zero_point=-7)
    assert result.item() == -7


def test_float16_overflows_to_infinity_and_bfloat16_does_not():
    a = torch.full((1, 1000), 127, dtype=torch.int8)
    scales = {"a_scale": 0.1, "w_scale": 0.1}
    assert int8_matmul(a, a, **scales, out_dtype=torch.float16).item() == float("inf")
    assert int8_matmul(a, a, **scales, out_dtype=torch.bfloat16).item() == 161792.0


def test_a_bias_in_each_of_its_units():
    p = problem(6, 5, 40, "float32", bias="int", per="row")
    by_int = int8_matmul(**p.call())
    arguments = p.call()
    no_bias = int8_matmul(**{**arguments, "bias": None})
    added = torch.from_numpy(p.bias * (p.a_scale[:, None] * p.w_scale[None]).astype(np.float64))
    torch.testing.assert_close(by_int.double(), no_bias + added, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("version", [None, 1])
def test_strided_and_expanded_operands(version):
    p = problem(24, 20, 48, "float32", zeros="aw", per="row", bias="float")
    call = p.call()
    call["a"] = call["a"].t().contiguous().t()
    call["w"] = torch.stack([call["w"], call["w"]], 2)[:, :, 1]
    for name in ("a_scale", "w_zero_point", "bias"):
        call[name] = torch.stack([call[name], call[name]], 1)[:, 0]
    p.w_scale[:] = p.w_scale[0]
    call["w_scale"] = call["w_scale"][:1].expand(20, 1)
    assert not any(call[name].is_contiguous() for name in ("a", "w", "a_scale", "w_zero_point", "bias", "w_scale"))
    assert_exact(int8_matmul(**call, version=version), p)


CASES = [
    problem(6, 5, 16),
    problem(6, 5, 16, "float32", zeros="a", per="row", bias="float"),
    problem(6, 5, 16, "bfloat16", bias="int"),
    problem(6, 5, 16, "int8", zeros="aw", per="row", bias="float"),
]


@pytest.mark.parametrize("p", CASES, ids=lambda p: p.out)
def test_opcheck(p):
    call = p.call()
    if call["out_dtype"].is_floating_point:
        call["a_scale"].requires_grad_()
    order = ["a", "w", "a_scale", "w_scale", "a_zero_point", "w_zero_point", "bias", "out_scale", "out_zero_point"]
    arguments = [call.get(name) for name in order]
    torch.library.opcheck(torch.ops.course.int8_matmul.default, (*arguments, call["out_dtype"], None))


@pytest.mark.parametrize("p", CASES, ids=lambda p: p.out)
def test_compiles_into_one_graph(p):
    torch._dynamo.reset()
    compiled = torch.compile(lambda call: int8_matmul(**call), fullgraph=True, backend="aot_eager")
    assert_exact(compiled(p.call()), p)


def test_compiled_once_for_changing_shapes_and_numbers():
    torch._dynamo.reset()
    compiled = torch.compile(
        lambda a, w, s, z: int8_matmul(a, w, a_scale=s, w_scale=0.5, a_zero_point=z, out_dtype=torch.float32),
        fullgraph=True,
        dynamic=True,
        backend="aot_eager",
    )
    for m, k in ((4, 8), (9, 30), (33, 17)):
        p = problem(m, 5, k, "float32", zeros="a")
        call = p.call()
        scale, zero = float(p.a_scale[0]), int(p.a_zero_point[0])
        expected = exact_sums(p) * np.float64(scale) * 0.5
        np.testing.assert_allclose(compiled(call["a"], call["w"], scale, zero).numpy(), expected, rtol=1e-6)
    with pytest.raises(Exception, match="must agree"):
        compiled(torch.zeros(3, 8, dtype=torch.int8), torch.zeros(3, 9, dtype=torch.int8), 0.5, 0)


def test_gradient_through_a_compiled_graph():
    torch._dynamo.reset()
    p = problem(6, 5, 16, "float32")
    call = p.call()
    scale = call.pop("a_scale").requires_grad_()
    compiled = torch.compile(lambda s: int8_matmul(a_scale=s, **call), fullgraph=True, backend="aot_eager")
    compiled(scale).sum().backward()
    expected = (exact_sums(p) * p.w_scale.astype(np.float64)).sum()
    assert scale.grad.item() == pytest.approx(expected, rel=1e-4)


def test_runs_on_the_meta_device():
    p = Problem(np.zeros((3, 8), np.int8), np.zeros((5, 8), np.int8))
    result = int8_matmul(**p.call("meta"))
    assert result.shape == (3, 5) and result.dtype == torch.int32 and result.is_meta
