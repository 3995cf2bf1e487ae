"""Comparisons with a clock that the test moves, and two with real ones: which call is faster, under any load."""

import itertools
import math
import random
import sys

import pytest
import torch

from course_lib import measure
from course_lib.measure import Comparison, Latency, comparison, sampler
from course_lib.measure.correctness import WrongResult


class Clock:
    now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    for module in (sampler, comparison):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(sys.modules["course_lib.measure.latency"], "time", clock)
    monkeypatch.setattr(comparison.BusyWatch, "remark", lambda self: "")
    return clock


def taking(clock, seconds, log=None, name=None):
    """A call whose time is the next of an iterator, or always the same."""
    durations = seconds if hasattr(seconds, "__next__") else itertools.repeat(seconds)

    def call():
        clock.now += next(durations)
        if log is not None:
            log.append(name)

    return call


def test_calls_take_turns(clock):
    log = []
    found = measure.compare({name: taking(clock, 1.0, log, name) for name in "abc"}, rounds=5)
    assert "".join(log[-15:]) == "abc" * 5
    assert list(found) == ["a", "b", "c"] and len(found) == 3


def test_a_quarter_of_undisturbed_samples_is_enough(clock):
    """Two of three samples take five times as long, as beside another program; the two calls' disturbances differ."""
    draw = random.Random(0)
    disturbed = (5 * 1.0 if draw.random() < 0.66 else 1.0 for _ in itertools.count())
    also = (5 * 3.0 if draw.random() < 0.66 else 3.0 for _ in itertools.count())
    found = measure.compare({"a": taking(clock, disturbed), "b": taking(clock, also)}, rounds=40, seconds=1e4)
    assert found.ratio("b", "a") == pytest.approx(3)
    assert found["a"] == 1 and found.latencies["a"].median == 5
    assert found.remark == ""


def test_unsteady_times_are_measured_further_and_settle(clock):
    first = itertools.chain([1.0, 1.0, 1.0, *[7.0] * 7], itertools.repeat(1.0))
    found = measure.compare({"a": taking(clock, first)}, rounds=8, seconds=1e4)
    assert found["a"] == 1
    assert found.latencies["a"].runs > 8
    assert found.remark == ""


def test_times_that_never_settle_are_said(clock):
    ever = (1.0 + n for n in itertools.count())
    found = measure.compare({"a": taking(clock, ever)}, rounds=8, seconds=100)
    assert found.remark == "times had not become steady"
    assert found["a"] < found.latencies["a"].low  # of what was disturbed all the time, the fastest sample
    assert repr(found).endswith("times had not become steady")


def test_a_busy_machine_is_said(clock, monkeypatch):
    monkeypatch.setattr(comparison.BusyWatch, "remark", lambda self: "this machine is busy: so much")
    assert measure.compare({"a": taking(clock, 1.0)}).remark == "this machine is busy: so much"


def quiet(**seconds):
    return Comparison(seconds, {name: Latency(9, value, 9, 5) for name, value in seconds.items()})


def test_ratio_over_several_sizes_is_the_geometric_mean():
    found = quiet(a1=2.0, a2=18.0, b1=1.0, b2=1.0)
    assert found.ratio("a1", "b1") == pytest.approx(2)
    assert found.ratio(["a1", "a2"], ["b1", "b2"]) == pytest.approx(math.sqrt(2 * 18))
    assert found.ratio(["a1"], ["b1"]) * found.ratio(["b1"], ["a1"]) == pytest.approx(1)
    with pytest.raises(ValueError):
        found.ratio(["a1", "a2"], ["b1"])
    with pytest.raises(KeyError):
        found.ratio("a1", "c")


def test_names_may_be_tuples(clock):
    found = measure.compare({("a", 1): taking(clock, 1.0), ("b", 1): taking(clock, 2.0)})
    assert found.ratio(("b", 1), ("a", 1)) == 2


def test_what_does_not_agree_is_not_timed(clock):
    x, timed = torch.rand(9), []
    with pytest.raises(WrongResult, match="wrong and right differ"):
        measure.compare({"right": lambda: x, "wrong": lambda: timed.append(1) or x + 1}, agree=1e-3)
    assert timed == [1]


@pytest.mark.parametrize(("calls", "rounds"), [({}, 10), ({"a": int}, 3)])
def test_refusals(calls, rounds):
    with pytest.raises(ValueError, match="calls and rounds of 4 or more"):
        measure.compare(calls, rounds=rounds)


def test_real_calls_are_told_apart():
    calls = {n: lambda n=n: sum(range(n)) for n in (100_000, 1_000)}
    found = measure.compare(calls, rounds=9)
    assert found.ratio(100_000, 1_000) > 10


def test_the_same_call_twice_is_as_fast_as_itself():
    x = torch.rand(300, 300)
    for _ in range(3):  # measured again before it counts
        found = measure.compare({"one": lambda: x @ x, "other": lambda: x @ x})
        if 0.8 < found.ratio("one", "other") < 1.25:
            return
    pytest.fail(f"one product takes {found.ratio('one', 'other'):.2f} times as long as the same product: {found}")
