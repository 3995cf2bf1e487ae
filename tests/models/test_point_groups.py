import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib.models import group_points


@st.composite
def clouds(draw):
    points = draw(st.integers(0, 60))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    coordinates = torch.randint(draw(st.integers(1, 25)), (points, 2), generator=generator)
    cloud = torch.randint(draw(st.integers(1, 4)), (points,), generator=generator)
    ways = {"axis": draw(st.sampled_from("xy")), "shift": draw(st.booleans())}
    return coordinates, cloud, {"window": draw(st.integers(1, 9)), "size": draw(st.integers(1, 12)), **ways}


def path(coordinates, cloud, window, axis, shift):
    """The order of the paper, with one sort key per point: rows of windows run back and forth, and so do points."""
    first, second = (1, 0) if axis == "x" else (0, 1)

    def key(place):
        cell = [int(number) + (window // 2 if shift else 0) for number in coordinates[place]]
        line, along_line = cell[first] // window, cell[second] // window
        across, along = cell[second] % window, cell[first] % window
        sign = -1 if line % 2 else 1
        return int(cloud[place]), line, sign * along_line, sign * across, sign * (-along if across % 2 else along)

    return sorted(range(len(coordinates)), key=key)


@given(clouds())
def test_groups_are_slices_of_the_path(case):
    coordinates, cloud, how = case
    groups = group_points(coordinates, cloud=cloud, **how)
    order = path(coordinates, cloud, how["window"], how["axis"], how["shift"])
    assert groups.index.shape == groups.real.shape and groups.index.shape[1] == how["size"]
    assert groups.index[groups.real].tolist() == order
    for indices, real in zip(groups.index, groups.real, strict=True):
        assert len(cloud[indices].unique()) == 1  # fillers come from the same cloud
        assert not (real[1:] & ~real[:-1]).any()  # and stand last
    sizes = torch.bincount(cloud) if len(cloud) else torch.zeros(0, dtype=torch.long)
    assert len(groups.index) == sum(-(-int(count) // how["size"]) for count in sizes)


@given(clouds())
def test_scatter_undoes_gather(case):
    coordinates, cloud, how = case
    features = torch.randn(len(coordinates), 3)
    groups = group_points(coordinates, cloud=cloud, **how)
    grouped = groups.gather(features)
    assert grouped.shape == (len(groups.index), how["size"], 3)
    grouped[~groups.real] = torch.nan  # what becomes of fillers is dropped
    assert torch.equal(groups.scatter(grouped), features)


def test_fillers_are_the_places_one_group_before():
    """Seven points on a line, groups of four: the last group borrows the point that stands four places earlier."""
    coordinates = torch.stack([torch.arange(7), torch.zeros(7, dtype=torch.long)], dim=1)
    groups = group_points(coordinates, window=100, size=4)
    assert groups.index.tolist() == [[0, 1, 2, 3], [4, 5, 6, 3]]
    assert groups.real.tolist() == [[True] * 4, [True, True, True, False]]


def test_windows_by_hand():
    """Cells 0..3 x 0..3, windows of 2: "x" goes through the upper windows rightwards and the lower ones leftwards."""
    y, x = torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij")
    coordinates = torch.stack([x.flatten(), y.flatten()], dim=1)
    rows = [coordinates[group].tolist() for group in group_points(coordinates, window=2, size=4, axis="x").index]
    assert rows[0] == [[0, 0], [0, 1], [1, 1], [1, 0]]
    assert [sorted({(px // 2, py // 2) for px, py in row}) for row in rows] == [[(0, 0)], [(1, 0)], [(1, 1)], [(0, 1)]]
    columns = [coordinates[group].tolist() for group in group_points(coordinates, window=2, size=4, axis="y").index]
    assert [(row[0][0] // 2, row[0][1] // 2) for row in columns] == [(0, 0), (0, 1), (1, 1), (1, 0)]


def test_shift_cuts_elsewhere():
    """Four cells around the corner of a window: columns together, or, with rows moved apart, rows."""
    coordinates = torch.tensor([[1, 0], [2, 0], [1, 1], [2, 1]])
    apart = group_points(coordinates, window=2, size=2)
    together = group_points(coordinates, window=2, size=2, shift=True)
    assert [sorted(group.tolist()) for group in apart.index] == [[0, 2], [1, 3]]
    assert [sorted(group.tolist()) for group in together.index] == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    ("coordinates", "how", "message"),
    [
        (torch.zeros(3, 3, dtype=torch.long), {}, r"\[points, 2\], not torch.int64 \[3, 3\]"),
        (torch.zeros(3, 2), {}, "whole-number"),
        (torch.zeros(3, 2, dtype=torch.long), {"size": 0}, "1 or more"),
        (torch.zeros(3, 2, dtype=torch.long), {"axis": "z"}, 'axis "x" or "y"'),
    ],
)
def test_what_it_refuses(coordinates, how, message):
    with pytest.raises(ValueError, match=message):
        group_points(coordinates, **how)
