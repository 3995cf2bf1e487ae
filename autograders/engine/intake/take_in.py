"""Submitted files of a whole class -> one `Submission` after another, from a folder or an LMS's zip."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from autograders.engine.intake.folders import list_folder
from autograders.engine.intake.gradescope_roster import METADATA_NAME, submitters
from autograders.engine.intake.limits import IntakeLimits
from autograders.engine.intake.listing import ListedFile, RefusedFile, without_wrapper
from autograders.engine.intake.lms_names import Owned, is_lms_folder, owner_of
from autograders.engine.intake.notebook_match import NamedFile, match_notebooks, notebook_stem, shown_name
from autograders.engine.intake.student_names import safe_names
from autograders.engine.intake.zips import RefusedZip, list_zip
from autograders.engine.submission import Submission
from course_lib.errors import CourseError
from course_lib.handin.limits import size_text

__all__ = ["IntakeLimits", "read_submissions"]

COURSE = Path(__file__).resolve().parents[3]
_Owned = dict[str, list[tuple[Owned, ListedFile]]]  # student -> files
_ANY_LAB = re.compile(r"lab\d+_\w+")  # how the course names its labs
_MOST_ZIPS = 50  # of one submission: a zip of hidden files only costs time and counts none
_NOTEBOOK_ENDINGS = (".ipynb", ".ipynb.txt", ".ipynb.json")


def read_submissions(
    path: Path,
    lab: str,
    notebooks: Sequence[str],
    limits: IntakeLimits | None = None,
    *,
    cells: Mapping[str, Collection[str]] | None = None,
) -> Iterator[Submission]:
    """Every student's hand-in of `lab`, in the order of names; only one student's files are in memory at a time.

    path       a folder of students' folders, nbgrader's `submitted/` or the folder around it, or a zip from Canvas,
               Moodle or Gradescope. A student's own zip inside is opened, one in that is not.
    notebooks  ids of the lab's notebooks.
    cells      notebook id -> ids of its cells, to know a renamed file by; from `labs/` when None.

    Whatever students' files hold, it becomes a sentence in `Submission.problems`. Raises CourseError, at once, for a
    `path` that is no folder and no zip, and for more students or files than `limits` allow.
    """
    limits = limits or IntakeLimits()
    path = Path(path)
    if cells is None:
        cells = _released_cells(lab, tuple(notebooks))
    stack = ExitStack()
    try:
        class_files = _list(path, limits, stack)
        students = _by_student(class_files, lab, notebooks, limits, loose=path.resolve().stem)
    except BaseException:
        stack.close()
        raise
    return _submissions(students, _Lab(lab, notebooks, cells, limits), stack)


@dataclass(frozen=True)
class _Lab:
    name: str
    notebooks: Sequence[str]
    cells: Mapping[str, Collection[str]]
    limits: IntakeLimits


@dataclass
class _Taken:
    """What one student's files have brought and cost so far."""

    limits: IntakeLimits
    files: list[NamedFile] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    others: int = 0
    bytes: int = 0
    looked: int = 0
    zips: int = 0

    def may_look(self) -> bool:
        """Count one more file, unless there were enough."""
        self.looked += 1
        return self.looked <= self.limits.files


def _list(path: Path, limits: IntakeLimits, stack: ExitStack) -> list[ListedFile]:
    if path.is_dir():
        inner = path / "submitted"
        files = list(list_folder(inner if inner.is_dir() and not inner.is_symlink() else path, limits))
    elif path.is_file():
        try:
            files = list(list_zip(stack.enter_context(path.open("rb")), limits, most=limits.entries))
        except RefusedZip as error:
            raise CourseError(f"{path} {error}. Give a folder, or the zip as the LMS made it.") from error
        except OSError as error:
            raise CourseError(f"{path} cannot be read: {error.strerror}.") from error
    else:
        raise CourseError(f"{path} is neither a folder nor a zip of submissions. Check the path.")
    return files


def _by_student(
    files: list[ListedFile], lab: str, notebooks: Sequence[str], limits: IntakeLimits, loose: str
) -> _Owned:
    """Safe student name -> files, sorted by name. In nbgrader's layout a student without the lab has not handed in."""
    files = without_wrapper(files, lab, loose)
    roster = next((_roster(file, limits) for file in files if file.parts == (METADATA_NAME,)), {})
    owned: _Owned = {}
    for file in files:
        if file.parts == (METADATA_NAME,):
            continue
        owner = owner_of(file.parts, _loose_owner(file, notebooks, loose))
        for student in _submitters(file, roster) or [owner.student]:
            owned.setdefault(student, []).append((owner, file))
    owned = _of_lab(owned, lab)
    if len(owned) > limits.submissions:
        raise CourseError(f"{len(owned):,} students are more than the {limits.submissions:,} that one run takes.")
    names = safe_names(owned)
    return {name: owned[raw] for raw, name in sorted(names.items(), key=lambda item: item[1])}


def _roster(file: ListedFile, limits: IntakeLimits) -> dict[str, list[str]]:
    try:
        return {} if file.refusal else submitters(file.read(limits))
    except RefusedFile:
        return {}


