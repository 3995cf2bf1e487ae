"""A compiler's complaint, cut to what the author of the source can use."""

from __future__ import annotations

import re
from pathlib import Path

from course_lib.errors import CourseError

__all__ = ["CompileError", "tidy"]

MOST_LINES = 40


class CompileError(CourseError):
    """The source does not compile. The message is the compiler's own, with the source's own line numbers.

    log  everything the compiler printed.
    """

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log or message


def tidy(log: str, folder: Path) -> str:
    """The log without the build folder's name, from the first error on, at most 40 lines."""
    lines = log.replace(f"{folder}/", "").splitlines()
    first = next((k for k, line in enumerate(lines) if re.search(r"\berror\b", line, re.IGNORECASE)), 0)
    # the line before an error says in which function it stands
    start = first - 1 if first and "In " in lines[first - 1] else first
    kept = lines[start : start + MOST_LINES]
    if len(lines) - start > MOST_LINES:
        kept.append(f"... and {len(lines) - start - MOST_LINES} more lines")
    return "\n".join(kept)
