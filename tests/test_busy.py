from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from course_lib import busy
from course_lib.busy import BUSY_SHARE, BusyWatch

SPIN = "while True: pass"


@contextlib.contextmanager
def somebody_else(core):
    """A process that keeps one core busy and is no child of this one: its parent has ended."""
    start = f"""
import os, subprocess, sys
os.sched_setaffinity(0, {{{core}}})
print(subprocess.Popen([sys.executable, "-c", {SPIN!r}], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid)
"""
    pid = int(subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, check=True).stdout)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)


def work(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


@pytest.fixture
def one_core():
    """This process on one core alone, so that what others do there is told from what it does itself."""
    before = os.sched_getaffinity(0)
    core = max(before)
    os.sched_setaffinity(0, {core})
    yield core
    os.sched_setaffinity(0, before)


linux = pytest.mark.skipif(sys.platform != "linux", reason="chooses its core")


@linux
def test_another_program_on_the_same_core_is_seen(one_core):
    with somebody_else(one_core):
        watch = BusyWatch()
        work(0.5)
        assert watch.share() > 0.25  # the two share the core, and whoever else runs here adds to it
        assert "other programs took" in watch.remark()


@linux
def test_own_work_and_that_of_children_is_not_others(one_core):
    busier = []
    for _ in range(5):  # a machine that runs other things too may have them on this core now and then
        watch = BusyWatch()
        passed = time.perf_counter()
        used = os.times()
        work(0.3)
        subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.5: pass"], check=True)
        passed = time.perf_counter() - passed
        now = os.times()
        own = sum(now[:4]) - sum(used[:4])
        busier.append(abs(watch.share() - (1 - own / passed)))
    assert min(busier) < 0.1


def test_a_child_that_still_runs_is_ours(monkeypatch):
    child = subprocess.Popen([sys.executable, "-c", SPIN])
    try:
        before = busy._read_clock()
        time.sleep(0.5)
        after = busy._read_clock()
        times = psutil.Process(child.pid).cpu_times()
        assert after.ours - before.ours > 0.5 * times.user
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize(
    ("used", "ours", "share"), [(4.0, 4.0, 0.0), (6.0, 2.0, 0.5), (3.0, 3.1, 0.0), (8.0, 0.0, 1.0)]
)
def test_share_of_the_time_that_passed(monkeypatch, used, ours, share):
    clocks = iter([busy._Clock(100.0, 50.0, 10.0), *[busy._Clock(108.0, 50.0 + used, 10.0 + ours)] * 2])
    monkeypatch.setattr(busy, "_read_clock", lambda: next(clocks))
    watch = BusyWatch()
    assert watch.share() == pytest.approx(share)
    assert bool(watch.remark()) == (share >= BUSY_SHARE)


def test_unknown_without_psutil(monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert BusyWatch().share() is None
    assert BusyWatch().remark() == ""


def test_unknown_before_any_time_has_passed(monkeypatch):
    monkeypatch.setattr(busy, "_read_clock", lambda: busy._Clock(1.0, 1.0, 1.0))
    assert BusyWatch().share() is None
