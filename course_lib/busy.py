"""How much of this computer other programs use while something is timed here."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

__all__ = ["BUSY_SHARE", "BusyWatch"]

BUSY_SHARE = 0.15
"""From this share on a machine is visibly busy; the services of an idle one stay well below."""


class BusyWatch:
    """The share of processor time that programs other than this process and its children take while it watches.

    Counted over the cores that this process may use; what a hypervisor gave to other machines counts as taken.

        watch = BusyWatch()      watches from now on
        watch.share()            0.48
        watch.remark()           "this machine is busy: other programs took 48% of its processor time"
    """

    def __init__(self) -> None:
        self._started = _read_clock()

    def share(self) -> float | None:
        """Between 0 and 1; None where the system does not tell, psutil is absent, or no time has passed."""
        now = _read_clock()
        if self._started is None or now is None or now.passed <= self._started.passed:
            return None
        by_all, by_us = now.used - self._started.used, now.ours - self._started.ours
        return min(1.0, max(0.0, (by_all - by_us) / (now.passed - self._started.passed)))

    def remark(self) -> str:
        """A clause for people if the machine has been visibly busy, else empty."""
        share = self.share()
        if share is None or share < BUSY_SHARE:
            return ""
        return f"this machine is busy: other programs took {share:.0%} of its processor time"


@dataclass(frozen=True)
class _Clock:
    """Seconds of the cores this process may use, summed: passed, used by anybody, used by this process's tree."""

    passed: float
    used: float
    ours: float


def _read_clock() -> _Clock | None:
    try:
        import psutil  # a bare machine that runs only kernels has no need of it
    except ImportError:
        return None
    try:
        process = psutil.Process()
        cores = psutil.cpu_times(percpu=True)
        allowed = process.cpu_affinity() if hasattr(process, "cpu_affinity") else range(len(cores))
        times = [cores[core] for core in allowed]
        ours = sum(_seconds(one) for one in (process, *process.children(recursive=True)))
    except (psutil.Error, OSError, IndexError):
        return None
    # nice and the ones after it are not told apart by every system; a guest's time is part of user's
    work = ("user", "nice", "system", "irq", "softirq", "steal")
    used = sum(getattr(core, field, 0.0) for core in times for field in work)
    return _Clock(used + sum(core.idle + getattr(core, "iowait", 0.0) for core in times), used, ours)


def _seconds(process: psutil.Process) -> float:
    """What a process and its ended children have used; what ended unseen stands with its parent's children."""
    import psutil

    with contextlib.suppress(psutil.Error):
        times = process.cpu_times()
        return times.user + times.system + times.children_user + times.children_system
    return 0.0
