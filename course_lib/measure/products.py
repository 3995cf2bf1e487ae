"""Sees the matrix products that run inside a call, whichever operator or function asked for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["Product", "WatchProducts"]

_FACTORS = {
    "mm": (0, 1),
    "bmm": (0, 1),
    "mv": (0, 1),
    "dot": (0, 1),
    "addmm": (1, 2),
    "addmv": (1, 2),
    "baddbmm": (1, 2),
}


@dataclass(frozen=True)
class Product:
    """One product: its multiply-accumulates, how many numbers it gave, and the tensors it multiplied."""

    macs: int
    output: int
    factors: tuple[Tensor, ...]


class WatchProducts(TorchDispatchMode):
    """While active, calls `seen(product)` for every matrix product and every fused attention.

    `@`, torch.matmul, torch.einsum, F.linear and F.scaled_dot_product_attention all arrive here as a few operators of
    torch. Convolutions and products number by number do not count.
    """

    def __init__(self, seen: Callable[[Product], None]) -> None:
        super().__init__()
        self._seen = seen

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing here is compiled, and importing the compiler takes seconds

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in _FACTORS:
            left, right = (args[index] for index in _FACTORS[name])
            self._seen(Product(output.numel() * left.shape[-1], output.numel(), (left, right)))
        elif name.startswith("_scaled_dot_product"):  # one operator for each kind of processor
            query, key, value = args[:3]
            per_pair = query.shape[-1] + value.shape[-1]
            pairs = query.shape[:-1].numel() * key.shape[-2]
            self._seen(Product(pairs * per_pair, output[0].numel(), (query, key, value)))
        return output
