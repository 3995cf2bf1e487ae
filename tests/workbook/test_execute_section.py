"""`course run NOTEBOOK --section`: the set-up, one section, and the earlier exercises that it uses."""

from __future__ import annotations

import subprocess
import sys

import pytest

from autograders.authoring.course_maker import Parts, make_course
from course_lib.errors import CourseError
from course_lib.workbook import source_notebooks
from course_lib.workbook.execute import Settings, execute
from course_lib.workbook.execute.history import read_history
from course_lib.workbook.execute.one_section import section_of, with_one_section
from course_lib.workbook.expand import expand

EXERCISE = '# %% exercise="{0}"\ndef {0}(x):\n    ### BEGIN SOLUTION\n    return {1}\n    ### END SOLUTION\n\n'
SECTIONS = {
    "01_start.py": "# %%\nraise RuntimeError('this section is not asked for')\n",
    "02_doubling.py": EXERCISE.format("double", "2 * x") + '# %% check="double" points=1\nassert double(1) == 2\n',
    "03_fourfold.py": EXERCISE.format("fourfold", "double(double(x))") + EXERCISE.format("unused", "x"),
    "04_tables.py": "# %% [markdown]\n# unused\n\n# %%\nprint(fourfold(math.pi))\n\n# %%\n%pwd\n\n# %%\n1 / 0\n",
    "12_more_tables.py": "# %% [markdown]\n# The end.\n",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    parts = (Parts("1a_sums", "lab1_sums", SECTIONS), Parts("1b_other", "lab1_sums", "# %%\n1\n"))
    return make_course(tmp_path_factory.mktemp("course"), *parts)


@pytest.fixture(scope="module")
def notebook(root):
    return source_notebooks(root)["1a_sums"]


@pytest.mark.parametrize(
    ("wanted", "file"),
    [("4", "04_tables"), ("04", "04_tables"), ("tables", "04_tables"), ("04_t", "04_tables"),
     ("more", "12_more_tables"), ("12", "12_more_tables"), ("1", "01_start"), ("02_doubling", "02_doubling")],
)  # fmt: skip
def test_a_section_has_a_number_and_a_name(notebook, wanted, file):
    assert section_of(notebook, wanted).stem == file


@pytest.mark.parametrize("wanted", ["5", "0", "able", "", "0"])
def test_an_unknown_section_is_answered_with_all_there_are(notebook, wanted):
    with pytest.raises(
        CourseError, match=r"is no section of 1a_sums; there are 01_start, 02_doubling, .*12_more_tables"
    ):
        section_of(notebook, wanted)


def test_a_name_that_stands_for_several(tmp_path):
    sections = {"01_pool.py": "# %%\n1\n", "02_pooling.py": "# %%\n2\n", "03_pooled.py": "# %%\n3\n"}
    [notebook] = source_notebooks(make_course(tmp_path, Parts("1a_pool", "lab1_x", sections))).values()
    assert section_of(notebook, "pool").stem == "01_pool", "the exact name comes first"
    with pytest.raises(CourseError, match="'poo' stands for 3 sections"):
        section_of(notebook, "poo")


def test_what_a_section_is_executed_with(notebook):
    by_id = {cell.id: cell for cell in expand(notebook).cells}
    chosen = with_one_section(notebook, section_of(notebook, "tables")).cells
    assert all(by_id[cell.id] == cell for cell in chosen), "its cells are those of the whole notebook"
    kinds = [cell.metadata.course.kind for cell in chosen]
    assert kinds == ["parameters", "setup", "exercise", "exercise", "text", "code", "code", "code"]
    assert [cell.id for cell in chosen][2:4] == ["double", "fourfold"], "needed by way of fourfold, and unused is not"


def test_the_first_section_has_its_set_up_once(notebook):
    kinds = [cell.metadata.course.kind for cell in with_one_section(notebook, section_of(notebook, "1")).cells]
    assert kinds == ["parameters", "setup", "code"]


@pytest.mark.parametrize("more", [{"parts": ("student",)}, {"changed": True}])
def test_what_does_not_go_with_a_section(root, more):
    with pytest.raises(CourseError, match="--section goes with the solution"):
        execute(root, ["1a"], Settings(section="2", **more))
    with pytest.raises(CourseError, match="--section is for one notebook, and 2 were named"):
        execute(root, ["lab1"], Settings(section="2"))


@pytest.mark.slow
def test_a_run_says_what_failed_with_file_and_line_and_leaves_no_history(root):
    words = ["run", "1a", "--section", "tables", "--jobs", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "course_lib.cli", *words], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    said = " ".join(done.stdout.split())
    assert "1a_sums.04_tables" in said and "this section is not asked for" not in said
    assert "ZeroDivisionError: division by zero, in cell code-" in said
    assert "(solutions/lab1_sums/1a_sums/04_tables.py:10)" in said
    assert (root / "build/executed/solution/lab1_sums/1a_sums.04_tables.ipynb").exists()
    assert read_history(root) == []
