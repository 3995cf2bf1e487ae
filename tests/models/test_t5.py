"""Against formulas written out, and against the published size."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_lib import measure, models
from course_lib.models.t5 import RelativeBias
from tests.examples import examples


def test_published_size():
    with torch.device("meta"):
        tokens = torch.zeros(1, 64, dtype=torch.long)
        counts = measure.count(models.t5_small(), tokens, tokens)
    assert counts.parameters == 60_506_624
    assert counts.uncounted == ()
    assert "60,506,624 parameters" in models.t5_small.__doc__
    attention, linear = 64 * 4 * 512**2 + 2 * 64**2 * 512, 64 * 2 * 512 * 2048
    assert counts.macs == 6 * (attention + linear) + 6 * (2 * attention + linear) + 64 * 512 * 32128


def rms(x, weight):
    return x * weight / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt()


def attend(state, name, x, memory, bias):
    q, k, v = state[f"{name}.in_proj_weight"].chunk(3)
    heads = []
    for number, rows in enumerate(torch.arange(8).chunk(2)):
        scores = (x @ q[rows].T) @ (memory @ k[rows].T).mT / 4**0.5 + bias[number]
        heads.append(scores.softmax(-1) @ (memory @ v[rows].T))
    return torch.cat(heads, -1) @ state[f"{name}.out_proj.weight"].T


def feed_forward(state, name, x):
    return (x @ state[f"{name}.mlp.0.weight"].T).relu() @ state[f"{name}.mlp.3.weight"].T


def test_same_as_the_formulas():
    model = models.small_t5(vocabulary=31, width=8, heads=2, layers=2).eval()
    for own in model.parameters():
        nn.init.normal_(own, std=0.3)
    source, target = torch.randint(31, (3, 9)), torch.randint(31, (3, 6))
    state = model.state_dict()
    with torch.no_grad():
        x = state["embed.weight"][source]
        for i in range(2):
            name = f"encoder.{i}"
            y = rms(x, state[f"{name}.ln_1.weight"])
            x = x + attend(state, f"{name}.self_attention", y, y, model.encoder_bias(9)[0])
            x = x + feed_forward(state, name, rms(x, state[f"{name}.ln_2.weight"]))
        memory = rms(x, state["encoder_norm.weight"])
        x = state["embed.weight"][target]
        causal = model.decoder_bias(6)[0] + torch.full((6, 6), -torch.inf).triu(1)
        for i in range(2):
            name = f"decoder.{i}"
            y = rms(x, state[f"{name}.ln_1.weight"])
            x = x + attend(state, f"{name}.self_attention", y, y, causal)
            y = rms(x, state[f"{name}.ln_cross.weight"])
            x = x + attend(state, f"{name}.cross_attention", y, memory, torch.zeros(2))
            x = x + feed_forward(state, name, rms(x, state[f"{name}.ln_2.weight"]))
        expected = rms(x, state["decoder_norm.weight"]) / 8**0.5 @ state["embed.weight"].T
        torch.testing.assert_close(model(source, target), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("both_ways", [True, False])
def test_buckets_by_the_papers_rule(both_ways):
    """Half of the buckets hold one distance each; the others grow by a constant factor up to the farthest."""
    bias = RelativeBias(2, 32, 128, both_ways)
    offsets = torch.arange(-300, 301)
    buckets = bias.buckets(offsets)
    total = 16 if both_ways else 32
    for offset, bucket in zip(offsets.tolist(), buckets.tolist(), strict=True):
        distance, ahead = abs(offset), offset > 0
        if ahead and not both_ways:
            distance = 0
        if distance < total // 2:
            expected = distance
        else:
            share = math.log(distance / (total // 2)) / math.log(128 / (total // 2))
            expected = min(total - 1, total // 2 + int(share * (total // 2) + 1e-6))
        assert bucket == expected + (16 if both_ways and ahead else 0)


def test_only_distance_counts():
    bias = RelativeBias(3, 8, 16, both_ways=True)
    table = bias(12)
    assert table.shape == (1, 3, 12, 12)
    assert torch.equal(table[:, :, 1:, 1:], table[:, :, :-1, :-1])


@given(st.integers(1, 12), st.integers(1, 12), st.data())
@examples(15)
def test_what_sees_what(sources, targets, data):
    model = models.small_t5(layers=1).eval()
    source, target = torch.randint(255, (1, sources)), torch.randint(255, (1, targets))
    place = data.draw(st.integers(0, targets - 1))
    later, other = target.clone(), source.clone()
    later[:, place:] += 1
    other[:, data.draw(st.integers(0, sources - 1))] += 1
    with torch.no_grad():
        before, after = model(source, target), model(source, later)
        assert torch.equal(before[:, :place], after[:, :place])
        assert (before[:, place:] != after[:, place:]).any(-1).all()
        assert (model(other, target) != before).any(-1).all()


def test_padding_of_the_source_changes_nothing():
    model = models.small_t5().eval()
    source, target = torch.randint(256, (1, 9)), torch.randint(256, (1, 4))
    filled = torch.cat([source, torch.randint(256, (1, 5))], dim=1)
    padding = torch.arange(14)[None] >= 9
    with torch.no_grad():
        torch.testing.assert_close(model(filled, target, padding), model(source, target), rtol=1e-4, atol=1e-4)
        assert not torch.allclose(model(filled, target), model(source, target), atol=1e-3)


def test_small_t5_has_the_size_its_docstring_says():
    parameters = sum(own.numel() for own in models.small_t5().parameters())
    assert f"{parameters:,} parameters" in models.small_t5.__doc__


def test_gradients_reach_every_parameter():
    model = models.small_t5(width=16)
    model(torch.randint(256, (4, 90)), torch.randint(256, (4, 90))).square().sum().backward()
    assert all(own.grad is not None and own.grad.any() for own in model.parameters())
