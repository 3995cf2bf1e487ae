"""Grading takes what students pack."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course_lib.errors import CourseError
from course_lib.workbook.submission import gather
from course_lib.workbook.submission_zip import destination, pack, write
from tests.examples import MORE
from tests.workbook.submission.copies import LAB, answered, edit, notebook_of


class TestAgainstGrading:
    """Only where staff's folder is: students do not have it."""

    @pytest.fixture(autouse=True)
    def engine(self):
        pytest.importorskip("autograders.engine.intake.take_in")

    @pytest.mark.parametrize("name", [None, "ada", "Zoë_9", "s123_456_7", "submission_12"])
    @pytest.mark.parametrize("how", ["zip", "folder of zips", "moodle", "canvas", "gradescope"])
    def test_is_taken_without_a_word(self, student, tmp_path, name, how):
        from autograders.engine.intake.take_in import read_submissions

        submission = gather(answered(student), "lab1")
        path = destination(None, LAB, name, force=False)
        write(pack(submission, name), path)
        place = {
            "zip": path,
            "folder of zips": tmp_path / "all" / path.name,
            "moodle": tmp_path / "all" / "Ada Ray_1234567_assignsubmission_file_" / path.name,
            "canvas": tmp_path / "all" / f"rayada_12345_678901_{path.name}",
            "gradescope": tmp_path / "all" / "submission_1234" / path.name,
        }[how]
        if how != "zip":
            place.parent.mkdir(parents=True)
            place.write_bytes(path.read_bytes())
        given_to_staff = path if how == "zip" else tmp_path / "all"
        [taken] = read_submissions(given_to_staff, LAB, ["1a_sums"], cells={})
        assert taken.problems == ()
        assert taken.files == {"1a_sums": notebook_of(student).read_bytes()}
        if how == "zip":
            assert taken.student == (name or LAB)

    @given(st.text(alphabet="abZ09_.@-é", min_size=1, max_size=12))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60 * MORE)
    def test_an_accepted_name_is_the_one_that_is_graded(self, student, name):
        from autograders.engine.intake.take_in import read_submissions

        try:
            archive = pack(gather(student, "lab1"), name)
        except CourseError:
            return
        (student / "x.zip").write_bytes(archive)
        [taken] = read_submissions(student / "x.zip", LAB, ["1a_sums"], cells={})
        assert taken.student == name and list(taken.files) == ["1a_sums"]

    def test_outputs_that_shrink_like_a_bomb(self, student):
        from autograders.engine.intake.take_in import read_submissions

        edit(notebook_of(student), lambda notebook: notebook["metadata"].update(filler="0" * 3 * 2**20))
        (student / "x.zip").write_bytes(pack(gather(student, "lab1")))
        [taken] = read_submissions(student / "x.zip", LAB, ["1a_sums"], cells={})
        assert taken.problems == () and taken.files

    def test_limits_are_those_of_grading(self):
        from autograders.engine.intake.limits import IntakeLimits
        from course_lib.workbook import completeness, student_notebook, submission, submission_zip

        limits = IntakeLimits()
        assert limits.file_bytes == submission.FILE_BYTES and limits.submission_bytes == submission.SUBMISSION_BYTES
        assert limits.cells == completeness.CELLS and limits.cell_bytes == completeness.CELL_BYTES
        assert limits.json_values == student_notebook.JSON_VALUES
        assert limits.zip_ratio > submission_zip.HIGHEST_RATIO

    def test_too_many_values_are_told_as_grading_would(self):
        from autograders.engine.intake.read_notebook import read_notebook
        from course_lib.workbook.student_notebook import UnreadableNotebook, read_student_notebook

        for count, is_read in ((900_000, True), (1_000_001, False)):
            raw = json.dumps({"nbformat": 4, "nbformat_minor": 5, "cells": [], "metadata": {"x": [0] * count}}).encode()
            assert ("values" in " ".join(read_notebook(raw).problems)) is not is_read
            if is_read:
                read_student_notebook(raw)
            else:
                with pytest.raises(UnreadableNotebook, match="Clear Outputs"):
                    read_student_notebook(raw)


def test_checksums_are_nbgraders(student):
    import nbformat
    from nbgrader.utils import compute_checksum

    from course_lib.workbook.student_notebook import checksum, read_student_notebook

    def odd(notebook):
        for cell, source in zip(notebook["cells"], ("é\r\n", "", "x"), strict=False):
            cell["source"] = source

    edit(notebook_of(student), odd)
    ours = read_student_notebook(notebook_of(student).read_bytes()).cells
    theirs = nbformat.read(notebook_of(student), as_version=4).cells
    known = [(checksum(one), compute_checksum(other)) for one, other in zip(ours, theirs, strict=True) if one.nbgrader]
    assert len(known) >= 5
    assert all(one == other for one, other in known)
