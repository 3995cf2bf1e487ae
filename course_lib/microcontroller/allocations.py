"""How much memory a piece of torch code takes for new tensors, at its busiest moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

__all__ = ["watch_allocations"]


class _Watch(TorchDispatchMode):
    """Counts storages that operators make while the mode is on.

    peak     most bytes of them alive at once.
    largest  bytes of the largest.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = self.largest = 0
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # the default imports torch's compiler at the first operator: seconds, for nothing

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = {_address(tensor) for tensor in tree_iter((args, kwargs)) if isinstance(tensor, torch.Tensor)}
        result = func(*args, **(kwargs or {}))
        self._alive = {key: entry for key, entry in self._alive.items() if not entry[0].expired()}
        for tensor in tree_iter(result):
            if isinstance(tensor, torch.Tensor) and _address(tensor) not in given:
                storage = tensor.untyped_storage()
                self._alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
                self.largest = max(self.largest, storage.nbytes())
        self.peak = max(self.peak, sum(size for _, size in self._alive.values()))
        return result


def _address(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata


@contextmanager
def watch_allocations() -> Iterator[_Watch]:
    """Watch the tensors that a block makes: `with watch_allocations() as watch: ...`, then `watch.peak`, in bytes.

    Tensors that existed before the block do not count, nor views of them, nor what an operator takes for itself while
    it runs, nor NumPy's arrays.
    """
    with torch.no_grad(), _Watch() as watch:
        yield watch
