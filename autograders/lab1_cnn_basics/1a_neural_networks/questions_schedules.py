"""1a: learning-rate schedules. Oracles: the rates that torch's own schedulers give an optimizer, and closed forms."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import torch

from autograders.engine.asking.comparison import close
from autograders.engine.asking.inputs import Inputs
from autograders.engine.asking.question import Cases, question
from autograders.engine.asking.reference import Reference
from autograders.engine.asking.remote import Student


def scheduled(make: Callable[[torch.optim.Optimizer], torch.optim.lr_scheduler.LRScheduler], steps: int) -> list[float]:
    """The learning rate of each step under one of torch's schedulers, from a rate of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    scheduler, rates = make(optimizer), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def rising(warmup: int) -> list[float]:
    return (np.arange(1, warmup + 1) / warmup).tolist()


@question("multi_stage")
def multi_stage(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    warmup, gamma = rng.integer(3, 9), rng.number(0.2, 0.6)
    gaps = rng.integers(3, 9, 4)
    milestones = (warmup + gaps[:3].cumsum(0)).tolist()
    end = milestones[-1] + 5

    def factors(steps, warmup: int, milestones: list[int]) -> list[float]:
        return [student.multi_stage(step, warmup, milestones, gamma) for step in steps]

    def stages(steps, milestones: list[int]) -> list[float]:
        return (gamma ** np.searchsorted(milestones, list(steps), side="right")).tolist()

    with case("the warm-up"):
        hint = "Step zero moves already, and the last step of the warm-up has the whole rate."
        close(factors(range(warmup), warmup, milestones), rising(warmup), hint=hint)
    with case("from the warm-up to the first milestone"):
        steps = range(warmup - 2, milestones[0])
        whole = [1.0] * (milestones[0] - warmup)
        hint = "A factor is asked for, not a rate."
        close(factors(steps, warmup, milestones), rising(warmup)[-2:] + whole, hint=hint)
    with case("the steps of the milestones and those before them"):
        steps = [step for milestone in milestones for step in (milestone - 1, milestone)]
        hint = "At the milestone itself the factor has fallen."
        close(factors(steps, warmup, milestones), stages(steps, milestones), hint=hint)
    with case("after the second and the third milestone"):
        steps = range(milestones[1] + 1, end)
        hint = "The factor falls anew at every milestone."
        close(factors(steps, warmup, milestones), stages(steps, milestones), hint=hint)
    with case("no warm-up, beside torch's MultiStepLR"):
        given = gaps.cumsum(0).tolist()
        steps = range(given[-1] + 3)
        make = torch.optim.lr_scheduler.MultiStepLR
        expected = scheduled(lambda optimizer: make(optimizer, given, gamma), len(steps))
        close(factors(steps, 0, given), expected, hint="A warm-up of zero steps means none.")
    with case("no milestones"):
        close(factors(range(end), warmup, []), rising(warmup) + [1.0] * (end - warmup))
    with case("a milestone right at the end of the warm-up, and the next one a step later"):
        given = [warmup, warmup + 1]
        steps = range(warmup, warmup + 4)
        close(factors(steps, warmup, given), stages(steps, given), hint="Milestones are counted from step zero.")


@question("warmup_cosine")
def warmup_cosine(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    warmup, floor = rng.integer(3, 8), rng.number(0.1, 0.4)
    wave = rng.integer(9, 16)
    total = warmup + wave

    def factors(steps, *args, **kwargs) -> list[float]:
        return [student.warmup_cosine(step, *args, **kwargs) for step in steps]

    def falling(length: int, floor: float) -> list[float]:
        """`length` + 1 factors, from 1 to the floor."""
        make = torch.optim.lr_scheduler.CosineAnnealingLR
        return scheduled(lambda optimizer: make(optimizer, T_max=length, eta_min=floor), length + 1)

    with case("the warm-up"):
        hint = "Step zero moves already, and the last step of the warm-up has the whole rate."
        close(factors(range(warmup), warmup, total, floor), rising(warmup), hint=hint)
    with case("the wave, down to zero"):
        hint = "The wave starts where the warm-up ends and takes all steps that are left."
        close(factors(range(warmup, total + 1), warmup, total), falling(wave, 0.0), hint=hint)
    with case("the wave, down to a floor"):
        hint = "The floor squeezes the wave; it neither lifts it nor cuts it off."
        close(factors(range(warmup, total + 1), warmup, total, floor=floor), falling(wave, floor), hint=hint)
    with case("the end and after it"):
        steps = (total - 1, *range(total, total + wave + 2))
        for low in (0.0, floor):
            expected = [falling(wave, low)[-2]] + [low] * (wave + 2)
            close(factors(steps, warmup, total, low), expected, hint="The factor stays at the floor.")
    with case("no warm-up"):
        expected = falling(wave, floor)
        close(factors(range(wave + 1), 0, wave, floor), expected, hint="A warm-up of zero steps means none.")
    with case("a single step after the warm-up"):
        steps = range(warmup - 1, warmup + 2)
        close(factors(steps, warmup, warmup + 1, floor), [1.0, 1.0, floor])
    with case("warm-ups and waves of several lengths"):
        for length, rest in itertools.product((1, 2), (2, 5)):
            expected = rising(length) + falling(rest, floor)
            close(factors(range(length + rest + 1), length, length + rest, floor), expected)
