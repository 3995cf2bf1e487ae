"""Explorable: where one token, or one patch of an image, looks in each layer and head of a transformer."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import ipywidgets as widgets

__all__ = ["attention_maps", "chosen_map", "draw_over_image", "draw_over_tokens", "grid_of", "stacked"]

MEAN = "mean of all"
_MOST_LABELS = 40  # more tokens than this are numbered instead of written out


def stacked(weights: Any) -> list[np.ndarray]:
    """The weights as one float array [heads, queries, keys] per layer.

    weights  array or tensor [layers, heads, queries, keys], [heads, queries, keys] for one layer, [queries, keys] for
        one head, or a sequence of layers, whose numbers of heads may differ.

    Raises ValueError for other shapes, for layers that disagree on queries and keys, and for weights below 0.
    """
    layers = [_array(layer) for layer in weights] if isinstance(weights, (list, tuple)) else _layers(_array(weights))
    layers = [layer[None] if layer.ndim == 2 else layer for layer in layers]
    shapes = [layer.shape for layer in layers]
    if not layers or any(len(shape) != 3 or 0 in shape for shape in shapes) or len({s[1:] for s in shapes}) > 1:
        raise ValueError(
            "attention_maps takes weights [layers, heads, queries, keys] of one example, or a list of layers "
            f"[heads, queries, keys] with the same tokens; the layers' shapes are {[list(s) for s in shapes]}"
        )
    if any(not np.isfinite(layer).all() or layer.min() < 0 for layer in layers):
        raise ValueError("attention_maps takes weights after the softmax: finite and not below 0")
    return layers


def _array(layer: Any) -> np.ndarray:
    layer = layer.detach().cpu() if hasattr(layer, "detach") else layer
    return np.asarray(layer, dtype=np.float64)


def _layers(array: np.ndarray) -> list[np.ndarray]:
    return list(array) if array.ndim == 4 else [array]


def chosen_map(layers: Sequence[np.ndarray], layer: int, head: int | None) -> np.ndarray:
    """The map [queries, keys] of one head, or the mean of the layer's heads for None."""
    heads = layers[layer]
    return heads.mean(axis=0) if head is None else heads[head]


