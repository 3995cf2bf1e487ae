"""Signed distances against densely sampled outlines and matplotlib's point-in-polygon test."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path as Outline
from scipy.spatial import cKDTree

from course_lib.data.figures import FIGURES, NAMES, OUTLINES, mirrored_polygon

GRID = np.linspace(-1.7, 1.7, 61, dtype=np.float32)
X, Y = np.meshgrid(GRID, GRID)


def whole(right_half):
    """All corners of the polygon, clockwise from the top."""
    left_half = [(-x, y) for x, y in reversed(right_half) if x > 0]
    return np.array([*right_half, *left_half])


def sampled(corners, per_edge=400):
    steps = np.linspace(0, 1, per_edge, endpoint=False)[:, None]
    return np.concatenate([a + (b - a) * steps for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)])


def check_polygon(right_half):
    corners = whole(right_half)
    found = mirrored_polygon(X, Y, tuple(map(tuple, right_half)))
    points = np.stack([X.ravel(), Y.ravel()], axis=1)
    distance = cKDTree(sampled(corners)).query(points)[0].reshape(X.shape)
    np.testing.assert_allclose(np.abs(found), distance, atol=0.01)
    clear = distance > 0.01
    inside = Outline(corners).contains_points(points).reshape(X.shape)
    assert ((found < 0) == inside)[clear].all()


@pytest.mark.parametrize("name", OUTLINES)
def test_polygons_of_the_scenes(name):
    check_polygon(OUTLINES[name])


@given(st.lists(st.floats(0.2, 1.4), min_size=1, max_size=6))
def test_any_star_shaped_mirrored_polygon(radii):
    angles = np.linspace(-np.pi / 2, np.pi / 2, len(radii) + 2)[1:-1]
    right = [(r * np.cos(a), r * np.sin(a)) for r, a in zip(radii, angles, strict=True)]
    check_polygon([(0.0, -1.0), *right, (0.0, 1.1)])


@pytest.mark.parametrize("name", NAMES)
def test_figures_are_float32_mirrored_and_of_like_size(name):
    distance = FIGURES[name](X, Y)
    assert distance.dtype == np.float32
    np.testing.assert_array_equal(distance, FIGURES[name](-X, Y))
    area = (distance < 0).mean() * 3.4**2 * (60 / 61) ** -2
    assert 0.6 < area / (np.pi * 0.8**2) < 1.25
    assert (distance[0] > 0).all() and (distance[-1] > 0).all()  # nothing reaches the rim of the grid


@pytest.mark.parametrize("name", NAMES)
def test_a_signed_distance_grows_no_faster_than_the_way(name):
    distance = FIGURES[name](X, Y)
    step = GRID[1] - GRID[0]
    for axis in (0, 1):
        assert np.abs(np.diff(distance, axis=axis)).max() <= step * 1.001


def test_round_figures_by_their_definition():
    radius = np.hypot(X.astype(np.float64), Y)
    np.testing.assert_allclose(FIGURES["disc"](X, Y), radius - 0.8, atol=1e-6)
    assert ((FIGURES["ring"](X, Y) < 0) == ((radius > 0.5) & (radius < 1.0))).all()


def test_there_are_ten_different_figures():
    inside = {name: (figure(X, Y) < 0).tobytes() for name, figure in FIGURES.items()}
    assert len(NAMES) == len(set(inside.values())) == 10
