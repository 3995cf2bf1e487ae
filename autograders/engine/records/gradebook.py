"""nbgrader's gradebook for one lab: its schema, and one submission's marks in one transaction.

Formgrader and nbgrader's commands read the same file. What people enter (manual scores, extra credit, comments) is
never written here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograders.engine.records.gradebook_schema import save_schema
from autograders.engine.records.marks import AutoMark, CellName
from course_lib.errors import CourseError
from course_lib.workbook.nbgrader_settings import nbgrader_settings

if TYPE_CHECKING:
    from nbgrader.api import SubmittedAssignment, SubmittedNotebook

    from course_lib.workbook.source import SourceNotebook

__all__ = ["BookMark", "LabGradebook"]

NO_RESPONSE = "No response."  # nbgrader's words for an answer left as it was released


@dataclass(frozen=True)
class BookMark:
    """One row of the gradebook: what the grader gave, what a person gave, and the sum that counts."""

    auto: float | None
    manual: float | None
    extra: float | None
    score: float
    points: float
    needs_person: bool


class LabGradebook:
    """The gradebook file at `path` for one lab. Use as a context manager.

    sources  the lab's notebooks: the file is made if it is not there, and their cells are saved in it. None: for
        reading a gradebook that is there.
    wait     seconds to wait for another program that is writing.
    """

    def __init__(
        self, path: Path, lab: str, sources: Mapping[str, SourceNotebook] | None = None, *, wait: float = 20.0
    ) -> None:
        self.path, self.lab, self.sources, self.wait = path, lab, sources, wait

    def __enter__(self) -> LabGradebook:
        with self._clear_errors():
            if not self.path.exists():
                if self.sources is None:
                    raise CourseError(f"there is no gradebook {self.path}; run `course grade {self.lab} SUBMISSIONS`")
                self._create()
            self._book = self._open(self.path)
        try:
            with self._clear_errors():
                if self.sources is not None:
                    save_schema(self._book, self.lab, self.sources.values())
        except BaseException:
            self._book.close()
            raise
        return self

    def __exit__(self, *failure: object) -> None:
        self._book.close()

    # reading

    def marks(self, student: str) -> dict[CellName, BookMark] | None:
        """Every mark of one student, or None when the student has no row for this lab."""
        from nbgrader.api import BaseCell, Grade, MissingEntry, Notebook, SubmittedNotebook

        with self._clear_errors():
            try:
                submission = self._book.find_submission(self.lab, student)
            except MissingEntry:
                return None
            query = (
                self._book.db.query(Notebook.name, BaseCell.name, Grade, Grade.max_score)
                .join(SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id)
                .join(Notebook, SubmittedNotebook.notebook_id == Notebook.id)
                .join(BaseCell, Grade.cell_id == BaseCell.id)
                .filter(SubmittedNotebook.assignment_id == submission.id)
            )
            return {(notebook, cell): _book_mark(grade, points) for notebook, cell, grade, points in query}

    def comments(self, student: str) -> dict[CellName, str]:
        """Comments that count: a person's before the grader's."""
        from nbgrader.api import BaseCell, Comment, MissingEntry, Notebook, SubmittedNotebook

        with self._clear_errors():
            try:
                submission = self._book.find_submission(self.lab, student)
            except MissingEntry:
                return {}
            query = (
                self._book.db.query(Notebook.name, BaseCell.name, Comment.comment)
                .join(SubmittedNotebook, Comment.notebook_id == SubmittedNotebook.id)
                .join(Notebook, SubmittedNotebook.notebook_id == Notebook.id)
                .join(BaseCell, Comment.cell_id == BaseCell.id)
                .filter(SubmittedNotebook.assignment_id == submission.id)
            )
            return {(notebook, cell): comment for notebook, cell, comment in query if comment}

    def people(self) -> list[dict[str, Any]]:
        """nbgrader's row for each student who has a submission of this lab, in the order of ids."""
        with self._clear_errors():
            students = [submission.student for submission in self._book.assignment_submissions(self.lab)]
            rows = [
                {key: getattr(student, key) for key in ("id", "first_name", "last_name", "email", "lms_user_id")}
                for student in students
            ]
            return sorted(rows, key=lambda row: row["id"])

    # writing

    def put(
        self,
        student: str,
        marks: Mapping[CellName, AutoMark],
        *,
        unanswered: Set[CellName] = frozenset(),
        is_new_work: bool = True,
    ) -> None:
        """Enter one submission's marks, all or none.

        unanswered   solution cells left as they were released: nbgrader comments on them.
        is_new_work  a mark given by hand to work that has changed is to be looked at again.
        """
        with self._clear_errors():
            submission = self._submission(student)
            for notebook in submission.notebooks:
                for grade in notebook.grades:
                    mark = marks.get((notebook.name, grade.cell.name), AutoMark(0.0, 0.0))
                    changed = is_new_work or grade.auto_score != mark.score
                    if grade.manual_score is None or changed:
                        grade.needs_manual_grade = grade.manual_score is not None or mark.score is None
                    grade.auto_score = mark.score
                for comment in notebook.comments:
                    empty = (notebook.name, comment.cell.name) in unanswered
                    comment.auto_comment = NO_RESPONSE if empty else None
            self._book.db.commit()

    def _submission(self, student: str) -> SubmittedAssignment:
        """The student's row with a place for every cell, added to the session and not committed."""
        from nbgrader.api import MissingEntry, Student, SubmittedAssignment

        session = self._book.db
        with session.no_autoflush:
            try:
                submission = self._book.find_submission(self.lab, student)
            except MissingEntry:
                person = session.get(Student, student) or Student(id=student)
                submission = SubmittedAssignment(assignment=self._book.find_assignment(self.lab), student=person)
            present = {entry.notebook_id for entry in submission.notebooks if entry.notebook_id}
            for notebook in submission.assignment.notebooks:
                if notebook.id not in present:  # also a notebook that came to the lab after this student was graded
                    _add_notebook(submission, notebook)
            session.add(submission)
        session.flush()
        return submission

    # the file and its schema

    def _open(self, path: Path) -> Any:
        from nbgrader.api import Gradebook

        return Gradebook(self._url(path), course_id=self._settings().CourseDirectory.course_id)

    def _create(self) -> None:
        """A gradebook is made under another name first: a kill in between leaves none, not half of one."""
        from alembic.script import ScriptDirectory
        from nbgrader.api import Base
        from nbgrader.dbutil import ALEMBIC_DIR
        from sqlalchemy import create_engine, text

        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        new.unlink(missing_ok=True)
        engine = create_engine(self._url(new))
        try:
            with engine.begin() as connection:
                Base.metadata.create_all(connection)
                # nbgrader runs the `alembic` command for this number, which takes seconds
                version = ScriptDirectory(ALEMBIC_DIR).get_current_head()
                connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
                connection.execute(text("INSERT INTO alembic_version VALUES (:version)"), {"version": version})
            engine.dispose()
            new.replace(self.path)
        finally:
            engine.dispose()
            new.unlink(missing_ok=True)

    def _url(self, path: Path) -> Any:
        from sqlalchemy import URL

        return URL.create("sqlite", database=str(path), query={"timeout": str(self.wait)})

    def _settings(self) -> Any:
        return nbgrader_settings(self.path.parent, source=self.path.parent)

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        """Read what others wrote since. Say in one sentence why the gradebook cannot be used; undo what was begun."""
        from nbgrader.api import InvalidEntry
        from sqlalchemy.exc import SQLAlchemyError

        try:
            if book := getattr(self, "_book", None):
                book.db.rollback()  # people may have marked in Formgrader meanwhile: forget the rows read before
            yield
        except (SQLAlchemyError, InvalidEntry, OSError) as error:
            if book := getattr(self, "_book", None):
                book.db.rollback()
            raise CourseError(_explain(self.path, str(getattr(error, "orig", error)))) from error


