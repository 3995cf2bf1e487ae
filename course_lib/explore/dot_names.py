"""Names beside the dots of a matplotlib plot, put where they touch nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["DotName", "name_dots"]

_DIRECTIONS = ((0, 1), (1, -1), (-1, 1), (1, 0), (-1, 0), (0, -1), (1, 1), (-1, -1))
_PLACES = [(distance * x, distance * y) for distance in (7, 13, 21) for x, y in _DIRECTIONS]  # points from the dot

DotName = tuple[str, tuple[float, float], str]  # the name, the dot's place in data coordinates, the name's colour


def name_dots(axes: Any, names: Sequence[DotName], avoid: np.ndarray, fontsize: float = 7.5) -> list[Any]:
    """Write each name at the first place near its dot that is free; one that finds none is left out.

    axes   with its limits set and its layout done: names are placed for where the dots are now.
    names  the most important first.
    avoid  points [n, 2] in pixels that no name may cover: other dots, and lines as many points.

    Returns the texts that were written.
    """
    figure = axes.get_figure()
    frame = axes.get_window_extent().padded(-2)
    scale = figure.dpi / 72
    written: list[Any] = []
    taken: list[Any] = []
    for name, place, colour in names:
        x, y = axes.transData.transform(place)
        text = axes.text(0, 0, name, fontsize=fontsize, color=colour, transform=None, zorder=6)
        for dx, dy in _PLACES:
            text.set(
                position=(x + scale * dx, y + scale * dy),
                ha="center" if dx == 0 else "left" if dx > 0 else "right",
                va="center" if dy == 0 else "bottom" if dy > 0 else "top",
            )
            box = text.get_window_extent()
            inside = frame.contains(box.x0, box.y0) and frame.contains(box.x1, box.y1)
            if inside and not _covers(box.padded(2 * scale), avoid) and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                written.append(_fixed_to(axes, text, place, dx, dy))
                break
        text.remove()
    return written


def _fixed_to(axes: Any, text: Any, place: tuple[float, float], dx: float, dy: float) -> Any:
    """The same text, moving with its dot when the figure is drawn in another size, with a line where it is far away."""
    far = max(abs(dx), abs(dy)) > 10
    return axes.annotate(
        text.get_text(),
        place,
        xytext=(dx, dy),
        textcoords="offset points",
        ha=text.get_ha(),
        va=text.get_va(),
        fontsize=text.get_fontsize(),
        color=text.get_color(),
        zorder=text.get_zorder(),
        arrowprops={"arrowstyle": "-", "color": "0.6", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 2} if far else None,
    )


def _covers(box: Any, points: np.ndarray) -> bool:
    inside = (points >= (box.x0, box.y0)) & (points <= (box.x1, box.y1))
    return bool(inside.all(axis=1).any())
