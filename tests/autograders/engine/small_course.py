"""One tiny lab of two notebooks, and the file that a student gets of each: what intake and rebuild are tried on."""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from autograders.authoring.course_maker import Parts, make_course
from course_lib.workbook import source_notebooks
from course_lib.workbook.expand import expand
from course_lib.workbook.source import SourceNotebook

LAB = "lab1_sums"
SUMS, WORDS = "1a_sums", "1b_words"
NOTEBOOKS = (SUMS, WORDS)
SECRET = "secret"  # stands in every line of a solution, and nowhere in what students get

_SUMS = '''\
# %% [markdown]
# # Sums

# %% tags=["parameters"]
profile = "fast"

# %% tags=["setup"]
import math

# %% exercise="add" topics="addition"
def add(a, b):
    """The sum of two numbers."""
    ### BEGIN SOLUTION
    return a + b  # secret
    ### END SOLUTION

# %% check="add" points=3
assert add(1, 2) == 3

# %% experiment="plot" topics="addition"
print(add(1, 1))

# %% exercise="twice" topics="addition"
def twice(a):
    """Two times a number."""
    ### BEGIN SOLUTION
    secret = 2
    return secret * a
    ### END SOLUTION

# %% check="twice" points=2
assert twice(4) == 8

# %% [markdown]
# **a** one **b** two

# %% quiz="letters" points=2 topics="addition"
letters = None  # a set of letters
### BEGIN SOLUTION
letters = {"b"}  # secret
### END SOLUTION

# %% [markdown] question="why" points=2 topics="addition"
# **Question.** Why does the order not matter?
#
# ### BEGIN SOLUTION
# Addition is a secret of its own: it commutes.
# ### END SOLUTION

# %% [markdown]
# The end.
'''

_WORDS = '''\
# %% [markdown]
# # Words

# %% tags=["parameters"]
profile = "fast"

# %% exercise="join" topics="words"
def join(words):
    """One text."""
    ### BEGIN SOLUTION
    return "".join(words)  # secret
    ### END SOLUTION

# %% check="join" points=1
assert join(["a", "b"]) == "ab"
'''

_KEY = """\
[letters]
a = { true = false, reason = "no" }
b = { true = true, reason = "yes" }
"""


@cache
def sources() -> dict[str, SourceNotebook]:
    with TemporaryDirectory() as folder:
        parts = (
            Parts(SUMS, LAB, _SUMS, start="", quiz=_KEY, title="Sums", summary="Adding numbers.", minutes=75),
            Parts(WORDS, LAB, _WORDS, start="", title="Words", summary="Joining words.", minutes=75),
        )
        found = source_notebooks(make_course(Path(folder), *parts))
        for source in found.values():
            assert source.cells and source.quizzes is not None  # read while the files are there
    return found


def sums() -> SourceNotebook:
    return sources()[SUMS]


def solution(identifier: str = SUMS) -> dict[str, Any]:
    """The solution notebook as the JSON of a file."""
    return json.loads(json.dumps(expand(sources()[identifier])))


def cleared(notebook: dict[str, Any]) -> dict[str, Any]:
    """What students get of a solution notebook, by nbgrader's own preprocessors."""
    import nbformat
    from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions

    from course_lib.workbook.nbgrader_settings import nbgrader_settings

    config = nbgrader_settings(Path(), source=Path())
    node = nbformat.from_dict(notebook)
    for step in (ClearSolutions(config=config), ClearHiddenTests(config=config)):
        node, _ = step.preprocess(node, {})
    return json.loads(json.dumps(node))


@cache
def _student(identifier: str) -> dict[str, Any]:
    return cleared(solution(identifier))


def student(identifier: str = SUMS) -> dict[str, Any]:
    """The notebook that students get, with every answer still to be written."""
    return copy.deepcopy(_student(identifier))


def cell(notebook: dict[str, Any], identifier: str) -> dict[str, Any]:
    [found] = [entry for entry in notebook["cells"] if entry.get("id") == identifier]
    return found


ANSWERS = {
    "add": "def add(a, b):\n    return b + a",
    "twice": "def twice(a):\n    return a + a",
    "letters": 'letters = {"a", "b"}',
}
TEXT = "Because both ways **count** the same things."


def worked() -> dict[str, Any]:
    """The student notebook with every answer written."""
    notebook = student()
    for identifier, source in ANSWERS.items():
        cell(notebook, identifier)["source"] = source
    cell(notebook, "why")["source"] = TEXT
    return notebook
