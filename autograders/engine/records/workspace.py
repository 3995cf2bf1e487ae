"""Where one lab's submissions, marks, evidence, feedback and reports stand, and how files get there whole."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from course_lib.errors import CourseError

__all__ = ["Workspace", "default_workspace"]

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def default_workspace() -> Path:
    """The folder that COURSE_WORKSPACE names, else `~/course_workspace`, as `nbgrader_config.py` has it."""
    return Path(os.environ.get("COURSE_WORKSPACE", Path.home() / "course_workspace")).expanduser().resolve()


@dataclass(frozen=True)
class Workspace:
    """Paths of one lab below `root`: nbgrader's layout, beside it `evidence/`, `reports/` and `.partial/`."""

    root: Path
    lab: str

    @property
    def gradebook(self) -> Path:
        return self.root / "gradebook.db"

    @property
    def evidence_folder(self) -> Path:
        return self.root / "evidence" / self.lab

    @property
    def pending_folder(self) -> Path:
        """Results that are kept, yet not in the gradebook: a run that was killed left them."""
        return self.evidence_folder / "pending"

    @property
    def reports(self) -> Path:
        return self.root / "reports" / self.lab

    @property
    def partial(self) -> Path:
        """Files being written: on the same disk, outside every folder that nbgrader searches."""
        return self.root / ".partial"

    def evidence(self, student: str) -> Path:
        return self.evidence_folder / f"{_file_name(student)}.json"

    def pending(self, student: str) -> Path:
        return self.pending_folder / f"{_file_name(student)}.json"

    def submitted(self, student: str, notebook: str) -> Path:
        return self.submitted_folder(student) / f"{notebook}.ipynb"

    def submitted_folder(self, student: str) -> Path:
        return self.root / "submitted" / _file_name(student) / self.lab

    def autograded(self, student: str, notebook: str) -> Path:
        return self.root / "autograded" / _file_name(student) / self.lab / f"{notebook}.ipynb"

    def feedback(self, student: str, notebook: str) -> Path:
        return self.root / "feedback" / _file_name(student) / self.lab / f"{notebook}.html"

    def write(self, path: Path, content: bytes, *, lasting: bool = True) -> None:
        """Put `content` at `path` so that a reader, or a kill, meets the old file or the new one and no part of one.

        lasting  wait until the disk has it, so that not even a power cut loses it; pages that can be made again need
            not.

        Raises CourseError when the disk is full or the folder may not be written; the old file then stands.
        """
        self._write(path, content, os.replace, lasting=lasting)

    def write_first(self, path: Path, content: bytes) -> None:
        """Put `content` at `path`, whole, unless a file is there already: of two programs at a time, the first stands.

        Raises CourseError as `write` does.
        """
        self._write(path, content, _link, lasting=True)

    def remove_others(self, folder: Path, wanted: Iterable[Path]) -> None:
        """Remove the notebooks of a folder that are not `wanted`."""
        for path in set(folder.glob("*.ipynb")) - set(wanted):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise self.cannot_write(path, error) from error

    def move(self, source: Path, destination: Path) -> None:
        """Rename within the workspace, at once and lasting."""
        try:
            source.replace(destination)
            _sync_folder(destination.parent)
        except OSError as error:
            raise self.cannot_write(destination, error) from error

    def remove_partial(self) -> None:
        """Remove what killed runs left half-written. Only for the process that holds the workspace's lock."""
        for path in self.partial.glob("*"):
            path.unlink(missing_ok=True)

    def _write(self, path: Path, content: bytes, put: Callable[[Path, Path], None], *, lasting: bool) -> None:
        partial = self.partial / f"{os.getpid()}-{path.name}"
        try:
            self.partial.mkdir(parents=True, exist_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(partial, content, lasting)
            put(partial, path)
            if lasting:
                _sync_folder(path.parent)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise self.cannot_write(path, error) from error

    def cannot_write(self, path: Path, error: OSError) -> CourseError:
        """The sentence for people; what was written before stays as it is."""
        if error.errno in _NO_ROOM:
            return CourseError(
                f"there is no room to write {path}: make room on the disk that holds {self.root}, then run the same "
                "command again; what was graded before is kept"
            )
        return CourseError(
            f"{path} cannot be written ({error.strerror or error}): check who may write in {self.root}, then run the "
            "same command again; what was graded before is kept"
        )


def _write(path: Path, content: bytes, lasting: bool) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        if lasting:
            os.fsync(file.fileno())


def _link(partial: Path, path: Path) -> None:
    """Rename without replacing; where the disk has no hard links, with it."""
    try:
        os.link(partial, path)
    except FileExistsError:
        pass
    except OSError:
        partial.replace(path)
    partial.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """A rename lasts over a power cut only when its folder is on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _file_name(student: str) -> str:
    """`student`, if it is the name of one file and no path. Intake makes such names; this refuses any other."""
    if not student or student.startswith(".") or len(os.fsencode(student)) > 200 or {"/", "\\", "\0"} & set(student):
        raise CourseError(f"{student!r} cannot name a student's file: letters, digits, spaces and - _ . are allowed")
    return student
