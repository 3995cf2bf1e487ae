"""Where the course's own folder is."""

from __future__ import annotations

from pathlib import Path

from course_lib.errors import CourseError

__all__ = ["course_root"]

_BESIDE_EACH_OTHER = ("pyproject.toml", "solutions", "course_lib")


def course_root(start: Path | None = None) -> Path:
    """The folder that holds solutions/, labs/ and course_lib/.

    Looks at `start` (default: the working directory) and upwards from it, then beside this package.
    Raises CourseError if neither is a course.
    """
    start = (start or Path.cwd()).resolve()
    package_parent = Path(__file__).resolve().parents[1]
    for folder in (start, *start.parents, package_parent):
        if all((folder / name).exists() for name in _BESIDE_EACH_OTHER):
            return folder
    raise CourseError(
        f"{start} is not inside a course (a folder with {', '.join(_BESIDE_EACH_OTHER)}); change to yours and try again"
    )
