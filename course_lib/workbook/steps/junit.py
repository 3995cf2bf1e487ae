"""Reads JUnit XML: what passed, what did not, and how long each case took."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

__all__ = ["Case", "Counts", "counted", "read_cases"]

Verdict = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True)
class Case:
    """
    file     where the test stands, as the report has it; the class name where it does not say.
    seconds  of one worker, with what was set up for it.
    """

    file: str
    name: str
    verdict: Verdict
    seconds: float


@dataclass(frozen=True)
class Counts:
    """How many cases came out how; str() is the closing line."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed" + (f", {self.skipped} skipped" if self.skipped else "")


def read_cases(path: Path) -> list[Case]:
    """The cases of a report; none if there is none, or it was cut off."""
    try:
        tree = ElementTree.parse(path)
    except (OSError, ElementTree.ParseError):
        return []
    return [_case(element) for element in tree.iter("testcase")]


def counted(cases: list[Case], *, ok: bool) -> Counts:
    """The counts of a step's cases. A step that failed without a failed case counts as one itself."""
    verdicts = [case.verdict for case in cases]
    failed = verdicts.count("failed") or int(not ok)
    return Counts(verdicts.count("passed"), failed, verdicts.count("skipped"))


def _case(element: ElementTree.Element) -> Case:
    outcomes = {child.tag for child in element}
    verdict: Verdict = "failed" if outcomes & {"failure", "error"} else "skipped" if "skipped" in outcomes else "passed"
    place = element.get("file", "") or element.get("classname", "")
    return Case(place, element.get("name", ""), verdict, float(element.get("time", 0)))
