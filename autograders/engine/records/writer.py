"""The one writer: puts each result into evidence, autograded notebooks, gradebook and feedback, once and whole.

The order makes a kill harmless at every point. A result is first kept as pending evidence. Then come the notebooks,
the marks (one transaction) and the pages, each of which may be repeated without harm. Last, one rename turns the
pending evidence into the evidence. Whoever opens the workspace next finishes what is still pending.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autograders.engine.records.autograded import autograded_notebook
from autograders.engine.records.evidence import DamagedEvidence, from_json, to_json
from autograders.engine.records.feedback import FeedbackPages, plain_page
from autograders.engine.records.gradebook import BookMark, LabGradebook
from autograders.engine.records.marks import CellName, auto_marks
from autograders.engine.records.workspace import Workspace
from autograders.engine.verdict import SubmissionResult
from course_lib.errors import CourseError
from course_lib.handin.answers import is_untouched
from course_lib.workbook.release import student_version

if TYPE_CHECKING:
    from course_lib.workbook.source import SourceNotebook

__all__ = ["Change", "Writer"]


@dataclass(frozen=True)
class Change:
    """One mark that a new grading would alter. `None` is a mark that waits for a person, or is not there yet.

    manual  a person's mark, which stays and counts whatever the grader says.
    """

    notebook: str
    question: str
    old: float | None
    new: float | None
    points: float
    manual: float | None = None


class Writer:
    """Writes the results of one lab into one workspace. Use as a context manager; one at a time for a workspace.

    sources  the lab's notebooks by id, or the whole course's.
    wait     seconds to wait for another program that holds the gradebook.
    """

    def __init__(self, workspace: Path, lab: str, sources: dict[str, SourceNotebook], *, wait: float = 20.0) -> None:
        self.workspace = Workspace(Path(workspace).expanduser().resolve(), lab)
        self.lab = lab
        self.sources = {name: source for name, source in sources.items() if source.lab == lab}
        if not self.sources:
            labs = sorted({source.lab for source in sources.values()})
            raise CourseError(f"there is no lab {lab!r}; there are {', '.join(labs) or 'none'}")
        self._book = LabGradebook(self.workspace.gradebook, lab, self.sources, wait=wait)
        self._pages = FeedbackPages()
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> Writer:
        with contextlib.ExitStack() as opened:
            opened.enter_context(_lock(self.workspace))
            self.workspace.remove_partial()
            opened.enter_context(self._book)
            self._released = {name: student_version(source) for name, source in self.sources.items()}
            self._finish_pending()
            self._closing = opened.pop_all()
        return self

    def __exit__(self, *failure: object) -> None:
        self._closing.close()

    def done(self, student: str) -> str | None:
        """The sha256 of the submission whose marks stand, or None when evidence and gradebook are not both complete."""
        evidence = self.evidence(student)
        if evidence is None or self.workspace.pending(student).exists():
            return None
        book = self._book.marks(student)
        wanted = {cell: mark.score for cell, mark in auto_marks(evidence, self.sources).items()}
        if book is None or {cell: mark.auto for cell, mark in book.items() if cell in wanted} != wanted:
            return None
        return evidence.sha256

    def evidence(self, student: str) -> SubmissionResult | None:
        """The last complete result of a student; None when there is none that can be read."""
        try:
            return from_json(self.workspace.evidence(student).read_bytes())
        except (FileNotFoundError, DamagedEvidence):
            return None

    def diff(self, result: SubmissionResult) -> list[Change]:
        """What `write` would alter in the gradebook's automatic marks, in the order of the notebooks."""
        book = self._book.marks(result.student) or {}
        changes = []
        for (notebook, cell), mark in auto_marks(result, self.sources).items():
            old = book.get((notebook, cell))
            if (old.auto if old else None) != mark.score or (old is None):
                question = cell.removeprefix("check_")
                old_score, manual = (old.auto, old.manual) if old else (None, None)
                changes.append(Change(notebook, question, old_score, mark.score, mark.points, manual))
        return changes

    def write(self, result: SubmissionResult) -> None:
        """Enter one result everywhere; it replaces the student's earlier one, and manual marks and comments stay.

        Raises CourseError for a full disk, a locked gradebook or a workspace that may not be written. What was written
        before stands, and this result is finished by the next Writer if it got as far as pending evidence.
        """
        if result.lab != self.lab:
            raise ValueError(f"a result of {result.lab} was given to the writer of {self.lab}")
        self.workspace.write(self.workspace.pending(result.student), to_json(result))
        self._finish(result)

    def feedback(self, student: str) -> list[Path]:
        """Render a student's pages again, as after marks were given by hand. Returns their paths."""
        evidence = self.evidence(student)
        return self._write_feedback(evidence) if evidence else []

    def _finish_pending(self) -> None:
        for path in sorted(self.workspace.pending_folder.glob("*.json")):
            try:
                result = from_json(path.read_bytes())
            except DamagedEvidence:
                path.unlink()  # the submission has no evidence then, and is graded again
                continue
            self._finish(result)

    def _finish(self, result: SubmissionResult) -> None:
        before = self.evidence(result.student)
        self._write_autograded(result)
        self._book.put(
            result.student,
            auto_marks(result, self.sources),
            unanswered=self._unanswered(result),
            is_new_work=before is None or before.sha256 != result.sha256,
        )
        self._write_feedback(result)
        self.workspace.move(self.workspace.pending(result.student), self.workspace.evidence(result.student))

    def _write_autograded(self, result: SubmissionResult) -> None:
        import nbformat

        handed_in = {notebook.id: notebook for notebook in result.notebooks}
        for name, source in self.sources.items():
            if name in handed_in:
                notebook = autograded_notebook(self._released[name], source, handed_in[name], result.problems)
                text = nbformat.writes(notebook) + "\n"
                self.workspace.write(self.workspace.autograded(result.student, name), text.encode(), lasting=False)
            else:  # an earlier submission may have had it
                self.workspace.autograded(result.student, name).unlink(missing_ok=True)
                self.workspace.feedback(result.student, name).unlink(missing_ok=True)

    def _write_feedback(self, result: SubmissionResult) -> list[Path]:
        marks, comments = self._book.marks(result.student) or {}, self._book.comments(result.student)
        written = []
        for name in self.sources:
            path = self.workspace.autograded(result.student, name)
            if not path.exists():
                continue
            page = self._page(
                path,
                name,
                {cell: mark for (notebook, cell), mark in marks.items() if notebook == name},
                {cell: text for (notebook, cell), text in comments.items() if notebook == name},
            )
            self.workspace.write(self.workspace.feedback(result.student, name), page, lasting=False)
            written.append(self.workspace.feedback(result.student, name))
        return written

    def _page(self, path: Path, name: str, marks: dict[str, BookMark], comments: dict[str, str]) -> bytes:
        """The page of one autograded notebook, or a plain one: no notebook may stop the marks of the others."""
        import nbformat

        try:
            return self._pages.render(nbformat.read(path, as_version=4), name, marks, comments).encode()
        except Exception as error:
            return plain_page(name, marks, error).encode("utf-8", "replace")

    def _unanswered(self, result: SubmissionResult) -> set[CellName]:
        """Solution cells that are empty or still the released stub, and those of notebooks not handed in."""
        notebooks = {notebook.id: notebook for notebook in result.notebooks}
        empty = set()
        for name, released in self._released.items():
            given = {**notebooks[name].answers, **notebooks[name].texts} if name in notebooks else {}
            for cell in _solution_cells(released.cells):
                if is_untouched(given.get(cell.id, ""), cell.source):
                    empty.add((name, cell.id))
        return empty


def _solution_cells(cells: Iterable) -> list:
    return [cell for cell in cells if cell.metadata.get("nbgrader", {}).get("solution")]


@contextlib.contextmanager
def _lock(workspace: Workspace) -> Iterator[None]:
    """Keep other runs out of the workspace. The lock dies with the process, however it ends."""
    import fcntl

    path = workspace.root / ".grading.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise workspace.cannot_write(path, error) from error
    with file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CourseError(
                f"another run is grading into {workspace.root}; wait until it is done, or give another --workspace"
            ) from error
        yield
