"""A whole course of one tiny notebook, to build, break and rebuild."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from autograders.authoring.course_maker import Parts, make_course

REPOSITORY = Path(__file__).resolve().parents[2]

CELLS = '''\
# %% [markdown]
# # Sums

# %% tags=["parameters"]
profile = "fast"
device = "auto"
seed = 0

# %% tags=["setup"]
from course_lib import checking

# %% exercise="add" topics="addition"
def add(a, b):
    """The sum of two numbers."""
    ### BEGIN SOLUTION
    return a + b
    ### END SOLUTION

# %% check="add" points=3
with checking.check("add"):
    checking.equal(add(1, 2), 3, "add(1, 2)")

# %% experiment="many_sums" topics="sums_plotted"
print([add(n, n) for n in range(3)])

# %% quiz="sum_words" points=2 topics="sum_terms"
sum_words = None
### BEGIN SOLUTION
sum_words = {"a"}
### END SOLUTION

# %% [markdown] question="why_add" points=2
# **Question.** Why add?
#
# ### BEGIN SOLUTION
# Because the model answer says so.
# ### END SOLUTION
'''

SYLLABUS = """\
id,title,notebook,form,seed
addition,Adding,1a_sums,exercise,000
sums_plotted,"Sums, plotted",1a_sums,experiment,000
sum_terms,Terms,1a_sums,question,000
product,Multiplying,1b_products,library,000
"""

QUIZZES = """\
[sum_words]
a = { true = true, reason = "a sum has terms" }
b = { true = false, reason = "a sum has no factors" }
"""


@dataclass
class TinyCourse:
    root: Path

    @property
    def source(self) -> Path:
        return self.root / "solutions/lab1_cnn_basics/1a_sums/01_start.py"

    @property
    def lab(self) -> Path:
        return self.root / "labs/lab1_cnn_basics/1a_sums.ipynb"

    def replace(self, old: str, new: str) -> None:
        text = self.source.read_text()
        assert old in text
        self.source.write_text(text.replace(old, new))


@pytest.fixture
def tiny_course(tmp_path: Path) -> TinyCourse:
    parts = Parts(
        "1a_sums", "lab1_cnn_basics", CELLS, start="", quiz=QUIZZES, title="Sums", summary="Adding numbers.", minutes=75
    )
    course = TinyCourse(make_course(tmp_path / "course", parts))
    (course.root / "solutions/syllabus.csv").write_text(SYLLABUS)
    (course.root / "course_lib/arithmetic.py").write_text("def half(x):\n    return x / 2\n")
    for name in ("start_here.py", "labs.csv"):
        shutil.copy(REPOSITORY / "solutions" / name, course.root / "solutions" / name)
    shutil.copy(REPOSITORY / "autograders/nbgrader_config.py", course.root / "autograders")
    return course
