"""The ceilings of a machine's roofline, measured: how fast it multiplies, and how fast it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

import torch
from torch import Tensor
from torch.nn import functional as F

from course_lib.measure.sampler import Sampler, cache_bytes, fastest
from course_lib.measure.units import with_prefix

__all__ = ["ARITHMETICS", "Ceilings", "ceilings", "peak", "reading_rates"]

_SIDES = {"cpu": (384, 768, 1152), "cuda": (2048, 4096, 8192)}  # of the square matrices
_MAPS = {"cpu": ((1, 256, 28), (2, 128, 56)), "cuda": ((32, 256, 56),)}  # images, channels, side of a 3x3 convolution
_LEAST, _MOST = 1 << 28, 1 << 31  # bytes of the array that lies beyond the cache
_PARTS = {"cpu": 16, "cuda": 1}  # read one after the other, each timed alone


@dataclass(frozen=True, repr=False)
class Ceilings:
    """What a machine can do at best.

    macs_per_second   multiply-accumulates of the fastest large float32 matrix product or convolution.
    bytes_per_second  read from memory, beyond all caches ("cold").
    device            where they were measured.
    cached_bytes_per_second  read from the last cache ("warm"); None if not measured.
    """

    macs_per_second: float
    bytes_per_second: float
    device: str = "cpu"
    cached_bytes_per_second: float | None = None

    def __post_init__(self) -> None:
        if not (self.macs_per_second > 0 and self.bytes_per_second > 0):
            raise ValueError(f"ceilings are above 0, not {self.macs_per_second} MAC/s and {self.bytes_per_second} B/s")

    @property
    def ridge(self) -> float:
        """The arithmetic intensity, in MACs per byte, from which on the arithmetic is the limit."""
        return self.macs_per_second / self.bytes_per_second

    def attainable(self, intensity: float) -> float:
        """MAC/s that work of `intensity` MACs per byte can reach (Williams, Waterman, Patterson, CACM 2009)."""
        return min(self.macs_per_second, self.bytes_per_second * intensity)

    def __repr__(self) -> str:
        rates = f"{with_prefix(self.macs_per_second, 'MAC/s')}, {with_prefix(self.bytes_per_second, 'B/s')} from memory"
        if self.cached_bytes_per_second:
            rates += f", {with_prefix(self.cached_bytes_per_second, 'B/s')} from the cache"
        return f"{rates} on {self.device}, ridge at {self.ridge:.3g} MACs per byte"


def ceilings(device: torch.device | str = "cpu") -> Ceilings:
    """Measure the ceilings in a second or two, once for each device and number of torch's threads.

    The multiplication rate is the best of float32 products and 3x3 convolutions of several sizes: libraries differ, and
    on some processors torch's convolutions are twice as fast as its products. The reading rates are those of sums over
    an array 8 times as large as the last cache, and over one a quarter as large. Reading, and not copying: a copy also
    has the memory that it writes to read first, which nobody counts.

    What other programs do is kept out. All samples are short, a millisecond or so, and the fastest counts: whole passes
    over a large array are interrupted every time, parts of it are not. And where one core is another program's, torch's
    threads wait for the one that it keeps from running, in every sample: so all but one of them are timed too, and the
    better counts (arithmetic scaled up to all threads, since it shares nothing).
    """
    return _measured(str(torch.device(device)), torch.get_num_threads())


@lru_cache(maxsize=8)
def _measured(name: str, threads: int) -> Ceilings:
    device = torch.device(name)
    cold, warm = reading_rates(device)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{name}, {threads} thread"
    return Ceilings(peak(device), cold, where + "s" * (device.type != "cuda" and threads > 1), warm)


def reading_rates(device: torch.device) -> tuple[float, float]:
    """Bytes per second of a sum over float32 numbers: in memory, and in the last cache."""
    cache = cache_bytes(device)
    size = min(max(8 * cache, _LEAST), _MOST)
    array = torch.ones(size // 4, device=device)  # written, so that every page is there before it is read
    parts, near = array.chunk(_PARTS[_kind(device)]), array[: cache // 16]
    cold, warm = [], []
    for _ in _thread_counts(device):
        # every part's own fastest sample: a cache may keep a few parts of an array that is too large for it
        cold.append(array.nbytes / sum(fastest([Sampler(device, [part.sum]) for part in parts], patience=10)))
        warm.append(near.nbytes / fastest([Sampler(device, [near.sum])])[0])
    return max(cold), max(warm)


def peak(device: torch.device, arithmetic: str = "float32") -> float:
    """MAC/s of the fastest large product in this arithmetic (a key of ARITHMETICS), for float32 also convolution.

    As torch is set: with `torch.backends.cudnn.allow_tf32`, which is on unless set otherwise, a GPU's convolutions of
    float32 numbers multiply 10 bits of each. Raises ValueError for another arithmetic.
    """
    if arithmetic not in ARITHMETICS:
        raise ValueError(f"arithmetic is one of {', '.join(ARITHMETICS)}, not {arithmetic!r}")
    with torch.inference_mode():
        work = [(side**3, ARITHMETICS[arithmetic](device, side)) for side in _SIDES[_kind(device)]]
        if arithmetic == "float32":
            work += [_convolution(device, *shape) for shape in _MAPS[_kind(device)]]
        rates = []
        for share in _thread_counts(device):
            seconds = fastest([Sampler(device, [call]) for _, call in work])
            rates.append(max(macs / each for (macs, _), each in zip(work, seconds, strict=True)) / share)
    return max(rates)


def _thread_counts(device: torch.device) -> Iterator[float]:
    """Sets torch to all of its threads, then to all but one, and yields the share of them; a GPU needs none."""
    threads = torch.get_num_threads()
    yield 1.0
    if device.type != "cuda" and threads > 1:
        torch.set_num_threads(threads - 1)
        try:
            yield (threads - 1) / threads
        finally:
            torch.set_num_threads(threads)


def _floating(dtype: torch.dtype) -> Callable[[torch.device, int], Callable[[], Tensor]]:
    def product(device: torch.device, side: int) -> Callable[[], Tensor]:
        left, right = (_random(device, side, side).to(dtype) for _ in range(2))
        return partial(torch.mm, left, right, out=torch.empty_like(left))

    return product


def _int8(device: torch.device, side: int) -> Callable[[], Tensor]:
    left, right = ((50 * _random(device, side, side)).clamp(-128, 127).to(torch.int8) for _ in range(2))
    right = right.t().contiguous().t()  # cuBLASLt wants the second operand by columns
    return partial(torch._int_mm, left, right)


# Rates are those of a large dense product of the vendor's library.
ARITHMETICS = {
    "float32": _floating(torch.float32),
    "float16": _floating(torch.float16),
    "bfloat16": _floating(torch.bfloat16),
    "int8": _int8,
}


def _convolution(device: torch.device, images: int, channels: int, side: int) -> tuple[int, Callable[[], Tensor]]:
    x = _random(device, images, channels, side, side).to(memory_format=torch.channels_last)
    weight = _random(device, channels, channels, 3, 3).to(memory_format=torch.channels_last)
    return images * side**2 * channels**2 * 9, partial(F.conv2d, x, weight, padding=1)


def _random(device: torch.device, *shape: int) -> Tensor:
    """From a stream of its own: measuring changes no number that a notebook draws. Equal numbers would cost a GPU less
    power, and let it run faster than any real work."""
    return torch.randn(*shape, device=device, generator=torch.Generator(device).manual_seed(len(shape)))


def _kind(device: torch.device) -> str:
    return device.type if device.type in _SIDES else "cpu"
