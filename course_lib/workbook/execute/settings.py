"""What one `course run` was asked to do."""

from __future__ import annotations

from dataclasses import dataclass

from course_lib.machine import usable_cores

__all__ = ["Settings"]


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
