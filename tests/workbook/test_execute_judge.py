"""What counts as a fault in an executed notebook, on notebooks written down by hand."""

from __future__ import annotations

import pytest
from nbformat import from_dict
from nbformat.v4 import new_code_cell, new_notebook, new_output

from course_lib.recording import METRIC_MIME
from course_lib.workbook.execute import executed
from course_lib.workbook.execute.excerpt import excerpt, numbered
from course_lib.workbook.execute.frames import Frame, frames
from course_lib.workbook.execute.judge import budget_overrun, problems
from course_lib.workbook.execute.limits import TimeBudget
from tests.workbook.executions import make_task

EXERCISE = {"grade_id": "add", "solution": True, "grade": False, "locked": False, "schema_version": 3}
CHECK = {"grade_id": "check_add", "solution": False, "grade": True, "locked": True, "points": 1, "schema_version": 3}


def cell(identifier, source, *outputs, count, nbgrader=None, tags=(), seconds=0.0):
    metadata = {"tags": list(tags), "papermill": {"duration": seconds}}
    if nbgrader:
        metadata["nbgrader"] = nbgrader
    return new_code_cell(
        source, id=identifier, outputs=list(outputs), execution_count=count, metadata=from_dict(metadata)
    )


def error(name, message, *heads):
    return new_output("error", ename=name, evalue=message, traceback=["-----", *heads, f"{name}: {message}"])


def stub_notebook(*heads, name="NotImplementedError", exercise=EXERCISE):
    """An exercise left open, called by its check, which ends with an error whose frames are `heads`."""
    return new_notebook(
        cells=[
            cell("add", "def add(a, b):\n    raise NotImplementedError", count=1, nbgrader=exercise),
            cell("check_add", "assert add(1, 2) == 3", error(name, "", *heads), count=2, nbgrader=CHECK),
        ]
    )


IN_CHECK = "\x1b[36mCell\x1b[39m\x1b[36m \x1b[39m\x1b[32mIn[2]\x1b[39m, line 1\x1b[39m\n----> 1 assert add(1, 2) == 3"
IN_EXERCISE = "\x1b[36mCell\x1b[39m \x1b[32mIn[1]\x1b[39m, line 2, in \x1b[36madd\x1b[39m(a, b)\n----> 2 raise"
IN_LIBRARY = "File /lib/torch/nn.py:77, in forward(x)\n---> 77 raise NotImplementedError"


class TestFrames:
    def test_cells_and_files_in_order(self):
        trace = ["----", IN_CHECK, IN_LIBRARY, IN_EXERCISE, "NotImplementedError: "]
        assert frames(trace) == [Frame(2, None, 1), Frame(None, "/lib/torch/nn.py", 77), Frame(1, None, 2)]

    def test_the_message_is_no_frame(self):
        assert frames(["----", IN_LIBRARY, "ValueError: \nCell In[1], line 2"])[-1].file == "/lib/torch/nn.py"

    def test_shown_source_is_no_frame(self):
        assert frames(["Cell In[3], line 2\n      1 File x.py:3\n----> 2 Cell In[1], line 9", "E: "]) == [
            Frame(3, None, 2)
        ]

    @pytest.mark.parametrize("head", ["Input In [4], in <cell line: 2>()", "Input In [4]:2", "  Cell In[4], line 2"])
    def test_other_ways_to_write_a_cell(self, head):
        assert frames([head, "E: "])[0].cell == 4


class TestUnanswered:
    def test_an_exercise_may_be_left_open(self):
        assert problems(make_task(part="student"), stub_notebook(IN_CHECK, IN_EXERCISE), 1000) == []

    @pytest.mark.parametrize(
        "notebook",
        [
            stub_notebook(IN_CHECK),  # raised by the check's own code
            stub_notebook(IN_CHECK, IN_EXERCISE, IN_LIBRARY),  # raised by a library that an answer called
            stub_notebook(IN_CHECK, IN_EXERCISE, name="TypeError"),
            stub_notebook(IN_CHECK, IN_EXERCISE, exercise=None),  # raised by a cell that no student fills in
            stub_notebook(),  # nowhere known
        ],
    )
    def test_nothing_else_may_stop_it(self, notebook):
        (found,) = problems(make_task(part="student"), notebook, 1000)
        assert found.kind == "error"
        assert found.cell == "check_add"

    def test_a_solution_may_not_be_open(self):
        assert problems(make_task(part="solution"), stub_notebook(IN_CHECK, IN_EXERCISE), 1000)


