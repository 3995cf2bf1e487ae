"""What a room's `problems.py` is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

__all__ = ["Problem"]


@dataclass(frozen=True, eq=False)
class Problem:
    """One call of an operation, and what its result must be.

    name     what is special about it: "an empty row", "65 x 63 x 101".
    args, named   for the operation, on the CPU. Tensors that have a gradient require it.
    check    result on the CPU -> nothing, or AssertionError. It compares with an oracle that shares no code with the
             operation (scipy, NumPy in float64, a closed form), as closely as rounding allows.
    closely  looked at from all sides: `cuda.check`, `opcheck`, torch.compile. Seconds each: keep these small and few.
    """

    name: str
    args: tuple[Any, ...]
    check: Callable[[Tensor], None]
    named: Mapping[str, Any] = field(default_factory=dict)
    closely: bool = False

    def call(self, function: Callable[..., Any], **how: Any) -> Any:
        """The operation's result; `how` is version=..., explain=True."""
        return function(*self.args, **self.named, **how)

    def on(self, device: str) -> Problem:
        """The same call with everything on another device; the result still goes to `check` on the CPU."""
        args = tuple(_moved(each, device) for each in self.args)
        named = {name: _moved(each, device) for name, each in self.named.items()}
        return Problem(self.name, args, self.check, named, self.closely)

    def __str__(self) -> str:
        return self.name


def _moved(value: Any, device: str) -> Any:
    return value.to(device) if hasattr(value, "to") else value
