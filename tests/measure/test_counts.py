"""Counts against closed forms, against counting every product in loops, and against torch's own counter."""

import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from course_lib import measure, models


@st.composite
def convolutions(draw, transposed=False):
    """A convolution of any dimension, groups, stride, padding and dilation, and an input it takes."""
    dimension, groups = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    kind = getattr(nn, f"Conv{'Transpose' if transposed else ''}{dimension}d")
    sides = st.tuples(*[st.integers(1, 3)] * dimension)
    layer = kind(
        groups * draw(st.integers(1, 3)),
        groups * draw(st.integers(1, 3)),
        draw(sides),
        stride=draw(sides),
        padding=draw(st.tuples(*[st.integers(0, 2)] * dimension)),
        dilation=draw(sides),
        groups=groups,
        bias=draw(st.booleans()),
    )
    spatial = draw(st.tuples(*[st.integers(1, 7)] * dimension))
    x = torch.zeros(draw(st.integers(1, 3)), layer.in_channels, *spatial)
    try:
        layer(x)
    except RuntimeError:  # the kernel does not fit into the picture
        assume(False)
    return layer, x


@given(convolutions())
def test_convolution_by_its_definition(case):
    """Each output number sums in_channels / groups * kernel products (padding's zeros included)."""
    layer, x = case
    counts = measure.count(layer, x)
    out = layer(x)
    assert counts.macs == out.numel() * (layer.in_channels // layer.groups) * math.prod(layer.kernel_size)
    assert counts.activations == out.numel()
    bias = layer.out_channels if layer.bias is not None else 0
    kernels = layer.out_channels * (layer.in_channels // layer.groups) * math.prod(layer.kernel_size)
    assert counts.parameters == kernels + bias


@given(convolutions(transposed=True))
def test_transposed_convolution_by_its_definition(case):
    """Each input number is spread over out_channels / groups * kernel places (those cut off by padding included)."""
    layer, x = case
    assert measure.count(layer, x).macs == x.numel() * (layer.out_channels // layer.groups) * math.prod(
        layer.kernel_size
    )


@given(convolutions(), st.booleans())
@settings(max_examples=30)
def test_torchs_own_counter_agrees(case, with_linear):
    """It counts two operations per multiply-accumulate."""
    layer, x = case
    model = nn.Sequential(layer, nn.Linear(layer(x).shape[-1], 3)) if with_linear else layer
    with FlopCounterMode(display=False) as theirs, torch.no_grad():
        model(x)
    assert theirs.get_total_flops() == 2 * measure.count(model, x).macs


def test_convolution_by_counting_every_product():
    layer = nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2, bias=False)
    x = torch.zeros(2, 4, 7, 6)
    products = 0
    _, channels, rows, columns = layer(x).shape
    for _sample in range(2):
        for _channel in range(channels):
            for _position in range(rows * columns):
                for _input in range(4 // 2):
                    for _tap in range(3 * 2):
                        products += 1
    assert measure.count(layer, x).macs == products


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(1, 6), st.integers(1, 6))
def test_linear_works_on_every_row(leading, inputs, outputs):
    counts = measure.count(nn.Linear(inputs, outputs), torch.zeros(*leading, inputs))
    assert counts.macs == math.prod(leading) * inputs * outputs
    assert counts.activations == math.prod(leading) * outputs


def test_a_batch_costs_as_many_images():
    model = models.small_resnet()
    one, five = (measure.count(model, torch.zeros(n, 3, 32, 32)) for n in (1, 5))
    assert (five.macs, five.activations, five.parameters) == (5 * one.macs, 5 * one.activations, one.parameters)


def test_table_adds_up_and_is_in_order():
    counts = measure.count(models.resnet18(), torch.zeros(1, 3, 64, 64))
    rows = counts.table()
    assert sum(row.parameters for row in rows) == counts.parameters
    assert sum(row.macs for row in rows) == counts.macs
    assert sum(row.activations for row in rows) == counts.activations
    assert rows[0].name == "conv1" and rows[0].output == (1, 64, 32, 32) and rows[0].kind == "Conv2d"
    assert rows[-1].name == "fc" and rows[-1].parameters == 513_000
    assert next(row.name for row in rows if row.kind == "BatchNorm2d") == "bn1"
    assert all(row.macs == 0 for row in rows if row.kind == "BatchNorm2d")


def test_a_shared_parameter_counts_once_and_its_products_every_time():
    model = nn.Sequential(nn.Linear(5, 5, bias=False), nn.ReLU(), nn.Linear(5, 5, bias=False))
    model[2].weight = model[0].weight
    counts = measure.count(model, torch.zeros(1, 5))
    assert (counts.parameters, counts.macs) == (25, 50)
    assert [row.parameters for row in counts.table()] == [25, 0]


def test_a_layer_called_twice_costs_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x):
            return self.layer(input=self.layer(x))

    counts = measure.count(Twice(), torch.zeros(2, 3))
    assert (counts.parameters, counts.macs, counts.activations) == (12, 36, 12)


