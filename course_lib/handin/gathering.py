"""A lab's notebooks as a student has them: which files they are, and what each lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from course_lib.errors import CourseError
from course_lib.handin.completeness import Findings, inspect_notebook
from course_lib.handin.limits import HandInLimits, size_text
from course_lib.handin.read_notebook import ReadNotebook, read_notebook
from course_lib.progress.attempts import Attempt, read_record
from course_lib.progress.outline import NotebookOutline, find_lab, read_outline

__all__ = ["HandIn", "Part", "gather"]

LIMITS = HandInLimits()


@dataclass(frozen=True)
class Part:
    """One notebook of a lab: its file's bytes, or none where there is no file, and what was found in it."""

    notebook: str
    file: Path | None
    raw: bytes
    saved: datetime | None
    findings: Findings


@dataclass(frozen=True)
class HandIn:
    """All that would be handed in. `notes` are about the lab's folder."""

    lab: str
    parts: tuple[Part, ...]
    notes: tuple[str, ...]

    @property
    def gaps(self) -> list[tuple[str, str]]:
        """(notebook, what is missing)"""
        return [(part.notebook, gap) for part in self.parts for gap in part.findings.gaps]


@dataclass(frozen=True)
class _File:
    path: Path
    raw: bytes
    size: int
    saved: datetime
    content: ReadNotebook

    @property
    def notebook(self) -> str:
        return self.content.notebook_id


def gather(course: Path, lab: str) -> HandIn:
    """Read the notebooks of `labs/LAB` and look for what is missing; nothing is changed.

    Raises CourseError for an unknown lab, one without a single notebook, and files too large to be graded.
    """
    try:
        outline = {entry.folder: entry.notebooks for entry in read_outline(course)}
    except CourseError:  # handing in must not depend on the start page
        outline = {}
    lab = find_lab(lab, _folders(course, outline))
    files = [_read(path) for path in sorted((course / "labs" / lab).glob("*.ipynb")) if _may_be_notebook(path)]
    expected = {entry.id: entry for entry in outline.get(lab, ())}
    for file in files:
        if file.notebook and file.notebook == file.path.stem:
            expected.setdefault(file.notebook, NotebookOutline(file.notebook, "", ()))
    chosen = {name: _choose(name, files) for name in sorted(expected)}
    if not any(chosen.values()):
        raise CourseError(f"{course / 'labs' / lab} holds no notebook of this lab; there is nothing to hand in")
    _refuse_large([file for file in chosen.values() if file])
    attempts = read_record(course).attempts
    parts = tuple(_part(expected[name], file, attempts) for name, file in chosen.items())
    return HandIn(lab, parts, tuple(_folder_notes(files, chosen)))


def _folders(course: Path, outline: dict[str, tuple[NotebookOutline, ...]]) -> list[str]:
    present = (path.parent.name for path in (course / "labs").glob("lab*/*.ipynb"))
    return sorted({*outline, *present})


def _may_be_notebook(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")


def _choose(notebook: str, files: Sequence[_File]) -> _File | None:
    """The file of that name, else the one file that is this notebook under another name."""
    named = [file for file in files if file.path.stem == notebook]
    others = [file for file in files if file.notebook == notebook]
    return named[0] if named else others[0] if len(others) == 1 else None


def _read(path: Path) -> _File:
    """A file that is too large is known by its name and size alone."""
    try:
        status = path.stat()
        raw = path.read_bytes() if status.st_size <= LIMITS.file_bytes else b""
    except OSError as error:
        closed = ReadNotebook(problems=(f"The file cannot be opened ({error.strerror}).",))
        return _File(path, b"", 0, datetime.now(UTC), closed)
    saved = datetime.fromtimestamp(status.st_mtime, UTC)
    return _File(path, raw, status.st_size, saved, read_notebook(raw, LIMITS))


def _part(entry: NotebookOutline, file: _File | None, attempts: Sequence[Attempt]) -> Part:
    asked = len(entry.tasks)
    if file is None:
        gap = f"{entry.id}.ipynb is missing; if it has another name, give it this one"
        return Part(entry.id, None, b"", None, Findings((gap,), (), 0, asked))
    if not file.content.cells:
        why = " ".join(file.content.problems) or "The notebook has no cells."
        gap = f"{file.path.name} cannot be read: {why} Open it in JupyterLab, or take it from an earlier copy"
        return Part(entry.id, file.path, file.raw, file.saved, Findings((gap,), (), 0, asked))
    findings = inspect_notebook(file.content, entry.tasks, attempts, file.saved)
    return Part(entry.id, file.path, file.raw, file.saved, findings)


def _folder_notes(files: Sequence[_File], chosen: dict[str, _File | None]) -> list[str]:
    notes = []
    packed = {file.path: notebook for notebook, file in chosen.items() if file}
    for file in files:
        notebook = packed.get(file.path)
        if notebook and file.path.stem != notebook:
            notes.append(f"{file.path.name} goes in as {notebook}.ipynb")
        elif not notebook:
            original = chosen.get(file.notebook)
            newer = original if original is not None and file.saved > original.saved else None
            age = f"; it is newer than {newer.path.name}, which does" if newer else ""
            notes.append(f"{file.path.name} does not go in{age}")
    return notes


def _refuse_large(files: Sequence[_File]) -> None:
    remedy = "in JupyterLab choose Edit, Clear Outputs of All Cells, save, and submit again"
    for file in files:
        if file.size > LIMITS.file_bytes:
            have, most = size_text(file.size), size_text(LIMITS.file_bytes)
            raise CourseError(f"{file.path.name} has {have}, and grading reads at most {most}: {remedy}")
    size = sum(file.size for file in files)
    if size > LIMITS.submission_bytes:
        have, most = size_text(size), size_text(LIMITS.submission_bytes)
        raise CourseError(f"the notebooks have {have} together, and grading reads at most {most}: {remedy}")
