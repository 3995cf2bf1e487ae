"""FlatFormer's grouping of sparse points (Liu et al., "FlatFormer: flattened window attention for efficient point
cloud transformer", 2023, section 3.2).

Windows over a sparse map hold very different numbers of points, so attention per window needs padding or a loop.
FlatFormer sorts the points by window and cuts the sorted list into groups of equal size instead: equal work for
each group, at the price that a group may span neighbouring windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

__all__ = ["Groups", "group_points"]

Axis = Literal["x", "y"]


@dataclass(frozen=True, eq=False)
class Groups:
    """Which points attend to each other.

    index  int64 [groups, size]: places of points in the list that was grouped. A group only holds points of one cloud.
    real   bool [groups, size]: every point is real in exactly one place; elsewhere the last group of a cloud is filled
        up with points that have their real place in another.
    """

    index: Tensor
    real: Tensor

    def gather(self, features: Tensor) -> Tensor:
        """Features of points [P, C] as [groups, size, C]."""
        return features[self.index]

    def scatter(self, grouped: Tensor) -> Tensor:
        """Back from [groups, size, C] to [P, C]; what was computed for fillers is dropped."""
        out = grouped.new_empty(int(self.real.sum()), grouped.shape[-1])
        out[self.index[self.real]] = grouped[self.real]
        return out


def group_points(
    coordinates: Tensor,
    *,
    window: int = 9,
    size: int = 69,
    axis: Axis = "x",
    shift: bool = False,
    cloud: Tensor | None = None,
) -> Groups:
    """Sort points by window and cut the list into groups of equal size.

    coordinates  int64 [P, 2]: column (x) and row (y) of each point's cell, 0 or more.
    window       height and width of a window, in cells.
    size         points per group; the defaults of window and size are the paper's.
    axis         "x": windows follow each other row by row, and within a window points column by column; "y": the
        other way round.
        Every second row runs backwards, so that neighbours in the list are neighbours on the map.
    shift        moves the windows by half their size.
    cloud        int64 [P]: which cloud each point belongs to; None if there is one. Points need not be in order.

    Raises ValueError if shapes or sizes are not as above.
    """
    if coordinates.ndim != 2 or coordinates.shape[1] != 2 or coordinates.is_floating_point():
        got = f"{coordinates.dtype} {list(coordinates.shape)}"
        raise ValueError(f"group_points takes whole-number coordinates [points, 2], not {got}")
    if window < 1 or size < 1 or axis not in ("x", "y"):
        raise ValueError(
            f'group_points needs window and size of 1 or more and axis "x" or "y", not {window, size, axis}'
        )
    if cloud is None:
        cloud = torch.zeros_like(coordinates[:, 0])
    order = _sorted_by_window(coordinates, window, axis, shift, cloud)
    return _cut(order, cloud[order], size)


def _sorted_by_window(coordinates: Tensor, window: int, axis: Axis, shift: bool, cloud: Tensor) -> Tensor:
    """Places of the points, sorted by cloud, window and place within the window."""
    first, second = (1, 0) if axis == "x" else (0, 1)
    moved = coordinates + (window // 2 if shift else 0)
    windows, inside = moved // window, moved % window
    line, place = windows[:, first], windows[:, second]
    across, along = inside[:, second], inside[:, first]
    onwards = 1 - 2 * (line % 2)  # -1 in rows that run backwards
    keys = (along * (1 - 2 * (across % 2)) * onwards, across * onwards, place * onwards, line, cloud)
    order = torch.arange(len(coordinates), device=coordinates.device)
    for key in keys:  # the last sort decides first
        order = order[torch.argsort(key[order], stable=True)]
    return order


def _cut(order: Tensor, cloud: Tensor, size: int) -> Groups:
    """Groups of a sorted list; `cloud` [P] is sorted likewise."""
    _, counts = torch.unique_consecutive(cloud, return_counts=True)
    index, real = [], []
    for points in order.split(counts.tolist()):
        filled = -(-len(points) // size) * size
        places = torch.arange(filled, device=order.device)
        real.append(places < len(points))
        spare = filled - len(points)
        fillers = torch.arange(len(points) - spare, len(points), device=order.device) - size + spare
        places = torch.cat([places[: len(points)], fillers % len(points)])  # the group before, else the cloud again
        index.append(points[places])
    if not index:
        empty = order.new_empty(0, size)
        return Groups(empty, empty.bool())
    return Groups(torch.cat(index).view(-1, size), torch.cat(real).view(-1, size))
