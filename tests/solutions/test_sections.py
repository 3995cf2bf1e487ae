"""The names in a notebook's code: no section alone tells ruff where they come from, so the cells are read joined."""

from __future__ import annotations

import subprocess
import sys

import pytest

from course_lib.workbook.execute.one_section import with_one_section
from course_lib.workbook.expand import expand
from tests.exercises import NOTEBOOKS


def faults(notebook, *rules):
    """What ruff says of the code of an expanded notebook as one file."""
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    words = ["--isolated", "--no-cache", "--select", ",".join(rules), "--output-format", "concise", "-"]
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", *words], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("-:")]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_defines_what_it_uses_and_uses_what_it_imports(name):
    assert faults(expand(NOTEBOOKS[name]), "F821", "F401", "F811", "F841") == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_section_needs_the_set_up_and_exercises_alone(name):
    for section in NOTEBOOKS[name].sections:
        assert faults(with_one_section(NOTEBOOKS[name], section), "F821") == [], section


def test_a_name_that_is_nowhere_is_found():
    notebook = expand(next(iter(NOTEBOOKS.values())))
    notebook.cells[-1].update(cell_type="code", source="import a_module\nnowhere")
    found = faults(notebook, "F821", "F401")
    assert len(found) == 2 and any("nowhere" in line for line in found)
