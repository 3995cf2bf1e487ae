"""Where the course's own folder is."""

from __future__ import annotations

from pathlib import Path

from course_lib.errors import CourseError

__all__ = ["course_root", "enclosing_course"]

_ALWAYS = ("pyproject.toml", "course_lib")


def course_root(start: Path | None = None, *, holding: str = "solutions") -> Path:
    """The folder that holds pyproject.toml, course_lib/ and the folder `holding`.

    holding  "solutions" for the course as its authors have it, "labs" for one to study in: students have no solutions/.

    Looks at `start` (default: the working directory) and upwards from it, then beside this package.
    Raises CourseError if neither is a course, or `start` lies in one without the folder.
    """
    start = (start or Path.cwd()).resolve()
    found = enclosing_course(start, holding)
    students = None if found else enclosing_course(start, "labs")
    if students:  # not the package's own course: whoever stands in one course does not mean another
        raise CourseError(f"{students} has no {holding}/: it is a student's copy, and this command is for authors")
    found = found or enclosing_course(Path(__file__).resolve().parents[1], holding)
    if found is None:
        needed = f"{_ALWAYS[0]}, {holding}, {_ALWAYS[1]}"
        raise CourseError(f"{start} is not inside a course (a folder with {needed}); change to yours and try again")
    return found


def enclosing_course(start: Path, holding: str) -> Path | None:
    """The nearest course that `start` is or lies in, or None."""
    for folder in (start, *start.parents):
        if all((folder / name).exists() for name in (*_ALWAYS, holding)):
            return folder
    return None
