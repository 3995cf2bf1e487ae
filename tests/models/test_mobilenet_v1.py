"""MobileNetV1: the paper's table of layers, its multipliers, and another block in the default's place."""

import torch
from torch import nn

from course_lib import measure, models
from tests.models import small_networks


def test_docstring():
    small_networks.assert_docstring_counts("mobilenet_v1", 224)


def test_layers_by_table_1():
    """Shapes of the 3x3 depthwise and 1x1 convolutions, in order, and the sizes of their outputs."""
    rows = {row.name: row for row in small_networks.counted("mobilenet_v1", 224).table() if row.macs}
    convolutions = [row.output[1:] for row in rows.values() if row.kind == "Conv2d"]
    expected, channels, size = [(32, 112, 112)], 32, 112
    for outputs, stride in [
        *[(64, 1), (128, 2), (128, 1), (256, 2), (256, 1)],
        *[(512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)],
    ]:
        size //= stride
        expected += [(channels, size, size), (outputs, size, size)]
        channels = outputs
    assert convolutions == expected


def test_products_by_the_papers_formula():
    """Section 3.1: D_K^2 M D_F^2 + M N D_F^2 for a depthwise separable convolution."""
    block = models.small_mobilenet_v1(width=8).features[2]
    counts = measure.count(block, torch.zeros(1, 16, 10, 10))
    assert counts.macs == 9 * 16 * 5 * 5 + 16 * 32 * 5 * 5


def test_width_multiplier_scales_every_layer():
    with torch.device("meta"):
        full, half = models.mobilenet_v1(), models.mobilenet_v1(width=0.5)
    pairs = [
        (m.out_channels, n.out_channels)
        for m, n in zip(full.modules(), half.modules(), strict=True)
        if isinstance(m, nn.Conv2d)
    ]
    assert len(pairs) == 27 and all(wide == 2 * narrow for wide, narrow in pairs)


def test_own_rounding_is_plugged_in():
    with torch.device("meta"):
        model = models.mobilenet_v1(width=0.3, rounded=round)
    assert model.features[0][0].out_channels == 10 and model.classifier.in_features == 307


class Separable(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
        self.norm1 = nn.BatchNorm2d(inputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return self.norm2(self.pointwise(self.norm1(self.depthwise(x)).relu())).relu()


def test_an_own_block_takes_the_defaults_place():
    for make in (models.small_mobilenet_v1, lambda **block: models.mobilenet_v1(width=0.25, **block)):
        default, own = make().eval(), make(block=Separable).eval()
        assert any(isinstance(m, Separable) for m in own.modules())
        for ours, theirs in zip(own.parameters(), default.parameters(), strict=True):
            ours.data.copy_(theirs)
        x = torch.randn(2, 3, 40, 33)
        with torch.no_grad():
            torch.testing.assert_close(own(x), default(x))


def test_small_docstring():
    small_networks.assert_docstring_counts("small_mobilenet_v1", 32)


def test_small_takes_pictures():
    small_networks.assert_takes_pictures("small_mobilenet_v1", ((32, 32), (33, 47), (1, 1)), width=4)


def test_small_widths():
    small_networks.assert_width_scales("small_mobilenet_v1", (8, 16, 32))


def test_small_learns():
    small_networks.assert_learns_a_batch("small_mobilenet_v1", width=4)
