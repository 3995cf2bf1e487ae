"""The picture of a roofline: two ceilings, a dot per layer, names where there is room for them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from course_lib.explore.dot_names import name_dots
from course_lib.measure.ceilings import Ceilings
from course_lib.measure.layer_rates import LayerRate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_roofline"]

_MARKERS = "os^vDP*X<>"


def draw_roofline(layers: Sequence[LayerRate], machine: Ceilings, title: str, names: int = 6) -> Figure:
    """A Figure with logarithmic axes; `names` of the slowest layers are named, fewer where names would collide.

    Dots above the roof are hollow, with the reason in the legend.
    """
    from matplotlib import pyplot as plt
    from matplotlib.ticker import NullFormatter

    figure, axes = plt.subplots(figsize=(7.8, 4.4), layout="constrained")
    axes.set(xscale="log", yscale="log", xlabel="arithmetic intensity (MACs per byte)", ylabel="rate (GMAC/s)")
    axes.set_title(f"{title}: {machine.device}")
    _set_limits(axes, layers, machine)
    _draw_layers(axes, layers)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    _draw_legend(axes, layers, machine)
    figure.draw_without_rendering()  # lays the axes out; from here on they stay, so that text can be measured
    figure.set_layout_engine("none")
    lines = _draw_ceilings(axes, machine)
    dots = np.concatenate([axes.transData.transform(drawn.get_offsets()) for drawn in axes.collections])
    slowest = sorted(layers, key=lambda layer: -layer.seconds)[:names]
    labels = [(layer.name, (layer.intensity, layer.achieved / 1e9), "black") for layer in slowest]
    name_dots(axes, labels, avoid=np.concatenate([lines, dots]), fontsize=7)
    plt.close(figure)  # else a notebook shows it twice: once as the cell's value, once as an open figure
    return figure


def _set_limits(axes: Axes, layers: Sequence[LayerRate], machine: Ceilings) -> None:
    intensities = [machine.ridge, *(layer.intensity for layer in layers)]
    left, right = min(intensities) / 4, max(intensities) * 4
    rates = [machine.macs_per_second, machine.attainable(left), *(layer.achieved for layer in layers)]
    axes.set(xlim=(left, right), ylim=(min(rates) / 2e9, max(rates) * 2.5 / 1e9))


def _draw_layers(axes: Axes, layers: Sequence[LayerRate]) -> None:
    longest = max(layer.seconds for layer in layers)
    for number, kind in enumerate(dict.fromkeys(layer.kind for layer in layers)):
        alike = [layer for layer in layers if layer.kind == kind]
        colour = f"C{number % 7}"
        axes.scatter(
            [layer.intensity for layer in alike],
            [layer.achieved / 1e9 for layer in alike],
            s=[14 + 90 * layer.seconds / longest for layer in alike],
            marker=_MARKERS[number % len(_MARKERS)],
            facecolor=["white" if layer.remark else colour for layer in alike],
            edgecolor=[colour if layer.remark else "white" for layer in alike],
            linewidth=[1.2 if layer.remark else 0.6 for layer in alike],
            alpha=0.75,
            zorder=3,
        )


def _draw_legend(axes: Axes, layers: Sequence[LayerRate], machine: Ceilings) -> None:
    from matplotlib.lines import Line2D

    def dot(number: int, fill: str, label: str) -> Line2D:
        marker, colour = _MARKERS[number % len(_MARKERS)], f"C{number % 7}" if fill != "white" else "0.3"
        return Line2D([], [], linestyle="", marker=marker, markerfacecolor=fill, markeredgecolor=colour, label=label)

    kinds = dict.fromkeys(layer.kind for layer in layers)
    handles = [dot(number, f"C{number % 7}", kind) for number, kind in enumerate(kinds)]
    if machine.cached_bytes_per_second:
        label = f"last cache: {machine.cached_bytes_per_second / 1e9:.3g} GB/s"
        handles.append(Line2D([], [], color="0.5", linestyle="--", linewidth=1, label=label))
    remarks = dict.fromkeys(layer.remark for layer in layers if layer.remark)
    handles += [dot(0, "white", f"hollow: {remark}") for remark in remarks]
    axes.legend(
        handles=handles, fontsize=8, title="dot area: time", title_fontsize=8, loc="upper left", bbox_to_anchor=(1, 1)
    )


def _draw_ceilings(axes: Axes, machine: Ceilings) -> np.ndarray:
    """Draws both with their values and returns points [n, 2] in pixels where no name may stand."""
    left, right = axes.get_xlim()
    points = [_draw_cache(axes, machine)]
    peak = machine.macs_per_second / 1e9
    axes.plot([left, machine.ridge, right], [machine.attainable(left) / 1e9, peak, peak], color="black", zorder=1)
    axes.axvline(machine.ridge, color="0.7", linestyle=":", linewidth=1, zorder=0)
    start, corner, end = axes.transData.transform(
        [(left, machine.attainable(left) / 1e9), (machine.ridge, peak), (right, peak)]
    )
    angle = np.degrees(np.arctan2(*(corner - start)[::-1]))
    write = partial(axes.annotate, textcoords="offset points", va="bottom", rotation_mode="anchor", fontsize=8)
    value = write(f"arithmetic: {peak:.3g} GMAC/s", (machine.ridge, peak), xytext=(-6, -2), ha="right")
    x, y = axes.transData.inverted().transform(start + 0.03 * (corner - start))
    write(f"memory: {machine.bytes_per_second / 1e9:.3g} GB/s", (x, y), xytext=(-2, 3), ha="left", rotation=angle)
    roof = np.concatenate([np.linspace(start, corner, 200), np.linspace(corner, end, 200)])
    above = [roof + np.array([0, step]) for step in (0, 8, 16)]  # where the memory's value stands
    box = value.get_window_extent()
    across, up = np.meshgrid(np.linspace(box.x0, box.x1, 60), np.linspace(box.y0, box.y1, 4))
    return np.concatenate([*points, *above, np.stack([across.ravel(), up.ravel()], axis=1)])


def _draw_cache(axes: Axes, machine: Ceilings) -> np.ndarray:
    """The roof over numbers that are in the last cache: a thin line from the left to the arithmetic's ceiling."""
    rate, (left, _) = machine.cached_bytes_per_second, axes.get_xlim()
    if not rate or rate * left >= machine.macs_per_second:
        return np.empty((0, 2))
    corner = (machine.macs_per_second / rate, machine.macs_per_second / 1e9)
    (line,) = axes.plot([left, corner[0]], [rate * left / 1e9, corner[1]], color="0.5", linestyle="--", linewidth=1)
    line.set_zorder(0)
    start, end = axes.transData.transform([(left, rate * left / 1e9), corner])
    return np.linspace(start, end, 200)
