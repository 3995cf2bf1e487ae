"""A line of numbers as a small inline SVG picture, over the band that they should keep to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["sparkline"]

WIDTH, HEIGHT, MARGIN = 140, 30, 4


def sparkline(values: Sequence[float | None], low: float | None = None, high: float | None = None) -> str:
    """The picture, coloured by the classes band, line, now and out of the page's style; empty without a number.

    values  oldest first; None, which is not finite, leaves a gap.
    low, high  the band; None: that side is open.
    """
    numbers = [(place, value) for place, value in enumerate(values) if value is not None and math.isfinite(value)]
    if not numbers:
        return ""
    scale = _scale([value for _, value in numbers], low, high, len(values))
    points = [(scale.x(place), scale.y(value)) for place, value in numbers]
    shapes = "" if low is None and high is None else _band(scale, low, high)
    if len(points) > 1:
        shapes += f'<polyline class="line" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'
    place, last = numbers[-1]
    if place == len(values) - 1:
        within = (low is None or last >= low) and (high is None or last <= high)
        x, y = points[-1]
        shapes += f'<circle class="{"now" if within else "now out"}" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>'
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return f'<svg class="spark" {size} aria-hidden="true">{shapes}</svg>'


@dataclass(frozen=True)
class _Scale:
    """From places 0 to count-1 and values bottom to top, to the picture's coordinates."""

    bottom: float
    top: float
    count: int

    def x(self, place: int) -> float:
        """The newest stands at the right, also when it is alone."""
        return WIDTH - MARGIN - (self.count - 1 - place) * (WIDTH - 2 * MARGIN) / max(1, self.count - 1)

    def y(self, value: float) -> float:
        return MARGIN + (self.top - value) / (self.top - self.bottom) * (HEIGHT - 2 * MARGIN)


def _scale(values: Sequence[float], low: float | None, high: float | None, count: int) -> _Scale:
    """Room for all values and the band; a third more at a side where the band is open."""
    shown = [*values, *(side for side in (low, high) if side is not None)]
    bottom, top = min(shown), max(shown)
    if bottom == top:  # one height for all stands in the middle
        return _Scale(bottom - 1, top + 1, count)
    room = (top - bottom) / 3
    return _Scale(
        bottom - room if low is None and high is not None else bottom,
        top + room if high is None and low is not None else top,
        count,
    )


def _band(scale: _Scale, low: float | None, high: float | None) -> str:
    """An open side reaches the picture's edge."""
    upper = scale.y(high) if high is not None else 0.0
    lower = scale.y(low) if low is not None else float(HEIGHT)
    return f'<rect class="band" x="0" y="{upper:.1f}" width="{WIDTH}" height="{max(lower - upper, 0.5):.1f}" rx="2"/>'
