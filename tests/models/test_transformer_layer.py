"""Against torch's own encoder and decoder layers, with their weights."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_lib.models.transformer_layer import TorchAttention, TransformerLayer, as_bias
from tests.examples import examples

NAMES = {"norm1": "ln_1", "self_attn": "self_attention", "linear1": "mlp.0", "linear2": "mlp.3"}


def with_weights_of(theirs, ours):
    """Random weights, norms and biases included, under both sets of names."""
    cross = {"multihead_attn": "cross_attention", "norm2": "ln_cross", "norm3": "ln_2"}
    names = NAMES | (cross if hasattr(theirs, "multihead_attn") else {"norm2": "ln_2"})
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.3)
    state = {}
    for name, value in theirs.state_dict().items():
        first, rest = name.split(".", 1)
        state[f"{names[first]}.{rest}"] = value
    ours.load_state_dict(state)
    return ours.eval()


@given(st.integers(1, 3), st.integers(1, 7), st.sampled_from([(8, 2), (6, 3), (5, 1)]), st.booleans())
@examples(25)
def test_same_as_torchs_encoder_layer(samples, length, sizes, norm_first):
    width, heads = sizes
    theirs = nn.TransformerEncoderLayer(
        width, heads, 9, dropout=0.0, activation="gelu", batch_first=True, norm_first=norm_first
    )
    ours = with_weights_of(theirs.eval(), TransformerLayer(width, heads, 9, norm_first=norm_first))
    x = torch.randn(samples, length, width)
    causal = nn.Transformer.generate_square_subsequent_mask(length)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours(x, causal), theirs(x, causal), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("norm_first", [True, False])
def test_same_as_torchs_decoder_layer(norm_first):
    theirs = nn.TransformerDecoderLayer(
        8, 2, 9, dropout=0.0, activation="gelu", batch_first=True, norm_first=norm_first
    )
    ours = with_weights_of(theirs.eval(), TransformerLayer(8, 2, 9, norm_first=norm_first, cross=True))
    x, memory = torch.randn(3, 5, 8), torch.randn(3, 7, 8)
    causal, padding = nn.Transformer.generate_square_subsequent_mask(5), torch.zeros(3, 7, dtype=torch.bool)
    padding[1, 4:] = True
    expected = theirs(x, memory, tgt_mask=causal, memory_key_padding_mask=padding)
    got = ours(x, causal, memory, as_bias(~padding)[:, None, None])
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(4, 6), (1, 1, 4, 6), (3, 1, 4, 6), (1, 2, 4, 6), (3, 2, 4, 6), (3, 1, 1, 6)])
def test_masks_of_every_shape_that_broadcasts(shape):
    """torch's fused attention, on the same projections, takes the same additive mask."""
    layer = TorchAttention(8, 2).eval()
    q, k, v = torch.randn(3, 4, 8), torch.randn(3, 6, 8), torch.randn(3, 6, 8)
    mask = torch.randn(shape)
    parts = [
        nn.functional.linear(x, weight, bias).unflatten(-1, (2, 4)).transpose(1, 2)
        for x, weight, bias in zip((q, k, v), layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3), strict=True)
    ]
    heads = nn.functional.scaled_dot_product_attention(*parts, attn_mask=mask.expand(3, 2, 4, 6))
    expected = layer.out_proj(heads.transpose(1, 2).flatten(2))
    torch.testing.assert_close(layer(q, k, v, mask), expected, rtol=1e-4, atol=1e-5)


def test_as_bias():
    assert as_bias(torch.tensor([True, False])).tolist() == [0.0, -torch.inf]
    numbers = torch.tensor([0.5, -2.0])
    assert as_bias(numbers) is numbers


def test_a_notebooks_own_pieces_are_used():
    class Mean(nn.Module):
        """Every query sees the mean of all values."""

        def forward(self, query, key, value, mask):
            return value.mean(1, keepdim=True).expand_as(query)

    layer = TransformerLayer(4, 1, 8, attention=lambda width, heads: Mean(), norm=lambda width: nn.Identity())
    nn.init.zeros_(layer.mlp[3].weight)
    nn.init.zeros_(layer.mlp[3].bias)
    x = torch.randn(2, 3, 4)
    torch.testing.assert_close(layer(x), x + x.mean(1, keepdim=True))


def test_a_memory_needs_cross_attention():
    x = torch.zeros(1, 2, 4)
    with pytest.raises(ValueError, match="cross=True"):
        TransformerLayer(4, 1, 4)(x, memory=x)
    with pytest.raises(ValueError, match="cross=True"):
        TransformerLayer(4, 1, 4, cross=True)(x)


@given(st.permutations(range(6)))
@examples(10)
def test_without_positions_order_is_nothing(order):
    layer = TransformerLayer(8, 2, 16).eval()
    x = torch.randn(2, 6, 8)
    torch.testing.assert_close(layer(x[:, order]), layer(x)[:, order], rtol=1e-4, atol=1e-5)
