"""Renamed notebooks are found by what they say, by their name, by what they hold; doubtful ones are told."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograders.engine.intake.limits import IntakeLimits
from autograders.engine.intake.notebook_match import NamedFile, match_notebooks, notebook_stem
from tests.autograders.engine.small_course import NOTEBOOKS, SUMS, WORDS, student, worked

CELLS = {SUMS: {"add", "twice", "check_add"}, WORDS: {"join", "check_join"}}


def match(*files):
    return match_notebooks(files, NOTEBOOKS, CELLS, IntakeLimits())


def raw(notebook, /, **course):
    notebook["metadata"]["course"] = course
    return json.dumps(notebook).encode()


@pytest.mark.parametrize(
    "stem",
    [
        *("1a_sums", "1A_Sums", "1a sums", "1a-sums", "1asums", "1a_sums (1)", "1a_sums(2)", "1a_sums (1) (2)"),
        *("1a_sums-1", "1a_sums-copy", "1a_sums-Copy1", "Copy of 1a_sums", "1a_sums_final", "1a_sums_final_v2"),
        *("doe_1a_sums", "1a_sums_jane_doe"),
    ],
)
def test_stems(stem):
    assert notebook_stem(stem, NOTEBOOKS) == SUMS


@pytest.mark.parametrize("stem", ["", "1", "sums", "notes", "1a_sums_1b_words", "(1)", "final"])
def test_stems_that_tell_nothing(stem):
    assert notebook_stem(stem, NOTEBOOKS) == ""


@given(st.text(max_size=300))
def test_any_stem(stem):
    assert notebook_stem(stem, NOTEBOOKS) in ("", *NOTEBOOKS)


@pytest.mark.parametrize("ending", [".ipynb", ".ipynb.txt", ".ipynb.json", ".IPYNB"])
def test_endings(ending):
    files, problems = match(NamedFile(f"1a_sums{ending}", b"{"))
    assert files == {SUMS: b"{"} and problems == []


def test_metadata_tells():
    work = raw(worked(), notebook=SUMS)
    assert match(NamedFile("homework.ipynb", work)) == ({SUMS: work}, [])


def test_cells_tell_where_nothing_else_does():
    work = raw(worked())
    assert match(NamedFile("homework.ipynb", work)) == ({SUMS: work}, [])


def test_cells_decide_between_metadata_and_name():
    work = raw(student(WORDS), notebook=SUMS)  # pasted into a copy of the other notebook
    assert match(NamedFile("1b_words.ipynb", work))[0] == {WORDS: work}
    work = raw(student(WORDS), notebook=WORDS)  # saved under the other's name
    assert match(NamedFile("1a_sums.ipynb", work))[0] == {WORDS: work}


def test_another_labs_notebook_is_left_out():
    other = json.dumps({"cells": [], "metadata": {"course": {"notebook": "2a_else"}}}).encode()
    files, problems = match(NamedFile("1a_sums.ipynb", other))
    assert files == {}
    assert problems == ["'1a_sums.ipynb' is no notebook of this lab and was left out."]


def test_the_exact_name_counts_and_the_others_are_told():
    one, other = raw(worked(), notebook=SUMS), raw(student(), notebook=SUMS)
    files, [problem] = match(NamedFile("1a_sums (1).ipynb", other), NamedFile("1a_sums.ipynb", one))
    assert files == {SUMS: one}
    assert "'1a_sums.ipynb' was used, '1a_sums (1).ipynb' not" in problem
    assert match(NamedFile("1a_sums.ipynb", one), NamedFile("1a_sums (1).ipynb", one)) == ({SUMS: one}, [])


def test_names_in_sentences_are_short_and_printable():
    _, [problem] = match(NamedFile("\x1b[31m\u202e" + "a" * 500 + ".ipynb", b"{}"))
    assert problem.isprintable() and len(problem) < 150
