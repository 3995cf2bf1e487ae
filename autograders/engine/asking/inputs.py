"""`rng` of a question: inputs from a logged seed, the same for a whole class, another stream for each question."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, TypeVar

import torch

from autograders.engine.isolation.inside.wire import Seeded

__all__ = ["Inputs"]

Item = TypeVar("Item")


class Inputs:
    """Random tensors and numbers. One (seed, name) gives one stream, on every machine with this torch version."""

    def __init__(self, seed: int, name: str) -> None:
        digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
        self._generator = torch.Generator().manual_seed(int.from_bytes(digest[:6], "little"))

    def normal(self, *shape: int, mean: float = 0.0, std: float = 1.0) -> torch.Tensor:
        """float32, normally distributed."""
        return torch.randn(shape, generator=self._generator) * std + mean

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
        """float32, low <= value < high."""
        return torch.rand(shape, generator=self._generator) * (high - low) + low

    def integers(self, low: int, high: int, *shape: int) -> torch.Tensor:
        """int64, low <= value < high."""
        return torch.randint(low, high, shape, generator=self._generator)

    def permutation(self, count: int) -> torch.Tensor:
        """int64 [count], 0 to count - 1 in random order."""
        return torch.randperm(count, generator=self._generator)

    def integer(self, low: int, high: int) -> int:
        """One whole number, low <= value < high."""
        return int(self.integers(low, high, 1))

    def number(self, low: float = 0.0, high: float = 1.0) -> float:
        return float(self.uniform(1, low=low, high=high))

    def choice(self, items: Sequence[Item]) -> Item:
        return items[self.integer(0, len(items))]

    def generator(self) -> Seeded:
        """A seeded torch.Generator to pass to the student; equal ones draw equal numbers."""
        return Seeded(self.integer(0, 2**31))

    def text(self, length: int, letters: str = "abcdefghijklmnopqrstuvwxyz ") -> str:
        return "".join(letters[index] for index in self.integers(0, len(letters), length).tolist())

    def copy(self, value: Any) -> Any:
        """A deep copy: for an oracle that would change what it is given."""
        import copy

        return copy.deepcopy(value)
