"""Each multiplying layer's time and bytes in one call of a model, beside what the machine could do."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from course_lib.measure.ceilings import Ceilings
from course_lib.measure.counts import LayerCount
from course_lib.measure.latency import wait_for_gpu

__all__ = ["LayerRate", "Timed", "time_layers"]


@dataclass(frozen=True)
class LayerRate:
    """One layer in one call of the model.

    kind      such as "Conv2d 3x3", "Conv2d 3x3 depthwise", "Linear".
    bytes     its input, its weights and its output, each number moved once: the least that any machine must move.
    seconds   the best of the runs.
    attainable  MAC/s under the machine's ceilings, with all bytes read from memory.
    bound     which of the ceilings that is.
    """

    name: str
    kind: str
    macs: int
    bytes: int
    seconds: float
    attainable: float
    bound: Literal["memory", "arithmetic"]

    @property
    def intensity(self) -> float:
        """MACs per byte."""
        return self.macs / self.bytes

    @property
    def achieved(self) -> float:
        """MAC/s."""
        return self.macs / self.seconds

    @property
    def efficiency(self) -> float:
        """Achieved of attainable; above 1 where caches serve faster than the memory behind them."""
        return self.achieved / self.attainable

    @property
    def remark(self) -> str:
        """Why a layer lies above the roof; empty for those that do not."""
        if self.efficiency <= 1:
            return ""
        return "from cache" if self.bound == "memory" else "above the products measured"


@dataclass(frozen=True)
class Timed:
    """Seconds, the best of the runs: the layers, the whole call, and the call without these layers."""

    layers: tuple[LayerRate, ...]
    whole: float
    rest: float


def time_layers(
    model: nn.Module, inputs: tuple[Any, ...], layers: dict[nn.Module, LayerCount], runs: int, machine: Ceilings
) -> Timed:
    """Call the model `runs` times after two untimed calls, in evaluation mode without gradients."""
    seen = {module: _Seen() for module in layers}
    timed = _run(model, inputs, seen, runs)
    rates = (_rate(row, module, seen[module], machine) for module, row in layers.items())
    return Timed(tuple(rates), min(total for total, _ in timed), min(rest for _, rest in timed))


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


def _rate(row: LayerCount, module: nn.Module, seen: _Seen, machine: Ceilings) -> LayerRate:
    intensity = row.macs / seen.bytes
    bound: Literal["memory", "arithmetic"] = "memory" if intensity < machine.ridge else "arithmetic"
    return LayerRate(row.name, _kind(module), row.macs, seen.bytes, seen.best, machine.attainable(intensity), bound)


def _kind(module: nn.Module) -> str:
    kind = type(module).__name__
    if not hasattr(module, "kernel_size"):
        return kind
    assert isinstance(module.kernel_size, tuple)
    kind += " " + "x".join(map(str, module.kernel_size))
    if module.groups == 1:
        return kind
    return f"{kind} {'depthwise' if module.groups == module.in_channels else 'grouped'}"
