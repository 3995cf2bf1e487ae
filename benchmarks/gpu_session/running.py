"""One part in a process of its own, with a time limit, and what became of it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks.gpu_session.parts import OUTPUT, Part

__all__ = ["Outcome", "run_part"]

Status = Literal["passed", "failed", "cut", "absent"]
NOT_INSTALLED = re.compile(r"ModuleNotFoundError: No module named '(\w+)")


@dataclass(frozen=True)
class Outcome:
    """What became of a part.

    status    "cut": it took longer than it may, and was ended. "absent": it needs a library that is not installed.
    said      one line: how many tests passed, or why it failed.
    failures  a few lines for each test that failed, and the end of what a failed part printed.
    document  of a benchmark: what its harness saved, also when it was cut short.
    """

    status: Status
    seconds: float
    said: str
    failures: list[str] = field(default_factory=list)
    document: dict[str, Any] | None = None


def run_part(part: Part, root: Path, folder: Path, seconds: float) -> Outcome:
    """Run it; `folder` takes its files. No process is left behind, however it ends."""
    output, log = folder / "output", folder / "log"
    output.unlink(missing_ok=True)
    command = [sys.executable, "-u", *(word.replace(OUTPUT, str(output)) for word in part.command)]
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    start = time.monotonic()
    with log.open("wb") as printed:
        process = subprocess.Popen(
            command,
            cwd=root,
            env=os.environ | {"PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code: int | None = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:  # also on Ctrl-C
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    took = time.monotonic() - start
    end = log.read_text(errors="replace").strip()[-3000:]
    if code and not part.needed and (missing := NOT_INSTALLED.search(end)):
        return Outcome("absent", took, f"needs {missing[1]}, which is not installed here")
    read = _read_tests if part.kind == "tests" else _read_benchmark
    if code is None:
        said = f"ended after {took:.0f} s"
        document = _document(output) if part.kind == "benchmark" else None
        return Outcome("cut", took, said, [f"{part.name}: {said}. It had printed:\n{end}"], document)
    return read(part, code, took, output, end)


def _read_tests(part: Part, code: int, took: float, output: Path, end: str) -> Outcome:
    try:
        suite = ElementTree.parse(output).getroot().find("testsuite")
    except (OSError, ElementTree.ParseError):
        suite = None
    if suite is None:
        return Outcome("failed", took, f"pytest ended with {code} and no report", [f"{part.name}:\n{end}"])
    counted = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    passed = counted["tests"] - counted["failures"] - counted["errors"] - counted["skipped"]
    said = f"{passed} passed, {counted['failures'] + counted['errors']} failed, {counted['skipped']} skipped"
    failures = [_failure(part, case) for case in suite.iter("testcase") if _problem(case) is not None]
    if code == 0 and passed:
        return Outcome("passed", took, said)
    if not passed and not failures:  # a GPU is here: tests that all look away are no success
        skipped = next((each.get("message", "") for each in suite.iter("skipped")), "")
        said = f"no test ran ({counted['skipped']} skipped: {skipped})"
    return Outcome("failed", took, said, failures or [f"{part.name}:\n{end}"])


def _problem(case: ElementTree.Element) -> ElementTree.Element | None:
    return next((each for each in case if each.tag in ("failure", "error")), None)


def _failure(part: Part, case: ElementTree.Element) -> str:
    problem = _problem(case)
    text = ((problem.text if problem is not None else "") or "").strip()
    return f"{part.name}: {case.get('classname')}::{case.get('name')}\n{text[-1500:]}"


def _read_benchmark(part: Part, code: int, took: float, output: Path, end: str) -> Outcome:
    document = _document(output)
    if code == 0 and document and document.get("rows"):
        return Outcome("passed", took, f"{len(document['rows'])} rows", document=document)
    last = end.splitlines()[-1] if end else "it printed nothing"
    said = last if code else "it saved no rows"
    return Outcome("failed", took, f"ended with {code}: {said[:200]}", [f"{part.name}:\n{end}"], document)


def _document(output: Path) -> dict[str, Any] | None:
    try:
        return json.loads(output.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
