"""Each layer's speed against the two ceilings of the machine it runs on.

Source: Williams, Waterman, Patterson, "Roofline: an insightful visual performance model", CACM 52(4), 2009.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from course_lib.measure.ceilings import Ceilings, ceilings
from course_lib.measure.counts import LayerCount, count
from course_lib.measure.gpu_wait import wait_for_gpu
from course_lib.measure.layer_rate import LayerRate
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
        bound = sum(layer.intensity < self.ceilings.ridge for layer in self.layers)
        return (
            f"{len(self.layers)} layers, {bound} of them below the ridge (bound by memory); "
            f"one call takes {with_prefix(self.seconds, 's')}; {self.ceilings}"
        )

    def table(self) -> list[LayerRate]:
        return list(self.layers)

    def show(self) -> None:
        """Display the layers and what remains of the call's time: as HTML in a notebook, as text elsewhere."""
        rows = [
            (
                layer.name,
                layer.kind,
                layer.macs / 1e6,
                layer.intensity,
                layer.achieved / 1e9,
                layer.attainable / 1e9,
                100 * layer.efficiency,
                layer.seconds * 1e3,
            )
            for layer in self.layers
        ]
        rows.append(("the rest", "", "", "", "", "", "", self.rest * 1e3))
        heads = ("layer", "kind", "MMAC", "MACs per byte", "GMAC/s", "attainable", "% of it", "ms")
        Table(heads, rows).show()
        if self.left_out:
            print(f"Left out, since other layers run between their products: {', '.join(self.left_out)}")

    def plot(self, title: str = "Roofline") -> Figure:
        """The ceilings and one dot per layer on logarithmic axes, as a matplotlib Figure; its area shows its time."""
        from course_lib.measure.roofline_plot import draw_roofline

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
    seen = {module: _Seen() for module in whole}
    timed = _run(model, inputs, seen, runs)
    return Roofline(
        layers=tuple(_rate(row, module, seen[module], machine) for module, row in whole.items()),
        seconds=min(total for total, _ in timed),
        rest=min(rest for _, rest in timed),
        ceilings=machine,
        left_out=tuple(row.name for row, module in rows if module not in whole),
    )


@dataclass
class _Seen:
    """One layer's time and bytes in the present run, and its best time so far."""

    started: float = 0.0
    seconds: float = 0.0
    best: float = float("inf")
    bytes: int = 0


def _run(
    model: nn.Module, inputs: tuple[Any, ...], seen: dict[nn.Module, _Seen], runs: int
) -> list[tuple[float, float]]:
    def enter(module: nn.Module, _: Any) -> None:
        seen[module].started = _now()

    def leave(module: nn.Module, arguments: Any, named: Any, output: Any) -> None:
        seen[module].seconds += _now() - seen[module].started
        seen[module].bytes += _bytes(arguments, named, output, list(module.parameters()))

    modes = {module: module.training for module in model.modules()}
    handles = [module.register_forward_pre_hook(enter) for module in seen]
    handles += [module.register_forward_hook(leave, with_kwargs=True) for module in seen]
    model.eval()
    try:
        with torch.no_grad():
            for _ in range(2):
                _one_run(model, inputs, seen)
            for layer in seen.values():
                layer.best = float("inf")
            return [_one_run(model, inputs, seen) for _ in range(runs)]
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in modes.items():
            module.training = mode


def _one_run(model: nn.Module, inputs: tuple[Any, ...], seen: dict[nn.Module, _Seen]) -> tuple[float, float]:
    """Seconds of the whole call, and of it without the layers."""
    for layer in seen.values():
        layer.seconds, layer.bytes = 0.0, 0
    started = _now()
    model(*inputs)
    total = _now() - started
    for layer in seen.values():
        layer.best = min(layer.best, layer.seconds)
    return total, total - sum(layer.seconds for layer in seen.values())


def _now() -> float:
    wait_for_gpu()
    return time.perf_counter()


def _bytes(*nests: Any) -> int:
    return sum(leaf.numel() * leaf.element_size() for leaf in tree_leaves(nests) if isinstance(leaf, Tensor))


def _device_of(model: nn.Module, inputs: tuple[Any, ...]) -> torch.device:
    tensors = (leaf for leaf in (*tree_leaves(inputs), *model.parameters()) if isinstance(leaf, Tensor))
    return next((tensor.device for tensor in tensors), torch.device("cpu"))


def _rate(row: LayerCount, module: nn.Module, seen: _Seen, machine: Ceilings) -> LayerRate:
    attainable = machine.attainable(row.macs / seen.bytes)
    return LayerRate(row.name, _kind(module), row.macs, seen.bytes, seen.best, attainable)


def _kind(module: nn.Module) -> str:
    kind = type(module).__name__
    if not hasattr(module, "kernel_size"):
        return kind
    kind += " " + "x".join(map(str, module.kernel_size))
    if module.groups == 1:
        return kind
    return f"{kind} {'depthwise' if module.groups == module.in_channels else 'grouped'}"
