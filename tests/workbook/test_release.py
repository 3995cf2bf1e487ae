"""What students and the gradebook get is what nbgrader's own steps make of the same notebook."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path

import pytest

from course_lib.workbook import source_notebooks
from course_lib.workbook.expand import expand
from course_lib.workbook.nbgrader_settings import nbgrader_settings
from course_lib.workbook.release import gradebook_version, student_version

ROOT = Path(__file__).resolve().parents[2]
SOURCES = source_notebooks(ROOT)


@cache
def step(name):
    from nbgrader import preprocessors

    return getattr(preprocessors, name)(config=nbgrader_settings(Path(), source=Path()))


def steps(notebook, *names):
    result = copy.deepcopy(notebook)
    for name in names:
        result, _ = step(name).preprocess(result, {})
    return result


@pytest.mark.parametrize("name", SOURCES)
def test_both_versions_are_nbgraders(name):
    """The steps of `nbgrader.converters.GenerateAssignment`, in its order."""
    saved = steps(
        expand(SOURCES[name]), "LockCells", "ClearSolutions", "ClearOutput", "CheckCellMetadata", "ComputeChecksums"
    )
    assert gradebook_version(SOURCES[name]) == saved
    given = steps(saved, "ClearHiddenTests", "ClearMarkScheme", "ComputeChecksums", "CheckCellMetadata")
    assert student_version(SOURCES[name]) == given


@pytest.mark.parametrize("name", SOURCES)
def test_answers_are_given_out_tidy(name):
    """`nbgrader_entries.is_as_released` takes blanks at the ends of lines and around a text for an editor's work."""
    for cell in student_version(SOURCES[name]).cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            assert cell.source == "\n".join(line.rstrip() for line in cell.source.split("\n")).strip("\n")
