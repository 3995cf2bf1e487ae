"""Files that may be looked at: found in a folder or a zip, none of them read yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autograders.engine.intake.limits import IntakeLimits
from autograders.engine.intake.lms_names import is_lms_folder, own_name

__all__ = ["ListedFile", "RefusedFile", "is_noise", "without_wrapper"]

_WRAPPERS = ("submitted", "submissions")
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


def without_wrapper(files: list[ListedFile], lab: str) -> list[ListedFile]:
    """Leave out a folder around all others, such as `submitted` or Gradescope's `assignment_987_export`.

    A folder that holds notebooks itself, or only the lab's folder, is a student's and stays.
    """
    tops = {file.parts[0] for file in files}
    if len(tops) != 1 or any(len(file.parts) < 2 for file in files):
        return files
    [top] = tops
    below = {file.parts[1] for file in files if len(file.parts) > 2}
    loose = {file.parts[1] for file in files if len(file.parts) == 2}
    is_certain = top.casefold() in _WRAPPERS or any(is_lms_folder(name) for name in below)
    is_students = is_lms_folder(top) or below <= {lab} or any(_is_work(name) for name in loose)
    if not is_certain and is_students and not _are_canvas(loose):
        return files
    return [ListedFile(file.parts[1:], file.read, file.refusal) for file in files]


def _is_work(name: str) -> bool:
    return name.lower().endswith((".ipynb", ".zip"))


def _are_canvas(names: set[str]) -> bool:
    work = [name for name in names if _is_work(name)]
    return bool(work) and all(own_name(name) != name for name in work)