def _explain(path: Path, cause: str) -> str:
    if "locked" in cause:
        advice = "another program is writing to it; let it finish, or close it"
    elif "full" in cause or "disk I/O" in cause or "No space" in cause or "too large" in cause:
        advice = f"there is no room on the disk that holds {path.parent}; make some"
    elif "no such table" in cause or "no such column" in cause:
        advice = "another version of nbgrader made it; copy it to a safe place and run `nbgrader db upgrade`"
    else:
        advice = f"{cause.splitlines()[0] if cause else 'unknown cause'}; see that it is a gradebook you may write"
    return (
        f"the gradebook {path} cannot be used: {advice}, then run the same command again; "
        "what was graded before is kept"
    )


def _add_notebook(submission: SubmittedAssignment, notebook: Any) -> SubmittedNotebook:
    """Mirrors what `Gradebook.add_submission` makes for one notebook."""
    from nbgrader.api import Comment, Grade, SubmittedNotebook

    submitted = SubmittedNotebook(notebook=notebook, assignment=submission)
    for cell in [*notebook.grade_cells, *notebook.task_cells]:
        Grade(cell_id=cell.id, notebook=submitted)
    for cell in [*notebook.solution_cells, *notebook.task_cells]:
        Comment(cell_id=cell.id, notebook=submitted)
    return submitted


def _book_mark(grade: Any, points: float) -> BookMark:
    return BookMark(
        auto=grade.auto_score,
        manual=grade.manual_score,
        extra=grade.extra_credit,
        score=grade.score,
        points=points,
        needs_person=grade.needs_manual_grade,
    )
