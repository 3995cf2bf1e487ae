"""Runs are kept, found again, and say what has changed since."""

from __future__ import annotations

import json

import pytest

from course_lib.workbook.execute import history as history_file
from course_lib.workbook.execute.comparison import differences
from course_lib.workbook.execute.history import History, append, read_history
from course_lib.workbook.execute.result import Problem
from course_lib.workbook.execute.settings import Settings
from course_lib.workbook.execute.vanished import with_vanished_metrics
from tests.workbook.executions import failed, make_metric, make_result, make_run

BROKEN = Problem("error", "ValueError: no", "->   1 | f()", "cell_one")
PARAMETERS = Settings().parameters


def history_of(*runs):
    return History(runs, PARAMETERS)


def kinds(run, *earlier, **options):
    return [(found["kind"], found["notebook"]) for found in differences(run, history_of(*earlier), **options)]


class TestFile:
    def test_what_is_kept_is_read_again_without_the_cells_that_failed(self, tmp_path):
        runs = [make_run(make_result()), make_run(failed(make_result("1b"), BROKEN), number=2)]
        for run in runs:
            append(tmp_path, run)
        first, second = read_history(tmp_path)
        assert first == runs[0]
        assert second["results"][0]["problems"][0]["summary"] == "ValueError: no"
        assert second["results"][0]["problems"][0]["detail"] == ""
        assert runs[1]["results"][0]["problems"][0]["detail"] == "->   1 | f()", "the run itself stays whole"

    @pytest.mark.parametrize("line", ['{"format": 1, "fini', "[]", "7", "", '{"format": 0, "results": []}'])
    def test_a_line_it_cannot_read_is_passed_over(self, tmp_path, line):
        path = append(tmp_path, make_run(make_result()))
        path.write_text(path.read_text() + line + "\n")
        append(tmp_path, make_run(number=2))
        assert [run["finished"][:10] for run in read_history(tmp_path)] == ["2026-11-01", "2026-11-02"]

    def test_the_oldest_lines_go(self, tmp_path, monkeypatch):
        monkeypatch.setattr(history_file, "KEPT_LINES", 3)
        for number in range(1, 6):
            append(tmp_path, make_run(number=number))
        assert [run["finished"][8:10] for run in read_history(tmp_path)] == ["03", "04", "05"]

    def test_a_line_is_json_and_alone_in_its_folder(self, tmp_path):
        path = append(tmp_path, make_run(make_result()))
        (line,) = path.read_text().splitlines()
        run = json.loads(line)
        assert {"commit", "versions", "machine", "steps", "results"} <= run.keys()
        assert [file.name for file in path.parent.iterdir()] == ["history.jsonl"]

    def test_no_history_yet(self, tmp_path):
        assert read_history(tmp_path) == []


class TestUnchanged:
    def test_the_newest_execution_with_this_fingerprint_decides(self):
        passed, broken = make_run(make_result()), make_run(failed(make_result(), BROKEN))
        assert history_of(passed).is_unchanged("1a_sums", "solution", "f0")
        assert history_of(broken, passed).is_unchanged("1a_sums", "solution", "f0")
        assert not history_of(passed, broken).is_unchanged("1a_sums", "solution", "f0")
        assert not history_of().is_unchanged("1a_sums", "solution", "f0")

    def test_a_change_taken_back_is_no_change(self):
        other = make_run(failed(make_result(fingerprint="f1"), BROKEN))
        assert history_of(make_run(make_result()), other).is_unchanged("1a_sums", "solution", "f0")

    @pytest.mark.parametrize(
        "what", [("1b", "solution", "f0"), ("1a_sums", "student", "f0"), ("1a_sums", "solution", "")]
    )
    def test_another_notebook_part_or_fingerprint_is_another_thing(self, what):
        assert not history_of(make_run(make_result())).is_unchanged(*what)

    def test_other_parameters_are_another_run(self):
        full = make_run(make_result(), settings=Settings(profile="full"))
        assert not history_of(full).is_unchanged("1a_sums", "solution", "f0")


class TestVanished:
    BEFORE = make_run(make_result(metrics=[make_metric("accuracy"), make_metric("speedup")]))
    NOW = make_result(metrics=[make_metric("accuracy")])

    def test_a_metric_that_is_no_longer_recorded_is_a_fault(self):
        result = with_vanished_metrics(self.NOW, history_of(self.BEFORE), accepted=False)
        (problem,) = result.problems
        assert problem.kind == "vanished" and problem.metric == "speedup"
        assert (
            "2026-11-01" in problem.summary and "course run 1a_sums --part solution --accept-removed" in problem.summary
        )
        assert kinds(make_run(result, number=2), self.BEFORE) == [("vanished", "1a_sums")]

    def test_it_stays_one_until_it_is_accepted(self):
        lost = make_run(with_vanished_metrics(self.NOW, history_of(self.BEFORE), accepted=False), number=2)
        assert not with_vanished_metrics(self.NOW, history_of(self.BEFORE, lost), accepted=False).ok
        accepted = with_vanished_metrics(self.NOW, history_of(self.BEFORE, lost), accepted=True)
        assert accepted.ok and "speedup" in accepted.notes[0]
        later = history_of(self.BEFORE, lost, make_run(accepted, number=3))
        assert with_vanished_metrics(self.NOW, later, accepted=False) == self.NOW

    @pytest.mark.parametrize("kind", ["error", "time", "worker"])
    def test_a_notebook_that_ended_early_has_lost_nothing(self, kind):
        result = failed(self.NOW, Problem(kind, "stopped"))
        assert with_vanished_metrics(result, history_of(self.BEFORE), accepted=False) == result

    def test_an_unanswered_notebook_promises_nothing(self):
        before = make_run(make_result(part="student", metrics=[make_metric()]))
        result = make_result(part="student")
        assert with_vanished_metrics(result, history_of(before), accepted=False) == result

    def test_a_whole_notebook_that_is_gone(self):
        before = make_run(make_result("1a"), make_result("1b"), whole=True)
        now = make_run(make_result("1a"), whole=True, number=2)
        assert kinds(now, before) == [("gone", "1b")]
        assert kinds(now, before, accept_removed=True) == []
        assert kinds(make_run(make_result("1a"), number=2), before) == [], "only one was asked for"
        unanswered = make_run(make_result("1a"), make_result("start_here", "student"), whole=True)
        assert kinds(now, unanswered) == [], "this part was not asked for"
        assert kinds(make_run(make_result("1a"), unchanged=["1b"], whole=True), before) == []


