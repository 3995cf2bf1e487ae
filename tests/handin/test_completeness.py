"""What a notebook lacks is told, and nothing else."""

from __future__ import annotations

import io
import json
import os
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course_lib.handin.gathering import gather
from course_lib.handin.packing import pack
from course_lib.progress.record_file import append
from tests.handin.copies import (
    FORMATTED_STUB,
    STUB,
    answered,
    attempt_line,
    cell_of,
    drop,
    edit,
    fill,
    notebook_of,
    only,
)

ENTRIES = "source metadata nbgrader id cell_type grade_id solution locked grade points checksum"


class TestGaps:
    def test_complete(self, student):
        findings = only(answered(student))
        assert (findings.gaps, findings.notes, findings.answered, findings.tasks) == ((), (), 3, 3)

    def test_as_released(self, student):
        findings = only(student)
        assert findings.gaps == ("no answer yet: all of it",)
        assert (findings.answered, findings.tasks) == (0, 3)

    @pytest.mark.parametrize(
        ("cell", "text"),
        [
            ("add", ""),
            ("add", "  \n"),
            ("why_add", "*Your answer here.*\n"),
        ],
    )
    def test_one_unanswered(self, student, cell, text):
        fill(notebook_of(answered(student)), **{cell: text})
        assert only(student).gaps == (f"no answer yet: {cell}",)

    @pytest.mark.parametrize(
        ("cell", "text", "left"),
        [
            ("add", f"def add(a, b):\n    c = a + b\n    {STUB}", "line 3"),
            ("add", f"def add(a, b):\n    {STUB}\n\ndef more():\n    {STUB}", "lines 2 and 5"),
            ("add", f"def add(a, b):\n    {FORMATTED_STUB}", "line 2"),
            ("sum_words", f"# nothing\n{STUB}", "line 2"),
        ],
    )
    def test_one_partly_written(self, student, cell, text, left):
        fill(notebook_of(answered(student)), **{cell: text})
        findings = only(student)
        assert findings.gaps == (f"partly written: {cell} ({left} still to be written)",)
        assert findings.answered == 2

    def test_a_stub_in_a_comment_is_none(self, student):
        fill(notebook_of(answered(student)), add=f"def add(a, b):\n    # {STUB}\n    return a + b")
        assert only(student).gaps == ()

    def test_blanks_alone_are_no_answer(self, student):
        """What some editors do to a file that is opened and saved."""

        def blanks(notebook):
            source = "".join(cell_of(notebook, "add")["source"])
            cell_of(notebook, "add")["source"] = source.replace("\n", " \r\n") + "\n\n"

        edit(notebook_of(student), blanks)
        assert only(student).gaps == ("no answer yet: all of it",)

    def test_a_copy_beside_an_answer_changes_nothing(self, student):
        stub = "".join(cell_of(json.loads(notebook_of(student).read_text()), "add")["source"])
        copy = {"cell_type": "code", "metadata": {"nbgrader": {"grade_id": "add", "solution": True}}, "source": stub}
        edit(notebook_of(answered(student)), lambda notebook: notebook["cells"].append(copy))
        assert only(student).gaps == ()

    def test_what_the_reader_put_right_is_told(self, student):
        path = notebook_of(answered(student))
        path.write_bytes(path.read_text().encode("utf-16"))
        assert only(student).notes == ("the file was saved in UTF-16 and was read as such",)

    def test_what_grading_would_not_read_is_told(self, student):
        path = notebook_of(answered(student))
        edit(path, lambda notebook: notebook["cells"].append({"cell_type": "code", "source": "#" * 300_000}))
        [gap] = only(student).gaps
        assert "was not read" in gap and "256 KiB" in gap

    def test_a_cell_that_is_gone(self, student):
        drop(notebook_of(answered(student)), "add", "check_add")
        findings = only(student)
        assert [gap for gap in findings.gaps if "gone" in gap and gap.endswith(": add")]
        assert [note for note in findings.notes if "locked" in note and "check_add" in note]
        assert findings.answered == 2

    def test_a_missing_notebook(self, student):
        page = student / "labs" / "start_here.ipynb"

        def one_more(notebook):
            [lab] = notebook["metadata"]["course"]["outline"]
            lab["notebooks"].append({"id": "1b_products", "title": "Products", "tasks": []})

        edit(page, one_more)
        submission = gather(answered(student), "lab1")
        assert submission.gaps == [
            ("1b_products", "1b_products.ipynb is missing; if it has another name, give it this one")
        ]
        assert zipfile.ZipFile(io.BytesIO(pack(submission))).namelist() == ["1a_sums.ipynb"]

    @pytest.mark.parametrize(
        ("raw", "words"),
        [
            (b"", "empty"),
            (b"<<<<<<< HEAD\n{}", "line 1"),
            (b"\xff\xfe{}", "not JSON"),
            (b"[" * 100_000, "deep"),
            (b'{"nbformat": 3, "worksheets": []}', "not a notebook"),
            (b'{"nbformat": 4, "cells": {}}', "not a notebook"),
        ],
    )
    def test_an_unreadable_notebook_is_told_and_goes_in_as_it_is(self, student, raw, words):
        notebook_of(student).write_bytes(raw)
        submission = gather(student, "lab1")
        [(notebook, gap)] = submission.gaps
        assert notebook == "1a_sums" and words in gap
        assert zipfile.ZipFile(io.BytesIO(pack(submission))).read("1a_sums.ipynb") == raw

    @given(
        st.recursive(
            st.none() | st.integers() | st.text(max_size=3),
            lambda value: st.lists(value, max_size=3) | st.dictionaries(st.sampled_from(ENTRIES.split()), value),
            max_leaves=20,
        )
    )
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
    def test_any_json_in_a_cell_is_survived(self, student, value):
        edit(notebook_of(student), lambda notebook: notebook.update(cells=[value], metadata=value))
        assert gather(student, "lab1").gaps

    @pytest.mark.parametrize(
        ("source", "gaps"),
        [
            ("def add(a, b):\n    return a +", 1),
            ("def add(a, b):\n    x = '\0'\n    return x[1", 1),
            ("def add(a, b):\n    x = '\0'", 0),  # grading reads another sign in its place, and says so
            ("await thing()\ndef add(a, b): return a + b", 0),
            ("%timeit 3\ndef add(a, b): return a + b", 0),
            ("%%time\ndef add(a, b): return a + b", 0),
            ("x = " + "(" * 500 + ")" * 500, 1),
        ],
    )
    def test_an_answer_that_is_not_python(self, student, source, gaps):
        fill(notebook_of(answered(student)), add=source)
        assert len([gap for gap in only(student).gaps if "add is not Python" in gap]) == gaps

    def test_a_retyped_cell(self, student):
        edit(notebook_of(answered(student)), lambda notebook: cell_of(notebook, "add").update(cell_type="markdown"))
        assert "no code cell" in only(student).gaps[0]

    def test_checks_that_ran_after_the_file_was_saved(self, student):
        saved = datetime.now(UTC)
        path = notebook_of(answered(student))
        for seconds, gaps in ((-60, 0), (1, 0), (60, 1)):
            (student / ".progress" / "checks.jsonl").unlink(missing_ok=True)
            append(student, attempt_line("add", "passed", saved + timedelta(seconds=seconds)))
            os.utime(path, (saved.timestamp(), saved.timestamp()))
            assert len(only(student).gaps) == gaps
        assert "Ctrl+S" in only(student).gaps[0]

    def test_an_answer_the_file_does_not_hold(self, student):
        append(student, attempt_line("add", "passed", datetime.now(UTC) - timedelta(days=1)))
        assert any("the file does not hold: add" in gap for gap in only(student).gaps)

    @pytest.mark.parametrize(("outcome", "lost"), [("passed", 1), ("failed", 0), ("unwritten", 0)])
    def test_a_part_the_file_does_not_hold(self, student, outcome, lost):
        """The check of a half-written answer may well fail; that it passed tells of the other half."""
        fill(notebook_of(answered(student)), add=f"def add(a, b):\n    c = a\n    {STUB}")
        append(student, attempt_line("add", outcome, datetime.now(UTC) - timedelta(days=1)))
        assert len([gap for gap in only(student).gaps if "does not hold: add" in gap]) == lost


