"""A course of one lab with one notebook and quick questions, for runs of the whole command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat

from autograders.authoring.course_maker import Parts, make_course
from course_lib.workbook import source_notebooks
from course_lib.workbook.build import build
from course_lib.workbook.expand import expand

LAB = "lab9_tiny"
NOTEBOOK = "9a_tiny"

TEXT = '''\
# %% exercise="double" topics="sums"
def double(x):
    """Two times a number."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION

# %% check="double" points=2
assert double(1) == 2

# %% exercise="thrice" topics="sums"
def thrice(x):
    """Three times a number."""
    ### BEGIN SOLUTION
    return 3 * x
    ### END SOLUTION

# %% check="thrice" points=3
assert thrice(1) == 3

# %% [markdown] question="why" points=1 topics="sums"
# **Question.** Why?
#
# ### BEGIN SOLUTION
# Because.
# ### END SOLUTION
'''

QUESTIONS = """\
from autograders.engine.asking.comparison import equal
from autograders.engine.asking.question import question


@question("double")
def double(student, reference, rng, case):
    for number in range(2):
        x = rng.integer(1, 100)
        with case(f"number {number}"):
            equal(student.double(x), reference.double(x))


@question("thrice")
def thrice(student, reference, rng, case):
    for number in range(3):
        x = rng.integer(1, 100)
        with case(f"number {number}"):
            equal(student.thrice(x), 3 * x)
"""


def tiny_course(root: Path) -> Path:
    """A course of one lab with one notebook; the library and the engine are this project's."""
    return make_course(root, Parts(NOTEBOOK, LAB, TEXT, questions=QUESTIONS, title="Tiny"), whole=True)


def build_course(root: Path) -> None:
    assert build(root).problems == []


def notebook(root: Path, answers: dict[str, str] | None = None) -> bytes:
    """The released notebook with some cells written; None: the solution."""
    if answers is None:
        return nbformat.writes(expand(source_notebooks(root)[NOTEBOOK])).encode()
    book = nbformat.read(root / "labs" / LAB / f"{NOTEBOOK}.ipynb", as_version=4)
    for cell in book.cells:
        cell.source = answers.get(cell.id, cell.source)
    return nbformat.writes(book).encode()


def hand_in(folder: Path, student: str, content: bytes) -> None:
    (folder / student).mkdir(parents=True, exist_ok=True)
    (folder / student / f"{NOTEBOOK}.ipynb").write_bytes(content)


def command(root: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "autograders.command", *words]


def environment(root: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "COLUMNS": "160"}


def course(root: Path, *words: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(root, *words), cwd=root, env=environment(root), capture_output=True, text=True, check=False, **options
    )
