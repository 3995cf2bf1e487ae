import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import correlate2d

from course_lib.explore.filters import PRESETS, apply_at, draw_step, move_filter
from tests.examples import examples

PNG = b"\x89PNG\r\n"


@examples(30)
@given(height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 999), place=st.floats(0, 0.999))
def test_response_is_scipys_correlation_with_zeros_around(height, width, seed, place):
    draw = np.random.default_rng(seed)
    image, weight = draw.normal(size=(height, width)), draw.normal(size=(3, 3))
    row, column = int(place * height), int(place * width)
    step = apply_at(image, weight, row, column)
    expected = correlate2d(image, weight, mode="same")
    np.testing.assert_allclose(step.response, expected, atol=1e-12)
    assert step.value == pytest.approx(expected[row, column])
    assert step.products == pytest.approx(step.window * weight)


def test_the_window_is_centred_on_the_pixel():
    image = np.arange(12).reshape(3, 4)
    assert apply_at(image, PRESETS["identity"], 0, 0).window.tolist() == [[0, 0, 0], [0, 0, 1], [0, 4, 5]]
    assert apply_at(image, PRESETS["identity"], 1, 2).window.tolist() == image[0:3, 1:4].tolist()
    assert apply_at(image, PRESETS["shift left"], 2, 1).value == 10


def test_takes_tensors():
    assert apply_at(torch.eye(3), torch.ones(3, 3), 1, 1).value == 3


@pytest.mark.parametrize(
    ("image", "weight"), [(np.ones((2, 3, 3)), np.ones((3, 3))), (np.ones((3, 3)), np.ones((2, 3)))]
)
def test_other_shapes_are_refused(image, weight):
    with pytest.raises(ValueError, match=r"image \[H, W\] and a filter \[3, 3\]"):
        apply_at(image, weight, 0, 0)


@pytest.mark.parametrize(("row", "column"), [(3, 0), (0, 4), (-1, 0)])
def test_a_position_outside_the_image_is_refused(row, column):
    with pytest.raises(IndexError, match="outside an image of 3 x 4"):
        apply_at(np.ones((3, 4)), np.ones((3, 3)), row, column)


def test_a_blank_image_can_be_drawn():
    assert draw_step(np.zeros((4, 4)), PRESETS["identity"], 0, 0).startswith(PNG)


def controls(box):
    bar, view = box.children
    left, grid = bar.children
    return {child.description: child for child in left.children}, list(grid.children), view


def test_choosing_moving_and_editing_redraw_the_view():
    step_edge = [[0.0, 0.0, 1.0, 1.0]] * 4
    named, cells, view = controls(
        move_filter({"edge": step_edge, "dots": np.eye(6)}, {"right minus left": [[0, 0, 0], [-1, 0, 1], [0, 0, 0]]})
    )
    seen = {bytes(view.value)}

    def changed(control, value):
        control.value = value
        assert bytes(view.value) not in seen, f"{control.description or 'weight'} = {value} drew nothing new"
        assert bytes(view.value).startswith(PNG)
        seen.add(bytes(view.value))

    assert named["row"].max == 3
    changed(named["filter"], "right minus left")
    assert [cell.value for cell in cells] == [0, 0, 0, -1, 0, 1, 0, 0, 0]
    changed(named["row"], 3)
    changed(named["column"], 1)
    changed(cells[4], 2.0)
    assert named["filter"].value == "my own"
    changed(named["image"], "dots")
    assert (named["row"].max, named["column"].max) == (5, 5)
    assert [cell.value for cell in cells][4] == 2.0, "another image keeps the filter"


def test_a_smaller_image_pulls_the_position_inside():
    named, _, view = controls(move_filter({"large": np.eye(9), "small": np.eye(2)}))
    named["row"].value = named["column"].value = 8
    named["image"].value = "small"
    assert (named["row"].value, named["row"].max) == (1, 1)
    assert bytes(view.value).startswith(PNG)


def test_one_image_needs_no_choice_of_image():
    named, _, _ = controls(move_filter(torch.eye(4)))
    assert set(named) == {"filter", "row", "column"}
