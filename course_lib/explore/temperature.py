"""Explorable: how the temperature turns similarities into a choice among keys, and where a contrastive loss pushes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import ipywidgets as widgets

__all__ = ["Choice", "choose", "draw_choice", "tune_temperature"]


@dataclass(frozen=True)
class Choice:
    """One query's softmax over its keys.

    probability  [M], sums to 1.
    loss         -log of the positive's probability, in nats.
    effective    exp of the entropy: among how many keys the choice is really open, 1 to M.
    hardest      the share of all push on negatives that the most similar negative gets, 0 to 1.
    """

    probability: np.ndarray
    loss: float
    effective: float
    hardest: float


def choose(similarities: Any, positive: int, temperature: float) -> Choice:
    """Softmax of similarities / temperature.

    similarities  [M] numbers, array or tensor, M at least 2.
    positive      index of the key that belongs to the query.

    Raises ValueError for a temperature that is not above 0 or other shapes, IndexError for a positive outside.
    """
    values = np.asarray(similarities, dtype=float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"choose takes the similarities of one query to at least 2 keys, not {list(values.shape)}")
    if not temperature > 0:
        raise ValueError(f"the temperature is above 0, not {temperature}")
    if not 0 <= positive < len(values):
        raise IndexError(f"the positive is one of the keys 0 to {len(values) - 1}, not {positive}")
    logits = (values - values.max()) / temperature
    log_probability = logits - np.log(np.exp(logits).sum())
    probability = np.exp(log_probability)
    entropy = -(probability * log_probability).sum()
    # the negatives alone, so that nothing is lost when the positive has nearly all
    negatives = np.delete(values, positive)
    push = np.exp((negatives - negatives.max()) / temperature)
    return Choice(probability, float(-log_probability[positive]), float(np.exp(entropy)), float(1 / push.sum()))


def draw_choice(similarities: Any, positive: int, temperature: float, query: Any = None, keys: Any = None) -> bytes:
    """A PNG: the keys, their similarities to the query and their probabilities; the positive is orange.

    query, keys  pictures [C, H, W] and [M, C, H, W] with values 0 to 1, or None.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    values = np.asarray(similarities, dtype=float)
    choice = choose(values, positive, temperature)
    # no fitting: redrawn while a slider moves
    figure = Figure(figsize=(8.4, 3.6), dpi=90, layout="none")  # type: ignore[arg-type]  # not in the stubs
    places = np.arange(len(values))
    colours = ["#D55E00" if place == positive else "#0072B2" for place in places]
    span = (-0.6, len(values) - 0.4)
    upper, lower = figure.add_axes((0.2, 0.6, 0.78, 0.3)), figure.add_axes((0.2, 0.27, 0.78, 0.22))
    upper.bar(places, choice.probability, color=colours)
    upper.set(ylabel="probability", ylim=(0, 1), xlim=span, xticks=[])
    upper.set_title(
        f"loss {choice.loss:.2f} nats; open among {choice.effective:.1f} of {len(values)} keys; "
        f"{choice.hardest:.0%} of the push is on one negative",
        fontsize=10,
    )
    lower.bar(places, values, color=colours)
    lower.axhline(0, color="0.4", linewidth=0.8)
    lower.set(ylabel="similarity", ylim=(min(-0.1, values.min()), 1), xlim=span, xticks=[])
    if keys is not None:
        for place in places:
            left = 0.2 + 0.78 * (place - span[0]) / (span[1] - span[0])
            _picture(figure, keys[place], (left - 0.04, 0.05, 0.08, 0.18), "")
    if query is not None:
        _picture(figure, query, (0.02, 0.42, 0.1, 0.25), "query")
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()


def _picture(figure: Any, picture: Any, box: tuple[float, float, float, float], title: str) -> None:
    axes = figure.add_axes(box)
    pixels = np.clip(np.moveaxis(np.asarray(picture, dtype=float), 0, -1), 0, 1)
    axes.imshow(pixels if pixels.shape[-1] == 3 else pixels[..., 0], cmap="gray", vmin=0, vmax=1)
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()


def tune_temperature(similarities: Any, queries: Any = None, keys: Any = None) -> widgets.VBox:
    """Choose a query and a temperature; see its softmax over the keys.

    similarities   [Q, M], M >= Q; key i belongs to query i.
    queries, keys  their pictures [Q, C, H, W] and [M, C, H, W], or None.

    Raises ValueError for similarities of another shape.
    """
    import ipywidgets as widgets

    table = np.asarray(similarities, dtype=float)
    if table.ndim != 2 or not 1 <= len(table) <= table.shape[1] or table.shape[1] < 2:
        raise ValueError(
            f"tune_temperature takes similarities [queries, keys], keys >= queries, not {list(table.shape)}"
        )
    wide: dict[str, Any] = {"style": {"description_width": "7em"}, "layout": {"width": "28em"}}
    which = widgets.IntSlider(description="query", min=0, max=len(table) - 1, value=0, **wide)
    temperature = widgets.FloatLogSlider(
        description="temperature", min=-2, max=1, step=0.05, value=0.2, readout_format=".3f", **wide
    )
    view = widgets.Image(format="png", layout=widgets.Layout(align_self="flex-start", max_width="100%"))

    def redraw(_: object = None) -> None:
        row = which.value
        query = None if queries is None else queries[row]
        view.value = draw_choice(table[row], row, temperature.value, query, keys)

    for slider in (which, temperature):
        slider.observe(redraw, "value")
    redraw()
    return widgets.VBox([which, temperature, view])