class TestNotes:
    def test_an_altered_lock(self, student):
        fill(notebook_of(answered(student)), check_add="pass", why_add_prompt="**Why not?**")
        [note] = only(student).notes
        assert note.endswith(": check_add, why_add_prompt")

    def test_changed_points(self, student):
        def more(notebook):
            cell_of(notebook, "check_add")["metadata"]["nbgrader"]["points"] = 100

        edit(notebook_of(answered(student)), more)
        assert "check_add" in only(student).notes[0]

    def test_a_copied_cell(self, student):
        def twice(notebook):
            notebook["cells"].append(cell_of(notebook, "add") | {"id": "another"})

        edit(notebook_of(answered(student)), twice)
        assert "keep one: add" in only(student).notes[0]

    def test_a_failing_check(self, student):
        append(student, attempt_line("add", "failed", datetime.now(UTC) - timedelta(days=1)))
        assert "failed when it last ran: add" in only(answered(student)).notes[0]

    def test_copies_of_a_notebook(self, student):
        path = notebook_of(answered(student))
        copy = path.with_name("1a_sums-Copy1.ipynb")
        copy.write_bytes(path.read_bytes())
        os.utime(copy, (path.stat().st_mtime + 60,) * 2)
        [note] = gather(student, "lab1").notes
        assert note == "1a_sums-Copy1.ipynb does not go in; it is newer than 1a_sums.ipynb, which does"

    def test_a_renamed_notebook(self, student):
        path = notebook_of(answered(student))
        path.rename(path.with_name("my sums.ipynb"))
        submission = gather(student, "lab1")
        assert submission.notes == ("my sums.ipynb goes in as 1a_sums.ipynb",)
        assert zipfile.ZipFile(io.BytesIO(pack(submission))).namelist() == ["1a_sums.ipynb"]
