"""Where the course's own folder is, and the folders in it that only its authors and staff have.

What students get has neither of those, so the library knows their names from the course's pyproject.toml alone:

    [tool.course]
    text = "a folder"
    marking = "a folder"
    commands = "package.module"
    refusals = "package.module:function"
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from course_lib.errors import CourseError

__all__ = ["Places", "course_root", "enclosing_course", "places", "shown"]

Holding = Literal["text", "labs"]


@dataclass(frozen=True)
class Places:
    """text      the folder of the notebooks' text, LAB/NOTEBOOK/SECTION.py, with answers.
    marking   the folder that has, for each notebook under the same name, what marks it.
    commands  the module that staff's commands are passed on to; "" if there is none.
    refusals  `module:function` that says what staff would refuse to build; "" if there is none.
    """

    text: Path
    marking: Path
    commands: str = ""
    refusals: str = ""


def places(root: Path) -> Places:
    """What the course at `root` says in its pyproject.toml. Raises CourseError if it says nothing, or not all."""
    table = _table(root)
    if not {"text", "marking"} <= table.keys():
        raise CourseError(f"{root / 'pyproject.toml'} needs a table [tool.course] with text and marking, two folders")
    return Places(
        root / table["text"], root / table["marking"], table.get("commands", ""), table.get("refusals", "")
    )  # fmt: skip


def course_root(start: Path | None = None, *, holding: Holding = "text") -> Path:
    """The folder that holds pyproject.toml, course_lib/ and what is asked for.

    holding  "text" for the course as its authors have it, "labs" for one to study in: students have no text.

    Looks at `start` (default: the working directory) and upwards from it, then beside this package.
    Raises CourseError if neither is a course, or `start` lies in one without what is asked for.
    """
    start = (start or Path.cwd()).resolve()
    found = enclosing_course(start, holding)
    students = None if found else enclosing_course(start, "labs")
    if students:  # not the package's own course: whoever stands in one course does not mean another
        raise CourseError(
            f"{students} has no text of notebooks: it is a student's copy, and this command is for authors"
        )
    found = found or enclosing_course(Path(__file__).resolve().parents[1], holding)
    if found is None:
        raise CourseError(
            f"{start} is not inside a course (a folder with pyproject.toml, course_lib and the notebooks' {holding}); "
            "change to yours and try again"
        )
    return found


def enclosing_course(start: Path, holding: Holding) -> Path | None:
    """The nearest course that `start` is or lies in, or None."""
    for folder in (start, *start.parents):
        if (folder / "pyproject.toml").exists() and (folder / "course_lib").exists() and _holds(folder, holding):
            return folder
    return None


def shown(path: Path) -> str:
    """A file or folder as messages name it: from the folder of the course it lies in, if it lies in one."""
    course = enclosing_course(path.resolve(), "text")
    return str(path.resolve().relative_to(course)) if course else str(path)


def _holds(folder: Path, holding: Holding) -> bool:
    name = "labs" if holding == "labs" else _table(folder).get("text")
    return name is not None and (folder / name).exists()


def _table(folder: Path) -> dict[str, str]:
    path = folder / "pyproject.toml"
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CourseError(f"{path} cannot be read: {error}") from error
    table: dict[str, str] = tables.get("tool", {}).get("course", {})
    return table
