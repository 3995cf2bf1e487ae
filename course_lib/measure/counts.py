"""Parameters, multiply-accumulates and activations of a network, counted while it runs once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.measure.table import Table

__all__ = ["Counts", "LayerCount", "count"]

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_MULTIPLYING = (*_CONVOLUTIONS, *_TRANSPOSED, nn.Linear)
_NO_PRODUCTS = (nn.Embedding, nn.EmbeddingBag, nn.LayerNorm, nn.RMSNorm)  # look rows up, or scale number by number


@dataclass(frozen=True)
class LayerCount:
    """One layer: its path in the model, its class, the shape of its last output (empty if not called), its counts."""

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    macs: int
    activations: int


@dataclass(frozen=True, repr=False)
class Counts:
    """The cost of one call, for everything in it: a batch of 8 costs 8 times the MACs of one image.

    parameters   trained numbers in the whole model; one that several layers share counts once.
    macs         multiply-accumulates of convolutions, transposed convolutions and linear layers. Not counted: biases,
        normalisation, activation functions, pooling, and products written with operators or functions
        (`a @ b`, `F.conv2d`).
    activations  numbers that those layers put out (Radosavovic et al., "Designing network design spaces", 2020).
    layers       one entry per layer that owns parameters or multiplies, in the order of the model.
    uncounted    layers that own a weight matrix whose products were not seen: of a kind that is not counted, such as
        nn.LSTM, or not called as a module.
    """

    parameters: int
    macs: int
    activations: int
    layers: tuple[LayerCount, ...]
    uncounted: tuple[str, ...] = ()

    def __repr__(self) -> str:
        text = f"{self.parameters:,} parameters, {self.macs:,} MACs, {self.activations:,} activations"
        return text + (f" (products not counted in: {', '.join(self.uncounted)})" if self.uncounted else "")

    def table(self) -> list[LayerCount]:
        """The rows of `layers`; each column's sum is the model's total."""
        return list(self.layers)

    def show(self) -> None:
        """Display the rows and their total: as HTML in a notebook, as text elsewhere."""
        rows = [
            (row.name, row.kind, " x ".join(map(str, row.output)), row.parameters, row.macs, row.activations)
            for row in self.layers
        ]
        rows.append(("total", "", "", self.parameters, self.macs, self.activations))
        Table(("layer", "kind", "output", "parameters", "MACs", "activations"), rows).show()
        if self.uncounted:
            print(f"Products not counted in: {', '.join(self.uncounted)}")


@dataclass
class _Seen:
    """What the hook of one module saw."""

    calls: int = 0
    output: tuple[int, ...] = ()
    macs: int = 0
    activations: int = 0


def count(model: nn.Module, *inputs: Any) -> Counts:
    """Run `model(*inputs)` once, without gradients and in evaluation mode, and count.

    inputs  as the model takes them, such as a tensor [1, 3, 224, 224] for the cost of one image.

    A convolution uses each number of its weight once at each position of its output, whatever its stride, dilation,
    padding and groups are; a transposed one at each position of its input; a linear layer for each row.
    """
    seen = {module: _Seen() for module in model.modules()}

    def note(module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        entry = seen[module]
        entry.calls += 1
        entry.output = tuple(output.shape) if isinstance(output, Tensor) else ()
        if isinstance(module, _MULTIPLYING):
            entry.macs += _macs(module, arguments[0] if arguments else named["input"], output)
            entry.activations += output.numel()

    _run(model, inputs, note)
    owned = _owned_parameters(model)
    layers, uncounted = [], []
    for name, module in model.named_modules():
        entry, parameters = seen[module], owned[module]
        if parameters or entry.macs:
            size = sum(parameter.numel() for parameter in parameters)
            kind = type(module).__name__
            layers.append(LayerCount(name or kind, kind, entry.output, size, entry.macs, entry.activations))
        if _hides_products(module, entry.calls):
            uncounted.append(name or type(module).__name__)
    return Counts(
        parameters=sum(row.parameters for row in layers),
        macs=sum(row.macs for row in layers),
        activations=sum(row.activations for row in layers),
        layers=tuple(layers),
        uncounted=tuple(uncounted),
    )


def _macs(module: nn.Module, given: Tensor, output: Tensor) -> int:
    if isinstance(module, _CONVOLUTIONS):
        return module.weight.numel() * (output.numel() // module.out_channels)
    if isinstance(module, _TRANSPOSED):
        return module.weight.numel() * (given.numel() // module.in_channels)
    return module.weight.numel() * (output.numel() // module.out_features)


def _owned_parameters(model: nn.Module) -> dict[nn.Module, list[nn.Parameter]]:
    """The parameters each module holds itself; a shared one stands with the first module that holds it."""
    owned: dict[nn.Module, list[nn.Parameter]] = {}
    met: set[nn.Parameter] = set()
    for module in model.modules():
        owned[module] = [own for own in module.parameters(recurse=False) if own not in met]
        met.update(owned[module])
    return owned


def _hides_products(module: nn.Module, calls: int) -> bool:
    if isinstance(module, _MULTIPLYING):
        return calls == 0
    matrices = [name for name, own in module.named_parameters(recurse=False) if own.ndim >= 2]
    return not isinstance(module, _NO_PRODUCTS) and any("weight" in name for name in matrices)


def _run(model: nn.Module, inputs: tuple[Any, ...], note: Callable[..., None]) -> None:
    modes = {module: module.training for module in model.modules()}
    handles = [module.register_forward_hook(note, with_kwargs=True) for module in modes]
    model.eval()  # batch normalisation keeps its statistics, and one image is enough for it
    try:
        with torch.no_grad():
            model(*inputs)
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in modes.items():
            module.training = mode