def grid_of(tokens: int, height: int, width: int) -> tuple[int, int, int]:
    """(rows, columns, extra): the grid of patches of an image with that many tokens, as square as possible.

    extra  tokens before those of the patches, such as a class token: 0 or 1, or more if only so a grid fits.

    Raises ValueError if no grid of equal patches covers the image with up to 8 extra tokens.
    """
    for extra in range(min(9, tokens)):
        patches = tokens - extra
        grids = [
            (rows, patches // rows)
            for rows in range(1, patches + 1)
            if patches % rows == 0 and height % rows == 0 and width % (patches // rows) == 0
        ]
        if grids:
            rows, columns = min(grids, key=lambda grid: abs(math.log(height / grid[0] / (width / grid[1]))))
            if max(height / rows, width / columns) <= 2 * min(height / rows, width / columns):
                return rows, columns, extra
    raise ValueError(f"{tokens} tokens do not tile an image of {height} x {width} with patches that are about square")


def draw_over_tokens(attention: Any, tokens: Sequence[str], query: int) -> bytes:
    """A PNG: the map [queries, keys] with the query's row framed, and this row as bars.

    tokens  one text per key; the queries are the last ones of them (all, if there are as many).
    """
    from matplotlib.patches import Rectangle

    weights = np.asarray(attention, dtype=float)
    queries, keys = weights.shape
    figure, axes = _figure((9.2, 4.6), [1.25, 1])
    names = [_shown(token) for token in tokens]
    picture = axes[0].imshow(
        weights, cmap="viridis", vmin=0, vmax=weights.max() or 1, aspect="auto", interpolation="nearest"
    )
    figure.colorbar(picture, ax=axes[0], shrink=0.8, label="weight")
    axes[0].grid(visible=False)
    axes[0].add_patch(Rectangle((-0.5, query - 0.5), keys, 1, fill=False, edgecolor="#D55E00", linewidth=1.8))
    axes[0].set_title("who looks (row) at whom (column)", fontsize=10, loc="left")
    _label(axes[0].xaxis, names, rotation=90)
    _label(axes[0].yaxis, names[keys - queries :])
    bars = axes[1].barh(np.arange(keys), weights[query], color="#0072B2")
    asking = query + keys - queries
    bars[asking].set_color("#D55E00")
    axes[1].set(ylim=(keys - 0.5, -0.5), xlim=(0, max(weights[query].max() * 1.1, 1e-9)), xlabel="weight")
    axes[1].set_title(f"position {asking}, {names[asking]}, looks at", fontsize=10, loc="left")
    _label(axes[1].yaxis, names)
    axes[1].grid(visible=False)
    return _png(figure)


def draw_over_image(attention: Any, image: Any, query: int, grid: tuple[int, int, int]) -> bytes:
    """A PNG: the image with the query's patch framed, and its weights over the image.

    attention  [queries, keys]; the first `extra` of both belong to no patch.
    image      [H, W] grey or [3, H, W] colour, 0 to 1.
    query      index of a token; one before the patches has no frame.
    grid       (rows, columns, extra), as `grid_of` gives it.
    """
    rows, columns, extra = grid
    row = np.asarray(attention, dtype=float)[query]
    picture = _pixels(image)
    height, width = picture.shape[:2]
    tall, wide = height / rows, width / columns
    figure, (left, right) = _figure((8.4, 3.9), [1, 1.15])
    left.imshow(picture, cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0))
    right.imshow(
        picture.mean(axis=2) if picture.ndim == 3 else picture,
        cmap="gray",
        vmin=0,
        vmax=1,
        extent=(0, width, height, 0),
    )
    seen = row[extra:].reshape(rows, columns)
    shade = right.imshow(
        seen,
        cmap="inferno",
        vmin=0,
        vmax=seen.max() or 1,
        alpha=0.72,
        extent=(0, width, height, 0),
        interpolation="nearest",
    )
    figure.colorbar(shade, ax=right, shrink=0.8, label="weight")
    for line in range(1, rows):
        left.axhline(line * tall, color="white", linewidth=0.8, alpha=0.7)
    for line in range(1, columns):
        left.axvline(line * wide, color="white", linewidth=0.8, alpha=0.7)
    if query >= extra:
        y, x = divmod(query - extra, columns)
        for axes in (left, right):
            axes.add_patch(_frame((x * wide, y * tall), wide, tall))
        asking = f"patch in row {y}, column {x}"
    else:
        asking = f"token {query}, which is no patch"
    left.set_title(asking, fontsize=10, loc="left")
    outside = f"; {row[:extra].sum():.0%} on the extra tokens" if extra else ""
    right.set_title(f"where it looks{outside}", fontsize=10, loc="left")
    for axes in (left, right):
        axes.set_axis_off()
    return _png(figure)


def _figure(size: tuple[float, float], widths: Sequence[float]) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=90, layout="constrained")
    return figure, figure.subplots(1, 2, width_ratios=widths)


def _png(figure: Any) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()


def _frame(corner: tuple[float, float], width: float, height: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, width, height, fill=False, edgecolor="#56B4E9", linewidth=2.2)


def _shown(token: Any) -> str:
    text = str(token).replace("\n", "\\n").replace("\t", "\\t").replace("$", r"\$")
    text = "␣" * (len(text) - len(text.lstrip(" "))) + text.lstrip(" ")
    return text if len(text) <= 14 else f"{text[:13]}…"


def _label(axis: Any, names: Sequence[str], rotation: float = 0) -> None:
    if len(names) > _MOST_LABELS:
        return  # matplotlib numbers the positions
    axis.set_ticks(range(len(names)), names, rotation=rotation, fontsize=8 if len(names) <= 24 else 6)


