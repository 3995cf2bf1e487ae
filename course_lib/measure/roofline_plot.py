"""The picture of a roofline: two ceilings, a dot per layer, names where there is room for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from course_lib.dot_names import name_dots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from course_lib.measure.ceilings import Ceilings
    from course_lib.measure.layer_rate import LayerRate

__all__ = ["draw_roofline"]

_MARKERS = "os^vDP*X<>"


def draw_roofline(layers: Sequence[LayerRate], machine: Ceilings, title: str, names: int = 6) -> Figure:
    """A Figure with logarithmic axes; `names` of the slowest layers are named, fewer where names would collide."""
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
    legend = axes.legend(fontsize=8, title="dot area: time", title_fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    for handle in legend.legend_handles:
        handle.set_sizes([40])
    figure.draw_without_rendering()  # lays the axes out; from here on they stay, so that text can be measured
    figure.set_layout_engine("none")
    lines = _draw_ceilings(axes, machine)
    dots = np.concatenate([axes.transData.transform(drawn.get_offsets()) for drawn in axes.collections])
    slowest = sorted(layers, key=lambda layer: -layer.seconds)[:names]
    labels = [(layer.name, (layer.intensity, layer.achieved / 1e9), "black") for layer in slowest]
    name_dots(axes, labels, avoid=np.concatenate([lines, dots]), fontsize=7)
    plt.close(figure)  # else a notebook shows it twice: once as the cell's value, once as an open figure
    return figure


def _set_limits(axes: Any, layers: Sequence[LayerRate], machine: Ceilings) -> None:
    intensities = [machine.ridge, *(layer.intensity for layer in layers)]
    left, right = min(intensities) / 4, max(intensities) * 4
    rates = [machine.macs_per_second, machine.attainable(left), *(layer.achieved for layer in layers)]
    axes.set(xlim=(left, right), ylim=(min(rates) / 2e9, max(rates) * 2.5 / 1e9))


def _draw_layers(axes: Any, layers: Sequence[LayerRate]) -> None:
    longest = max(layer.seconds for layer in layers)
    for number, kind in enumerate(dict.fromkeys(layer.kind for layer in layers)):
        same = [layer for layer in layers if layer.kind == kind]
        axes.scatter(
            [layer.intensity for layer in same],
            [layer.achieved / 1e9 for layer in same],
            s=[14 + 90 * layer.seconds / longest for layer in same],
            marker=_MARKERS[number % len(_MARKERS)],
            color=f"C{number % 7}",
            alpha=0.75,
            edgecolor="white",
            linewidth=0.6,
            label=kind,
            zorder=3,
        )


def _draw_ceilings(axes: Any, machine: Ceilings) -> np.ndarray:
    """Draws both with their values and returns points [n, 2] in pixels where no name may stand."""
    left, right = axes.get_xlim()
    peak = machine.macs_per_second / 1e9
    axes.plot([left, machine.ridge, right], [machine.attainable(left) / 1e9, peak, peak], color="black", zorder=1)
    axes.axvline(machine.ridge, color="0.7", linestyle=":", linewidth=1, zorder=0)
    start, corner, end = axes.transData.transform(
        [(left, machine.attainable(left) / 1e9), (machine.ridge, peak), (right, peak)]
    )
    angle = np.degrees(np.arctan2(*(corner - start)[::-1]))
    along = {"textcoords": "offset points", "va": "bottom", "rotation_mode": "anchor", "fontsize": 8}
    value = axes.annotate(f"arithmetic: {peak:.3g} GMAC/s", (machine.ridge, peak), xytext=(-6, -2), ha="right", **along)
    axes.annotate(
        f"memory: {machine.bytes_per_second / 1e9:.3g} GB/s",
        axes.transData.inverted().transform(start + 0.03 * (corner - start)),
        xytext=(-2, 3),
        ha="left",
        rotation=angle,
        **along,
    )
    roof = np.concatenate([np.linspace(start, corner, 200), np.linspace(corner, end, 200)])
    above = [roof + np.array([0, step]) for step in (0, 8, 16)]  # where the memory's value stands
    box = value.get_window_extent()
    across, up = np.meshgrid(np.linspace(box.x0, box.x1, 60), np.linspace(box.y0, box.y1, 4))
    return np.concatenate([*above, np.stack([across.ravel(), up.ravel()], axis=1)])
