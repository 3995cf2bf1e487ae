"""What one `course run` was asked to do."""

from __future__ import annotations

from dataclasses import dataclass

from course_lib.machine import usable_cores
from course_lib.workbook.execute.limits import Part

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """
    profile, device, seed  the parameters that every notebook is given.
    jobs      notebooks executed at a time; 0: one for each core that this process may use.
    parts     which executions of each notebook.
    section   number or start of the name of the one section to execute, after the set-up; "" for all of them.
    strict    a notebook over its time budget has failed, where it is otherwise only reported.
    changed   leave out what is the same as when it last passed.
    accept_removed  a metric that the last passing run recorded and this one does not was removed on purpose.
    keep      the run goes into the history, where later ones are compared with it.
    """

    profile: str = "fast"
    device: str = "auto"
    seed: int = 0
    jobs: int = 0
    parts: tuple[Part, ...] = ("solution",)
    section: str = ""
    strict: bool = False
    changed: bool = False
    accept_removed: bool = False
    keep: bool = True

    @property
    def workers(self) -> int:
        return self.jobs or usable_cores()

    @property
    def parameters(self) -> dict[str, str | int]:
        return {"profile": self.profile, "device": self.device, "seed": self.seed}
