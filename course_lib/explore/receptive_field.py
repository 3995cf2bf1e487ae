"""What one output unit of a stack of convolutions sees, found by following its connections backwards."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    import ipywidgets as widgets

__all__ = ["connections", "draw_connections", "grow_receptive_field"]


def connections(kernel: int, stride: int, dilation: int, depth: int) -> list[np.ndarray]:
    """How many paths lead from one output unit to each unit below it, along one axis.

    Returns depth + 1 integer arrays, from the output ([1]) to the input. Entry i of an array belongs to the
    i-th unit from the first to the last one reached; a unit that is skipped holds 0. For two axes, take the
    outer product of an array with itself.

    Raises ValueError for a setting below 1 (depth may be 0).
    """
    for name, value in (("kernel", kernel), ("stride", stride), ("dilation", dilation), ("depth", depth + 1)):
        if value < 1:
            raise ValueError(f"{name} is {value - (name == 'depth')}: too small to be a convolution")
    paths = [torch.ones(1, 1, 1, dtype=torch.float64)]
    for _ in range(depth):
        taps = torch.ones(1, 1, kernel, dtype=torch.float64)
        paths.append(F.conv_transpose1d(paths[-1], taps, stride=stride, dilation=dilation))
    return [path[0, 0].round().long().numpy() for path in paths]


def draw_connections(kernel: int, stride: int, dilation: int, depth: int) -> bytes:
    """A PNG: the connections seen from the side, and on the input grid the number of paths to each pixel."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    paths = connections(kernel, stride, dilation, depth)
    figure = Figure(figsize=(8.8, 3.4), dpi=90, layout="constrained")
    side, grid = figure.subplots(1, 2, width_ratios=[1.5, 1])
    _draw_side(side, paths, stride, dilation, kernel)
    _draw_grid(grid, figure, paths[-1])
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()


def _draw_side(axes: Any, paths: list[np.ndarray], stride: int, dilation: int, kernel: int) -> None:
    from matplotlib.collections import LineCollection

    spacing = [float(stride) ** (len(paths) - 1 - level) for level in range(len(paths))]
    places = [gap * (np.arange(len(path)) - (len(path) - 1) / 2) for gap, path in zip(spacing, paths, strict=True)]
    heights = range(len(paths) - 1, -1, -1)
    for level in range(len(paths) - 1):
        above = np.flatnonzero(paths[level])
        below = above[:, None] * stride + np.arange(kernel)[None] * dilation
        lines = [
            [(places[level][i], heights[level]), (places[level + 1][j], heights[level + 1])]
            for i, row in zip(above, below, strict=True)
            for j in row
        ]
        axes.add_collection(LineCollection(lines, colors="#0072B2", linewidths=0.4, alpha=0.5))
    size = float(np.clip(500 / max(len(places[-1]), 10), 2, 30))
    for place, path, height in zip(places, paths, heights, strict=True):
        seen = path > 0
        axes.scatter(place[seen], np.full(seen.sum(), height), s=size, color="#D55E00", zorder=3)
        axes.scatter(place[~seen], np.full((~seen).sum(), height), s=size / 2, color="0.8", zorder=2)
    axes.set_yticks(
        list(heights),
        ["output", *(f"layer {n}" for n in range(len(paths) - 2, 0, -1)), "input"][: len(paths)],
    )
    axes.set_xlabel("position, in input pixels from the middle")
    axes.set_title("connections along one axis", fontsize=10, loc="left")
    for edge in ("top", "right", "left"):
        axes.spines[edge].set_visible(False)


def _draw_grid(axes: Any, figure: Any, path: np.ndarray) -> None:
    counts = np.outer(path, path).astype(float)
    share = np.where(counts > 0, counts / counts.max(), np.nan)
    edge = len(path) / 2
    axes.set_facecolor("0.85")
    axes.grid(visible=False)
    picture = axes.imshow(share, cmap="viridis", extent=(-edge, edge, edge, -edge), vmin=0, vmax=1)
    figure.colorbar(picture, ax=axes, shrink=0.8, label="paths, of the most travelled")
    read = int((path > 0).sum())
    axes.set_title(f"spans {len(path)} x {len(path)} pixels, reads {read} x {read}", fontsize=10, loc="left")
    axes.set_xlabel("input pixels")


def grow_receptive_field(kernel: int = 3, stride: int = 1, dilation: int = 1, depth: int = 3) -> widgets.VBox:
    """Sliders for kernel, stride, dilation and depth of a stack, and what one of its outputs sees."""
    import ipywidgets as widgets

    sliders = {
        name: widgets.IntSlider(description=name, min=low, max=high, value=value, continuous_update=False)
        for name, low, high, value in (
            ("kernel", 1, 5, kernel),
            ("stride", 1, 3, stride),
            ("dilation", 1, 4, dilation),
            ("depth", 1, 4, depth),
        )
    }
    view = widgets.Image(format="png", layout=widgets.Layout(align_self="flex-start", max_width="100%"))

    def redraw(_: object = None) -> None:
        view.value = draw_connections(**{name: slider.value for name, slider in sliders.items()})

    for slider in sliders.values():
        slider.observe(redraw, "value")
    redraw()
    rows = list(sliders.values())
    return widgets.VBox([widgets.HBox(rows[:2]), widgets.HBox(rows[2:]), view])
