"""Gradescope's `submission_metadata.yml`: which students handed in the folder `submission_123456`."""

from __future__ import annotations

from typing import Any

import yaml

__all__ = ["METADATA_NAME", "submitters"]

METADATA_NAME = "submission_metadata.yml"


def submitters(raw: bytes) -> dict[str, list[str]]:
    """Folder -> student ids: the school's id, else the e-mail address, else the name. {} for what is no such file.

    A group's folder has several. Two students of the file who share an id or name are told apart by their folder.
    """
    try:
        entries = yaml.load(raw, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError, MemoryError, TypeError, OverflowError, AttributeError):
        return {}
    if not isinstance(entries, dict):
        return {}
    found = {folder: _students(entry) for folder, entry in entries.items() if isinstance(folder, str)}
    shared: dict[str, int] = {}
    for students in found.values():
        for student in students:
            shared[student] = shared.get(student, 0) + 1
    return {
        folder: [student if shared[student] == 1 else f"{student}_{folder}" for student in students]
        for folder, students in found.items()
    }


def _students(entry: Any) -> list[str]:
    people = entry.get(":submitters") if isinstance(entry, dict) else None
    if not isinstance(people, list):
        return []
    names = [_identity(person) for person in people if isinstance(person, dict)]
    return [name for name in dict.fromkeys(names) if name]


def _identity(person: dict[Any, Any]) -> str:
    for key in (":sid", ":email", ":name"):
        value = person.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""
