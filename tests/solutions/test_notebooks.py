"""Every notebook executes as papermill runs it: solutions with their metrics in band, unanswered labs, graded parts."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from course_lib.workbook import source_notebooks
from course_lib.workbook.build import build
from course_lib.workbook.execute import Settings, execute

ROOT = Path(__file__).resolve().parents[2]


def test_labs_are_what_the_sources_build():
    assert build(ROOT, check=True).problems == []


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("name", source_notebooks(ROOT))
def test_notebook_executes(name):
    said = io.StringIO()
    assert execute(ROOT, [name], Settings(jobs=1), Console(file=said, width=120)), said.getvalue()
    report = json.loads((ROOT / "build/run/report.json").read_text())
    assert len(report["results"]) == 3, "solution, student notebook and graded part"
