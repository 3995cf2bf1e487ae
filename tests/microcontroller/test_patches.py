"""Windows against the gradient of a patch, and against the numbers that MCUNetV2's patch sizes follow from."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib import microcontroller as mcu
from course_lib.microcontroller.patches import PatchStage, split_evenly
from tests.examples import examples
from tests.microcontroller.networks import with_everything


@examples(40)
@given(length=st.integers(1, 40), data=st.data())
def test_parts_cover_the_length_evenly(length, data):
    parts = data.draw(st.integers(1, length))
    ranges = split_evenly(length, parts)
    assert [i for start, stop in ranges for i in range(start, stop)] == list(range(length))
    assert {stop - start for start, stop in ranges} <= {length // parts, -(-length // parts)}


def read_by_gradient(network, end, window):
    """First and last row and column of the image that can change a window of tensor `end`."""
    model = mcu.FloatNetwork(network).double().eval()
    for parameter in model.parameters():
        torch.nn.init.constant_(parameter, 1.0)
    height, width, channels = network.input_shape
    image = torch.ones(1, channels, height, width, dtype=torch.float64, requires_grad=True)
    made = model.tensors(image)[end]
    made[:, :, window.top : window.bottom, window.left : window.right].sum().backward()
    rows, columns = image.grad[0].sum(0).nonzero().T
    return rows.min(), rows.max() + 1, columns.min(), columns.max() + 1


@pytest.mark.parametrize("grid", [(1, 1), (2, 2), (3, 4), (5, 1)])
def test_windows_of_the_image_are_what_the_gradient_reaches(grid):
    network = mcu.Chain((19, 23, 2)).conv(3, 3).inverted_bottleneck(3, 2).conv(4, 5, stride=2).depthwise(3).network()
    stage = PatchStage(network, len(network.layers), grid)
    for windows in stage.windows:
        image = windows[0]
        found = read_by_gradient(network, stage.end, windows[-1])
        assert (image.top, image.bottom, image.left, image.right) == tuple(map(int, found))


@pytest.mark.parametrize(("redistribute", "pixels"), [(False, 75), (True, 63)])
def test_mobilenet_v2_reads_patches_of_the_size_that_its_strides_and_kernels_give(redistribute, pixels):
    network = mcu.describe_mobilenet_v2(redistribute=redistribute)
    stage = PatchStage(network, network.shapes.index((28, 28, 32)), (4, 4))
    assert stage.largest_input() == (pixels, pixels)


def test_one_patch_costs_nothing_more():
    network = mcu.describe_digit_reader()
    assert PatchStage(network, 3, (1, 1)).overhead == 0
    costs = [PatchStage(network, 3, (side, side)).overhead for side in (1, 2, 4, 8)]
    assert costs == sorted(costs)


def test_overhead_by_hand():
    network = mcu.Chain((8, 8, 1)).conv(1).conv(1).network()
    stage = PatchStage(network, 2, (2, 1))  # rows 0..4 and 3..8 of the first layer's output, 8 columns
    assert stage.macs() == 9 * (5 * 8 + 5 * 8 + 64)
    assert stage.overhead == pytest.approx(16 / 128)
    assert stage.network_overhead == pytest.approx(16 / 128)


def test_rows_and_columns_are_those_of_the_windows():
    stage = PatchStage(mcu.describe_digit_reader(), 3, (3, 2))
    for number, windows in enumerate(stage.windows):
        rows, columns = stage.rows[number // 2], stage.columns[number % 2]
        assert [(w.top, w.bottom) for w in windows] == rows
        assert [(w.left, w.right) for w in windows] == columns
    assert len(stage.rows) == 3
    assert len(stage.columns) == 2


@pytest.mark.parametrize(
    ("end", "grid", "said"),
    [
        (0, (1, 1), "ends after 1 to"),
        (99, (1, 1), "ends after 1 to"),
        (14, (1, 1), "needs the whole map"),
        (3, (2, 2), "outside the stage"),
        (1, (14, 2), "cannot be cut"),
        (1, (0, 2), "cannot be cut"),
    ],
)
def test_stages_that_cannot_be(end, grid, said):
    network = with_everything()
    end = len(network.layers) if end == 14 else end
    with pytest.raises(ValueError, match=said):
        PatchStage(network, end, grid)


def test_windows_cover_the_output_once():
    stage = PatchStage(mcu.describe_digit_reader(), 4, (3, 5))
    seen = np.zeros(stage.network.shapes[4][:2], int)
    for windows in stage.windows:
        seen[windows[-1].top : windows[-1].bottom, windows[-1].left : windows[-1].right] += 1
    assert (seen == 1).all()
