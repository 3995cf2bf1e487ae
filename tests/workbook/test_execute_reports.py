"""What a run leaves for people and programs, from results written down by hand."""

from __future__ import annotations

import io
import json
from xml.etree import ElementTree

import pytest
from rich.console import Console

from course_lib.workbook.execute import summary
from course_lib.workbook.execute.document import Difference
from course_lib.workbook.execute.progress import Board
from course_lib.workbook.execute.reports import write_json, write_junit
from course_lib.workbook.execute.result import Problem, Progress
from course_lib.workbook.execute.run import _strict
from course_lib.workbook.execute.settings import Settings
from tests.workbook.executions import ROOT, make_result, make_run

IN_BAND = {"name": "accuracy", "value": 0.9, "low": 0.8, "high": None}
OUT = {"name": "speed[up]", "value": None, "low": 1, "high": 2}
BROKEN = Problem("error", "ValueError: [/bold] \x1b[31m & <tag>", "->   1 | f[0]\x00", "cell_one")


def result(name="1a_sums", part="solution", **changes):
    return make_result(name, part, **{"metrics": [IN_BAND]} | changes)


RESULTS = [result(), result("1b_faulty", problems=[BROKEN], metrics=[OUT]), result(part="student", size=None)]


def shown(results, differences=(), **about):
    text = io.StringIO()
    run = make_run(*results, **about)
    run["differences"] += differences
    summary.show(Console(file=text, width=120), ROOT, results, run, [ROOT / "build/run/report.json"])
    return text.getvalue()


def test_json_holds_everything_with_relative_paths(tmp_path):
    write_json(tmp_path / "a/report.json", make_run(*RESULTS, settings=Settings(jobs=3)))
    report = json.loads((tmp_path / "a/report.json").read_text())
    assert report["ok"] is False
    assert report["settings"]["jobs"] == 3
    sound, faulty, student = report["results"]
    assert sound["executed"] == "build/executed/solution/1a_sums.ipynb"
    assert (sound["cells_done"], sound["cells_total"], sound["bytes"]) == (7, 9, 1_500_000)
    assert sound["metrics"] == [{**IN_BAND, "timed": False, "in_band": True}]
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
    assert "executed copy: build/executed/solution/1b_faulty.ipynb" in text
    assert "speed[up]" in text
    assert text.splitlines()[-1].startswith("2 ok, 1 failed in 20 s")
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


def test_what_else_a_run_has_to_say():
    measured = result(notes=["measured again, alone: speedup = 1.4"])
    moved = Difference(kind="drifted", notebook="1a_sums", part="solution", text="accuracy = 0.8; 0.9 in 3 runs before")
    gone = Difference(kind="gone", notebook="1d_lost", part="", text="it was in the run of 2026-11-01")
    text = shown([measured], unchanged=["1b_same", "1c_same"], busy="this machine is busy", differences=[moved, gone])
    assert "1a_sums: measured again, alone: speedup = 1.4" in text
    assert "The same as when they last passed: 1b_same, 1c_same" in text
    assert "this machine is busy" in text
    assert "accuracy = 0.8; 0.9 in 3 runs before" in text
    assert "1d_lost: it was in the run of 2026-11-01" in text
    assert text.splitlines()[-1].startswith("1 ok, 1 gone, 2 unchanged in 20 s")
