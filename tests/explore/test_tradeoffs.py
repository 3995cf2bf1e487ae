"""The front against trying every pair, and the view moved as a browser would move it."""

import io
from dataclasses import dataclass

import matplotlib.image
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib import explore
from course_lib.explore.tradeoffs import best_within, draw_tradeoffs, quantities, rows_of, undominated, written
from tests.examples import examples

PNG = b"\x89PNG\r\n"
NETWORKS = [
    {"name": "large", "family": "A", "accuracy": 80.0, "MACs": 8e9, "parameters": 4e7, "source": "paper"},
    {"name": "middle", "family": "A", "accuracy": 75.0, "MACs": 1e9, "parameters": 5e7},
    {"name": "small", "family": "B", "accuracy": 70.0, "MACs": 2e8, "parameters": 3e6, "peak bytes": 1e5},
    {"name": "poor", "family": "B", "accuracy": 60.0, "MACs": 3e9, "parameters": 1e6},
]


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=12))
def test_the_front_by_trying_every_pair(points):
    expected = [
        not any(c <= cost and q >= quality and (c, q) != (cost, quality) for c, q in points) for cost, quality in points
    ]
    cost, quality = zip(*points, strict=True)
    assert undominated(cost, quality).tolist() == expected


@given(st.lists(st.tuples(st.floats(1, 1e9), st.floats(0, 100)), min_size=1, max_size=12))
def test_along_the_front_more_cost_buys_more_quality(points):
    cost, quality = (np.array(column) for column in zip(*points, strict=True))
    front = np.flatnonzero(undominated(cost, quality))
    assert len(front)
    order = front[np.argsort(cost[front], kind="stable")]
    assert (np.diff(quality[order]) >= 0).all()
    assert quality.max() in quality[front] and cost.min() in cost[front]


def test_no_points_have_no_front():
    assert undominated([], []).tolist() == []


@pytest.mark.parametrize(
    ("limits", "fits", "best"),
    [
        ({}, [True] * 4, 0),
        ({"MACs": 1e9}, [False, True, True, False], 1),
        ({"MACs": 1e9, "parameters": 4e7}, [False, False, True, False], 2),
        ({"parameters": 1e6}, [False, False, False, True], 3),
        ({"MACs": 1e6}, [False] * 4, None),
    ],
)
def test_budgets(limits, fits, best):
    assert best_within(NETWORKS, "accuracy", limits) == (fits, best)


def test_quantities_are_the_numbers_that_all_have():
    assert quantities(NETWORKS) == ["accuracy", "MACs", "parameters"]


def test_dataclasses_are_points_too():
    @dataclass
    class Network:
        name: str
        accuracy: float
        MACs: int

    assert rows_of([Network("a", 1.0, 2)]) == [{"name": "a", "accuracy": 1.0, "MACs": 2}]


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ([], "one point or more"),
        ([{"accuracy": 1}], r'"name" of its own; the names are \[None\]'),
        ([{"name": "a"}, {"name": "a"}], "of its own"),
        ([{"name": "a", "MACs": 0}], "a: MACs is 0; a quantity is a number above 0"),
        ([{"name": "a", "MACs": float("nan")}], "a: MACs is nan"),
    ],
)
def test_points_that_cannot_be_drawn_are_refused(points, words):
    with pytest.raises(ValueError, match=words):
        rows_of(points)


@pytest.mark.parametrize(
    ("value", "text"), [(4_089_184_256, "4.09G"), (11.7e6, "11.7M"), (1000, "1k"), (69.758, "69.76"), (2e12, "2T")]
)
def test_quantities_are_written_short(value, text):
    assert written(value) == text


@examples(8)
@given(st.integers(1, 30), st.integers(0, 99))
def test_any_number_of_points_can_be_drawn(number, seed):
    random = np.random.default_rng(seed)
    points = [
        {"name": f"network {i}", "family": f"family {i % 9}", "accuracy": random.uniform(50, 80), "MACs": 10**power}
        for i, power in enumerate(random.uniform(6, 10, number))
    ]
    png = draw_tradeoffs(points, "MACs", "accuracy", {"MACs": 1e8}, "MACs")
    assert matplotlib.image.imread(io.BytesIO(png)).shape[:2] == (414, 702)


def test_equal_values_can_be_drawn():
    points = [{"name": name, "accuracy": 50, "MACs": 1e6} for name in "ab"]
    assert draw_tradeoffs(points, "MACs", "accuracy", {}).startswith(PNG)


def controls(box):
    bar, view = box.children
    left, right = bar.children
    return {control.description: control for control in (*left.children, *right.children)}, view


def test_every_control_redraws_the_view():
    named, view = controls(explore.tradeoffs(NETWORKS))
    assert set(named) == {"cost", "marker area", "MACs up to", "parameters up to"}
    seen = {bytes(view.value)}

    def changed(control, attribute, value):
        setattr(control, attribute, value)
        assert bytes(view.value).startswith(PNG)
        assert bytes(view.value) not in seen, f"{control.description} = {value} drew nothing new"
        seen.add(bytes(view.value))

    changed(named["MACs up to"], "index", 20)
    changed(named["parameters up to"], "index", 30)
    changed(named["cost"], "value", "parameters")
    changed(named["marker area"], "value", "MACs")
    changed(named["MACs up to"], "index", 0)


def test_sliders_go_from_nothing_fits_to_no_limit():
    named, _ = controls(explore.tradeoffs(NETWORKS, cost="parameters"))
    slider = named["MACs up to"]
    assert named["cost"].value == "parameters"
    assert slider.options[-1] == ("no limit", float("inf")) and slider.value == float("inf")
    assert slider.options[0][1] < 2e8
    limits = [stop for _, stop in slider.options]
    assert limits == sorted(limits)
    counts = [sum(best_within(NETWORKS, "accuracy", {"MACs": limit})[0]) for limit in limits]
    assert counts[0] == 0 and counts[-1] == 4 and set(counts) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("asked", [{"quality": "speed"}, {"cost": "peak bytes"}, {"cost": "accuracy"}])
def test_axes_that_not_every_point_has_are_refused(asked):
    with pytest.raises(ValueError, match="all points have: accuracy, MACs, parameters"):
        explore.tradeoffs(NETWORKS, **asked)
