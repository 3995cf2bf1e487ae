"""The one exception that means "the user can mend this": commands show its message alone."""

from __future__ import annotations

__all__ = ["CourseError"]


class CourseError(Exception):
    """What arrived, what is allowed, what to do, in one or two sentences."""

    def _render_traceback_(self) -> list[str]:
        """Jupyter shows these lines in place of a traceback."""
        return str(self).splitlines()
