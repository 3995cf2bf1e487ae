"""Each layer's speed against the two ceilings of the machine it runs on.

Source: Williams, Waterman, Patterson, "Roofline: an insightful visual performance model", CACM 52(4), 2009.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from course_lib.measure.ceilings import Ceilings, ceilings
from course_lib.measure.counts import count
from course_lib.measure.layer_rates import LayerRate, time_layers
from course_lib.measure.roofline_plot import draw_roofline
from course_lib.measure.table import Table
from course_lib.measure.units import with_prefix

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Roofline", "roofline"]


@dataclass(frozen=True, repr=False)
class Roofline:
    """Seconds are the best of the runs.

    layers    those that multiply, in the model's order.
    seconds   the whole call.
    rest      the call without these layers: normalisation, activation functions, what `left_out` names.
    ceilings  the machine's.
    left_out  modules whose products stand between other layers, as in attention: they have no time of their own.
    """

    layers: tuple[LayerRate, ...]
    seconds: float
    rest: float
    ceilings: Ceilings
    left_out: tuple[str, ...] = ()

    def __repr__(self) -> str:
        bound = sum(layer.bound == "memory" for layer in self.layers)
        above = Counter(layer.remark for layer in self.layers if layer.remark)
        return (
            f"{len(self.layers)} layers, {bound} of them below the ridge (bound by memory)"
            + "".join(f", {number} {remark}" for remark, number in above.items())
            + f"; one call takes {with_prefix(self.seconds, 's')}; {self.ceilings}"
        )

    def table(self) -> list[LayerRate]:
        return list(self.layers)

    def show(self) -> None:
        """Display the layers and what remains of the call's time: as HTML in a notebook, as text elsewhere."""
        rows: list[tuple[str | float, ...]] = [
            (
                layer.name,
                layer.kind,
                layer.macs / 1e6,
                layer.intensity,
                layer.achieved / 1e9,
                layer.attainable / 1e9,
                100 * layer.efficiency,
                layer.remark,
                layer.seconds * 1e3,
            )
            for layer in self.layers
        ]
        rows.append(("the rest", "", "", "", "", "", "", "", self.rest * 1e3))
        heads = ("layer", "kind", "MMAC", "MACs per byte", "GMAC/s", "attainable", "% of it", "above it", "ms")
        Table(heads, rows).show()
        if self.left_out:
            print(f"Left out, since other layers run between their products: {', '.join(self.left_out)}")

    def plot(self, title: str = "Roofline") -> Figure:
        """The ceilings and one dot per layer on logarithmic axes, as a matplotlib Figure; its area shows its time.

        A dot above the roof is hollow, and the legend says why: its numbers came from a cache, in most cases.
        """
        return draw_roofline(self.layers, self.ceilings, title)


def roofline(model: nn.Module, *inputs: Any, runs: int = 5, machine: Ceilings | None = None) -> Roofline:
    """Time each multiplying layer of `model(*inputs)` and set its rate against what this machine can do.

    runs     timed calls of the whole model, after two untimed ones; each layer's best time counts.
    machine  the ceilings, if not those measured on the device of the first input.

    The model runs in evaluation mode without gradients. Timing a layer costs a few microseconds, so that the rates of
    layers faster than that are too low; bytes count float32 as 4, int8 as 1, as the tensors are.

    Raises ValueError if `runs` is below 1, or if no layer multiplies.
    """
    if runs < 1:
        raise ValueError(f"roofline needs runs of 1 or more, not {runs}")
    modules = dict(model.named_modules())
    rows = [(row, modules.get(row.name, model)) for row in count(model, *inputs).layers if row.macs]
    whole = {module: row for row, module in rows if not any(True for _ in module.children())}
    if not whole:
        raise ValueError(f"{type(model).__name__} has no layer that multiplies in this call: there is no rate to show")
    machine = machine or ceilings(_device_of(model, inputs))
    timed = time_layers(model, inputs, whole, runs, machine)
    return Roofline(
        layers=timed.layers,
        seconds=timed.whole,
        rest=timed.rest,
        ceilings=machine,
        left_out=tuple(row.name for row, module in rows if module not in whole),
    )


def _device_of(model: nn.Module, inputs: tuple[Any, ...]) -> torch.device:
    tensors = (leaf for leaf in (*tree_leaves(inputs), *model.parameters()) if isinstance(leaf, Tensor))
    return next((tensor.device for tensor in tensors), torch.device("cpu"))
