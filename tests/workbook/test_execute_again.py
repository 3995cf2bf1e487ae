"""A second, lonely execution decides where only a clock was against a notebook."""

from __future__ import annotations

import pytest

from course_lib.workbook.execute.again import measured_again
from course_lib.workbook.execute.result import Problem
from tests.workbook.executions import make_metric, make_result

OUT = make_metric("speedup", 0.7, low=0.9, timed=True)
IN = make_metric("speedup", 1.4, low=0.9, timed=True)
OTHER_OUT = make_metric("ratio", 3.0, high=2.0, timed=True)
OTHER_IN = make_metric("ratio", 1.0, high=2.0, timed=True)
TOO_SLOW = Problem("timing", "metric out of its band: speedup = 0.7", metric="speedup")
OTHER_TOO_SLOW = Problem("timing", "metric out of its band: ratio = 3", metric="ratio")
WRONG = Problem("metric", "metric out of its band: accuracy = 0.1", metric="accuracy")
LATE = Problem("time", "it took 95.0 s; the budget is 90 s")


class Alone:
    """Answers with results made up before, and remembers what it was asked."""

    def __init__(self, *results):
        self.results, self.asked = list(results), []

    def __call__(self, tasks):
        self.asked += [task.notebook for task in tasks]
        return [self.results.pop(0) for _ in tasks]


def second_opinion(first, second):
    alone = Alone(second)
    (merged,) = measured_again([first], alone)
    assert alone.asked == [first.task.notebook]
    return merged


def test_in_its_band_the_second_time_is_no_fault():
    merged = second_opinion(make_result(problems=[TOO_SLOW], metrics=[OUT]), make_result(metrics=[IN]))
    assert merged.ok
    assert merged.metrics == [IN]
    (note,) = merged.notes
    assert "measured again" in note and "speedup = 1.4" in note and "speedup = 0.7" in note


def test_out_again_is_a_fault():
    slow = make_result(problems=[TOO_SLOW], metrics=[OUT])
    merged = second_opinion(slow, slow)
    assert merged.problems == [TOO_SLOW]
    assert "measured again" in merged.notes[0]


def test_a_metric_that_was_in_its_band_once_is_no_fault():
    first = make_result(problems=[TOO_SLOW], metrics=[OUT, OTHER_IN])
    merged = second_opinion(first, make_result(problems=[OTHER_TOO_SLOW], metrics=[IN, OTHER_OUT]))
    assert merged.ok
    assert merged.metrics == [IN, OTHER_IN]


def test_a_fault_of_another_kind_in_the_second_execution_counts():
    merged = second_opinion(make_result(problems=[TOO_SLOW], metrics=[OUT]), make_result(problems=[WRONG]))
    assert merged.problems == [WRONG]
    assert "not recorded" in merged.notes[0]


def test_over_the_budget_is_measured_again_too():
    merged = second_opinion(make_result(problems=[LATE], seconds=95.0), make_result(seconds=60.0))
    assert merged.ok and merged.seconds == 60.0
    assert "60.0 s" in merged.notes[0] and "95.0 s" in merged.notes[0]


@pytest.mark.parametrize("problems", [[], [WRONG], [TOO_SLOW, WRONG], [Problem("vanished", "gone")]])
def test_nothing_else_is_executed_twice(problems):
    alone = Alone()
    first = make_result(problems=problems)
    assert measured_again([first], alone) == [first]
    assert alone.asked == []


def test_results_keep_their_order():
    sound, slow, wrong = make_result("1a"), make_result("1b", problems=[LATE]), make_result("1c", problems=[WRONG])
    merged = measured_again([sound, slow, wrong], Alone(make_result("1b")))
    assert [result.task.notebook for result in merged] == ["1a", "1b", "1c"]
    assert [result.ok for result in merged] == [True, True, False]
