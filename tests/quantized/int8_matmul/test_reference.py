from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib.quantized.int8_matmul import int8_matmul, reference
from tests.examples import examples
from tests.quantized.int8_matmul.oracle import assert_exact, exact_sums, problem

SHAPES = [(1, 1, 1), (7, 5, 3), (31, 17, 1024), (3, 2, 1025), (16, 16, 4099), (0, 3, 4), (3, 0, 4), (3, 4, 0)]


@pytest.fixture(params=["int_mm", "float32"])
def route(request, monkeypatch):
    """Both ways to exact products on the CPU: by torch._int_mm, and where that cannot be trusted."""
    if request.param == "float32":
        monkeypatch.setattr(reference, "_int_mm_is_fast_and_right", lambda: False)
    elif not reference._int_mm_is_fast_and_right():
        pytest.skip("torch._int_mm is slow or wrong on this processor")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("extreme", [False, True])
def test_products_are_exact(route, shape, extreme):
    p = problem(*shape, extreme=extreme)
    result = reference.exact_products(torch.from_numpy(p.a), torch.from_numpy(p.w))
    assert result.dtype == torch.int32
    np.testing.assert_array_equal(result.numpy(), exact_sums(p))


def test_largest_sum_that_int32_holds(route):
    a = torch.full((2, 131071), -128, dtype=torch.int8)
    w = torch.stack([a[0], -1 - a[0]])
    assert reference.exact_products(a, w).tolist() == [[131071 * 16384, -131071 * 16256]] * 2


def test_an_odd_sum_that_float32_cannot_hold(route):
    a = torch.full((1, 4096), 127, dtype=torch.int8)
    w = a.clone()
    w[0, 0] = 126
    assert reference.exact_products(a, w).item() == 4096 * 127 * 127 - 127


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 3000), st.integers(0, 99))
@examples(25)
def test_both_routes_agree(m, n, k, seed):
    p = problem(m, n, k, seed=seed)
    a, w = torch.from_numpy(p.a), torch.from_numpy(p.w)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "_int_mm_is_fast_and_right", lambda: False)
        assert torch.equal(reference.exact_products(a, w), reference.exact_products(a, w.clone()))
        np.testing.assert_array_equal(reference.exact_products(a, w).numpy(), exact_sums(p))


@pytest.mark.parametrize("block", [1, 50, 10**6])
@pytest.mark.parametrize("per", ["tensor", "row"])
@pytest.mark.parametrize("out", ["int8", "bfloat16"])
def test_the_blocks_in_which_sums_are_scaled_do_not_matter(monkeypatch, block, per, out):
    monkeypatch.setattr(reference, "BLOCK", block)
    p = problem(13, 7, 20, out, zeros="aw", per=per, bias="float")
    assert_exact(int8_matmul(**p.call()), p)


def test_an_int_mm_that_saturates_in_16_bits_is_not_used(monkeypatch):
    """What oneDNN does without VNNI: pairs of products are added in 16 bits."""

    def saturating(a, w):
        k = a.shape[1] // 2 * 2
        pairs = (a[:, None, :k].int() + 128) * w.t()[None, :, :k].int()  # u8 x s8, as the instruction takes them
        pairs = pairs.reshape(*pairs.shape[:2], -1, 2).sum(-1).clamp(-32768, 32767)
        return pairs.sum(-1, dtype=torch.int32) - 128 * w[:k].sum(0, dtype=torch.int32)

    monkeypatch.setattr(torch, "_int_mm", saturating)
    reference._int_mm_is_fast_and_right.cache_clear()
    try:
        assert not reference._int_mm_is_fast_and_right()
        p = problem(9, 8, 64, extreme=True)
        result = reference.exact_products(torch.from_numpy(p.a), torch.from_numpy(p.w))
        np.testing.assert_array_equal(result.numpy(), exact_sums(p))
    finally:
        reference._int_mm_is_fast_and_right.cache_clear()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_products_are_exact_on_the_gpu():
    p = problem(65, 33, 4099, extreme=True)
    result = reference.exact_products(torch.from_numpy(p.a).cuda(), torch.from_numpy(p.w).cuda())
    np.testing.assert_array_equal(result.cpu().numpy(), exact_sums(p))
