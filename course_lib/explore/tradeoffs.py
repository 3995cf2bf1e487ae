"""Explorable: networks by what they cost and what they reach, under a budget that a slider moves."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from course_lib.explore.dot_names import name_dots

if TYPE_CHECKING:
    import ipywidgets as widgets

__all__ = ["best_within", "draw_tradeoffs", "quantities", "rows_of", "tradeoffs", "undominated"]

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MARKERS = "osD^v"


def rows_of(points: Sequence[Any]) -> list[dict[str, Any]]:
    """The points as dicts, checked: each with a different "name" and, beside text, only positive finite numbers.

    points  dicts, or objects of a dataclass with such fields.

    Raises ValueError that names the point and what is wrong with it.
    """
    rows = [asdict(p) if is_dataclass(p) and not isinstance(p, type) else dict(p) for p in points]
    names = [row.get("name") for row in rows]
    if not rows or None in names or len(set(names)) < len(names):
        raise ValueError(f'tradeoffs takes one point or more, each with a "name" of its own; the names are {names}')
    for row in rows:
        for key, value in row.items():
            if not isinstance(value, str | None) and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{row['name']}: {key} is {value}; a quantity is a number above 0")
    return rows


def quantities(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys under which every row has a number, in the order of the first row."""
    numbers = [{key for key, value in row.items() if isinstance(value, (int, float))} for row in rows]
    return [key for key in rows[0] if all(key in keys for keys in numbers)]


def undominated(cost: Sequence[float], quality: Sequence[float]) -> np.ndarray:
    """Which points no other beats, bool [n]: none is as cheap and as good, and better in one of the two.

    This is the Pareto front of a cost that should be low and a quality that should be high.
    """
    c, q = np.asarray(cost, dtype=float), np.asarray(quality, dtype=float)
    as_good = (c[None, :] <= c[:, None]) & (q[None, :] >= q[:, None])
    better = (c[None, :] < c[:, None]) | (q[None, :] > q[:, None])
    return np.logical_not((as_good & better).any(axis=1))


def best_within(
    rows: Sequence[Mapping[str, Any]], quality: str, limits: Mapping[str, float]
) -> tuple[list[bool], int | None]:
    """Which rows fit, and which of them has the highest `quality` (None if none fits).

    limits  quantity -> the most that is allowed.
    """
    fits = [all(row[key] <= limit for key, limit in limits.items()) for row in rows]
    inside = [index for index, fit in enumerate(fits) if fit]
    return fits, max(inside, key=lambda index: rows[index][quality], default=None)


