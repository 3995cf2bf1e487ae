"""What a run leaves for people and programs, from results written down by hand."""

from __future__ import annotations

import io
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from course_lib.workbook.execute import summary
from course_lib.workbook.execute.limits import TimeBudget
from course_lib.workbook.execute.progress import Board
from course_lib.workbook.execute.reports import write_json, write_junit
from course_lib.workbook.execute.result import Problem, Progress, Result
from course_lib.workbook.execute.run import _strict
from course_lib.workbook.execute.settings import Settings
from course_lib.workbook.execute.tasks import Task

ROOT = Path("/course")
IN_BAND = {"name": "accuracy", "value": 0.9, "low": 0.8, "high": None}
OUT = {"name": "speed[up]", "value": None, "low": 1, "high": 2}
BROKEN = Problem("error", "ValueError: [/bold] \x1b[31m & <tag>", "->   1 | f[0]\x00", "cell_one")


def result(name="1a_sums", part="solution", **changes):
    task = Task(
        notebook=name, lab="lab1", part=part, input=Path("in"), executed=ROOT / "build/executed" / f"{name}.ipynb",
        scratch=Path("scratch"), parameters={}, budget=TimeBudget(90, 150), threads=1,
    )  # fmt: skip
    facts = {"seconds": 12.5, "wall_seconds": 13.0, "cells": Progress(7, 9), "size": 1_500_000, "metrics": [IN_BAND]}
    return Result(task, **facts | changes)


RESULTS = [result(), result("1b_faulty", problems=[BROKEN], metrics=[OUT]), result(part="student", size=None)]


def shown(results):
    text = io.StringIO()
    summary.show(Console(file=text, width=120), ROOT, results, 99.6, [ROOT / "build/run/report.json"])
    return text.getvalue()


def test_json_holds_everything_with_relative_paths(tmp_path):
    write_json(tmp_path / "a/report.json", ROOT, RESULTS, Settings(jobs=3), 99.6)
    report = json.loads((tmp_path / "a/report.json").read_text())
    assert report["ok"] is False
    assert report["settings"]["jobs"] == 3
    sound, faulty, student = report["results"]
    assert sound["executed"] == "build/executed/1a_sums.ipynb"
    assert (sound["cells_done"], sound["cells_total"], sound["bytes"]) == (7, 9, 1_500_000)
    assert sound["metrics"] == [{**IN_BAND, "in_band": True}]
    assert faulty["metrics"][0]["in_band"] is False
    assert faulty["problems"][0]["cell"] == "cell_one"
    assert student["executed"] is None


def test_junit_is_valid_xml_whatever_a_notebook_printed(tmp_path):
    write_junit(tmp_path / "junit.xml", RESULTS, 99.6)
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert (root.get("tests"), root.get("failures"), root.get("time")) == ("3", "1", "99.600")
    assert [(suite.get("name"), suite.get("tests")) for suite in root] == [("solution", "2"), ("student", "1")]
    (failure,) = root.iter("failure")
    assert failure.get("type") == "error"
    assert "& <tag>" in failure.get("message")


def test_people_see_the_failure_and_one_closing_line():
    text = shown(RESULTS)
    assert "ValueError: [/bold]" in text  # not read as Rich's markup
    assert "->   1 | f[0]" in text
    assert "executed copy: build/executed/1b_faulty.ipynb" in text
    assert "speed[up]" in text
    assert text.splitlines()[-1].startswith("2 ok, 1 failed in 100 s")
    assert "build/run/report.json" in text


@pytest.mark.parametrize(("notebooks", "in_full"), [(3, True), (4, False)])
def test_many_notebooks_show_only_metrics_out_of_band(notebooks, in_full):
    text = shown([result(f"{number}a", metrics=[IN_BAND, OUT]) for number in range(notebooks)])
    assert ("accuracy" in text) is in_full
    assert text.count("out of band") == notebooks
    assert (f"{notebooks} metrics in their band" in text) is not in_full


def test_without_a_terminal_each_result_is_one_plain_line():
    text = io.StringIO()
    with Board(Console(file=text, width=80), 2) as board:
        for outcome in (result(), result("1b_faulty", problems=[BROKEN])):
            board.started(outcome.task)
            board.progressed(outcome.task, Progress(1, 9))
            board.finished(outcome)
    lines = text.getvalue().splitlines()
    assert len(lines) == 3, "two results, and the second one's problem"
    assert " ".join(lines[0].split()) == "ok 1a_sums solution 12.5 s of 90 s 7/9 cells, 1 metrics, 1.50 MB"
    assert lines[1].startswith("FAILED 1b_faulty")


def test_in_a_terminal_progress_is_shown_live():
    text = io.StringIO()
    with Board(Console(file=text, width=100, force_terminal=True), 1) as board:
        board.started(result().task)
        board.progressed(result().task, Progress(4, 9))
        board.bars.refresh()
        board.finished(result())
    assert "4/9 cells" in text.getvalue()
    assert "of 90 s" in text.getvalue()


def test_over_budget_is_said_and_with_strict_it_fails():
    late = result(warnings=["it took 95.0 s; the budget is 90 s"])
    assert late.ok
    assert "it took 95.0 s" in shown([late])
    strict = _strict(late)
    assert not strict.ok
    assert strict.problems[0].kind == "time"
    assert _strict(result()).ok
