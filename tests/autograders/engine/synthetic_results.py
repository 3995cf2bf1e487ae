"""Results of gradings that never ran: a tiny lab with every kind of cell, and classes with a spread of abilities."""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from autograders.authoring.course_maker import Parts, make_course
from autograders.engine.records.gradebook import BookMark
from autograders.engine.records.marks import auto_marks
from autograders.engine.verdict import CaseResult, CellRun, NotebookResult, QuestionResult, SubmissionResult, Verdict
from course_lib.workbook.source import source_notebooks

ROOT = Path(__file__).resolve().parents[3]
LAB = "lab9_tiny"

TEXT = '''\
# %% [markdown]
# # Tiny
# Prose of our own with <b>markup</b> and $a < b$.

# %% tags=["parameters"]
profile = "fast"

# %% tags=["setup"]
import math

# %% exercise="double" topics="t"
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION

# %% check="double" points=3
assert double(2) == 4

# %% [markdown] question="why" points=2 topics="t"
# **Question.** Why?
#
# ### BEGIN SOLUTION
# Because.
# ### END SOLUTION

# %% [markdown]
# **a** one, **b** two.

# %% quiz="words" points=2 topics="t"
words = None  # a set of letters
### BEGIN SOLUTION
words = {"a"}
### END SOLUTION
'''
KEY = """\
[words]
a = { true = true, reason = "A says what is so." }
b = { true = false, reason = "B is <b>not</b> so." }
"""


def tiny_sources(root: Path, notebooks=("9a_tiny", "9b_tiny")):
    """The source notebooks of a lab of equal tiny notebooks, written below `root`."""
    parts = [Parts(name, LAB, TEXT, start="", quiz=KEY, title="A tiny notebook") for name in notebooks]
    return source_notebooks(make_course(root, *parts))


def png() -> bytes:
    """A white picture of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">2I5B", 1, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0\xff")) + chunk(b"IEND", b"")


def synthetic_result(student, lab, sources, *, ability=0.8, seed=0, **changes) -> SubmissionResult:
    """A result whose cases are right with probability `ability`, harder ones less often."""
    rng = np.random.default_rng([seed, *student.encode()])
    notebooks = tuple(_notebook(source, ability, rng) for source in sources.values() if source.lab == lab)
    entries = {
        "sha256": hashlib.sha256(f"{student} {seed}".encode()).hexdigest(),
        "seed": seed,
        "notebooks": notebooks,
        "seconds": float(rng.gamma(4, 5)),
        "started": "2026-01-05T10:00:00+00:00",
        "provenance": {"python": "3.11.7", "torch": "2.11.0", "sandbox": "bubblewrap", "limits": {"seconds": 60}},
    }
    return SubmissionResult(student, lab, **{**entries, **changes})


def _notebook(source, ability, rng) -> NotebookResult:
    questions, runs, answers, texts = [], [], {}, {}
    for place, cell in enumerate(source.cells):
        if cell.kind in ("exercise", "quiz"):
            answers[cell.id] = cell.source.replace("### BEGIN SOLUTION", "").replace("### END SOLUTION", "")
            runs.append(CellRun(cell.id, Verdict.RIGHT, text="done\n", seconds=0.1))
        if cell.kind == "question":
            texts[cell.id] = "Because *it* is so."
        if cell.kind == "check":
            questions.append(_question(cell, ability - 0.02 * (place % 11), rng))
        if cell.kind == "quiz":
            questions.append(_quiz(cell, source.quizzes[cell.id], ability, rng))
    return NotebookResult(source.id, tuple(questions), tuple(runs), answers, texts)


def _question(cell, ability, rng) -> QuestionResult:
    names = ("a single row", "several rows", "an empty batch", "numbers far apart")
    failures = [Verdict.WRONG] * 8 + [Verdict.ERROR] * 4 + [Verdict.TIMEOUT, Verdict.MISSING]
    cases = []
    for place, name in enumerate(names):
        right = rng.random() < ability - 0.06 * place
        verdict = Verdict.RIGHT if right else failures[rng.integers(len(failures))]
        message = "" if right else "The result has shape (2, 3); (3, 2) was wanted."
        cases.append(CaseResult(name, verdict, message, float(rng.gamma(2, 0.1 if right else 0.3))))
    return QuestionResult(cell.id, float(cell.points), tuple(cases))


def _quiz(cell, statements, ability, rng) -> QuestionResult:
    right = [bool(rng.random() < ability) for _ in statements]
    verdicts = [Verdict.RIGHT if judged else Verdict.WRONG for judged in right]
    cases = [CaseResult(f"statement {s.letter}", v) for s, v in zip(statements, verdicts, strict=True)]
    balance = sum(1 if judged else -1 for judged in right)
    return QuestionResult(cell.id, float(cell.points), tuple(cases), share=max(balance, 0) / len(cases))


def book_marks(result, sources) -> dict:
    """What the gradebook would hold for a result that nobody has marked by hand."""
    return {
        cell: BookMark(mark.score, None, None, mark.score or 0.0, mark.points, mark.score is None)
        for cell, mark in auto_marks(result, sources).items()
    }


def synthetic_class(lab, sources, size, seed=0):
    """`size` results of mixed abilities, a few damaged, a few with faults of the grader, one of a hostile name."""
    rng = np.random.default_rng(seed)
    for place in range(size):
        student = f"student_{place:03d}" if place != 7 else "<img src=x onerror=alert(1)>"
        result = synthetic_result(student, lab, sources, ability=float(rng.beta(6, 1.6)), seed=seed)
        if place % 17 == 3:
            repairs = ("The answer to 'double' was split over two cells; they were joined.",)
            result = _with_notebook(result, repairs=repairs)
        if place % 29 == 4:
            problems = ("<script>alert(1)</script>.ipynb is not a notebook: it is no JSON.",)
            result = replace(_with_notebook(result, questions=(), cells=()), problems=problems)
        if place % 37 == 5:
            first = result.notebooks[0].questions[0]
            broken = replace(first, cases=(CaseResult("the question itself", Verdict.FAULT, "OSError: no fork"),))
            result = _with_notebook(result, questions=(broken, *result.notebooks[0].questions[1:]))
        yield result


def _with_notebook(result, **changes) -> SubmissionResult:
    first, *others = result.notebooks
    return replace(result, notebooks=(replace(first, **changes), *others))
