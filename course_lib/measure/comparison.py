"""Which is faster, and how many times? Calls timed in turn, so that a busy machine is as busy for each of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch

from course_lib.busy import BusyWatch
from course_lib.measure.correctness import require_agreement
from course_lib.measure.latency import Latency, undisturbed
from course_lib.measure.sampler import Sampler, interleave

__all__ = ["Comparison", "compare"]

STEADY = 0.1  # the lower quartile may be so much above the fastest sample
SHORTEST = 2e-4  # seconds of a sample, long beside a clock's 100 ns and a thread's waking up

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True, repr=False)
class Comparison(Mapping[Name, float], Generic[Name]):
    """Seconds per call by name, each the lower quartile of its samples, which other programs disturb little; of a call
    whose times did not become steady the fastest sample, which they disturb least.

    seconds    name -> those seconds, also as `found[name]`.
    latencies  name -> Latency, for medians and quartiles.
    remark     a clause for people: that the machine was busy, that times had not become steady; empty if neither.
    """

    seconds: dict[Name, float]
    latencies: dict[Name, Latency]
    remark: str = ""

    def __getitem__(self, name: Name) -> float:
        return self.seconds[name]

    def __iter__(self) -> Iterator[Name]:
        return iter(self.seconds)

    def __len__(self) -> int:
        return len(self.seconds)

    def ratio(self, over: Name | Sequence[Name], under: Name | Sequence[Name]) -> float:
        """How many times as long `over` takes as `under`.

        Two lists of equal length, such as one call on several sizes: the geometric mean of the ratios of their pairs.

        Raises KeyError for a name that was not timed, and ValueError for lists of different lengths.
        """
        first = over if isinstance(over, list) else [over]
        second = under if isinstance(under, list) else [under]
        logarithms = [math.log(self[a] / self[b]) for a, b in zip(first, second, strict=True)]
        return math.exp(sum(logarithms) / len(logarithms))

    def __repr__(self) -> str:
        lines = [f"{name}: {latency}" for name, latency in self.latencies.items()]
        return "\n".join([*lines, *([self.remark] if self.remark else [])])


def compare(
    calls: Mapping[Name, Callable[[], Any]],
    *,
    rounds: int = 15,
    seconds: float = 5.0,
    agree: float | None = None,
    device: torch.device | str = "cpu",
) -> Comparison[Name]:
    """Time the calls in turn, A B A B ..., after one untimed call of each.

    rounds   samples of each at least; a sample repeats a call that is shorter than 0.2 ms.
    seconds  how long more rounds are taken, beyond the first ones, while the lower quartile of any call is more than a
        tenth above its fastest sample: on a busy machine a fifth of the samples may be undisturbed, or none.
    agree    first make sure that all results are equal: tensors whose relative error against the first call's, in the
        Frobenius norm, is not above this number.
    device   "cpu": wall-clock time, work on a GPU included. A CUDA device: time between two events on it, without the
        time that launches take.

    Raises ValueError without calls or for `rounds` below 4, WrongResult (an AssertionError) if results do not agree.
    """
    if not calls or rounds < 4:
        raise ValueError(f"compare needs calls and rounds of 4 or more, not {len(calls)} calls and {rounds} rounds")
    if agree is not None:
        require_agreement(calls, agree)
    watch = BusyWatch()
    with undisturbed():
        samplers = {name: Sampler(torch.device(device), [call], shortest=SHORTEST) for name, call in calls.items()}
        _sample(list(samplers.values()), rounds, seconds)
    steady = all(map(_is_steady, samplers.values()))
    remarks = [watch.remark(), "" if steady else "times had not become steady"]
    return Comparison(
        {
            name: sampler.timing().low if _is_steady(sampler) else min(sampler.seconds)
            for name, sampler in samplers.items()
        },
        {name: sampler.timing() for name, sampler in samplers.items()},
        "; ".join(filter(None, remarks)),
    )


def _sample(samplers: Sequence[Sampler], rounds: int, seconds: float) -> None:
    interleave(samplers, rounds)
    until = time.perf_counter() + seconds
    while not all(map(_is_steady, samplers)) and time.perf_counter() < until:
        interleave(samplers, 1)


def _is_steady(sampler: Sampler) -> bool:
    return sampler.timing().low <= (1 + STEADY) * min(sampler.seconds)
