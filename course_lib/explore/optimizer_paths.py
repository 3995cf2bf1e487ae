"""Explorable: four optimizers walk down the same narrow valley from the same point.

The valley is L(w) = (u² + κ v²) / 2, where (u, v) is w turned by an angle: curvature 1 along the floor, κ across it.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    import ipywidgets

__all__ = ["OPTIMIZERS", "draw", "optimizer_paths", "valley", "walk"]

OPTIMIZERS: dict[str, Callable[[list[torch.Tensor], float, float, float], torch.optim.Optimizer]] = {
    "SGD": lambda w, lr, momentum, memory: torch.optim.SGD(w, lr=lr),
    "momentum": lambda w, lr, momentum, memory: torch.optim.SGD(w, lr=lr, momentum=momentum),
    "RMSProp": lambda w, lr, momentum, memory: torch.optim.RMSprop(w, lr=lr, alpha=memory),
    "Adam": lambda w, lr, momentum, memory: torch.optim.Adam(w, lr=lr, betas=(momentum, memory)),
}
START = (-4.0, 1.5)
VIEW = ((-5.0, 5.0), (-3.0, 3.0))


def valley(narrowness: float, angle: float) -> np.ndarray:
    """The valley's curvature as a symmetric float64 [2, 2] matrix A, so that L(w) = wᵀ A w / 2.

    narrowness  κ, curvature across the valley for curvature 1 along it.
    angle       degrees from the first axis to the valley's floor.
    """
    turn = math.radians(angle)
    along = np.array([math.cos(turn), math.sin(turn)])
    across = np.array([-math.sin(turn), math.cos(turn)])
    return np.outer(along, along) + narrowness * np.outer(across, across)


def walk(
    name: str,
    *,
    learning_rate: float,
    momentum: float = 0.9,
    memory: float = 0.99,
    narrowness: float = 20.0,
    angle: float = 0.0,
    steps: int = 40,
    start: Sequence[float] = START,
) -> np.ndarray:
    """The points that one optimizer of `torch.optim` visits, float64 [steps + 1, 2], the start included.

    name      a key of `OPTIMIZERS`.
    momentum  of "momentum", and Adam's β₁.
    memory    how much of the running mean of squared gradients is kept: RMSProp's α and Adam's β₂.

    Raises ValueError for a name that is not there.
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"walk() knows the optimizers {', '.join(OPTIMIZERS)}, not {name!r}")
    curvature = torch.from_numpy(valley(narrowness, angle))
    w = torch.tensor(start, dtype=torch.float64)
    optimizer = OPTIMIZERS[name]([w], learning_rate, momentum, memory)
    points = [w.numpy().copy()]
    for _ in range(steps):
        w.grad = curvature @ w
        optimizer.step()
        points.append(w.numpy().copy())
    return np.stack(points)


def draw(paths: dict[str, np.ndarray], *, narrowness: float, angle: float) -> bytes:
    """The valley's contours with each path of `walk` on them, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    curvature = valley(narrowness, angle)
    # no fitting: redrawn while a slider moves
    figure = Figure(figsize=(7.6, 4.4), dpi=90, layout="none")  # type: ignore[arg-type]  # not in the stubs
    axes = figure.add_axes((0.09, 0.24, 0.89, 0.69))
    x, y = np.meshgrid(np.linspace(*VIEW[0], 121), np.linspace(*VIEW[1], 81))
    grid = np.stack([x, y], axis=-1)
    loss = np.einsum("...i,ij,...j->...", grid, curvature, grid) / 2
    axes.contour(x, y, loss, levels=np.geomspace(0.05, loss.max(), 12), colors="0.75", linewidths=0.7)
    for number, (name, points) in enumerate(paths.items()):
        label = f"{name}: {_outcome(points, curvature)}"
        axes.plot(*points.T, "o-", color=f"C{number}", markersize=3, linewidth=1.2, label=label)
    axes.plot(0, 0, "k*", markersize=11)
    axes.set(xlim=VIEW[0], ylim=VIEW[1], xlabel="weight $w_1$", ylabel="weight $w_2$")
    steps = max((len(points) - 1 for points in paths.values()), default=0)
    axes.set_title(f"Loss after {steps} steps; the star is the minimum, where the loss is 0")
    if paths:
        figure.legend(loc="lower center", ncols=2, fontsize=9)
    png = io.BytesIO()
    FigureCanvasAgg(figure).print_png(png)
    return png.getvalue()


def _outcome(points: np.ndarray, curvature: np.ndarray) -> str:
    with np.errstate(over="ignore", invalid="ignore"):  # a path that diverges ends in inf or NaN
        start, end = (point @ curvature @ point / 2 for point in (points[0], points[-1]))
    return f"{end:.2g}" if end < start else "above the start"


def optimizer_paths(
    *, learning_rate: float = 0.05, narrowness: float = 20.0, angle: float = 0.0, steps: int = 40
) -> ipywidgets.Widget:
    """A box of sliders over the picture of `draw`; every slider redraws all paths. Arguments set the start values."""
    import ipywidgets as widgets

    wide = {"style": {"description_width": "10em"}, "layout": {"width": "28em"}}
    sliders: dict[str, Any] = {
        "learning_rate": widgets.FloatLogSlider(
            learning_rate, min=-3, max=0, step=0.05, description="learning rate", readout_format=".3f", **wide
        ),
        "momentum": widgets.FloatSlider(0.9, min=0, max=0.99, step=0.01, description="momentum, β₁", **wide),
        "memory": widgets.FloatSlider(
            0.99, min=0.5, max=0.999, step=0.001, description="memory, β₂", readout_format=".3f", **wide
        ),
        "narrowness": widgets.FloatLogSlider(
            narrowness, min=0, max=2, step=0.05, description="narrowness κ", readout_format=".1f", **wide
        ),
        "angle": widgets.FloatSlider(angle, min=0, max=45, step=1, description="angle (degrees)", **wide),
        "steps": widgets.IntSlider(steps, min=1, max=100, description="steps", **wide),
    }
    picture = widgets.Image(format="png", layout={"width": "684px"})

    def redraw(_: object = None) -> None:
        at = {name: slider.value for name, slider in sliders.items()}
        paths = {name: walk(name, **at) for name in OPTIMIZERS}
        picture.value = draw(paths, narrowness=at["narrowness"], angle=at["angle"])

    for slider in sliders.values():
        slider.observe(redraw, names="value")
    redraw()
    rows = list(sliders.values())
    return widgets.VBox([widgets.HBox([widgets.VBox(rows[:3]), widgets.VBox(rows[3:])]), picture])
