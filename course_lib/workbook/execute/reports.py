"""A run for other programs: JSON with everything, JUnit XML for what shows test results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from course_lib.workbook.execute.document import RunDocument
from course_lib.workbook.execute.result import Result

__all__ = ["write_json", "write_junit"]

# XML 1.0 has no place for these, whatever the escaping
_NO_XML = {code: "\N{REPLACEMENT CHARACTER}" for code in range(32) if chr(code) not in "\t\n\r"}


def write_json(path: Path, run: RunDocument) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(run, indent=2) + "\n", encoding="utf-8")


def write_junit(path: Path, results: Sequence[Result], seconds: float) -> None:
    """One suite for each part, one case for each notebook."""
    suites = ElementTree.Element("testsuites", {"name": "course run", **_totals(results, seconds)})
    for part in dict.fromkeys(result.task.part for result in results):
        of_part = [result for result in results if result.task.part == part]
        totals = _totals(of_part, sum(result.wall_seconds for result in of_part))
        suite = ElementTree.SubElement(suites, "testsuite", {"name": part, **totals})
        for result in of_part:
            _add_case(suite, result)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.indent(suites)
    ElementTree.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)


def _totals(results: Sequence[Result], seconds: float) -> dict[str, str]:
    return {
        "tests": str(len(results)),
        "failures": str(sum(not result.ok for result in results)),
        "errors": "0",
        "skipped": "0",
        "time": f"{seconds:.3f}",
    }


def _add_case(suite: ElementTree.Element, result: Result) -> None:
    task = result.task
    where = f"{task.part}.{task.lab}".rstrip(".")
    case = ElementTree.SubElement(
        suite, "testcase", classname=where, name=task.notebook, time=f"{result.wall_seconds:.3f}"
    )
    if result.metrics:
        properties = ElementTree.SubElement(case, "properties")
        for metric in result.metrics:
            ElementTree.SubElement(properties, "property", name=_xml(metric["name"]), value=str(metric["value"]))
    if not result.ok:
        first = result.problems[0]
        failure = ElementTree.SubElement(case, "failure", type=first.kind, message=_xml(first.summary))
        failure.text = _xml("\n\n".join(f"{problem.summary}\n{problem.detail}" for problem in result.problems))


def _xml(text: str) -> str:
    return text.translate(_NO_XML)
