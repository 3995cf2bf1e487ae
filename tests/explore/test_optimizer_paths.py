"""The paths against closed forms, and the view moved as a browser would move it."""

import io
import math
import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.explore.optimizer_paths import OPTIMIZERS, VIEW, draw, valley, walk

angles = st.floats(0, 45)
curvatures = st.floats(1, 100)


def turned(point, angle):
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return np.array([c * point[0] - s * point[1], s * point[0] + c * point[1]])


@given(angle=angles, narrowness=curvatures)
def test_the_valley_has_curvature_one_along_its_floor_and_kappa_across(angle, narrowness):
    a = valley(narrowness, angle)
    floor, across = turned((1, 0), angle), turned((0, 1), angle)
    np.testing.assert_allclose(a @ floor, floor, atol=1e-9)
    np.testing.assert_allclose(a @ across, narrowness * across, rtol=1e-9, atol=1e-9)


@given(angle=angles, narrowness=curvatures, learning_rate=st.floats(1e-3, 0.5))
def test_sgd_multiplies_each_principal_coordinate_by_one_minus_rate_times_curvature(angle, narrowness, learning_rate):
    steps, u, v = 7, -4.0, 1.5
    path = walk(
        "SGD",
        learning_rate=learning_rate,
        narrowness=narrowness,
        angle=angle,
        steps=steps,
        start=turned((u, v), angle),
    )
    t = np.arange(steps + 1)
    along, across = u * (1 - learning_rate) ** t, v * (1 - learning_rate * narrowness) ** t
    expected = np.stack([turned(point, angle) for point in zip(along, across, strict=True)])
    scale = np.abs(expected).max()
    np.testing.assert_allclose(path, expected, rtol=1e-7, atol=1e-9 * scale)


def test_momentum_follows_its_linear_recurrence():
    rate, mu, kappa, steps = 0.03, 0.8, 12.0, 15
    path = walk("momentum", learning_rate=rate, momentum=mu, narrowness=kappa, steps=steps, start=(1, 1))
    for axis, curvature in ((0, 1.0), (1, kappa)):
        # (w, velocity) after a step is a fixed matrix times (w, velocity) before it
        step = np.array([[1 - rate * curvature, -rate * mu], [curvature, mu]])
        expected = [(np.linalg.matrix_power(step, t) @ [1.0, 0.0])[0] for t in range(steps + 1)]
        np.testing.assert_allclose(path[:, axis], expected, rtol=1e-9)


@pytest.mark.parametrize(("name", "first"), [("RMSProp", 0.05 / math.sqrt(1 - 0.99)), ("Adam", 0.05)])
def test_adaptive_first_steps_have_one_length_in_every_coordinate(name, first):
    path = walk(name, learning_rate=0.05, memory=0.99, narrowness=50, steps=1, start=(-4, 1.5))
    np.testing.assert_allclose(path[1] - path[0], [first, -first], rtol=1e-6)


def test_adam_follows_the_paper_s_algorithm_1():
    rate, beta1, beta2, kappa, steps = 0.1, 0.7, 0.9, 12.0, 8
    path = walk("Adam", learning_rate=rate, momentum=beta1, memory=beta2, narrowness=kappa, steps=steps)
    for axis, curvature in ((0, 1.0), (1, kappa)):
        w = path[0, axis]
        gradients = []
        for t in range(1, steps + 1):
            gradients.append(curvature * w)
            # weighted means over all gradients so far: the closed form of the two corrected running means
            mean, square = (
                np.average(np.power(gradients, power), weights=[beta ** (t - i) for i in range(1, t + 1)])
                for power, beta in ((1, beta1), (2, beta2))
            )
            w -= rate * mean / (math.sqrt(square) + 1e-8)
            assert path[t, axis] == pytest.approx(w, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "turns_along"), [("SGD", True), ("momentum", True), ("RMSProp", False), ("Adam", False)]
)
def test_only_the_adaptive_optimizers_notice_that_the_valley_was_turned(name, turns_along):
    straight = walk(name, learning_rate=0.02, start=(-4, 1.5))
    tilted = walk(name, learning_rate=0.02, angle=30, start=turned((-4, 1.5), 30))
    carried = np.stack([turned(point, 30) for point in straight])
    assert np.allclose(tilted, carried, atol=1e-6) == turns_along


def test_an_unknown_optimizer_is_named_with_those_there_are():
    with pytest.raises(ValueError, match="SGD, momentum, RMSProp, Adam, not 'adamw'"):
        walk("adamw", learning_rate=0.1)


def test_the_picture_is_a_small_png_even_when_a_path_diverges():
    paths = {name: walk(name, learning_rate=1.0, narrowness=100, steps=100) for name in OPTIMIZERS}
    assert np.abs(paths["SGD"]).max() > 1e100
    png = draw(paths, narrowness=100, angle=0)
    assert len(png) < 150_000
    assert matplotlib.image.imread(io.BytesIO(png)).shape[:2] == (396, 684)


def test_the_star_and_the_paths_are_inside_the_frame():
    assert VIEW[0][0] < -4 < VIEW[0][1] and VIEW[1][0] < 1.5 < VIEW[1][1]
    empty, full = (draw(p, narrowness=20, angle=0) for p in ({}, {"SGD": walk("SGD", learning_rate=0.05)}))
    assert empty != full


def test_moving_any_slider_redraws_the_picture():
    widgets = pytest.importorskip("ipywidgets")
    from course_lib import explore

    box = explore.optimizer_paths()
    panel, picture = box.children
    assert isinstance(picture, widgets.Image)
    sliders = [slider for column in panel.children for slider in column.children]
    assert len(sliders) == 6
    for slider in sliders:
        before = picture.value
        slider.value = slider.value * 0.7 if slider.description != "angle (degrees)" else 20
        assert picture.value != before, slider.description


def test_the_view_is_loaded_when_first_used_and_stays_a_function():
    code = (
        "import sys, course_lib.explore as explore\n"
        "heavy = [name for name in ('torch', 'matplotlib', 'ipywidgets') if name in sys.modules]\n"
        "assert not heavy, heavy\n"
        "from course_lib.explore.optimizer_paths import walk\n"
        "assert callable(explore.optimizer_paths), 'importing the file hid the function of the same name'\n"
        "assert 'ipywidgets' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
