"""What `explain=True` returns: which way a call takes, and why."""

from __future__ import annotations

from dataclasses import dataclass

from course_lib.cuda import Launch

__all__ = ["Explanation"]


@dataclass(frozen=True, repr=False)
class Explanation:
    """Nothing was computed. A notebook shows it in words.

    operation  the operation's name.
    way        "cuda" or "host": its kernel, on the GPU or compiled for this processor; "cpu": its fast C++ for
               processors; "torch": a faster path through torch; "reference": its definition.
    version    the kernel's number, 0 where none runs.
    reason     why this way.
    launch     what the kernel would be launched with, ready to `.run()`, `.check()` or `.trace()`; None without one.
    """

    operation: str
    way: str
    version: int
    reason: str
    launch: Launch | None = None

    def __str__(self) -> str:
        number = f", version {self.version}" if self.version else ""
        lines = [f"{self.operation}: {self.way}{number}, because {self.reason}."]
        return "\n".join([*lines, f"  {self.launch}"] if self.launch else lines)

    __repr__ = __str__
