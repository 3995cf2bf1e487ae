"""What a benchmark script says about its operation: the problems, the contenders, the predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

__all__ = ["Case", "Contender", "Family", "Medians", "Prediction", "Unavailable"]

# (name of the case, name of the contender) -> median seconds
Medians = Mapping[tuple[str, str], float]


class Unavailable(Exception):
    """Raised by a contender's `prepare` when it cannot run this case; the message is shown in its place."""


@dataclass(frozen=True)
class Case:
    """One problem: its inputs, its true result and the least that any implementation must do.

    name         one row of the table, such as "4096x4096x512 90% float16"; unique in the run.
    parameters   the same as data, for the result file: plain strings and numbers.
    make         seed -> inputs on the measured device; anything the contenders understand. Called several times
                 with different seeds, so that timed calls find none of their inputs in the cache.
    oracle       inputs -> the result in float64.
    bytes        the least bytes to move: each input read once, each output written once.
    operations   the least operations; a multiplication and an addition count as two.
    arithmetic   which measured peak bounds them: a key of `measure.ceilings.ARITHMETICS`, such as "float32" or "int8".
    tolerance    the largest relative error (Frobenius norm) that passes.
    """

    name: str
    parameters: Mapping[str, Any]
    make: Callable[[int], Any]
    oracle: Callable[[Any], Tensor]
    bytes: int
    operations: int
    arithmetic: str
    tolerance: float


@dataclass(frozen=True)
class Contender:
    """One implementation.

    prepare   inputs -> a call without arguments that returns the result. Converting formats belongs here, outside the
              timed part. May raise Unavailable; any other exception of a peer is recorded as its reason too.
    ours      a peer if False. A wrong result of ours stops the run; a wrong peer is left out of the timing.
    """

    name: str
    prepare: Callable[[Any], Callable[[], Tensor]]
    ours: bool = False


@dataclass(frozen=True)
class Prediction:
    """What was expected before measuring, kept beside what came out.

    claim   a sentence with a number in it.
    ratio   medians -> the measured number; may raise KeyError where its rows were not measured.
    low, high   the claim holds if the number lies between them.
    """

    claim: str
    ratio: Callable[[Medians], float]
    low: float = 0.0
    high: float = float("inf")


@dataclass(frozen=True)
class Family:
    """One benchmark script.

    checks       (device, quick) -> cases that every contender must get right before anything is timed; awkward shapes.
    cases        (device, quick) -> cases to time.
    contenders   (device, case) -> contenders for it, ours and every peer.
    predictions  compared with the medians after the run; those whose rows were not measured are left out.
    """

    name: str
    checks: Callable[[torch.device, bool], Sequence[Case]]
    cases: Callable[[torch.device, bool], Sequence[Case]]
    contenders: Callable[[torch.device, Case], Sequence[Contender]]
    predictions: Sequence[Prediction] = field(default=())
