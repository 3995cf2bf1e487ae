"""The logic of rooflines with a clock and ceilings that the test sets; nothing here depends on a machine's speed."""

import importlib
import random
from dataclasses import replace

import pytest
import torch
from torch import nn

from course_lib import measure
from course_lib.measure import Ceilings, layer_rates

MACHINE = Ceilings(macs_per_second=1e9, bytes_per_second=1e8, device="a machine")


class Clock:
    now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still; `takes` makes a layer take the given seconds, one call after another."""
    clock = Clock()
    monkeypatch.setattr(layer_rates, "time", clock)
    return clock


def takes(clock, layer, *seconds):
    durations = iter(seconds)
    forward = layer.forward

    def slow(*arguments):
        clock.now += next(durations)
        return forward(*arguments)

    layer.forward = slow
    return layer


def test_each_layer_by_hand(clock):
    """Two warm-up runs take longest and do not count; the best of three runs does."""
    model = nn.Sequential(
        takes(clock, nn.Conv2d(2, 4, 3, bias=False), 9, 9, 0.004, 0.002, 0.003),
        takes(clock, nn.ReLU(), 9, 9, 0.5, 0.5, 0.25),
        nn.Flatten(),
        takes(clock, nn.Linear(36, 5), 9, 9, 1e-6, 4e-6, 2e-6),
    )
    model[0].forward, model[1].forward, model[3].forward = (_after_counting(model[index]) for index in (0, 1, 3))
    found = measure.roofline(model, torch.zeros(1, 2, 5, 5), runs=3, machine=MACHINE)
    conv, linear = found.table()
    assert (conv.name, conv.kind, conv.macs) == ("0", "Conv2d 3x3", 9 * 4 * 18)
    assert conv.bytes == 4 * (50 + 72 + 36) and linear.bytes == 4 * (36 + 180 + 5 + 5)
    assert (conv.seconds, linear.seconds) == pytest.approx((0.002, 1e-6))
    assert conv.intensity == conv.macs / conv.bytes
    assert conv.achieved == pytest.approx(648 / 0.002)
    assert conv.attainable == pytest.approx(1e8 * conv.intensity)
    assert conv.efficiency == pytest.approx(conv.achieved / conv.attainable)
    assert found.seconds == pytest.approx(0.003 + 0.25 + 2e-6)
    assert found.rest == pytest.approx(0.25)
    assert found.left_out == ()


def _after_counting(layer):
    """`roofline` runs the model once more, to count, before it times: that run takes no time here."""
    slow, quick = layer.forward, type(layer).forward
    calls = []

    def forward(*arguments):
        calls.append(1)
        return quick(layer, *arguments) if len(calls) == 1 else slow(*arguments)

    return forward


def test_a_layer_called_twice_moves_and_multiplies_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4, bias=False)

        def forward(self, x):
            return self.layer(self.layer(x))

    [row] = measure.roofline(Twice(), torch.zeros(3, 4), machine=MACHINE).table()
    assert (row.macs, row.bytes) == (2 * 48, 2 * 4 * (12 + 16 + 12))


@pytest.mark.parametrize(
    ("layer", "shape", "kind"),
    [
        (nn.Conv2d(4, 4, (3, 5), groups=4), (1, 4, 8, 8), "Conv2d 3x5 depthwise"),
        (nn.Conv2d(4, 8, 1, groups=2), (1, 4, 8, 8), "Conv2d 1x1 grouped"),
        (nn.Conv1d(4, 4, 3), (1, 4, 8), "Conv1d 3"),
        (nn.Linear(4, 4), (1, 4), "Linear"),
    ],
)
def test_kinds(layer, shape, kind):
    assert measure.roofline(layer, torch.zeros(shape), machine=MACHINE).layers[0].kind == kind


def test_half_precision_moves_half_the_bytes():
    single, half = (
        measure.roofline(nn.Linear(8, 8, dtype=dtype), torch.zeros(2, 8, dtype=dtype), machine=MACHINE).layers[0]
        for dtype in (torch.float32, torch.bfloat16)
    )
    assert (single.macs, single.bytes) == (half.macs, 2 * half.bytes)


def test_products_between_layers_are_named():
    class Attend(nn.Module):
        def __init__(self):
            super().__init__()
            self.key = nn.Linear(4, 4)

        def forward(self, x):
            return x @ self.key(x).T

    found = measure.roofline(nn.Sequential(Attend()), torch.zeros(3, 4), machine=MACHINE)
    assert [layer.name for layer in found.layers] == ["0.key"]
    assert found.left_out == ("0",)


def test_the_model_is_left_as_it_was():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout())
    model[2].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    measure.roofline(model, torch.rand(2, 1, 5, 5), machine=MACHINE)
    assert [module.training for module in model] == [True, True, False] and model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_refusals():
    with pytest.raises(ValueError, match="runs of 1 or more, not 0"):
        measure.roofline(nn.Linear(2, 2), torch.zeros(1, 2), runs=0)
    with pytest.raises(ValueError, match="ReLU has no layer that multiplies"):
        measure.roofline(nn.ReLU(), torch.zeros(1, 2))


def test_real_ceilings_are_used_when_none_are_given(monkeypatch):
    asked = []
    monkeypatch.setattr(
        importlib.import_module("course_lib.measure.roofline"),
        "ceilings",
        lambda device: asked.append(device) or MACHINE,
    )
    assert measure.roofline(nn.Linear(2, 2), torch.zeros(1, 2)).ceilings is MACHINE
    assert asked == [torch.device("cpu")]


def example():
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3, groups=16), nn.Conv2d(16, 32, 1), nn.Flatten(),
        nn.Linear(32 * 16, 10),
    )  # fmt: skip
    return measure.roofline(model, torch.rand(1, 3, 8, 8), machine=MACHINE)


def test_show_and_repr(capsys):
    found = example()
    found.show()
    lines = capsys.readouterr().out.splitlines()
    assert " ".join(lines[0].split()) == "layer kind MMAC MACs per byte GMAC/s attainable % of it above it ms"
    assert len(lines) == 2 + 4 + 1 and lines[-1].startswith("the rest")
    assert repr(found).startswith("4 layers, 4 of them below the ridge (bound by memory)")


def test_the_plot_names_its_axes_and_no_texts_overlap():
    figure = example().plot("A small network")
    [axes] = figure.axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert "MACs per byte" in axes.get_xlabel() and "GMAC/s" in axes.get_ylabel()
    assert axes.get_title() == "A small network: a machine"
    assert len(axes.collections) == 4
    assert not overlapping(figure)


@pytest.mark.parametrize("seed", [0, 19, 37, 106])  # at the last three a name once stood in the value of the roof
def test_no_texts_overlap_whatever_the_rates(seed):
    draw, measured = random.Random(seed), example()
    layers = [replace(layer, seconds=1e-5 * 10 ** draw.uniform(-1, 1)) for layer in measured.layers]
    figure = replace(measured, layers=tuple(layers)).plot("A small network")
    assert not overlapping(figure)


def overlapping(figure):
    [axes] = figure.axes
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts if not text.get_rotation() and not text.arrow_patch]
    return [(a, b) for number, a in enumerate(boxes) for b in boxes[:number] if a.overlaps(b)]


def test_the_plotted_roof_is_the_attainable_rate():
    [axes] = example().plot().axes
    for x, y in zip(*axes.lines[0].get_data(), strict=True):
        assert y == pytest.approx(MACHINE.attainable(x) / 1e9)


def above(measured, *, memory=0, arithmetic=0):
    """The roofline with its first layers moved: so many above the memory's roof, so many above the arithmetic's."""
    layers = list(measured.layers)
    for number in range(memory + arithmetic):
        seconds = 0.5 * layers[number].macs / layers[number].attainable
        bound = "memory" if number < memory else "arithmetic"
        layers[number] = replace(layers[number], seconds=seconds, bound=bound)
    for number in range(memory + arithmetic, len(layers)):
        layers[number] = replace(layers[number], seconds=3 * layers[number].macs / layers[number].attainable)
    return replace(measured, layers=tuple(layers))


def test_no_layer_above_the_roof_is_without_a_word():
    found = above(example(), memory=2, arithmetic=1)
    assert [layer.remark for layer in found.layers] == [*["from cache"] * 2, "above the products measured", ""]
    assert "2 from cache, 1 above the products measured; one call" in repr(found)
    figure = found.plot()
    [axes] = figure.axes
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    assert words[-2:] == ["hollow: from cache", "hollow: above the products measured"]
    for kind in axes.collections:
        for (x, y), fill in zip(kind.get_offsets(), kind.get_facecolor(), strict=True):
            hollow = tuple(fill[:3]) == (1, 1, 1)
            assert hollow == (y > MACHINE.attainable(x) / 1e9)


def test_below_the_roof_no_word_is_needed():
    found = above(example())
    assert not any(layer.remark for layer in found.layers)
    assert "cache" not in repr(found)
    assert not any("hollow" in text.get_text() for text in found.plot().axes[0].get_legend().get_texts())


def test_the_roof_of_the_cache_is_drawn_where_it_was_measured():
    found = above(example(), memory=1)
    [axes] = replace(found, ceilings=replace(MACHINE, cached_bytes_per_second=4e8)).plot().axes
    cache = next(line for line in axes.lines if line.get_linestyle() == "--")
    for x, y in zip(*cache.get_data(), strict=True):
        assert y == pytest.approx(4e8 * x / 1e9)
    assert max(cache.get_ydata()) == pytest.approx(MACHINE.macs_per_second / 1e9)
    assert "last cache: 0.4 GB/s" in [text.get_text() for text in axes.get_legend().get_texts()]


def test_gpu_layers_are_timed_when_their_work_is_done(monkeypatch):
    waits = []
    monkeypatch.setattr("torch.cuda.is_initialized", lambda: True)
    monkeypatch.setattr("torch.cuda.synchronize", lambda: waits.append(1))
    measure.roofline(nn.Linear(2, 2), torch.zeros(1, 2), runs=1, machine=MACHINE)
    assert len(waits) == (2 + 1) * 4  # around the call and around its one layer
