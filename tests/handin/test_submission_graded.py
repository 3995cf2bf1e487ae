"""Grading takes what students pack."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course_lib.errors import CourseError
from course_lib.handin.gathering import gather
from course_lib.handin.nbgrader_entries import checksum
from course_lib.handin.packing import destination, pack, write
from course_lib.handin.read_notebook import read_notebook
from tests.examples import MORE
from tests.handin.copies import LAB, answered, edit, notebook_of


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


def test_too_many_values_are_told(student):
    """Cut where the reader stops: `json_values` values, the notebook's own among them."""
    for count, words in ((900_000, "no answer yet"), (1_000_001, "clear the outputs")):
        edit(notebook_of(student), lambda notebook, count=count: notebook["metadata"].update(x=[0] * count))
        [(_, gap)] = gather(student, "lab1").gaps
        assert words in gap


def test_checksums_are_nbgraders(student):
    import nbformat
    from nbgrader.utils import compute_checksum

    def odd(notebook):
        for cell, source in zip(notebook["cells"], ("é \n", "", "x"), strict=False):
            cell["source"] = source

    edit(notebook_of(student), odd)
    ours = read_notebook(notebook_of(student).read_bytes()).cells
    theirs = nbformat.read(notebook_of(student), as_version=4).cells
    known = [
        (checksum(one.source, one.kind, one.nbgrader), compute_checksum(other))
        for one, other in zip(ours, theirs, strict=True)
        if one.nbgrader
    ]
    assert len(known) >= 5
    assert all(one == other for one, other in known)
