"""Test files in the order that keeps all workers busy to the end: the longest first.

xdist hands out whole files, because fixtures that cost seconds belong to a file; so a long file that is handed out last
is one worker's alone.
"""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# what a file marked slow counts as where no run has timed it yet; `course test` writes what the last whole run took
UNTIMED_SLOW = 60.0


def longest_first(items, times):
    """Sorts collected tests in place; files, and tests in a file, otherwise keep their order.

    times  seconds of a worker by file, relative to the repository.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}

    def seconds(path):
        untimed = UNTIMED_SLOW if path in slow else 0.0
        return times.get(path.relative_to(ROOT).as_posix(), untimed) if path.is_relative_to(ROOT) else untimed

    files = {path: -seconds(path) for path in {item.path for item in items}}
    items.sort(key=lambda item: files[item.path])


def times_of_the_last_run(root=ROOT):
    """What `course test` wrote down; nothing if it has not run here."""
    try:
        return json.loads((root / "build/test/seconds.json").read_text())
    except (OSError, json.JSONDecodeError):
        return {}
