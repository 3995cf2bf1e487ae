"""Steps run one after the other whatever the first ones say; what they count and how long they took."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from rich.console import Console

from course_lib.workbook.steps import checks, course_steps
from course_lib.workbook.steps.junit import Case, Counts, counted, read_cases
from course_lib.workbook.steps.spent_time import growth, show_spent_time
from course_lib.workbook.steps.step import Step, run_steps
from course_lib.workbook.steps.tests import closing_line
from tests.workbook.executions import make_result, make_run


def python(name, code, **more):
    return Step(name, f"what is {name}?", (sys.executable, "-c", code), **more)


def wait_until(condition, seconds=90):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(number):
    """Whether there is such a process; one that has ended and whose parent has not asked yet is no longer running."""
    try:
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class TestRunning:
    def test_every_step_runs_also_after_one_has_failed(self, tmp_path, capfd):
        steps = [
            python("first", "print('one'); raise SystemExit(3)"),
            Step("absent", "", ("/nonexistent/command",)),
            python("last", "import sys; print('out'); print('err', file=sys.stderr)"),
        ]
        outcomes = run_steps(tmp_path, steps, tmp_path / "logs")
        assert [(outcome.step.name, outcome.code, outcome.ok) for outcome in outcomes] == [
            ("first", 3, False), ("absent", 127, False), ("last", 0, True),
        ]  # fmt: skip
        assert outcomes[0].log.read_text() == "one\n"
        assert "/nonexistent/command cannot be started" in outcomes[1].log.read_text()
        assert outcomes[2].log.read_text() == "out\nerr\n"
        heard = capfd.readouterr().out
        assert (
            heard.index("== first: what is first?") < heard.index("one") < heard.index("== last") < heard.index("err")
        )

    def test_an_old_report_does_not_speak_for_a_new_run(self, tmp_path):
        (tmp_path / "report.xml").write_text("old")
        step = python("dies", "import os; os._exit(9)", reports=(Path("report.xml"),))
        (outcome,) = run_steps(tmp_path, [step], tmp_path)
        assert outcome.code == 9
        assert not (tmp_path / "report.xml").exists()

    def test_a_step_runs_in_the_course_with_its_variables(self, tmp_path):
        step = python("asks", "import os; print(os.getcwd(), os.environ['COLOUR'])", environment={"COLOUR": "blue"})
        (outcome,) = run_steps(tmp_path, [step], tmp_path / "logs")
        assert outcome.log.read_text() == f"{tmp_path} blue\n"

    @pytest.mark.parametrize("deaf", [False, True])
    def test_an_interrupt_ends_the_step_that_goes_on_and_its_processes(self, tmp_path, deaf):
        """deaf: the step ignores an interrupt, as what a shell starts in the background does."""
        inner = (
            "import os, signal, subprocess, sys, time\n"
            f"signal.signal(signal.SIGINT, signal.SIG_IGN if {deaf} else signal.default_int_handler)\n"
            "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
            "print(os.getpid(), child.pid, flush=True)\n"
            "time.sleep(600)"
        )
        outer = (
            "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "from pathlib import Path; from course_lib.workbook.steps import step\n"
            "step.STOPPING_SECONDS = 0.3\n"
            f"step.run_steps(Path('.'), [step.Step('sleeps', '', (sys.executable, '-c', {inner!r}))], Path('logs'))"
        )
        log = tmp_path / "logs/sleeps.txt"
        process = subprocess.Popen([sys.executable, "-c", outer], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: log.exists() and log.read_text().endswith("\n"))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert said.splitlines()[-1] == "KeyboardInterrupt"
        for number in log.read_text().split()[:2]:
            wait_until(lambda number=number: not is_running(int(number)))

    def test_check_names_what_failed(self, tmp_path, monkeypatch, capsys):
        steps = (python("format", ""), python("lint", "raise SystemExit(1)"), python("labs", ""))
        monkeypatch.setattr(checks, "checks", lambda: steps)
        assert not checks.run_checks(tmp_path)
        assert capsys.readouterr().out.splitlines()[-1] == "2 ok, 1 failed: lint"


class TestCourseSteps:
    def test_only_the_night_looks_for_new_examples(self):
        assert "HYPOTHESIS_PROFILE" not in course_steps.pytest(2).environment
        assert course_steps.pytest(2, random=True).environment["HYPOTHESIS_PROFILE"] == "nightly"

    def test_arguments_and_workers_reach_pytest(self):
        command = course_steps.pytest(3, ["-k", "conv2d"]).command
        assert command[command.index("-n") + 1] == "3"
        assert command[-2:] == ("-k", "conv2d")


XML = """\
<testsuites><testsuite name="pytest">
<testcase classname="tests.a.TestA" name="test_one[conv2d-einsum]" file="tests/a.py" time="1.5"/>
<testcase classname="tests.a" name="test_two" file="tests/a.py" time="2"><failure message="no">x</failure></testcase>
<testcase classname="tests.b" name="test_three" file="tests/b.py" time="0.25"><skipped message="gpu"/></testcase>
<testcase classname="tests.b" name="test_four" file="tests/b.py" time="0.25"><error message="setup"/></testcase>
</testsuite></testsuites>
"""


class TestCounting:
    def test_cases(self, tmp_path):
        (tmp_path / "report.xml").write_text(XML)
        cases = read_cases(tmp_path / "report.xml")
        assert [case.verdict for case in cases] == ["passed", "failed", "skipped", "failed"]
        assert cases[0] == Case("tests/a.py", "test_one[conv2d-einsum]", "passed", 1.5)
        assert counted(cases, ok=False) == Counts(1, 2, 1)

    @pytest.mark.parametrize("text", [None, "", XML[:200]])
    def test_a_report_that_is_absent_or_cut_off_has_no_cases(self, tmp_path, text):
        if text is not None:
            (tmp_path / "report.xml").write_text(text)
        assert read_cases(tmp_path / "report.xml") == []

    def test_a_step_that_failed_without_a_failed_case_counts(self):
        assert counted([], ok=False) == Counts(failed=1)
        assert counted([Case("f", "n", "passed", 1)], ok=False) == Counts(passed=1, failed=1)
        assert counted([], ok=True) == Counts()

    def test_the_closing_line(self):
        assert str(Counts(6513, 0, 118)) == "6513 passed, 0 failed, 118 skipped"
        assert str(Counts(7, 1)) == "7 passed, 1 failed"

    def test_notebooks_are_counted_in(self, tmp_path):
        notebooks = '<testsuites><testsuite name="solution"><testcase name="1a" time="9"/></testsuite></testsuites>'
        for place, text in ((course_steps.PYTEST_XML, XML), (course_steps.NOTEBOOKS_XML, notebooks)):
            (tmp_path / place).parent.mkdir(parents=True)
            (tmp_path / place).write_text(text)
        outcomes = [
            SimpleNamespace(step=SimpleNamespace(name=name), ok=True) for name in ("lint", "pytest", "notebooks")
        ]
        assert str(closing_line(tmp_path, outcomes)) == "2 passed, 2 failed, 1 skipped"


CASES = [
    Case("tests/a.py", "test_answers[conv2d-einsum]", "passed", 3.0),
    Case("tests/a.py", "test_answers[1b_convolution]", "passed", 2.0),
    Case("tests/b.py", "test_conv2d", "passed", 100.0),
    Case("tests/c.py", "test_sizes[7-conv2d_other]", "passed", 50.0),
]
NOTEBOOKS = {
    name: SimpleNamespace(cells=[SimpleNamespace(id=cell)])
    for name, cell in {"1a_networks": "", "1b_convolution": "conv2d"}.items()
}


class TestTimes:
    ENTRIES = make_run(make_result("1a_networks", wall_seconds=40), make_result("1b_convolution", wall_seconds=60))[
        "results"
    ]

    def test_what_one_more_notebook_adds(self):
        cost = growth(CASES, self.ENTRIES, NOTEBOOKS)
        assert (cost.notebooks, cost.tested, cost.executed) == (2, 5.0, 100.0)
        assert cost.of_one == 52.5
        assert cost.with_all(planned=37, now=1000, jobs=2) == 1000 + 35 * 52.5 / 2

    def test_the_table_has_the_slowest_first_and_all_of_the_time(self):
        many = [Case(f"tests/{number}.py", "test", "passed", number) for number in range(1, 31)]
        text = io.StringIO()
        show_spent_time(Console(file=text, width=100), many, self.ENTRIES)
        lines = [line.split() for line in text.getvalue().splitlines() if line.split()]
        shown = [line for line in lines if line[0].startswith("tests/")]
        assert shown[0] == ["tests/30.py", "1", "30"] and len(shown) == 12
        assert ["18", "others", "18", "171"] in lines
        assert ["all", "30", "465"] in lines
        assert ["1b_convolution", "90", "s", "60"] in lines
        assert ["all", "100"] in lines
