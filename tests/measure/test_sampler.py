from __future__ import annotations

import itertools
import sys

import pytest
import torch

from course_lib.measure import sampler
from course_lib.measure.sampler import MOST_COPIES, Sampler, cache_bytes, copies_needed, fastest, interleave

CPU = torch.device("cpu")


def test_inputs_go_round_so_that_none_is_in_the_cache():
    assert copies_needed(CPU, 10 * cache_bytes(CPU)) == 2
    assert copies_needed(CPU, cache_bytes(CPU)) == 3
    assert copies_needed(CPU, 1) == MOST_COPIES["cpu"]
    called = []
    sampler = Sampler(CPU, [lambda k=k: called.append(k) for k in range(3)])
    before = len(called)
    interleave([sampler], 4)
    assert len(called) == before + 4
    assert all(later == (earlier + 1) % 3 for earlier, later in itertools.pairwise(called))


def test_samples_are_taken_in_turns():
    called = []
    samplers = [Sampler(CPU, [lambda name=name: called.append(name)]) for name in "ab"]
    called.clear()
    interleave(samplers, 3)
    assert "".join(called) == "ababab"


def test_a_gpu_sample_is_a_batch_between_two_events_queued_while_the_gpu_sleeps(monkeypatch):
    happened = []

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            happened.append("event")

        def synchronize(self):
            happened.append("wait")

        def elapsed_time(self, end):
            return 6.0  # milliseconds

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "_sleep", lambda cycles: happened.append("sleep"))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    sampler = Sampler(torch.device("cuda"), [lambda: happened.append("call")])
    sampler.batch = 3
    happened.clear()
    sampler.sample()
    assert happened == ["sleep", "event", "call", "call", "call", "event", "wait"]
    assert sampler.seconds == [pytest.approx(2e-3)]


class Clock:
    """Time that passes only in calls."""

    now = 0.0

    def perf_counter(self):
        return self.now

    def taking(self, *seconds):
        durations = itertools.cycle(seconds)

        def call():
            self.now += next(durations)

        return call


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(sampler, "time", clock)
    monkeypatch.setattr(sys.modules["course_lib.measure.latency"], "time", clock)
    return clock


@pytest.mark.parametrize(("each", "calls"), [(1.0, 1), (0.2, 1), (0.03, 7), (1e-6, 200)])
def test_short_calls_are_repeated_within_a_sample(clock, each, calls):
    timed = Sampler(CPU, [clock.taking(each)], shortest=0.2)
    before = clock.now
    timed.sample()
    assert clock.now - before == pytest.approx(calls * each)
    assert timed.seconds == [pytest.approx(each)]


def test_a_long_call_is_not_repeated_to_find_out_that_it_is_long(clock):
    Sampler(CPU, [clock.taking(60)], shortest=0.2)
    assert clock.now == 2 * 60


def test_the_fastest_sample_counts_and_is_waited_for(clock):
    slow, quick = clock.taking(*[9.0] * 40, 4.0), clock.taking(*[0.5, 0.2])
    assert fastest([Sampler(CPU, [slow]), Sampler(CPU, [quick])], patience=50, seconds=1e9) == [4.0, pytest.approx(0.2)]
    assert fastest([Sampler(CPU, [clock.taking(*[9.0] * 40, 4.0)])], patience=5, seconds=1e9) == [9.0]


def test_waiting_for_a_faster_sample_ends(clock):
    ever_faster = iter(0.9**n for n in range(10_000))

    def call():
        clock.now += next(ever_faster)

    timed = Sampler(CPU, [call])
    fastest([timed], patience=3, seconds=5.0)
    assert len(timed.seconds) < 20
