"""`course check`: everything that is wrong without a test being run."""

from __future__ import annotations

from pathlib import Path

from course_lib.workbook.steps.course_steps import checks
from course_lib.workbook.steps.step import run_steps

__all__ = ["run_checks"]


def run_checks(root: Path) -> bool:
    """Run every check of the course at `root` and say which failed; True if none did."""
    outcomes = run_steps(root, checks(), root / "build" / "check")
    failed = [outcome.step.name for outcome in outcomes if not outcome.ok]
    print(f"{len(outcomes) - len(failed)} ok" + (f", {len(failed)} failed: {', '.join(failed)}" if failed else ""))
    return not failed
