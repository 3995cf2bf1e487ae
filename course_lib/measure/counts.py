"""Parameters, multiply-accumulates and activations of a network, counted while it runs once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from course_lib.dtypes import dtype_name
from course_lib.measure.products import Product, WatchProducts
from course_lib.measure.table import Table

__all__ = ["Counts", "LayerCount", "count"]

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_MULTIPLYING = (*_CONVOLUTIONS, *_TRANSPOSED, nn.Linear, nn.RNNBase)
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
    macs         multiply-accumulates of convolutions, transposed convolutions, linear and recurrent layers, and of
        matrix products written with operators or functions (`a @ b`, `F.linear`, `F.scaled_dot_product_attention`),
        which stand with the module whose `forward` they are in. Not counted: biases, normalisation, activation
        functions, pooling, and products written number by number (`a * b`) or as `F.conv2d`.
    activations  numbers that layers with weights put out (Radosavovic et al., "Designing network design spaces",
        2020); products of two activations, as attention has them, add none.
    layers       one entry per layer that owns parameters or multiplies, in the order of the model.
    uncounted    layers that own a weight matrix whose products were not seen: of a kind that is not counted, such as
        nn.Bilinear, or not used in this call.
    bytes_per_dtype  what the parameters take, such as {"float32": 4000, "float16": 20}.
    """

    parameters: int
    macs: int
    activations: int
    layers: tuple[LayerCount, ...]
    uncounted: tuple[str, ...] = ()
    bytes_per_dtype: dict[str, int] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """What the parameters take, each in its own type; buffers, such as running statistics, come on top."""
        return sum(self.bytes_per_dtype.values())

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

    output: tuple[int, ...] = ()
    macs: int = 0
    activations: int = 0


def count(model: nn.Module, *inputs: Any) -> Counts:
    """Run `model(*inputs)` once, without gradients and in evaluation mode, and count.

    inputs  as the model takes them, such as a tensor [1, 3, 224, 224] for the cost of one image.

    A convolution uses each number of its weight once at each position of its output, whatever its stride, dilation,
    padding and groups are; a transposed one at each position of its input; a linear layer for each row; a recurrent
    layer for each token. Attention [L queries, S keys] costs L * S products for each number of a query and of a
    value, whatever the mask hides.
    """
    seen = {module: _Seen() for module in model.modules()}
    running: list[nn.Module] = []  # innermost last
    weights = {_storage(own): own for own in model.parameters() if not nn.parameter.is_lazy(own)}
    multiplied: set[nn.Parameter] = set()

    def product_seen(product: Product) -> None:
        if running and isinstance(running[-1], _MULTIPLYING):
            return  # counted whole, by the layer's own rule
        entry = seen[running[-1] if running else model]
        entry.macs += product.macs
        used = {weights[_storage(factor)] for factor in product.factors if _storage(factor) in weights}
        entry.activations += product.output if used else 0
        multiplied.update(used)

    def note(module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        entry = seen[module]
        running.pop()
        entry.output = tuple(output.shape) if isinstance(output, Tensor) else ()
        if isinstance(module, _MULTIPLYING):
            result = output[0] if isinstance(output, tuple) else output
            entry.macs += _macs(module, arguments[0] if arguments else named["input"], result)
            entry.activations += _rows(result).numel()
            multiplied.update(module.parameters(recurse=False))

    _run(model, inputs, running.append, note, product_seen)
    owned = _owned_parameters(model)
    layers, uncounted = [], []
    for name, module in model.named_modules():
        entry, parameters = seen[module], owned[module]
        if parameters or entry.macs:
            size = sum(parameter.numel() for parameter in parameters)
            kind = type(module).__name__
            layers.append(LayerCount(name or kind, kind, entry.output, size, entry.macs, entry.activations))
        if _hides_products(module, multiplied):
            uncounted.append(name or type(module).__name__)
    return Counts(
        parameters=sum(row.parameters for row in layers),
        macs=sum(row.macs for row in layers),
        activations=sum(row.activations for row in layers),
        layers=tuple(layers),
        uncounted=tuple(uncounted),
        bytes_per_dtype=_bytes_per_dtype(model),
    )


def _macs(module: nn.Module, given: Tensor | PackedSequence, output: Tensor | PackedSequence) -> int:
    if isinstance(module, nn.RNNBase):
        matrices = sum(own.numel() for own in module.parameters() if own.ndim == 2)
        return matrices * (_rows(given).numel() // module.input_size)
    assert isinstance(given, Tensor) and isinstance(output, Tensor)  # only recurrent layers take packed sequences
    if isinstance(module, _CONVOLUTIONS):
        return module.weight.numel() * (output.numel() // module.out_channels)
    if isinstance(module, _TRANSPOSED):
        return module.weight.numel() * (given.numel() // module.in_channels)
    assert isinstance(module, nn.Linear)
    return module.weight.numel() * (output.numel() // module.out_features)


def _rows(sequence: Tensor | PackedSequence) -> Tensor:
    return sequence.data if isinstance(sequence, PackedSequence) else sequence


def _storage(tensor: Tensor) -> int:
    """Identifies the memory behind a tensor and its views, on the meta device too."""
    return tensor.untyped_storage()._cdata


def _owned_parameters(model: nn.Module) -> dict[nn.Module, list[nn.Parameter]]:
    """The parameters each module holds itself; a shared one stands with the first module that holds it."""
    owned: dict[nn.Module, list[nn.Parameter]] = {}
    met: set[nn.Parameter] = set()
    for module in model.modules():
        owned[module] = [own for own in module.parameters(recurse=False) if own not in met]
        met.update(owned[module])
    return owned


def _bytes_per_dtype(model: nn.Module) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for own in model.parameters():
        name = dtype_name(own.dtype)
        sizes[name] = sizes.get(name, 0) + own.numel() * own.element_size()
    return sizes


def _hides_products(module: nn.Module, multiplied: set[nn.Parameter]) -> bool:
    if isinstance(module, _NO_PRODUCTS):
        return False
    own = dict(module.named_parameters(recurse=False))
    matrices = [weight for name, weight in own.items() if weight.ndim >= 2 and "weight" in name]
    return any(weight not in multiplied for weight in matrices)


def _run(
    model: nn.Module,
    inputs: tuple[Any, ...],
    enter: Callable[[nn.Module], None],
    leave: Callable[..., None],
    product_seen: Callable[[Product], None],
) -> None:
    modes = {module: module.training for module in model.modules()}
    handles = [module.register_forward_pre_hook(lambda module, _: enter(module)) for module in modes]
    handles += [module.register_forward_hook(leave, with_kwargs=True) for module in modes]
    fast_attention = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # one fused operator, in which no product can be seen
    model.eval()  # batch normalisation keeps its statistics, and one image is enough for it
    try:
        with torch.no_grad(), WatchProducts(product_seen):
            model(*inputs)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_attention)
        for handle in handles:
            handle.remove()
        for module, mode in modes.items():
            module.training = mode
