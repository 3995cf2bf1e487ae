"""Where names end up: checked with the boxes that matplotlib itself reports after drawing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from course_lib.explore.dot_names import name_dots
from tests.examples import examples


def plot(points):
    figure = Figure(figsize=(4, 3), dpi=80)
    axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    return axes, axes.transData.transform(np.array(points, dtype=float).reshape(-1, 2))


def box_of(text):
    from matplotlib.text import Text

    text.update_positions(text.get_figure()._get_renderer())
    return Text.get_window_extent(text)  # without the arrow


@examples(20)
@given(st.lists(st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 0.99)), min_size=1, max_size=15))
def test_names_touch_neither_each_other_nor_dots_nor_the_edge(points):
    axes, dots = plot(points)
    names = [(f"name {number}", point, "black") for number, point in enumerate(points)]
    boxes = [box_of(text) for text in name_dots(axes, names, avoid=dots)]
    frame = axes.get_window_extent()
    for index, box in enumerate(boxes):
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
        assert not any(box.overlaps(other) for other in boxes[:index])
        assert not any(box.contains(*dot) for dot in dots)


def test_a_name_with_room_stands_next_to_its_dot():
    axes, dots = plot([(0.5, 0.5)])
    [text] = name_dots(axes, [("here", (0.5, 0.5), "red")], avoid=dots)
    box = box_of(text)
    assert text.get_color() == "red" and text.arrow_patch is None
    assert (box.x0 + box.x1) / 2 == pytest.approx(dots[0, 0], abs=1)
    assert 0 < box.y0 - dots[0, 1] < 15


def test_the_first_come_first():
    points = [(0.5, 0.5)] * 30
    axes, dots = plot(points)
    names = [(f"name {number}", point, "black") for number, point in enumerate(points)]
    written = name_dots(axes, names, avoid=dots)
    assert 1 < len(written) < 30, "there is no room for all"
    assert [text.get_text() for text in written[:2]] == ["name 0", "name 1"]
    assert len(axes.texts) == len(written), "names without room leave nothing behind"


def test_lines_are_avoided():
    axes, dots = plot([(0.5, 0.5)])
    above = axes.transData.transform(np.stack([np.linspace(0, 1, 500), np.full(500, 0.56)], axis=1))
    [text] = name_dots(axes, [("here", (0.5, 0.5), "black")], avoid=np.concatenate([dots, above]))
    assert box_of(text).y1 < above[0, 1]
