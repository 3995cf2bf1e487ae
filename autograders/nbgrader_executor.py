"""nbgrader's own `autograde`, and Formgrader's button, made as safe as `course grade`: two of its steps replaced.

`TakeAnswers` stands for the steps that sanitise a submission: our notebook with the student's answers in it.
`SandboxedExecute` stands for the execution: it asks the hidden questions and writes outputs from which nbgrader reads
exactly the marks that were decided here (`nbgrader.utils.determine_grade`).
"""

from __future__ import annotations

import atexit
import functools
from pathlib import Path
from typing import Any

from nbgrader.preprocessors import NbGraderPreprocessor

from autograders.engine.class_run import class_seed
from autograders.engine.isolation.available import require_sandbox
from autograders.engine.isolation.limits import Limits
from autograders.engine.notebook_grading import ungraded
from autograders.engine.records.autograded import autograded_notebook
from autograders.engine.records.workspace import Workspace
from autograders.engine.repair.rebuild import rebuild
from autograders.engine.submission import Submission
from autograders.engine.submission_grading import GradingSettings, SubmissionGrader
from autograders.engine.verdict import NotebookResult, QuestionResult
from course_lib.course_root import places
from course_lib.errors import CourseError
from course_lib.handin.nbgrader_entries import CHECK_PREFIX
from course_lib.workbook import source_notebooks
from course_lib.workbook.release import student_version
from course_lib.workbook.source import SourceNotebook

__all__ = ["SandboxedExecute", "TakeAnswers"]

COURSE = Path(__file__).resolve().parent.parent


class TakeAnswers(NbGraderPreprocessor):
    """A submitted notebook -> our own with the student's answers, nothing executed."""

    def preprocess(self, notebook: Any, resources: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        source, raw = _source(resources), _raw(self, notebook, resources)
        _fill(notebook, source, ungraded(source, rebuild(source, raw)))
        return notebook, resources


class SandboxedExecute(NbGraderPreprocessor):
    """Asks the hidden questions in the sandbox; the check cells' outputs say what came of them."""

    def preprocess(self, notebook: Any, resources: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        source, raw = _source(resources), _raw(self, notebook, resources)
        require_sandbox()
        workspace = _workspace(self, resources)
        submission = Submission(resources["nbgrader"]["student"], source.lab, {source.id: raw})
        grader = _grader(source.lab, class_seed(workspace))
        result = next(part for part in grader.grade(submission).notebooks if part.id == source.id)
        faults = [question.id for question in result.questions if question.is_fault]
        if faults:
            # with no output nbgrader would give full marks
            raise CourseError(f"the grader failed on {', '.join(faults)} of {submission.student}; autograde it again")
        _fill(notebook, source, result)
        _add_marks(notebook, result)
        return notebook, resources


@functools.cache
def _grader(lab: str, seed: int) -> SubmissionGrader:
    """One for the whole command: the next submission's sandbox starts while this one is graded."""
    grader = SubmissionGrader(GradingSettings(COURSE, lab, seed, Limits())).__enter__()
    atexit.register(grader.__exit__)
    return grader


def _source(resources: dict[str, Any]) -> SourceNotebook:
    name, lab = resources["nbgrader"]["notebook"], resources["nbgrader"]["assignment"]
    source = source_notebooks(COURSE).get(name)
    if source is None or source.lab != lab:
        raise CourseError(
            f"{lab}/{name} is no notebook of this course; its text would stand in {places(COURSE).text / lab}"
        )
    return source


def _workspace(step: NbGraderPreprocessor, resources: dict[str, Any]) -> Workspace:
    return Workspace(Path(step.config.CourseDirectory.root), resources["nbgrader"]["assignment"])


def _raw(step: NbGraderPreprocessor, notebook: Any, resources: dict[str, Any]) -> bytes:
    """The file as it was handed in; the notebook nbgrader has read of it if it is not there."""
    import nbformat

    names = resources["nbgrader"]
    path = _workspace(step, resources).submitted(names["student"], names["notebook"])
    return path.read_bytes() if path.is_file() else nbformat.writes(notebook).encode("utf-8", "replace")


def _fill(notebook: Any, source: SourceNotebook, result: NotebookResult) -> None:
    filled = autograded_notebook(student_version(source), source, result)
    notebook.cells, notebook.metadata = filled.cells, filled.metadata


def _add_marks(notebook: Any, result: NotebookResult) -> None:
    """A result that is a number is a partial mark to nbgrader; it stands below what the cases said."""
    from nbformat.v4 import new_output

    questions: dict[str, QuestionResult] = {question.id: question for question in result.questions}
    for cell in notebook.cells:
        if cell.id.startswith(CHECK_PREFIX):
            question = questions.get(cell.id.removeprefix(CHECK_PREFIX))
            score = question.score if question else 0.0
            data = {"text/plain": repr(float(score))}
            cell.outputs.append(new_output("execute_result", data=data, execution_count=None))
