"""What one `course run` was asked to do."""

from __future__ import annotations

import os
from dataclasses import dataclass

__all__ = ["Settings", "usable_cores"]


@dataclass(frozen=True)
class Settings:
    """
    profile, device, seed  the parameters that every notebook is given.
    jobs     notebooks executed at a time; 0: one for each core that this process may use.
    student  also execute the unanswered notebooks of labs/.
    strict   a notebook over its time budget has failed, where it is otherwise only reported.
    """

    profile: str = "fast"
    device: str = "auto"
    seed: int = 0
    jobs: int = 0
    student: bool = True
    strict: bool = False

    @property
    def workers(self) -> int:
        return self.jobs or usable_cores()

    @property
    def parameters(self) -> dict[str, str | int]:
        return {"profile": self.profile, "device": self.device, "seed": self.seed}


def usable_cores() -> int:
    """Cores that this process may use, which containers and batch systems set below the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
