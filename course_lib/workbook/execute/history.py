"""The runs there have been: `build/history.jsonl`, one line of JSON a run, the newest last."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from course_lib.workbook.execute.document import FORMAT, Entry, RunDocument
from course_lib.workbook.execute.limits import Part

__all__ = ["History", "append", "read_history"]

FILE = Path("build", "history.jsonl")
# a year of nights, and what an author's own runs add; a line takes some tens of kilobytes
KEPT_LINES = 400


class History:
    """Runs, oldest first, and what they say about one execution.

    parameters  only runs that had these are comparable.
    """

    def __init__(self, runs: Sequence[RunDocument], parameters: dict[str, Any]) -> None:
        self.runs = runs
        self._comparable = [
            run for run in runs if all(run["settings"].get(name) == value for name, value in parameters.items())
        ]

    def of(self, notebook: str, part: str) -> list[tuple[RunDocument, Entry]]:
        """Every earlier execution of this part of the notebook with the run it was in, oldest first."""
        return [
            (run, entry)
            for run in self._comparable
            for entry in run["results"]
            if (entry["notebook"], entry["part"]) == (notebook, part)
        ]

    def last_passed(self, notebook: str, part: str) -> tuple[RunDocument, Entry] | None:
        """The newest execution without a fault."""
        return next((pair for pair in reversed(self.of(notebook, part)) if pair[1]["status"] == "ok"), None)

    def is_unchanged(self, notebook: str, part: Part, fingerprint: str) -> bool:
        """Whether the newest execution with this fingerprint passed."""
        same = [entry for _, entry in self.of(notebook, part) if entry["fingerprint"] == fingerprint]
        return bool(same) and same[-1]["status"] == "ok"

    def seconds(self, notebook: str, part: Part) -> float | None:
        """How long the newest execution took from start to end; None for the first one."""
        earlier = self.of(notebook, part)
        return earlier[-1][1]["wall_seconds"] if earlier else None

    def last_whole(self) -> RunDocument | None:
        """The newest run over the whole course without a fault."""
        return next((run for run in reversed(self._comparable) if run["whole"] and run["ok"]), None)


def read_history(root: Path) -> list[RunDocument]:
    """The runs kept in the course at `root`; a line that was cut off, or that another version wrote, is passed over."""
    path = root / FILE
    return list(_runs(path.read_text(encoding="utf-8"))) if path.exists() else []


def append(root: Path, run: RunDocument) -> Path:
    """Add a run; of the oldest ones only KEPT_LINES stay. The file is replaced in one step."""
    path = root / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    lines = [*lines, json.dumps(_without_details(run))][-KEPT_LINES:]
    new = path.with_suffix(f".{os.getpid()}")
    new.write_text("\n".join(lines) + "\n", encoding="utf-8")
    new.replace(path)
    return path


def _without_details(run: RunDocument) -> RunDocument:
    """Failing cells in full stay in report.json."""
    results = [
        {**entry, "problems": [{**problem, "detail": ""} for problem in entry["problems"]]} for entry in run["results"]
    ]
    return cast(RunDocument, {**run, "results": results})


def _runs(text: str) -> Iterator[RunDocument]:
    for line in text.splitlines():
        try:
            run = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(run, dict) and run.get("format") == FORMAT:
            yield cast(RunDocument, run)
