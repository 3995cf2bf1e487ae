"""How much memory a call needs at its worst moment, beyond what was there before."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from course_lib.measure.units import with_prefix

__all__ = ["PeakMemory", "peak_memory"]


@dataclass(frozen=True, repr=False)
class PeakMemory:
    """Bytes that a call allocated on one device.

    bytes    the most that was in use at one moment.
    kept     still in use when the call was over: its result, gradients, what it stored elsewhere.
    device   "cpu", or the GPU's name.
    history  bytes in use after each operation that made a new tensor; on the CPU only.
    """

    bytes: int
    kept: int
    device: str
    history: tuple[int, ...] = ()

    def __repr__(self) -> str:
        return f"{with_prefix(self.bytes, 'B')} at the peak, {with_prefix(self.kept, 'B')} kept, on {self.device}"


def peak_memory(call: Callable[[], Any], *, warmup: int = 0) -> PeakMemory:
    """Run `call()` once, after `warmup` unmeasured calls, and find the peak of what it allocates.

    Tensors that exist before the call count for nothing, also if the call frees them: make the input inside the call
    if it should count. A view shares its tensor's memory, and an in-place operation needs none.

    On the CPU the sizes of all tensors' storages alive at once are summed, to the byte; forward and backward passes
    are seen alike. Not seen: scratch space that one kernel takes and gives back within itself (a convolution may
    reorder its input there, which differs between processors), memory of NumPy and Python, tensors made by other
    threads. On a GPU it is `torch.cuda.max_memory_allocated`: scratch space is included, sizes are rounded up to
    512 bytes, and the first call of some operations also allocates a workspace that stays (`warmup=1` leaves it out).
    A call that allocates on the GPU is reported for the GPU alone.

    Cyclic garbage is collected before the call, not during it, so that two measurements agree.

    Raises ValueError if `warmup` is below 0.
    """
    if warmup < 0:
        raise ValueError(f"peak_memory needs a warmup of 0 or more, not {warmup}")
    for _ in range(warmup):
        call()
    on_gpu = torch.cuda.is_initialized()
    with _without_collection(), _Storages() as storages:
        before = _start_gpu() if on_gpu else 0
        result = call()
        gpu = _read_gpu(before) if on_gpu else None
        kept = storages.now
        del result  # held until here: it is part of what is kept
    if gpu is not None and gpu.bytes:
        return gpu
    return PeakMemory(storages.peak, kept, "cpu", tuple(storages.history))


def _start_gpu() -> int:
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_allocated()


def _read_gpu(before: int) -> PeakMemory:
    torch.cuda.synchronize()
    peak, now = torch.cuda.max_memory_allocated(), torch.cuda.memory_allocated()
    return PeakMemory(peak - before, max(now - before, 0), torch.cuda.get_device_name())


@contextmanager
def _without_collection() -> Iterator[None]:
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


class _Storages(TorchDispatchMode):
    """Sums the CPU storages that operations make, from the operation that shows each first until it is freed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.history: list[int] = []
        self._sizes: dict[int, int | None] = {}  # storage address -> bytes counted, None for one from before

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing here is compiled, and importing the compiler takes seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = list(_cpu_storages((args, kwargs)))
        fresh = func in _HANDS_OVER  # its argument was made out of sight, by `torch.tensor([1, 2])`
        for storage in given:
            self._meet(storage, count=fresh and storage.resizable())  # memory of NumPy's is not
        result = func(*args, **kwargs)
        before = self.now
        for storage in (*given, *_cpu_storages(result)):
            self._meet(storage, count=True)
        if self.now != before or fresh:
            self.peak = max(self.peak, self.now)
            self.history.append(self.now)
        return result

    def _meet(self, storage: torch.UntypedStorage, *, count: bool) -> None:
        address = storage._cdata
        if address not in self._sizes:
            weakref.finalize(storage, self._forget, address).atexit = False
            self._sizes[address] = 0 if count else None
        counted = self._sizes[address]
        if counted is not None:
            self._sizes[address] = storage.nbytes()  # `resize_` changes the size of a known one
            self.now += storage.nbytes() - counted

    def _forget(self, address: int) -> None:
        self.now -= self._sizes.pop(address) or 0


_HANDS_OVER = (torch.ops.aten.lift_fresh.default, torch.ops.aten.lift.default)


def _cpu_storages(nest: Any) -> Iterator[torch.UntypedStorage]:
    for leaf in tree_leaves(nest):
        if isinstance(leaf, Tensor) and leaf.device.type == "cpu":
            yield from (part.untyped_storage() for part in _strided_parts(leaf))


def _strided_parts(tensor: Tensor) -> tuple[Tensor, ...]:
    if tensor.layout is torch.strided:
        return (tensor,)
    if tensor.layout is torch.sparse_coo:
        return tensor._indices(), tensor._values()
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        return tensor.crow_indices(), tensor.col_indices(), tensor.values()
    if tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        return tensor.ccol_indices(), tensor.row_indices(), tensor.values()
    return ()  # oneDNN's own layout has no storage that Python can see
