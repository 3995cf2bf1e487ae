"""Against the sizes that the authors publish with their code (github.com/mit-han-lab/efficientvit)."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_lib import measure, models
from course_lib.models.efficientvit import MultiScaleAttention
from course_lib.models.relu_attention import relu_attention
from tests.examples import examples

# Parameters and GMAC of one picture, as their table rounds them. B0 is in their code, but not in their table; the
# parameters of all four stand in the tables of timm (3.41, 9.10, 24.33 and 48.65 million).
PUBLISHED = {
    ("efficientvit_b1", 224): ("9.1M", "0.52G"),
    ("efficientvit_b1", 256): ("9.1M", "0.68G"),
    ("efficientvit_b1", 288): ("9.1M", "0.86G"),
    ("efficientvit_b2", 224): ("24M", "1.6G"),
    ("efficientvit_b2", 256): ("24M", "2.1G"),
    ("efficientvit_b2", 288): ("24M", "2.6G"),
    ("efficientvit_b3", 224): ("49M", "4.0G"),
    ("efficientvit_b3", 256): ("49M", "5.2G"),
    ("efficientvit_b3", 288): ("49M", "6.5G"),
}
TIMM_MILLIONS = {"efficientvit_b0": 3.41, "efficientvit_b1": 9.10, "efficientvit_b2": 24.33, "efficientvit_b3": 48.65}


def linear_order(q, k, v):
    """The order of the products that the authors count: keys with values first, and a column of ones for the sums."""
    values = F.pad(v, (0, 1), value=1.0)
    out = q.relu() @ (k.relu().mT @ values)
    return out[..., :-1] / (out[..., -1:] + 1e-15)


def cost(name, size, attention):
    with torch.device("meta"):
        return measure.count(models.build(name, linear_attention=attention), torch.zeros(1, 3, size, size))


@pytest.mark.parametrize(("name", "size"), PUBLISHED)
def test_published_costs(name, size):
    parameters, macs = PUBLISHED[name, size]
    counts = cost(name, size, linear_order)
    digits = len(parameters.removesuffix("M").partition(".")[2])
    assert f"{counts.parameters / 1e6:.{digits}f}M" == parameters
    digits = len(macs.removesuffix("G").partition(".")[2])
    assert f"{counts.macs / 1e9:.{digits}f}G" == macs
    assert counts.uncounted == ()


@pytest.mark.parametrize("name", TIMM_MILLIONS)
def test_parameters_and_docstrings(name):
    counts = cost(name, 224, linear_order)
    assert f"{counts.parameters / 1e6:.2f}" == f"{TIMM_MILLIONS[name]:.2f}"
    gmac = f"{counts.macs / 1e9:.{1 if counts.macs > 1e9 else 2}f}"
    assert f"{counts.parameters:,} parameters, {gmac} GMAC" in getattr(models, name).__doc__


def test_the_default_order_costs_more_and_grows_with_the_square():
    """Only the attention's own products differ: tokens^2 * 2 dim per head, not tokens * 2 dim (dim + 1)."""

    def extra(size):
        return cost("efficientvit_b1", size, relu_attention).macs - cost("efficientvit_b1", size, linear_order).macs

    dim = 16
    for size in (224, 448):
        expected = 0
        for width, depth, side in ((128, 3, size // 16), (256, 4, size // 32)):
            heads, tokens = 2 * width // dim, side**2
            expected += depth * heads * (2 * dim * tokens**2 - tokens * (dim * (dim + 1)) * 2)
        assert extra(size) == expected


def test_attention_by_its_parts():
    """Head by head: the first half of the heads reads single pixels, the second half their aggregates."""
    layer = MultiScaleAttention(12, 4, relu_attention).eval()
    norm = layer.project[1]
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    x = torch.randn(2, 12, 5, 3)
    with torch.no_grad():
        pixels = layer.qkv(x)
        parts = []
        for source in (pixels, layer.aggregate(pixels)):
            for head in range(3):
                q, k, v = source[:, 12 * head : 12 * head + 12].flatten(2).transpose(1, 2).split(4, dim=2)
                parts.append(linear_order(q, k, v).transpose(1, 2).reshape(2, 4, 5, 3))
        torch.testing.assert_close(layer(x), layer.project(torch.cat(parts, dim=1)), rtol=1e-4, atol=1e-5)


def test_aggregation_keeps_heads_apart():
    layer = MultiScaleAttention(8, 4, relu_attention)
    x = torch.randn(1, 24, 6, 6)
    changed = x.clone()
    changed[:, 4:8] += 1  # the keys of the first head
    with torch.no_grad():
        moved = (layer.aggregate(changed) != layer.aggregate(x)).any((0, 2, 3))
    assert moved[4:8].all() and moved.sum() == 4


@given(st.integers(33, 70), st.integers(33, 70))
@examples(6)
def test_both_orders_give_the_same_logits(height, width):
    torch.manual_seed(0)
    ours = models.small_efficientvit(num_classes=3, in_channels=1).eval()
    theirs = models.small_efficientvit(num_classes=3, in_channels=1, linear_attention=linear_order).eval()
    theirs.load_state_dict(ours.state_dict())
    x = torch.rand(2, 1, height, width)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-4)


def test_channels_that_do_not_divide():
    with pytest.raises(ValueError, match="multiple of dim, not 10 and 4"):
        MultiScaleAttention(10, 4, relu_attention)


def test_small_efficientvit_costs_what_its_docstring_says():
    counts = measure.count(models.small_efficientvit(linear_attention=linear_order), torch.zeros(1, 3, 32, 32))
    assert f"{counts.parameters:,} parameters, {counts.macs / 1e6:.2f} MMAC" in models.small_efficientvit.__doc__


def test_gradients_reach_every_parameter():
    model = models.small_efficientvit()
    model(torch.rand(4, 3, 32, 32)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())


def test_biases_stand_where_no_normalisation_follows():
    with torch.device("meta"):
        model = models.efficientvit_b0()
    for convolutions in (module for module in model.modules() if isinstance(module, nn.Sequential)):
        kinds = [type(layer) for layer in convolutions]
        if kinds[:1] == [nn.Conv2d] and nn.Conv2d not in kinds[1:]:
            assert (convolutions[0].bias is None) == (nn.BatchNorm2d in kinds)
