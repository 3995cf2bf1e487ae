from __future__ import annotations

import pytest
import torch

from course_lib.quantized import int8_matmul

M, N, K = 5, 7, 23


def leaf(*shape):
    return (torch.rand(shape) * 0.05 + 0.01).requires_grad_()


@pytest.mark.parametrize("out_dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shapes", [((), ()), ((M,), (N,)), ((M, 1), (1,))])
@pytest.mark.parametrize("bias_dtype", [torch.float32, torch.int32])
def test_gradients_are_those_of_the_formula(out_dtype, shapes, bias_dtype):
    torch.manual_seed(0)
    a, w = (torch.randint(-128, 128, (rows, K), dtype=torch.int8) for rows in (M, N))
    zero = torch.randint(-128, 128, (M,), dtype=torch.int8)
    a_scale, w_scale = (leaf(*shape) for shape in shapes)
    bias = leaf(N) if bias_dtype == torch.float32 else torch.randint(-99, 99, (N,), dtype=torch.int32)
    weight = torch.randn(M, N).to(out_dtype)

    y = int8_matmul(a, w, a_scale=a_scale, w_scale=w_scale, a_zero_point=zero, bias=bias, out_dtype=out_dtype)
    y.backward(weight)

    # the same formula in float64, differentiated by torch
    leaves = [each.detach().double().requires_grad_() for each in (a_scale, w_scale)]
    sums = (a.double() - zero.double()[:, None]) @ w.double().t()
    free = bias.detach().double().requires_grad_() if bias.is_floating_point() else None
    sums = sums if free is not None else sums + bias
    expected = sums * leaves[0].reshape(-1, 1) * leaves[1].reshape(1, -1)
    expected = expected if free is None else expected + free
    expected.backward(weight.double())
    for ours, theirs in zip((a_scale, w_scale, bias), (*leaves, free), strict=True):
        if theirs is not None:
            assert ours.grad.shape == ours.shape
            torch.testing.assert_close(ours.grad.double(), theirs.grad, rtol=1e-4, atol=1e-3)


def test_only_the_asked_gradients_are_computed():
    a, w = (torch.randint(-128, 128, (rows, K), dtype=torch.int8) for rows in (M, N))
    bias = leaf(N)
    int8_matmul(a, w, a_scale=0.1, w_scale=0.2, bias=bias, out_dtype=torch.float32).sum().backward()
    assert torch.equal(bias.grad, torch.full((N,), float(M)))


@pytest.mark.parametrize("out", [{"out_dtype": torch.int8, "out_scale": 0.5}])
def test_integer_outputs_end_the_graph(out):
    a, w = (torch.randint(-128, 128, (rows, K), dtype=torch.int8) for rows in (M, N))
    assert not int8_matmul(a, w, a_scale=leaf(M), w_scale=leaf(N), **out).requires_grad