class TestVerdicts:
    PASSED, FAILED = make_run(make_result()), make_run(failed(make_result(), BROKEN))

    def test_newly_broken_and_fixed(self):
        assert kinds(self.FAILED, self.PASSED) == [("broken", "1a_sums")]
        assert kinds(self.PASSED, self.FAILED) == [("fixed", "1a_sums")]

    def test_as_before_is_no_difference(self):
        assert kinds(self.PASSED, self.PASSED) == kinds(self.FAILED, self.PASSED, self.FAILED) == []
        assert kinds(self.FAILED) == [], "the first run has nothing to differ from"


def measured(*values, low=None, high=None, **more):
    return [
        make_run(make_result(metrics=[make_metric(value=value, low=low, high=high, **more)]), number=number)
        for number, value in enumerate(values, start=1)
    ]


class TestDrift:
    @pytest.mark.parametrize(
        ("values", "low", "high", "moved"),
        [
            ([0.90, 0.90], 0.8, 1.0, False),
            ([0.90, 0.909], 0.8, 1.0, False),  # 4.5 % of its band
            ([0.90, 0.911], 0.8, 1.0, True),
            ([0.90, 0.889], 0.8, 1.0, True),
            ([0.85, 0.95, 0.92, 0.99], 0.0, 1.0, False),  # within half of what it usually scatters
            ([0.85, 0.95, 0.92, 1.01], 0.0, 1.0, True),
            ([3.0, 3.04], 2.0, None, False),  # 4 % of the way to its one side
            ([3.0, 3.06], 2.0, None, True),
            ([100.0, 104.0], None, None, False),
            ([100.0, 106.0], None, None, True),
            ([None, 0.9], 0.8, 1.0, False),
            ([0.9, None], 0.8, 1.0, False),  # out of its band: a fault already
        ],
    )
    def test_beyond_what_is_usual(self, values, low, high, moved):
        *earlier, now = measured(*values, low=low, high=high)
        assert kinds(now, *earlier) == [("drifted", "1a_sums")] * moved

    @pytest.mark.parametrize(("runs", "moved"), [(4, False), (5, True)])
    def test_what_a_clock_measured_must_be_known_first(self, runs, moved):
        *earlier, now = measured(*[1.0] * runs, 2.0, timed=True)
        assert bool(kinds(now, *earlier)) is moved

    def test_other_machines_and_failed_runs_are_no_measure(self):
        (now,) = measured(0.9)
        (elsewhere,) = measured(0.5)
        elsewhere["machine"] = {**elsewhere["machine"], "processor": "another"}
        assert kinds(now, elsewhere) == []
        broken = make_run(failed(make_result(metrics=[make_metric(value=0.5)]), BROKEN))
        assert kinds(now, broken) == [("fixed", "1a_sums")]


class TestSlower:
    @pytest.mark.parametrize(
        ("times", "slower"),
        [
            ([40, 41, 50], False),  # two runs say nothing
            ([40, 41, 42, 50], False),  # 1.19 times the slowest
            ([40, 41, 42, 51], True),
            ([1, 1, 1, 3.5], False),  # seconds more are noise
            ([1, 1, 1, 4.5], True),
            ([60, 40, 40, 51], False),
        ],
    )
    def test_than_every_run_before(self, times, slower):
        *earlier, now = [make_run(make_result(seconds=seconds)) for seconds in times]
        assert kinds(now, *earlier) == [("slower", "1a_sums")] * slower

    def test_a_busy_machine_proves_nothing(self):
        earlier = [make_run(make_result(seconds=40))] * 3
        assert kinds(make_run(make_result(seconds=80), busy="this machine is busy"), *earlier) == []


def test_differences_name_faults_first():
    before = make_run(make_result("1a"), failed(make_result("1b"), BROKEN), make_result("1c"), whole=True)
    before["ok"] = True
    now = make_run(failed(make_result("1a"), BROKEN), make_result("1b"), whole=True, number=2)
    assert kinds(now, before) == [("gone", "1c"), ("broken", "1a"), ("fixed", "1b")]
