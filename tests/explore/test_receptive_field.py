import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from course_lib.explore.receptive_field import connections, draw_connections, grow_receptive_field
from tests.examples import examples

PNG = b"\x89PNG\r\n"


def gradient_of_one_output(kernel, stride, dilation, depth):
    """Paths to each input as the derivative of one unit through convolutions whose weights are all 1."""
    x = torch.zeros(1, 1, 400, dtype=torch.float64, requires_grad=True)
    y = x
    for _ in range(depth):
        y = F.conv1d(y, torch.ones(1, 1, kernel, dtype=torch.float64), stride=stride, dilation=dilation)
    y[0, 0, y.shape[-1] // 2].backward()
    reached = x.grad[0, 0].nonzero()[:, 0]
    return x.grad[0, 0, reached[0] : reached[-1] + 1].long().numpy()


@examples(40)
@given(kernel=st.integers(1, 4), stride=st.integers(1, 3), dilation=st.integers(1, 3), depth=st.integers(0, 3))
def test_paths_agree_with_back_propagation(kernel, stride, dilation, depth):
    np.testing.assert_array_equal(
        connections(kernel, stride, dilation, depth)[-1],
        gradient_of_one_output(kernel, stride, dilation, depth),
    )


def test_by_hand():
    assert [path.tolist() for path in connections(2, 2, 1, 2)] == [[1], [1, 1], [1, 1, 1, 1]]
    assert connections(3, 1, 1, 2)[-1].tolist() == [1, 2, 3, 2, 1]
    assert connections(3, 1, 2, 1)[-1].tolist() == [1, 0, 1, 0, 1]


def test_every_layer_is_given_from_the_output_to_the_input():
    paths = connections(3, 2, 1, 3)
    assert [len(path) for path in paths] == [1, 3, 7, 15]
    assert [path.sum() for path in paths] == [1, 3, 9, 27]


@pytest.mark.parametrize("setting", ["kernel", "stride", "dilation", "depth"])
def test_settings_too_small_are_refused(setting):
    sizes = {"kernel": 3, "stride": 1, "dilation": 1, "depth": 2} | {setting: -1}
    with pytest.raises(ValueError, match=f"{setting} is -1"):
        connections(**sizes)


def test_every_slider_redraws_the_view():
    upper, lower, view = grow_receptive_field().children
    sliders = {slider.description: slider for slider in (*upper.children, *lower.children)}
    assert set(sliders) == {"kernel", "stride", "dilation", "depth"}
    seen = {bytes(view.value)}
    for slider in sliders.values():
        slider.value += 1
        assert bytes(view.value).startswith(PNG)
        assert bytes(view.value) not in seen, slider.description
        seen.add(bytes(view.value))


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (5, 3, 4, 4), (3, 1, 1, 0)])
def test_the_extremes_can_be_drawn(sizes):
    assert draw_connections(*sizes).startswith(PNG)