def test_tied_embedding():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.head = nn.Embedding(10, 4), nn.Linear(4, 10, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, tokens):
            return self.head(self.embed(tokens))

    counts = measure.count(Tied(), torch.zeros(1, 6, dtype=torch.long))
    assert (counts.parameters, counts.macs, counts.uncounted) == (40, 240, ())


def test_parameters_held_by_the_model_itself_are_listed():
    class Shift(nn.Module):
        def __init__(self):
            super().__init__()
            self.shift = nn.Parameter(torch.zeros(3))

        def forward(self, x):
            return x + self.shift

    [row] = measure.count(Shift(), torch.zeros(2, 3)).table()
    assert (row.name, row.parameters, row.macs) == ("Shift", 3, 0)


def test_products_it_cannot_see_are_named():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.recurrent, self.unused, self.norm = nn.LSTM(4, 3), nn.Linear(4, 4), nn.LayerNorm((2, 4))

        def forward(self, x):
            return self.recurrent(self.norm(x) @ self.unused.weight)[0]

    counts = measure.count(Net(), torch.zeros(5, 2, 4))
    assert counts.uncounted == ("recurrent", "unused")
    assert "not counted in: recurrent, unused" in repr(counts)


def test_a_table_that_is_added_is_no_product():
    class Positions(nn.Module):
        def __init__(self):
            super().__init__()
            self.positions = nn.Parameter(torch.zeros(1, 5, 4))

        def forward(self, x):
            return x + self.positions

    assert measure.count(Positions(), torch.zeros(2, 5, 4)).uncounted == ()


def test_a_weight_multiplied_by_a_function_is_named():
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(4, 4))

        def forward(self, x):
            return nn.functional.linear(x, self.weight)

    assert measure.count(Functional(), torch.zeros(2, 4)).uncounted == ("Functional",)


def test_attention_of_torch_names_what_it_hides():
    counts = measure.count(nn.MultiheadAttention(8, 2), *[torch.zeros(5, 1, 8)] * 3)
    assert counts.uncounted == ("MultiheadAttention", "out_proj")


def test_encoder_layers_feed_forward_part_is_counted():
    """In evaluation mode torch takes a fused path that would call no module; hooks must turn that off."""
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=32, batch_first=True)
    rows = {row.name: row.macs for row in measure.count(layer, torch.zeros(1, 5, 8)).table()}
    assert rows["linear1"] == rows["linear2"] == 5 * 8 * 32


def test_lazy_layers_are_counted_after_they_know_their_size():
    counts = measure.count(nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(2)), torch.zeros(1, 2, 5, 5))
    assert (counts.parameters, counts.macs) == (2 * 4 * 9 + 4 + 36 * 2 + 2, 9 * 72 + 72)


def test_the_model_is_left_as_it_was():
    model = models.small_resnet()
    model.layer1.eval()
    modes = [module.training for module in model.modules()]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    measure.count(model, torch.randn(4, 3, 32, 32))
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_also_when_the_call_fails():
    model = models.small_resnet()
    with pytest.raises(RuntimeError):
        measure.count(model, torch.zeros(1, 5, 32, 32))
    assert model.training and not any(module._forward_hooks for module in model.modules())


def test_several_inputs():
    bilinear = nn.Bilinear(3, 4, 5)
    counts = measure.count(bilinear, torch.zeros(2, 3), torch.zeros(2, 4))
    assert counts.parameters == 65 and counts.uncounted == ("Bilinear",)


def test_repr_and_show(capsys):
    counts = measure.count(models.MLP([1000, 20]), torch.zeros(1, 1000))
    assert repr(counts) == "20,020 parameters, 20,000 MACs, 20 activations"
    counts.show()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["layer", "kind", "output", "parameters", "MACs", "activations"]
    assert lines[2].split() == ["layers.0", "Linear", "1", "x", "20", "20,020", "20,000", "20"]
    assert lines[3].split() == ["total", "20,020", "20,000", "20"]
