"""Runs one line of a `course` command: mistakes become a sentence and an exit code, never a traceback."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from course_lib.errors import CourseError

__all__ = ["run"]

USER_ERROR, INTERRUPTED = 2, 130


def run(app: typer.Typer, arguments: list[str] | None, *, when_stopped: str = "stopped.") -> int:
    """The exit code: 2 for what the user can mend, 130 when interrupted."""
    try:
        with _terminate_as_interrupt():
            code = app(arguments, prog_name="course", standalone_mode=False)
    except (CourseError, TyperException) as error:
        message = error.format_message() if isinstance(error, TyperException) else str(error)
        print(f"course: {' '.join(message.split())}", file=sys.stderr)
        return USER_ERROR
    if code == INTERRUPTED:
        print(f"course: {when_stopped}", file=sys.stderr)
    return code or 0


@contextlib.contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """`kill` and `make` end this process with SIGTERM: what it has started must be stopped then too."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
