"""Names on the command line -> notebooks."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import PurePath

from course_lib.errors import CourseError
from course_lib.workbook.source import SourceNotebook

__all__ = ["select"]


def select(notebooks: Mapping[str, SourceNotebook], names: Iterable[str]) -> list[SourceNotebook]:
    """The notebooks that the names stand for, each once, in teaching order; all of them when there is no name.

    A name is a lab or notebook ("lab1_cnn_basics", "1a_neural_networks"), its first part ("lab1", "1a"), or the
    path of one of a notebook's files or folders. Raises CourseError for one that stands for nothing; the message
    lists what there is.
    """
    if not notebooks:
        raise CourseError("the course holds no notebooks yet")
    wanted = [_plain(name) for name in names]
    for name in wanted:
        if not any(_stands_for(name, notebook) for notebook in notebooks.values()):
            raise CourseError(_unknown(name, notebooks))
    return [
        notebook for notebook in notebooks.values() if not wanted or any(_stands_for(name, notebook) for name in wanted)
    ]


def _plain(name: str) -> str:
    path = PurePath(name.replace("\\", "/"))
    if path.suffix == ".py":  # a section; its folder is the notebook
        return path.parent.name
    return path.stem if path.suffix == ".ipynb" else path.name or name


def _stands_for(name: str, notebook: SourceNotebook) -> bool:
    return any(full == name or full.startswith(f"{name}_") for full in (notebook.id, notebook.lab))


def _unknown(name: str, notebooks: Mapping[str, SourceNotebook]) -> str:
    labs: dict[str, list[str]] = {}
    for notebook in notebooks.values():
        labs.setdefault(notebook.lab, []).append(notebook.id)
    listing = "; ".join(f"{lab}: {', '.join(ids)}" for lab, ids in labs.items())
    full = [*labs, *notebooks]
    short = [entry.partition("_")[0] for entry in full]
    near = difflib.get_close_matches(name, [*full, *short], n=1, cutoff=0.5)
    suggestion = f"did you mean {near[0]!r}? " if near else ""
    return f"there is no lab or notebook {name!r}; {suggestion}There are {listing}"
