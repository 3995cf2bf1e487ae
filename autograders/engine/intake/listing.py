"""Files that may be looked at: found in a folder or a zip, none of them read yet."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autograders.engine.intake.limits import IntakeLimits
from autograders.engine.intake.lms_names import owner_of

__all__ = ["ListedFile", "RefusedFile", "is_noise", "without_wrapper"]

_WRAPPERS = re.compile(r"submitted|submissions|assignment_\d{1,20}_export", re.IGNORECASE)
_NOISE = frozenset(
    (
        *("__MACOSX", ".Trash", ".Spotlight-V100", ".fseventsd", "Thumbs.db", "desktop.ini"),
        *(".ipynb_checkpoints", ".virtual_documents", ".jupyter", ".ipython", ".nbgrader", "__pycache__"),
        *(".git", ".svn", ".hg", ".vscode", ".idea", ".venv", ".cache", ".local", ".config"),
    )
)


class RefusedFile(Exception):
    """One file cannot be taken; the message is a clause that follows the file's name."""


@dataclass(frozen=True)
class ListedFile:
    """parts    names from the class's folder or zip down to the file; never "..", never empty.
    read     the file's bytes, at most `limits.file_bytes`, or RefusedFile.
    refusal  why it must not be read, or "".
    """

    parts: tuple[str, ...]
    read: Callable[[IntakeLimits], bytes]
    refusal: str = ""

    @property
    def name(self) -> str:
        return self.parts[-1]


def is_noise(parts: Sequence[str]) -> bool:
    """What systems and editors leave behind: hidden files, checkpoints, macOS's shadow files.

    A folder with a dot in front may still be a student's, so of folders only known names count.
    """
    return parts[-1].startswith(".") or any(part in _NOISE for part in parts)


def without_wrapper(files: list[ListedFile], lab: str, given: str) -> list[ListedFile]:
    """Leave out a folder around all others, such as `submitted` or Gradescope's `assignment_987_export`.

    given  what staff call the folder or zip, without its ending: a folder of students may lie in one of the same name.

    Any other folder is a student's and stays, whatever it holds: what lies in it was named by the student.
    """
    tops = {file.parts[0] for file in files}
    if len(tops) != 1 or any(len(file.parts) < 2 for file in files):
        return files
    [top] = tops
    inner = [ListedFile(file.parts[1:], file.read, file.refusal) for file in files]
    is_wrapper = _WRAPPERS.fullmatch(top) or (_is_called(top, given) and _are_students(inner, lab))
    return inner if is_wrapper else files


def _is_called(folder: str, given: str) -> bool:
    """Whether a folder has the name of what it lies in; a browser calls a second download `class (1)`."""
    return folder.casefold() in (given.casefold(), re.sub(r" ?\(\d+\)$", "", given).casefold())


def _are_students(files: list[ListedFile], lab: str) -> bool:
    """Whether work of several owners lies here. One student's lies bare as well, or in the lab's own folder."""
    owners = {owner_of(file.parts, "").student for file in files if len(file.parts) > 1 or _is_work(file.name)}
    return len(owners) > 1 and not owners & {"", lab}


def _is_work(name: str) -> bool:
    return name.lower().endswith((".ipynb", ".zip"))
