"""A 3x3 filter that moves over an image: the window, the nine products, their sum and the response map."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    import ipywidgets as widgets

__all__ = ["PRESETS", "FilterStep", "apply_at", "draw_step", "move_filter"]

PRESETS: dict[str, list[list[float]]] = {
    "identity": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
    "shift left": [[0, 0, 0], [0, 0, 1], [0, 0, 0]],
    "blur": [[1 / 9] * 3] * 3,
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "emboss": [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]],
}


@dataclass(frozen=True)
class FilterStep:
    """One position. window, products: [3, 3]; value: the sum of products; response: [H, W], all positions."""

    window: np.ndarray
    products: np.ndarray
    value: float
    response: np.ndarray


def apply_at(image: Any, weight: Any, row: int, column: int) -> FilterStep:
    """The filter centred on one pixel, and its response everywhere.

    image   [H, W] numbers, array or tensor; zeros are put around it, so the response has its size.
    weight  [3, 3] numbers, not flipped: as in `torch.nn.functional.conv2d`.

    Raises ValueError for other shapes and IndexError for a position outside the image.
    """
    pixels = torch.as_tensor(np.asarray(image), dtype=torch.float64)
    kernel = torch.as_tensor(np.asarray(weight), dtype=torch.float64)
    if pixels.ndim != 2 or kernel.shape != (3, 3):
        raise ValueError(
            f"move_filter takes an image [H, W] and a filter [3, 3], not {list(pixels.shape)} and {list(kernel.shape)}"
        )
    height, width = pixels.shape
    if not (0 <= row < height and 0 <= column < width):
        raise IndexError(f"row {row}, column {column} is outside an image of {height} x {width}")
    padded = F.pad(pixels, (1, 1, 1, 1))
    window = padded[row : row + 3, column : column + 3]
    response = F.conv2d(padded[None, None], kernel[None, None])[0, 0]
    products = window * kernel + 0.0  # turns -0 into 0
    return FilterStep(window.numpy(), products.numpy(), float(products.sum()), response.numpy())


def draw_step(image: Any, weight: Any, row: int, column: int) -> bytes:
    """A PNG with three panels: the image and the window, the nine products, the response so far."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    step = apply_at(image, weight, row, column)
    figure = Figure(figsize=(8.4, 3.0), dpi=90, layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=[1, 0.8, 1.15])
    height, width = step.response.shape
    left.imshow(np.pad(np.asarray(image, dtype=float), 1), cmap="gray", extent=(-1.5, width + 0.5, height + 0.5, -1.5))
    left.add_patch(_rectangle((-0.5, -0.5), width, height, "0.6", linestyle=":"))
    left.set_title("image and window", fontsize=10)
    _draw_products(middle, step, np.asarray(weight, dtype=float))
    limit = float(np.abs(step.response).max()) or 1.0
    picture = right.imshow(step.response, cmap="RdBu_r", vmin=-limit, vmax=limit)
    right.set_title(f"response, here {step.value:.2f}", fontsize=10)
    figure.colorbar(picture, ax=right, shrink=0.8)
    for axes, size, colour in ((left, 3, "#D55E00"), (right, 1, "black")):
        axes.add_patch(_rectangle((column - size / 2, row - size / 2), size, size, colour))
        axes.set_axis_off()
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()


def _draw_products(axes: Any, step: FilterStep, weight: np.ndarray) -> None:
    limit = float(np.abs(step.products).max()) or 1.0
    axes.imshow(step.products, cmap="RdBu_r", vmin=-limit, vmax=limit, alpha=0.5)
    for (i, j), product in np.ndenumerate(step.products):
        text = f"{step.window[i, j]:.2f}\nx {weight[i, j]:.2g}\n= {product:.2f}"
        axes.text(j, i, text, ha="center", va="center", fontsize=7.5)
    axes.set_title("pixel x weight", fontsize=10)
    axes.set_axis_off()


def _rectangle(corner: tuple[float, float], width: float, height: float, colour: str, linestyle: str = "-") -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, width, height, fill=False, edgecolor=colour, linewidth=1.8, linestyle=linestyle)


def move_filter(
    images: Any | Mapping[str, Any], presets: Mapping[str, Sequence[Sequence[float]]] | None = None
) -> widgets.VBox:
    """Choose a 3x3 filter, edit its weights, move it over an image and watch the response.

    images   one image [H, W], or a mapping from names to images.
    presets  further filters by name, each [3, 3] (a tensor will do); they come after the built-in ones.
    """
    import ipywidgets as widgets

    pictures = dict(images) if isinstance(images, Mapping) else {"image": images}
    pictures = {name: np.asarray(picture, dtype=float) for name, picture in pictures.items()}
    kernels = PRESETS | {name: np.asarray(kernel).tolist() for name, kernel in (presets or {}).items()}
    which = widgets.Dropdown(options=list(pictures), description="image")
    preset = widgets.Dropdown(options=[*kernels, "my own"], description="filter")
    cells = [widgets.FloatText(step=0.5, layout=widgets.Layout(width="72px")) for _ in range(9)]
    row, column = (widgets.IntSlider(description=name, min=0, max=0) for name in ("row", "column"))
    view = widgets.Image(format="png", layout=widgets.Layout(align_self="flex-start", max_width="100%"))
    busy = False  # several controls are set together: draw once, at the end

    def redraw(_: object = None) -> None:
        if not busy:
            view.value = draw_step(pictures[which.value], _grid(cells), row.value, column.value)

    def set_together(change: Any) -> None:
        nonlocal busy
        busy = True
        try:
            change()
        finally:
            busy = False
        redraw()

    def choose_image(_: object = None) -> None:
        set_together(lambda: _span(row, column, pictures[which.value].shape))

    def choose_filter(_: object = None) -> None:
        if preset.value in kernels:
            set_together(lambda: _fill(cells, kernels[preset.value]))

    def edit(_: object) -> None:
        if not busy:
            preset.value = "my own"
            redraw()

    _fill(cells, kernels[preset.value])
    choose_image()
    which.observe(choose_image, "value")
    preset.observe(choose_filter, "value")
    for cell in cells:
        cell.observe(edit, "value")
    for slider in (row, column):
        slider.observe(redraw, "value")
    grid = widgets.GridBox(cells, layout=widgets.Layout(grid_template_columns="repeat(3, 78px)"))
    controls = widgets.VBox([*([which] if len(pictures) > 1 else []), preset, row, column])
    return widgets.VBox([widgets.HBox([controls, grid]), view])


def _grid(cells: Sequence[Any]) -> np.ndarray:
    return np.array([cell.value for cell in cells], dtype=float).reshape(3, 3)


def _fill(cells: Sequence[Any], kernel: Sequence[Sequence[float]]) -> None:
    for cell, weight in zip(cells, np.asarray(kernel, dtype=float).reshape(-1), strict=True):
        cell.value = round(float(weight), 4)


def _span(row: Any, column: Any, shape: tuple[int, int]) -> None:
    for slider, size in zip((row, column), shape, strict=True):
        slider.max = size - 1
        slider.value = size // 2
