"""The int8 network against torch's integer convolutions, exact fractions and the float network it was made from."""

from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from course_lib import microcontroller as mcu
from course_lib.microcontroller.fixed_point import fixed_point, scale_down
from tests.microcontroller.networks import NETWORKS, real, rounded


@given(st.floats(2.0**-30, 2.0**28), st.integers(-(2**31), 2**31 - 1))
def test_scaling_is_within_half_a_step_of_the_exact_product(factor, total):
    multiplier, shift = fixed_point(np.array([factor]))
    assert 2**30 <= multiplier[0] < 2**31
    assert 1 <= shift[0] <= 62
    written = Fraction(int(multiplier[0]), 2 ** int(shift[0]))
    assert abs(written / Fraction(factor) - 1) <= Fraction(1, 2**31)
    exact = total * written
    result = int(scale_down(np.array([total]), multiplier, shift)[0])
    assert result == (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)  # halves upwards


def test_factors_out_of_range_are_refused():
    for factor in (0.0, -1.0, 2.0**-40, 2.0**30):
        with pytest.raises(ValueError, match="factors lie from"):
            fixed_point(np.array([factor]))


@pytest.mark.parametrize("name", NETWORKS)
def test_integer_sums_are_torchs(name):
    """Every convolution and dense layer anew, with torch's int64 operators on shifted inputs."""
    small, images, _, _ = rounded(NETWORKS[name]())
    tensors = mcu.interpret_all(small, images)
    for number, (layer, constants) in enumerate(zip(small.network.layers, small.layers, strict=True)):
        if constants.weight is None:
            continue
        x = torch.from_numpy(tensors[layer.inputs[0]].astype(np.int64) - constants.zeros[0]).permute(0, 3, 1, 2)
        weight = torch.from_numpy(constants.weight.astype(np.int64))
        if layer.kind == "linear":
            sums = (x.permute(0, 2, 3, 1).flatten(1) @ weight.T)[:, :, None, None]
        elif layer.kind == "depthwise":
            sums = F.conv2d(x, weight[:, None], stride=layer.stride, padding=layer.padding, groups=len(weight))
        else:
            sums = F.conv2d(x, weight.permute(0, 3, 1, 2), stride=layer.stride, padding=layer.padding)
        sums = (sums + torch.from_numpy(constants.bias.astype(np.int64))[:, None, None]).permute(0, 2, 3, 1).numpy()
        assert np.abs(sums).max() < 2**31
        exact = sums.astype(object) * constants.multiplier.astype(object)
        half = np.array([2 ** (int(shift) - 1) for shift in constants.shift], object)
        wanted = (exact + half) // (2 * half) + constants.zero
        np.testing.assert_array_equal(tensors[number + 1], wanted.astype(np.int64).clip(constants.low, 127))


@pytest.mark.parametrize("name", NETWORKS)
def test_close_to_the_float_network(name):
    small, images, model, pictures = rounded(NETWORKS[name](), images=8)
    with torch.no_grad():
        expected = model.eval().tensors(pictures)
    for number, (ours, theirs) in enumerate(zip(mcu.interpret_all(small, images), expected, strict=True)):
        theirs = theirs.permute(0, 2, 3, 1).numpy()
        error = real(small, number, ours) - theirs
        assert np.sqrt((error**2).mean()) < 0.06 * theirs.std() + small.scales[number], number


def test_tensors_use_the_whole_range():
    small, images, _, _ = rounded(NETWORKS["everything"](), images=8)
    for number, tensor in enumerate(mcu.interpret_all(small, images)[:-1]):
        assert int(tensor.max()) - int(tensor.min()) > 180, number


def test_relu_ends_at_the_zero_point():
    small, images, _, _ = rounded(NETWORKS["everything"]())
    for number, layer in enumerate(small.network.layers):
        if layer.relu:
            assert mcu.interpret_all(small, images)[number + 1].min() >= small.zeros[number + 1]


def test_zero_is_exact():
    small, _, _, _ = rounded(NETWORKS["everything"]())
    height, width, channels = small.network.input_shape
    levels = small.image_to_int8(np.zeros((1, channels, height, width)))
    assert (levels == small.zeros[0]).all()
    assert levels.shape == (1, height, width, channels)


def test_images_are_checked():
    small, images, _, _ = rounded(NETWORKS["flat end"]())
    for wrong in (images.astype(np.int32), images[:, :, :, :1], images[:, :3]):
        with pytest.raises(ValueError, match="images are int8"):
            mcu.interpret(small, wrong)