def _submitters(file: ListedFile, roster: dict[str, list[str]]) -> list[str]:
    """Of a folder that Gradescope made; the name of any other folder or file is no entry of its roster."""
    folder = file.parts[0]
    return roster.get(folder, []) if len(file.parts) > 1 and is_lms_folder(folder) else []


def _loose_owner(file: ListedFile, notebooks: Sequence[str], loose: str) -> str:
    """`alice_1a_neural_networks.ipynb` beside others is Alice's; a bare `1a_neural_networks.ipynb` the folder's."""
    stem = file.name.split(".")[0]
    notebook = notebook_stem(stem, notebooks)
    if not notebook:
        return stem or loose
    start = stem.casefold().find(notebook.casefold())
    return stem[:start].strip(" _-.") or loose if start > 0 else loose


def _of_lab(owned: _Owned, lab: str) -> _Owned:
    """nbgrader keeps a folder for each lab: files in another lab's do not count, nor those beside a folder of this one.

    Who has nothing left has not handed in.
    """
    kept: _Owned = {}
    for student, mine in owned.items():
        in_lab = [(owner, file) for owner, file in mine if owner.parts[0] == lab and len(owner.parts) > 1]
        rest = [(owner, file) for owner, file in mine if not _ANY_LAB.fullmatch(owner.parts[0])]
        if in_lab or rest:
            kept[student] = in_lab or rest
    return kept


def _submissions(students: _Owned, lab: _Lab, stack: ExitStack) -> Iterator[Submission]:
    left = lab.limits.total_bytes
    with stack:
        for student, files in students.items():
            taken = _take(files, lab.limits, left)
            left -= taken.bytes
            yield _submission(student, taken, lab)


def _submission(student: str, taken: _Taken, lab: _Lab) -> Submission:
    files, unmatched = match_notebooks(taken.files, lab.notebooks, lab.cells, lab.limits)
    problems = taken.problems + unmatched
    missing = [notebook for notebook in lab.notebooks if notebook not in files]
    if not files:
        problems.append(f"No notebook of {lab.name} was found among {len(taken.files) + taken.others} files.")
    elif missing:
        problems.append(f"There is no file for {', '.join(missing)}.")
    return Submission(student, lab.name, files, tuple(problems[:50]))


def _take(files: list[tuple[Owned, ListedFile]], limits: IntakeLimits, left: int) -> _Taken:
    taken = _Taken(limits)
    budget = min(limits.submission_bytes, left)
    for owner, file in files:
        if not taken.may_look():
            break
        _take_file(taken, "/".join(owner.parts), owner.order, file, budget, nested=False)
    if len(files) > limits.files:
        taken.problems.append(f"Only the first {limits.files:,} of {len(files):,} files were looked at.")
    elif taken.looked > limits.files:
        taken.problems.append(f"Only the first {limits.files:,} files were looked at, those inside zips included.")
    return taken


def _take_file(taken: _Taken, name: str, order: int, file: ListedFile, budget: int, *, nested: bool) -> None:
    is_zip = name.lower().endswith(".zip")
    shown = shown_name(name)
    if file.refusal:
        taken.problems.append(f"{shown} {file.refusal}; it was left out.")
        return
    if not is_zip and not name.lower().endswith(_NOTEBOOK_ENDINGS):
        taken.others += 1
        return
    if is_zip and nested:
        taken.problems.append(f"{shown} is a zip inside a zip inside the submission; it was not opened.")
        return
    try:
        raw = file.read(taken.limits)
    except RefusedFile as error:
        taken.problems.append(f"{shown} {error}; it was left out.")
        return
    if taken.bytes + len(raw) > budget:
        taken.problems.append(f"{shown} was left out: a submission has at most {size_text(budget)}.")
        return
    taken.bytes += len(raw)
    if is_zip:
        _take_zip(taken, shown, order, raw, budget)
    else:
        taken.files.append(NamedFile(name.rsplit("/", 1)[-1], raw, order))


def _take_zip(taken: _Taken, shown: str, order: int, raw: bytes, budget: int) -> None:
    taken.zips += 1
    if taken.zips > _MOST_ZIPS:
        taken.problems.append(f"{shown} was not opened: only the first {_MOST_ZIPS} zips of a submission are.")
        return
    try:
        for file in list_zip(io.BytesIO(raw), taken.limits, most=taken.limits.files):
            if not taken.may_look():
                break
            _take_file(taken, "/".join(file.parts), order, file, budget, nested=True)
    except RefusedZip as error:
        taken.problems.append(f"{shown} {error}.")


@cache
def _released_cells(lab: str, notebooks: tuple[str, ...]) -> dict[str, frozenset[str]]:
    """Ids of the cells in the course's own student notebooks, as far as they are built."""
    found = {}
    for notebook in notebooks:
        try:
            built = json.loads((COURSE / "labs" / lab / f"{notebook}.ipynb").read_text(encoding="utf-8"))
            # headings and set-up cells that several notebooks share tell nothing
            found[notebook] = frozenset(cell["id"] for cell in built["cells"] if "nbgrader" in cell["metadata"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found
