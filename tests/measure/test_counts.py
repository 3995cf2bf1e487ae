"""Counts against closed forms, against counting every product in loops, and against torch's own counter."""

import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from course_lib import measure, models
from tests.examples import examples


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
@examples(30)
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
            self.bilinear, self.unused, self.norm = nn.Bilinear(4, 4, 3), nn.Linear(4, 4), nn.LayerNorm((2, 4))

        def forward(self, x):
            return self.bilinear(self.norm(x), x) * self.unused.bias[0]

    counts = measure.count(Net(), torch.zeros(5, 2, 4))
    assert counts.uncounted == ("bilinear", "unused")
    assert "not counted in: bilinear, unused" in repr(counts)


def test_a_table_that_is_added_is_no_product():
    class Positions(nn.Module):
        def __init__(self):
            super().__init__()
            self.positions = nn.Parameter(torch.zeros(1, 5, 4))

        def forward(self, x):
            return x + self.positions

    assert measure.count(Positions(), torch.zeros(2, 5, 4)).uncounted == ()


class Called(nn.Module):
    """A model whose forward is the given function of its input and of its weight [6, 4]."""

    def __init__(self, call):
        super().__init__()
        self.weight, self.call = nn.Parameter(torch.zeros(6, 4)), call

    def forward(self, *inputs):
        return self.call(*inputs, self.weight)


@pytest.mark.parametrize(
    ("call", "shape"),
    [
        (nn.functional.linear, (2, 5, 4)),
        (lambda x, weight: x @ weight.T, (2, 5, 4)),
        (lambda x, weight: torch.einsum("nli,oi->nlo", x, weight), (2, 5, 4)),
        (lambda x, weight: weight @ x, (4, 10)),
        (lambda x, weight: torch.bmm(x, weight.T.expand(2, 4, 6)), (2, 5, 4)),
    ],
)
def test_a_weight_multiplied_by_a_function_counts_where_it_is_called(call, shape):
    model = nn.Sequential(Called(call))
    counts = measure.count(model, torch.zeros(shape))
    [row] = counts.table()
    assert (row.name, row.macs, row.activations) == ("0", 2 * 5 * 4 * 6, 2 * 5 * 6)
    assert counts.uncounted == ()


@given(*[st.integers(1, 5)] * 6, st.booleans(), st.sampled_from(["cpu", "meta"]))
def test_attention_by_its_definition(samples, heads, queries, keys, width, value_width, by_hand, device):
    def attend(q, k, v, weight):
        if by_hand:
            return (q @ k.transpose(-2, -1)).softmax(-1) @ v
        return nn.functional.scaled_dot_product_attention(q, k, v)

    q = torch.zeros(samples, heads, queries, width, device=device)
    k = torch.zeros(samples, heads, keys, width, device=device)
    v = torch.zeros(samples, heads, keys, value_width, device=device)
    counts = measure.count(Called(attend).to(device), q, k, v)
    assert counts.macs == samples * heads * queries * keys * (width + value_width)
    assert counts.activations == 0
    assert counts.uncounted == ("Called",)  # its weight was not used


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_attention_of_torch_is_counted_whole(need_weights, device):
    """Four projections of 8 x 8 for 3 * 5 tokens, and 5 * 5 pairs in 2 heads of width 4, twice, for 3 samples."""

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            return self.attention(x, x, x, need_weights=need_weights)[0]

    fast_path = torch.backends.mha.get_fastpath_enabled()
    counts = measure.count(Model().to(device), torch.zeros(3, 5, 8, device=device))
    assert counts.macs == 4 * 64 * 15 + 2 * 3 * 25 * 8
    assert counts.activations == 15 * (24 + 8)
    assert counts.uncounted == ()
    assert torch.backends.mha.get_fastpath_enabled() == fast_path


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("packed", [False, True])
def test_recurrent_layers_use_every_weight_for_every_token(kind, packed):
    gates = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1}[kind]
    layer = kind(5, 7, num_layers=2, bidirectional=True, batch_first=True)
    x, tokens = torch.zeros(2, 9, 5), 18
    if packed:
        x, tokens = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([9, 4]), batch_first=True), 13
    counts = measure.count(layer, x)
    assert counts.macs == tokens * 2 * gates * 7 * ((5 + 7) + (2 * 7 + 7))
    assert (counts.activations, counts.uncounted) == (tokens * 14, ())


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell])
def test_recurrent_cells(kind):
    gates = {nn.LSTMCell: 4, nn.GRUCell: 3}[kind]
    assert measure.count(kind(5, 7), torch.zeros(2, 5)).macs == 2 * gates * 7 * (5 + 7)


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


def test_size_in_bytes_follows_each_parameter_s_type():
    """Trained or frozen; running statistics are no parameters, and a shared weight counts once."""
    model = nn.Sequential(nn.Linear(10, 4), nn.BatchNorm1d(4))
    model[0].bias.requires_grad_(False)
    counts = measure.count(model, torch.zeros(2, 10))
    assert counts.bytes_per_dtype == {"float32": 4 * (44 + 8)} and counts.bytes == 208
    tied = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)).bfloat16()
    tied[1].weight = tied[0].weight
    assert measure.count(tied, torch.zeros(1, 4, dtype=torch.bfloat16)).bytes_per_dtype == {"bfloat16": 32}


def test_a_model_of_two_types():
    model = nn.Sequential(nn.Linear(10, 4), nn.Linear(4, 3).double())
    model[0].register_forward_hook(lambda module, inputs, output: output.double())
    counts = measure.count(model, torch.zeros(2, 10))
    assert counts.bytes_per_dtype == {"float32": 176, "float64": 120} and counts.bytes == 296