class TestOutputs:
    @pytest.mark.parametrize(("nbgrader", "count"), [(CHECK, 1), (EXERCISE, 0), (None, 0)])
    def test_stderr_is_a_fault_in_checks_alone(self, nbgrader, count):
        warning = new_output("stream", name="stderr", text="UserWarning: odd\n")
        notebook = new_notebook(cells=[cell("check_add", "f()", warning, count=1, nbgrader=nbgrader)])
        assert [found.kind for found in problems(make_task(), notebook, 10)] == ["stderr"] * count

    @pytest.mark.parametrize(
        ("value", "low", "high", "fails"),
        [
            (0.9, 0.8, 1.0, False),
            (0.8, 0.8, 1.0, False),
            (0.79, 0.8, None, True),
            (1.1, None, 1.0, True),
            (5.0, None, None, False),
            (None, None, None, True),  # recorded a NaN
        ],
    )
    def test_metrics_stay_in_their_band(self, value, low, high, fails):
        metric = {"name": "accuracy", "value": value, "low": low, "high": high}
        output = new_output("display_data", data={METRIC_MIME: metric})
        notebook = new_notebook(cells=[cell("x", "record()", output, count=1)])
        found = problems(make_task(), notebook, 10)
        assert [problem.kind for problem in found] == ["metric"] * fails
        assert executed.metrics(notebook) == [metric]
        if fails:
            assert "accuracy" in found[0].summary

    def test_a_metric_that_a_clock_measured_is_told_apart(self):
        metric = {"name": "speedup", "value": 0.7, "low": 0.9, "high": None, "timed": True}
        output = new_output("display_data", data={METRIC_MIME: metric})
        (found,) = problems(make_task(), new_notebook(cells=[cell("x", "record()", output, count=1)]), 10)
        assert (found.kind, found.metric) == ("timing", "speedup")

    @pytest.mark.parametrize(("size", "fails"), [(2_000_000, False), (2_000_001, True)])
    def test_size(self, size, fails):
        assert bool(problems(make_task(), new_notebook(), size)) is fails

    def test_a_cell_may_show_an_error_on_purpose(self):
        notebook = new_notebook(cells=[cell("x", "1/0", error("E", ""), count=1, tags=["raises-exception"])])
        assert problems(make_task(), notebook, 10) == []


class TestTime:
    def test_target(self):
        assert budget_overrun(make_task(), 90) is None
        assert "90.1 s" in budget_overrun(make_task(), 90.1)
        assert budget_overrun(make_task(budget=TimeBudget(None, 1e9)), 1e6) is None

    def test_the_graded_part_starts_below_the_setup_cell(self):
        cells = [
            cell("parameters", "a = 1", count=1, tags=["parameters"], seconds=1.0),
            cell("setup", "import torch", count=2, tags=["setup"], seconds=20.0),
            cell("add", "def f(): ...", count=3, seconds=0.25),
            cell("check", "f()", count=4, seconds=0.5),
        ]
        assert executed.seconds_after_setup(new_notebook(cells=cells)) == pytest.approx(0.75)


class TestExcerpt:
    def test_shows_the_failing_line_the_error_and_where_it_was_raised(self):
        notebook = stub_notebook(IN_CHECK, IN_EXERCISE)
        check = notebook.cells[1]
        text = excerpt(notebook, check, check.outputs[0])
        assert "->   1 | assert add(1, 2) == 3" in text
        assert "raised in cell add:" in text
        assert "->   2 |     raise NotImplementedError" in text

    def test_long_cells_and_messages_are_cut_around_the_line(self):
        source = "\n".join(f"line_{number}" for number in range(1, 301))
        failing = cell("long", source, count=1)
        failing.outputs = [error("ValueError", "\n".join(["x" * 1000] * 50), "Cell In[1], line 150")]
        text = excerpt(new_notebook(cells=[failing]), failing, failing.outputs[0])
        assert "-> 150 | line_150" in text
        assert "line_1\n" not in text
        assert len(text.splitlines()) < 30
        assert max(map(len, text.splitlines())) < 200

    @pytest.mark.parametrize("marked", [None, 1, 2, 3])
    def test_short_sources_are_shown_whole(self, marked):
        shown = numbered("a\nb\nc", marked)
        assert [line[-1] for line in shown.splitlines()] == ["a", "b", "c"]
        assert shown.count("->") == (marked is not None)
