"""The steps that this course has: the one list of the commands behind `course check`, `test` and `nightly`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from course_lib.workbook.execute.run import REPORTS
from course_lib.workbook.steps.step import Step

__all__ = ["NOTEBOOKS_REPORT", "NOTEBOOKS_XML", "PYTEST_XML", "checks", "notebooks", "pytest"]

PYTEST_XML = Path("build", "test", "pytest.xml")
NOTEBOOKS_XML, NOTEBOOKS_REPORT = REPORTS / "junit.xml", REPORTS / "report.json"


def checks() -> tuple[Step, ...]:
    """What needs no test and no notebook run."""
    return (
        Step("format", "is all code formatted?", _python("ruff", "format", "--check", ".")),
        Step("lint", "does it keep the rules of pyproject.toml?", _python("ruff", "check", ".")),
        Step("types", "are its annotations true?", _python("mypy")),
        Step("labs", "is labs/ what the notebooks' text builds?", _course("build", "--check")),
        Step("syllabus", "which topics are taught?", _course("syllabus")),
    )


def pytest(jobs: int, arguments: Sequence[str] = (), *, random: bool = False) -> Step:
    """Tests of code.

    jobs    worker processes.
    random  look for new counterexamples; otherwise every run has the same examples.
    """
    options = ["-n", str(jobs), "--dist", "loadfile", "--no-loadscope-reorder"]
    # the older form of the report names each test's file
    report = [f"--junitxml={PYTEST_XML.as_posix()}", "-o", "junit_family=xunit1"]
    environment = {"OMP_NUM_THREADS": "1", **({"HYPOTHESIS_PROFILE": "nightly"} if random else {})}
    command = _python("pytest", *options, *report, *arguments)
    return Step("pytest", "does the code do what its tests say?", command, environment, (PYTEST_XML,))


def notebooks(jobs: int, *options: str) -> Step:
    """Notebooks; the run goes into the history with the steps beside it, so not by itself."""
    command = _course("run", "--jobs", str(jobs), "--no-history", *options)
    return Step("notebooks", "do they execute, and measure what they say?", command, reports=(
        NOTEBOOKS_XML, NOTEBOOKS_REPORT,
    ))  # fmt: skip


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


def _course(*arguments: str) -> tuple[str, ...]:
    return _python("course_lib.cli", *arguments)
