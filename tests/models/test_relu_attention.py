import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib.models import relu_attention


@given(*[st.integers(1, 5)] * 3, st.integers(0, 2**31))
def test_by_its_definition_in_loops(tokens, dim, value_dim, seed):
    generator = torch.Generator().manual_seed(seed)
    q, k, v = (
        torch.randn(2, 1, tokens, width, generator=generator, dtype=torch.float64) for width in (dim, dim, value_dim)
    )
    out = relu_attention(q, k, v)
    assert out.shape == (2, 1, tokens, value_dim)
    for sample in range(2):
        for i in range(tokens):
            total, weighted = 0.0, torch.zeros(value_dim, dtype=torch.float64)
            for j in range(tokens):
                weight = sum(max(a, 0) * max(b, 0) for a, b in zip(q[sample, 0, i], k[sample, 0, j], strict=True))
                total, weighted = total + weight, weighted + weight * v[sample, 0, j]
            torch.testing.assert_close(out[sample, 0, i], weighted / (total + 1e-15))


def test_a_query_that_sees_nothing_gets_zero():
    q, v = -torch.rand(1, 1, 3, 4), torch.rand(1, 1, 3, 2)
    assert torch.equal(relu_attention(q, torch.rand(1, 1, 3, 4), v), torch.zeros(1, 1, 3, 2))


def test_the_scale_of_a_query_is_nothing():
    q, k, v = torch.randn(3, 2, 4, 7, 5, dtype=torch.float64)
    torch.testing.assert_close(relu_attention(10 * q, k, v), relu_attention(q, k, v))