def _pixels(image: Any) -> np.ndarray:
    picture = _array(image)
    if picture.ndim == 3 and picture.shape[0] in (1, 3):
        picture = picture[0] if picture.shape[0] == 1 else picture.transpose(1, 2, 0)
    elif picture.ndim != 2:
        raise ValueError(f"attention_maps takes an image [H, W], [1, H, W] or [3, H, W], not {list(picture.shape)}")
    return picture.clip(0, 1)


def attention_maps(weights: Any, tokens_or_image: Any, *, grid: tuple[int, int] | None = None) -> widgets.VBox:
    """Choose layer, head and query, and see the attention map over the tokens of a text or over an image.

    weights          after the softmax, of one example: [layers, heads, queries, keys], or a list of layers
        [heads, queries, keys]; arrays or tensors.
    tokens_or_image  a sequence of texts, one per key; or an image [H, W], [1, H, W] or [3, H, W] in 0..1, whose patches
        are the last tokens, row by row.
    grid             (rows, columns) of patches, if not the most square one that fits.

    Raises ValueError for weights, tokens or an image whose sizes do not belong together.
    """
    import ipywidgets as widgets

    layers = stacked(weights)
    queries, keys = layers[0].shape[1:]
    if _is_text(tokens_or_image):
        tokens = [str(token) for token in tokens_or_image]
        _require_tokens(len(tokens), queries, keys)
        names = [f"{position}: {_shown(token)}" for position, token in enumerate(tokens)][keys - queries :]

        def draw(attention: np.ndarray, query: int) -> bytes:
            return draw_over_tokens(attention, tokens, query)
    else:
        cut = _require_grid(grid, queries, keys, _pixels(tokens_or_image).shape)
        names = [f"extra token {n}" for n in range(cut[2])]
        names += [f"row {n // cut[1]}, column {n % cut[1]}" for n in range(keys - cut[2])]

        def draw(attention: np.ndarray, query: int) -> bytes:
            return draw_over_image(attention, tokens_or_image, query, cut)

    layer = widgets.IntSlider(description="layer", min=0, max=len(layers) - 1, continuous_update=False)
    head = widgets.Dropdown(description="head", options=_heads(layers[0]))
    query = widgets.SelectionSlider(
        description="query",
        options=[(name, index) for index, name in enumerate(names)],
        index=len(names) // 2,
        continuous_update=False,
        layout=widgets.Layout(width="30em"),
    )
    view = widgets.Image(format="png", layout=widgets.Layout(align_self="flex-start", max_width="100%"))

    def redraw(_: object = None) -> None:
        number = None if head.value == MEAN else head.value  # a list whose value is None counts as not chosen
        view.value = draw(chosen_map(layers, layer.value, number), query.value)

    def choose_layer(_: object) -> None:
        heads = _heads(layers[layer.value])
        if len(heads) != len(head.options):
            head.options = heads  # its value goes back to the mean
        redraw()

    layer.observe(choose_layer, "value")
    head.observe(redraw, "value")
    query.observe(redraw, "value")
    redraw()
    return widgets.VBox([widgets.HBox([layer, head]), query, view])


def _is_text(given: Any) -> bool:
    return isinstance(given, (str, list, tuple)) and all(isinstance(token, str) for token in given)


def _heads(layer: np.ndarray) -> list[tuple[str, int | str]]:
    return [(MEAN, MEAN), *((str(head), head) for head in range(len(layer)))]


def _require_tokens(tokens: int, queries: int, keys: int) -> None:
    if tokens != keys or queries > keys:
        raise ValueError(
            f"attention_maps was given {tokens} tokens and weights of {queries} queries and {keys} keys: there must be "
            "one token per key, and no more queries than keys"
        )


def _require_grid(grid: tuple[int, int] | None, queries: int, keys: int, size: Sequence[int]) -> tuple[int, int, int]:
    if queries != keys:
        raise ValueError(f"over an image every token asks every token, but there are {queries} queries and {keys} keys")
    if grid is None:
        return grid_of(keys, *size[:2])
    extra = keys - grid[0] * grid[1]
    if extra < 0:
        raise ValueError(f"a grid of {grid[0]} x {grid[1]} patches needs more tokens than the {keys} of the weights")
    return grid[0], grid[1], extra
