"""Timing with a clock that the test moves, so that nothing here depends on the machine's speed."""

import gc
import importlib
from types import SimpleNamespace

import pytest

from course_lib import measure
from course_lib.measure import Latency


@pytest.fixture
def clock(monkeypatch):
    """A call that takes the seconds given to it, one after another."""

    class Clock:
        now, calls = 0.0, 0

        def call_that_takes(self, *seconds):
            durations = iter(seconds)

            def call():
                self.calls += 1
                self.now += next(durations)

            return call

    fake = Clock()
    module = importlib.import_module("course_lib.measure.latency")  # the package's name `latency` is the function
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: fake.now))
    return fake


def test_median_and_quartiles_without_the_warm_up(clock):
    call = clock.call_that_takes(100, 100, 5, 1, 4, 2, 3)
    found = measure.latency(call, warmup=2, runs=5)
    assert (found.median, found.low, found.high, found.runs) == (3, 2, 4, 5)
    assert clock.calls == 7


def test_one_slow_run_does_not_move_the_median(clock):
    found = measure.latency(clock.call_that_takes(*[1] * 8, 1000), warmup=0, runs=9)
    assert (found.median, found.low, found.high) == (1, 1, 1)


def test_one_run(clock):
    assert measure.latency(clock.call_that_takes(2.0), warmup=0, runs=1) == Latency(2.0, 2.0, 2.0, 1)


@pytest.mark.parametrize(("arguments", "words"), [({"runs": 0}, "not 0 and 3"), ({"warmup": -1}, "not 20 and -1")])
def test_refusals(arguments, words):
    with pytest.raises(ValueError, match=words):
        measure.latency(lambda: None, **arguments)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2.5, "2.5 s (half of 9 runs: 1.25 to 5 s)"),
        (0.0025, "2.5 ms (half of 9 runs: 1.25 to 5 ms)"),
        (2.5e-6, "2.5 µs (half of 9 runs: 1.25 to 5 µs)"),
        (2.5e-9, "2.5 ns (half of 9 runs: 1.25 to 5 ns)"),
        (0.0, "0 ns (half of 9 runs: 0 to 0 ns)"),
    ],
)
def test_reads_with_its_unit(seconds, text):
    assert repr(Latency(seconds, seconds / 2, seconds * 2, 9)) == text


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_collection_pauses_and_comes_back(enabled):
    during = []
    (gc.enable if enabled else gc.disable)()
    try:
        measure.latency(lambda: during.append(gc.isenabled()), warmup=0, runs=2)
        assert gc.isenabled() is enabled
        with pytest.raises(ZeroDivisionError):
            measure.latency(lambda: 1 / 0 if not gc.isenabled() else None, warmup=0)
        assert gc.isenabled() is enabled
    finally:
        gc.enable()
    assert during == [False, False]


def test_waits_for_the_gpu_before_and_after_each_run(monkeypatch):
    """A launch returns before its work is done; without waiting, only the launch would be timed."""
    order = []
    monkeypatch.setattr("torch.cuda.is_initialized", lambda: True)
    monkeypatch.setattr("torch.cuda.synchronize", lambda: order.append("wait"))
    measure.latency(lambda: order.append("call"), warmup=0, runs=2)
    assert order == ["wait", "call", "wait"] * 2


def test_real_calls_are_told_apart():
    long, short = (measure.latency(lambda n=n: sum(range(n)), warmup=1, runs=5) for n in (300_000, 300))
    assert long.median > 10 * short.median
    assert long.low <= long.median <= long.high
