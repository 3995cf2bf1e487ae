"""What can be wrong with a call."""

from __future__ import annotations

from course_lib.errors import CourseError

__all__ = ["ArgumentError", "LaunchError"]


class ArgumentError(CourseError):
    """The arguments do not fit the kernel: the message says what arrived and what the signature says."""


class LaunchError(CourseError):
    """A launch that cannot be made, or a kernel that stopped before its end."""
