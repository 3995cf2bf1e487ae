"""One value for everything that an execution's outcome rests on: equal values, equal outcome."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from nbformat import NotebookNode

from course_lib.workbook.execute.executed import code_cells
from course_lib.workbook.execute.limits import Part
from course_lib.workbook.execute.reach import Library
from course_lib.workbook.execute.settings import Settings
from course_lib.workbook.execute.versions import installed_versions

__all__ = ["Fingerprints"]

# what executes and judges a notebook is part of every outcome
EXECUTION = "import course_lib.workbook.execute.worker"
LOCK = "constraints.txt"


class Fingerprints:
    """The fingerprints of one run's executions.

    root      the course; settings  the run's.
    library   the folder of the package that notebooks import.
    """

    def __init__(self, root: Path, settings: Settings, library: Path) -> None:
        self._root, self._library = root, Library(library)
        lock = root / LOCK
        self._common = {
            "parameters": settings.parameters,
            "versions": installed_versions(),
            "lock": _digest(lock) if lock.exists() else None,
        }
        self._digests: dict[Path, str] = {}

    def of(self, part: Part, notebook: NotebookNode, folders: Iterable[Path]) -> str:
        """The fingerprint of executing `notebook`, made from the files in `folders`: its text, what marks it."""
        cells = [cell.source for cell in code_cells(notebook)]
        own = [path for folder in folders for path in _files(folder)]
        library = self._library.reached([*cells, EXECUTION])
        facts = {
            **self._common,
            "part": part,
            "cells": [[cell.cell_type, cell.id, cell.source, cell.metadata] for cell in notebook.cells],
            "own": [[self._name(path, self._root), self._digest(path)] for path in own],
            "library": [[self._name(path, self._library.folder), self._digest(path)] for path in library],
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def _digest(self, path: Path) -> str:
        if path not in self._digests:
            self._digests[path] = _digest(path)
        return self._digests[path]

    @staticmethod
    def _name(path: Path, base: Path) -> str:
        return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.name


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _files(folder: Path) -> list[Path]:
    """A folder's files but for what Python and editors leave among them; none where there is no folder."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in paths if not any(_is_left_over(name) for name in path.relative_to(folder).parts))


def _is_left_over(name: str) -> bool:
    return name.startswith(".") or name == "__pycache__"
