"""Whose file is it? The names under which Canvas, Moodle and Gradescope hand out a class's files.

Canvas      doejane_LATE_12345_678901_1a_neural_networks-1.ipynb   name, LATE, user, attachment, the student's own name
            anon_aB3xZ_678901_1a_neural_networks.ipynb             anonymous grading
            (canvas-lms, lib/content_zipper.rb)
Moodle      Jane Doe_1234567_assignsubmission_file_/1a.ipynb       participant; one folder for each student and plugin
            Jane Doe_1234567_assignsubmission_file_1a.ipynb        without folders, as before Moodle 3.1
            (moodle, mod/assign/classes/downloader.php)
Gradescope  assignment_987_export/submission_123456/1a.ipynb       and submission_metadata.yml, which names the students
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Owned", "is_lms_folder", "own_name", "owner_of"]

_CANVAS = re.compile(r"(?P<student>[^\s./]+?)_(?:LATE_)?(?P<user>\d{1,20})_(?P<order>\d{1,20})_(?P<name>.+)", re.DOTALL)
_CANVAS_ANONYMOUS = re.compile(r"(?:LATE_)?(?P<student>anon_[A-Za-z0-9]+)_(?P<order>\d{1,20})_(?P<name>.+)", re.DOTALL)
_MOODLE = re.compile(r"(?P<student>.+?(?:_\d{1,20})?)_assignsubmission_[a-z]+(?:_(?P<name>.*))?", re.DOTALL)
_GRADESCOPE = re.compile(r"submission_\d{1,20}")


@dataclass(frozen=True)
class Owned:
    """student  as the LMS has it, with its number where it gives one: two students may share a name.
    parts    the file's path below the student, as the student named it.
    order    rises with the time of the upload where the LMS numbers uploads, else 0.
    """

    student: str
    parts: tuple[str, ...]
    order: int = 0


def is_lms_folder(name: str) -> bool:
    """Whether an LMS made this folder for one student."""
    return bool(_GRADESCOPE.fullmatch(name)) or bool(_moodle_folder(name))


def owner_of(parts: tuple[str, ...], loose: str) -> Owned:
    """The owner of the file at `parts`, names from the class's folder or zip downwards.

    loose  whom a file belongs to that stands in no folder and has no LMS's name.
    """
    if len(parts) > 1:
        moodle = _moodle_folder(parts[0])
        return Owned(moodle or parts[0], parts[1:])
    [name] = parts
    for pattern in (_CANVAS_ANONYMOUS, _CANVAS, _MOODLE):
        found = pattern.fullmatch(name)
        if found and found["name"]:
            entries = found.groupdict()
            student = f"{entries['student']}_{entries['user']}" if entries.get("user") else entries["student"]
            return Owned(student, (entries["name"],), int(entries.get("order") or 0))
    return Owned(loose, parts)


def own_name(name: str) -> str:
    """The student's own name for a file that may still carry an LMS's prefix."""
    return owner_of((name,), "").parts[-1]


def _moodle_folder(name: str) -> str:
    found = _MOODLE.fullmatch(name)
    return found["student"] if found and not found["name"] else ""