def draw_tradeoffs(
    points: Sequence[Any], cost: str, quality: str, limits: Mapping[str, float], area: str | None = None
) -> bytes:
    """A PNG: quality against cost, what exceeds a limit in grey, and the front of what fits as a line of steps.

    area  a quantity that the area of the markers shows.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = rows_of(points)
    fits, best = best_within(rows, quality, limits)
    # no fitting: redrawn while a slider moves
    figure = Figure(figsize=(7.8, 4.6), dpi=90, layout="none")  # type: ignore[arg-type]  # not in the stubs
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.09, 0.12, 0.68, 0.78))
    x, y = (np.array([row[key] for row in rows], dtype=float) for key in (cost, quality))
    _set_axes(axes, x, y, cost, quality)
    end = min(limits.get(cost, math.inf), axes.get_xlim()[1])
    front = _draw_front(axes, x, y, np.array(fits), end)
    _draw_points(axes, rows, x, y, fits, area)
    if cost in limits:
        axes.axvspan(limits[cost], axes.get_xlim()[1], color="0.93", zorder=0)
        axes.axvline(limits[cost], color="0.5", linestyle=":", linewidth=1.2, zorder=1)
    if best is not None:
        axes.plot(x[best], y[best], "*", color="black", markersize=9, zorder=5)
    axes.set_title(_title(rows, fits, best, quality), fontsize=10, loc="left")
    _draw_legend(figure, rows, area)
    order = sorted(range(len(rows)), key=lambda index: (index != best, not fits[index], -y[index]))
    names = [(rows[i]["name"], (x[i], y[i]), "black" if fits[i] else "0.5") for i in order]
    name_dots(axes, names, avoid=axes.transData.transform(np.concatenate([front, np.stack([x, y], axis=1)])))
    buffer = io.BytesIO()
    canvas.print_png(buffer)
    return buffer.getvalue()


def _title(rows: Sequence[Mapping[str, Any]], fits: Sequence[bool], best: int | None, quality: str) -> str:
    counted = f"{sum(fits)} of {len(rows)} fit"
    if best is None:
        return f"{counted}: the budget is too small for all of them"
    return f"{counted}; the best of them: {rows[best]['name']}, {quality} {written(rows[best][quality])}"


def written(value: float) -> str:
    """A quantity in few characters: 4_089_184_256 is "4.09G", 0.0021 is "0.0021"."""
    for scale, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= scale:
            return f"{value / scale:.3g}{letter}"
    return f"{value:.4g}"


def _set_axes(axes: Any, x: np.ndarray, y: np.ndarray, cost: str, quality: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.set_xlim(x.min() / 1.8, x.max() * 1.8)
    margin = 0.1 * (float(np.ptp(y)) or float(y.max()))
    axes.set_ylim(y.min() - margin, y.max() + margin)
    axes.set(xlabel=cost, ylabel=quality)
    narrow = x.max() / x.min() < 30
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if narrow else (1,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _draw_front(axes: Any, x: np.ndarray, y: np.ndarray, fits: np.ndarray, end: float) -> np.ndarray:
    """Draws the steps up to `end` and returns points [n, 2] along them."""
    inside = np.flatnonzero(fits)
    front = inside[undominated(x[inside].tolist(), y[inside].tolist())]
    front = front[np.lexsort((y[front], x[front]))]
    if not len(front):
        return np.empty((0, 2))
    across, up = [*x[front], end], [*y[front], y[front[-1]]]
    axes.step(across, up, where="post", color="black", linewidth=1.0, zorder=2)
    steps = zip(across, up, across[1:], up[1:], strict=False)
    flat_then_up = [
        np.concatenate(
            [
                np.stack([np.geomspace(x0, x1, 200), np.full(200, y0)], axis=1),
                np.stack([np.full(200, x1), np.linspace(y0, y1, 200)], axis=1),
            ]
        )
        for x0, y0, x1, y1 in steps
    ]
    return np.concatenate(flat_then_up)


def _areas(rows: Sequence[Mapping[str, Any]], area: str | None) -> np.ndarray:
    values = np.array([row[area] if area else 1.0 for row in rows], dtype=float)
    return _area(values, values.max()) if area else np.full(len(rows), 55.0)


def _area(value: Any, largest: float) -> Any:
    """Square points; proportional to the value, but for a share that keeps small ones visible."""
    return 20 + 220 * value / largest


def _families(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, str]]:
    """Each family's colour and marker; "" for points without one."""
    found = dict.fromkeys(str(row.get("family") or "") for row in rows)
    colours = len(_COLOURS)
    return {
        family: (_COLOURS[number % colours], _MARKERS[number // colours % len(_MARKERS)])
        for number, family in enumerate(found)
    }


def _draw_points(
    axes: Any, rows: Sequence[Any], x: np.ndarray, y: np.ndarray, fits: Sequence[bool], area: str | None
) -> None:
    areas = _areas(rows, area)
    for family, (colour, marker) in _families(rows).items():
        own = [index for index, row in enumerate(rows) if str(row.get("family") or "") == family]
        shades = [colour if fits[index] else "0.75" for index in own]
        style = {"edgecolor": "white", "linewidth": 0.7, "alpha": 0.85, "zorder": 3}
        axes.scatter(x[own], y[own], s=areas[own], c=shades, marker=marker, **style)


def _draw_legend(figure: Any, rows: Sequence[Any], area: str | None) -> None:
    from matplotlib.lines import Line2D

    def dot(colour: str, marker: str, size: float, label: str) -> Line2D:
        return Line2D([], [], linestyle="", marker=marker, color=colour, markersize=size, label=label)

    entries = [dot(colour, marker, 6, family) for family, (colour, marker) in _families(rows).items() if family]
    entries += [
        dot("0.75", "o", 6, "over a budget"),
        Line2D([], [], color="black", linewidth=1, label="Pareto front\nof what fits"),
        dot("black", "*", 8, "best that fits"),
    ]
    if area is not None:
        values = [row[area] for row in rows]
        for size in (max(values), max(values) / 8):
            entries.append(dot("0.5", "o", math.sqrt(_area(size, max(values))), f"{area}\n{written(size)}"))
    figure.legend(handles=entries, loc="upper left", bbox_to_anchor=(0.775, 0.92), fontsize=8, labelspacing=0.8)


def tradeoffs(points: Sequence[Any], cost: str | None = None, quality: str = "accuracy") -> widgets.VBox:
    """Choose what is drawn against what, set budgets, and see which networks fit and which is the best of them.

    points   dicts (or dataclass objects) such as {"name": "ResNet-18", "family": "ResNet", "accuracy": 69.8,
        "MACs": 1.8e9, "parameters": 11.7e6}: a name, a family if you like (it gives the colour), and numbers above
        0 under keys of your choice, which become the names of the axes. A key that some point lacks is left out.
    cost     the first horizontal axis, if not the first quantity beside `quality`.
    quality  what should be high; the other quantities should be low.

    Each cost has its budget: a slider from the smallest value to the largest. Raises ValueError for points without
    `quality` or without a cost.
    """
    import ipywidgets as widgets

    rows = rows_of(points)
    known = quantities(rows)
    costs = [key for key in known if key != quality]
    if quality not in known or not costs or (cost or costs[0]) not in costs:
        asked = f"quality {quality!r}" + (f" and cost {cost!r}" if cost else " and one cost or more")
        raise ValueError(f"tradeoffs needs {asked} in every point; all points have: {', '.join(known) or 'nothing'}")
    style = {"description_width": "11em"}
    across = widgets.Dropdown(options=costs, value=cost or costs[0], description="cost", style=style)
    area = widgets.Dropdown(options=["all the same", *costs], description="marker area", style=style)
    sliders = {key: _budget(widgets, rows, key, style) for key in costs}
    view = widgets.Image(format="png", layout=widgets.Layout(align_self="flex-start", max_width="100%"))

    def redraw(_: object = None) -> None:
        limits = {key: slider.value for key, slider in sliders.items() if slider.index < len(slider.options) - 1}
        shown = area.value if area.value in costs else None
        view.value = draw_tradeoffs(rows, across.value, quality, limits, shown)

    for control in (across, area, *sliders.values()):
        control.observe(redraw, "value")
    redraw()
    return widgets.VBox([widgets.HBox([widgets.VBox([across, area]), widgets.VBox(list(sliders.values()))]), view])


def _budget(widgets: Any, rows: Sequence[Mapping[str, Any]], key: str, style: Mapping[str, str]) -> Any:
    """A slider in 40 equal ratios from just below the smallest value to "no limit"."""
    values = [row[key] for row in rows]
    stops = np.geomspace(min(values) * 0.9, max(values), 40)
    options = [(written(float(stop)), float(stop)) for stop in stops[:-1]] + [("no limit", float("inf"))]
    return widgets.SelectionSlider(
        options=options, index=len(options) - 1, description=f"{key} up to", style=style, continuous_update=False
    )
