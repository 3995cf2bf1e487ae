"""A hand-in as one zip: the same bytes for the same notebooks, whatever day it is made."""

from __future__ import annotations

import hashlib
import io
import os
import re
import tempfile
import unicodedata
import zipfile
import zlib
from pathlib import Path

from course_lib.errors import CourseError
from course_lib.handin.gathering import LIMITS, HandIn
from course_lib.handin.limits import MIB

__all__ = ["destination", "pack", "write"]

HIGHEST_RATIO = LIMITS.zip_ratio / 2  # what shrinks more looks like a zip bomb to grading: it is stored as it is
_STUDENT = re.compile(r"[^\W_](?:[\w.@-]*(?:[^\W_]|[@-]))?")
_NO_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can have


def pack(hand_in: HandIn, student: str | None = None) -> bytes:
    """The zip: each notebook byte for byte, in a folder with the student's name if one is given.

    Raises CourseError for a name that is unfit for a folder.
    """
    folder = f"{_checked(student)}/" if student else ""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for part in hand_in.parts:
            if part.file:
                entry = zipfile.ZipInfo(f"{folder}{part.notebook}.ipynb", _NO_DATE)
                entry.external_attr, entry.create_system = 0o100644 << 16, 3
                archive.writestr(entry, part.raw, _compression(part.raw))
    return file.getvalue()


def destination(output: Path | None, lab: str, student: str | None, *, force: bool) -> Path:
    """Where the zip goes; by default into the working directory, so that it shows beside the notebooks in JupyterLab.

    Raises CourseError for a name that does not end in .zip, a folder that is not there, and a file that is, without
    `force`.
    """
    name = f"{_checked(student)}-{lab}.zip" if student else f"{lab}.zip"
    path = (output or Path(name)).expanduser().absolute()
    if path.is_dir():
        path /= name
    if path.suffix.lower() != ".zip":
        raise CourseError(f"{path} must end in .zip: that is what grading opens")
    if not path.parent.is_dir():
        raise CourseError(f"there is no folder {path.parent}; make it, or give another --output")
    if path.exists() and not force:
        raise CourseError(f"{path} exists; --force replaces it, --output FILE writes another")
    return path


def write(archive: bytes, path: Path) -> str:
    """Put the zip at `path`, whole or not at all; returns its SHA-256. Raises CourseError if it cannot be written."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(archive)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CourseError(f"{path} cannot be written ({error.strerror}); give another --output") from error
    return hashlib.sha256(archive).hexdigest()


def _compression(raw: bytes) -> int:
    shrunk = len(zlib.compress(raw, 6)) if len(raw) >= MIB else len(raw)
    return zipfile.ZIP_STORED if len(raw) > HIGHEST_RATIO * shrunk else zipfile.ZIP_DEFLATED


def _checked(student: str) -> str:
    student = unicodedata.normalize("NFKC", student)  # as grading does; macOS types letters and their accents apart
    if not _STUDENT.fullmatch(student) or ".." in student or len(student.encode()) > 80:
        raise CourseError(
            f"--student {student!r} becomes a folder's name: letters, digits and _ . @ - between them, at most 80 bytes"
        )
    return student
