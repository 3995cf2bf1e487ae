"""Files of a folder that strangers may have filled: regular files only, no link followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from autograders.engine.intake.limits import IntakeLimits
from autograders.engine.intake.listing import ListedFile, RefusedFile, is_noise
from course_lib.errors import CourseError
from course_lib.handin.limits import size_text

__all__ = ["list_folder"]


def list_folder(root: Path, limits: IntakeLimits) -> Iterator[ListedFile]:
    """Everything below `root` but hidden files and editors' leavings, in the order of names.

    Raises CourseError for more files and folders than `limits` allow.
    """
    waiting: list[tuple[str, ...]] = [()]
    seen = 0
    while waiting:
        folder = waiting.pop()
        below = []
        for name, mode in _entries(root.joinpath(*folder)):
            parts = (*folder, name)
            seen += 1
            if seen > limits.entries:
                raise CourseError(f"{root} holds more than {limits.entries:,} files. Give the folder of one class.")
            is_folder = stat.S_ISDIR(mode)
            if is_noise((*parts, "") if is_folder else parts):
                continue
            if not is_folder:
                yield ListedFile(parts, partial(_read, root.joinpath(*parts)), _refusal(mode))
            elif len(parts) >= limits.depth:
                yield ListedFile(parts, partial(_read, root.joinpath(*parts)), "lies too many folders deep")
            else:
                below.append(parts)
        waiting += reversed(below)


def _entries(folder: Path) -> list[tuple[str, int]]:
    """(name, mode) sorted by name; nothing for a folder that may not be opened."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    found.append((entry.name, entry.stat(follow_symlinks=False).st_mode))
                except OSError:  # removed meanwhile
                    continue
    except OSError:
        return [("(closed)", 0)]
    return sorted(found)


def _refusal(mode: int) -> str:
    if stat.S_ISREG(mode):
        return ""
    if mode == 0:
        return "stands for a folder that cannot be opened"
    return "is a link" if stat.S_ISLNK(mode) else "is not a regular file"


def _read(path: Path, limits: IntakeLimits) -> bytes:
    """What `lstat` said may have changed since: the opened file is what counts."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise RefusedFile(f"cannot be opened: {error.strerror}") from error
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise RefusedFile("is not a regular file")
        if status.st_size > limits.file_bytes:
            raise RefusedFile(f"has {size_text(status.st_size)}; at most {size_text(limits.file_bytes)} are read")
        try:
            return file.read(limits.file_bytes)
        except OSError as error:
            raise RefusedFile(f"cannot be read: {error.strerror}") from error
