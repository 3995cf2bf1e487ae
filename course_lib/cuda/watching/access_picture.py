"""Draws which lane of a warp reads which element, step after step: where neighbours stand together, a GPU is fast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from course_lib.cuda.watching.access_trace import SECTOR, WARP, Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw", "lane_grid"]

LANES = "turbo"


def lane_grid(
    trace: Trace, array: str, *, block: int = 0, warp: int = 0, writes: bool = False, steps: int = 16
) -> tuple[np.ndarray, int]:
    """What `draw` colours: (grid, elements in a sector).

    grid  float [steps made, elements]: the lane that touched the element in this step, the highest of several; NaN if
          none did. A step is one instruction of the warp: one place in the source, one turn. At most `steps` of them,
          in the order in which the warp's first lane, or the first that takes part, came to them.
    """
    one = trace.of(array, writes=writes, block=block)
    inside = one.accesses["thread"] // WARP == warp
    accesses, request = one.accesses[inside], one.requests()[inside]
    if not len(accesses):
        return np.full((0, 0), np.nan), 1
    item = int(accesses["size"].min())
    _, first = np.unique(request, return_index=True)
    lane = accesses["thread"].astype(np.int64) % WARP
    by_turn = sorted(first, key=lambda k: (one.turn[inside][k], k))[:steps]
    step_of = {int(request[k]): step for step, k in enumerate(by_turn)}
    last = int((accesses["offset"] + accesses["size"]).max()) // item
    grid = np.full((len(by_turn), last), np.nan)
    for at, number, size, who in zip(accesses["offset"], request, accesses["size"], lane, strict=True):
        step = step_of.get(int(number))
        if step is not None:
            grid[step, int(at) // item : (int(at) + int(size)) // item] = who
    return grid, max(SECTOR // item, 1)


def draw(
    trace: Trace,
    array: str,
    axis: Axes | None = None,
    *,
    block: int = 0,
    warp: int = 0,
    writes: bool = False,
    steps: int = 16,
    title: str = "",
) -> Axes:
    """One row for each step of a warp, one column for each element of `array`, the colour is the lane.

    Vertical lines bound the 32-byte sectors in which memory answers. The title counts what this warp asked for: sectors
    fetched, and the share of their bytes that a lane used.
    """
    import matplotlib.pyplot as plt

    axis = plt.subplots(figsize=(7, 2.4))[1] if axis is None else axis
    grid, per_sector = lane_grid(trace, array, block=block, warp=warp, writes=writes, steps=steps)
    if grid.size:
        edges = np.arange(grid.shape[1] + 1), np.arange(grid.shape[0] + 1)
        axis.pcolormesh(*edges, grid, cmap=LANES, vmin=0, vmax=WARP - 1)
        axis.vlines(range(0, grid.shape[1] + 1, per_sector), 0, grid.shape[0], colors="0.85", linewidths=0.5, zorder=0)
        axis.set_ylim(grid.shape[0], 0)
        steps_named = range(0, grid.shape[0], max(grid.shape[0] // 4, 1))
        axis.set_yticks([step + 0.5 for step in steps_named], [str(step) for step in steps_named])
    fetched, asked = _traffic(grid, per_sector)
    verb = "written" if writes else "fetched"
    used = f"{asked / (fetched * per_sector):.0%} of their bytes used" if fetched else "nothing touched"
    axis.set_title(f"{title or array}: {fetched} sectors {verb}, {used}", fontsize=10)
    axis.set(xlabel=f"element of {array}", ylabel="step of the warp")
    return axis


def _traffic(grid: np.ndarray, per_sector: int) -> tuple[int, int]:
    """(sectors, elements) that the steps shown touch; an element that several lanes ask for counts once."""
    if not grid.size:
        return 0, 0
    touched = ~np.isnan(grid)
    padded = np.pad(touched, ((0, 0), (0, -touched.shape[1] % per_sector)))
    return int(padded.reshape(len(grid), -1, per_sector).any(2).sum()), int(touched.sum())
