"""The writer: everything once, regrades shown first, and one sentence when disk or gradebook refuse."""

from __future__ import annotations

import dataclasses
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autograders.engine.records.evidence import to_json
from autograders.engine.records.feedback import FeedbackPages
from autograders.engine.records.writer import Writer
from autograders.engine.verdict import CaseResult, QuestionResult, Verdict
from course_lib.errors import CourseError
from tests.autograders.engine.synthetic_results import LAB, synthetic_result, tiny_sources
from tests.autograders.engine.written import check_class, check_written, in_child

CHECK = ("9a_tiny", "check_double")


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return tiny_sources(tmp_path_factory.mktemp("course"))


@pytest.fixture(scope="module")
def one_notebook(tmp_path_factory):
    """A lab with fewer steps to be killed at."""
    return tiny_sources(tmp_path_factory.mktemp("course"), ["9a_tiny"])


@pytest.fixture
def result(sources):
    return lambda student, **changes: synthetic_result(student, LAB, sources, **changes)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory, one_notebook):
    """Makes workspaces with a gradebook: nbgrader takes seconds to make a new one, so it is copied."""
    made = tmp_path_factory.mktemp("made")
    with Writer(made, LAB, one_notebook):
        pass

    def copy(workspace):
        shutil.copytree(made, workspace, dirs_exist_ok=True)
        return workspace

    return copy


def test_writes_everything_once(tmp_path, sources, result, fresh):
    fresh(tmp_path)
    results = [result(f"student {n}") for n in range(3)]
    with Writer(tmp_path, LAB, sources) as writer:
        assert writer.done("student 0") is None
        for entry in results:
            writer.write(entry)
            writer.write(entry)  # again, as after a kill
    check_class(tmp_path, sources, results)


LOCKER = """
import sqlite3, sys, time
book = sqlite3.connect(sys.argv[1], isolation_level=None)
book.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep(600)
"""


def test_a_locked_gradebook_is_one_sentence_and_loses_nothing(tmp_path, sources, result, fresh):
    fresh(tmp_path)
    first, second = result("first"), result("second")
    with Writer(tmp_path, LAB, sources, wait=0.2) as writer:
        writer.write(first)
        locker = subprocess.Popen([sys.executable, "-c", LOCKER, tmp_path / "gradebook.db"], stdout=subprocess.PIPE)
        try:
            assert locker.stdout.readline() == b"locked\n"
            with pytest.raises(CourseError, match=r"gradebook.*another program") as refusal:
                writer.write(second)
            assert "\n" not in str(refusal.value)
            with pytest.raises(CourseError, match="another program"):
                writer.done("first")
        finally:
            locker.kill()
            locker.wait()
        assert writer.done("second") is None
        writer.write(second)  # the same writer goes on
    check_class(tmp_path, sources, [first, second])


def test_what_a_locked_gradebook_kept_out_is_entered_by_the_next_run(tmp_path, sources, result, fresh):
    fresh(tmp_path)
    entry = result("ada")
    with Writer(tmp_path, LAB, sources, wait=0.2) as writer:
        locker = subprocess.Popen([sys.executable, "-c", LOCKER, tmp_path / "gradebook.db"], stdout=subprocess.PIPE)
        locker.stdout.readline()
        with pytest.raises(CourseError):
            writer.write(entry)
        locker.kill()
        locker.wait()
    check_class(tmp_path, sources, [entry])


def tiny_disk(folder: Path, size: str) -> bool:
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], check=False).returncode == 0


@pytest.mark.skipif(os.getuid() != 0, reason="mounting a small disk needs root")
@pytest.mark.parametrize("size", ["700k", "1m", "1500k"])
def test_a_full_disk_is_one_sentence_and_loses_nothing(tmp_path, sources, result, size):
    if not tiny_disk(tmp_path, size):
        pytest.skip("this machine does not let root mount a tmpfs")
    try:
        results = [result(f"s{n}") for n in range(8)]
        kept = []
        with Writer(tmp_path, LAB, sources) as writer, pytest.raises(CourseError, match="room") as refusal:
            for entry in results:
                writer.write(entry)
                kept.append(entry)
        assert "\n" not in str(refusal.value)
        subprocess.run(["mount", "-o", "remount,size=100m", tmp_path], check=True)
        with Writer(tmp_path, LAB, sources) as writer:
            assert [writer.done(entry.student) for entry in kept] == [entry.sha256 for entry in kept]
            for entry in results:
                if writer.done(entry.student) is None:
                    writer.write(entry)
        check_class(tmp_path, sources, results)
    finally:
        subprocess.run(["umount", tmp_path], check=True)


@pytest.mark.parametrize("largest", [3_000, 30_000, 100_000])
def test_a_limit_on_file_size_is_one_sentence_and_loses_nothing(tmp_path, sources, result, fresh, largest):
    """As a quota gives it: the evidence, the notebooks or the gradebook do not fit."""
    fresh(tmp_path)
    first, second = result("first"), result("second")
    with Writer(tmp_path, LAB, sources) as writer:
        writer.write(first)

    def run():
        with Writer(tmp_path, LAB, sources) as writer:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
            with pytest.raises(CourseError, match="room"):
                writer.write(second)

    assert in_child(run) == 0
    with Writer(tmp_path, LAB, sources) as writer:
        if writer.done("second") is None:
            writer.write(second)
        check_written(writer, [first, second])


def test_two_runs_do_not_share_a_workspace(tmp_path, sources, fresh):
    fresh(tmp_path)
    with Writer(tmp_path, LAB, sources):

        def run():
            with pytest.raises(CourseError, match="another run is grading"), Writer(tmp_path, LAB, sources):
                pass

        assert in_child(run) == 0
    with Writer(tmp_path, LAB, sources):
        pass


def test_done_needs_evidence_and_gradebook_to_agree(tmp_path, sources, result, fresh):
    fresh(tmp_path)
    import sqlite3

    entry = result("ada")
    with Writer(tmp_path, LAB, sources) as writer:
        writer.write(entry)
        path = writer.workspace.evidence("ada")
        content = path.read_bytes()
        path.write_bytes(content[:-10])
        assert writer.done("ada") is None
        path.write_bytes(content)
        assert writer.done("ada") == entry.sha256
        with sqlite3.connect(tmp_path / "gradebook.db") as book:
            book.execute("UPDATE grade SET auto_score = 99 WHERE auto_score IS NOT NULL")
        assert writer.done("ada") is None


def test_diff_names_each_mark_that_changes(tmp_path, sources, result, fresh):
    fresh(tmp_path)
    right = QuestionResult("double", 3.0, (CaseResult("one", Verdict.RIGHT), CaseResult("two", Verdict.RIGHT)))
    half = dataclasses.replace(right, cases=(right.cases[0], CaseResult("two", Verdict.WRONG)))
    fault = dataclasses.replace(right, cases=(CaseResult("two", Verdict.FAULT),))
    entry = result("ada")

    def graded(question):
        notebook = entry.notebooks[0]
        others = tuple(other for other in notebook.questions if other.id != "double")
        first = dataclasses.replace(notebook, questions=(question, *others))
        return dataclasses.replace(entry, notebooks=(first, *entry.notebooks[1:]))

    with Writer(tmp_path, LAB, sources) as writer:
        assert {(change.old, change.notebook) for change in writer.diff(graded(half))} == {
            (None, "9a_tiny"),
            (None, "9b_tiny"),
        }
        writer.write(graded(half))
        assert writer.diff(graded(half)) == []
        [change] = writer.diff(graded(right))
        assert (change.notebook, change.question, change.old, change.new) == ("9a_tiny", "double", 1.5, 3.0)
        [change] = writer.diff(graded(fault))
        assert (change.old, change.new) == (1.5, None)
        assert writer.done("ada") == entry.sha256  # looking changes nothing


def test_a_notebook_not_handed_in_again_leaves_no_page(tmp_path, sources, result, fresh):
    fresh(tmp_path)
    entry = result("ada")
    with Writer(tmp_path, LAB, sources) as writer:
        writer.write(entry)
        writer.write(dataclasses.replace(entry, sha256="other", notebooks=entry.notebooks[:1]))
        assert writer.done("ada") == "other"
        assert [path.name for path in (tmp_path / "feedback/ada" / LAB).iterdir()] == ["9a_tiny.html"]
        assert writer._book.marks("ada")["9b_tiny", "check_double"].auto == 0


@pytest.mark.parametrize("student", ["", ".", "..", "../x", "a/b", "a\\b", ".hidden", "a\0b", "x" * 300])
def test_a_student_cannot_be_a_path(tmp_path, sources, result, student, fresh):
    fresh(tmp_path)
    with Writer(tmp_path, LAB, sources) as writer, pytest.raises(CourseError, match="cannot name"):
        writer.write(dataclasses.replace(result("ada"), student=student))


def test_a_lab_that_is_not_there_is_named(tmp_path, sources):
    with pytest.raises(CourseError, match=f"no lab 'lab0'; there are {LAB}"):
        Writer(tmp_path, "lab0", sources)


@pytest.fixture
def broken_pages(monkeypatch):
    """Pages of one notebook cannot be rendered, until the returned function is called."""
    real = FeedbackPages.render

    def render(self, notebook, name, marks, comments):
        if name == "9a_tiny":
            raise RecursionError("<b>too deep</b>")
        return real(self, notebook, name, marks, comments)

    monkeypatch.setattr(FeedbackPages, "render", render)
    return lambda: monkeypatch.setattr(FeedbackPages, "render", real)


def test_a_page_that_cannot_be_made_is_a_plain_one_and_the_marks_stand(tmp_path, sources, result, fresh, broken_pages):
    fresh(tmp_path)
    entries = [result("ada"), result("<b>ben")]
    with Writer(tmp_path, LAB, sources) as writer:
        for entry in entries:
            writer.write(entry)
            assert writer.done(entry.student) == entry.sha256
        page = (tmp_path / "feedback/<b>ben" / LAB / "9a_tiny.html").read_text(encoding="utf-8")
        assert "could not be made as usual (RecursionError)" in page and "check_double: " in page and "<b>" not in page
        assert "Score: " in (tmp_path / "feedback/ada" / LAB / "9b_tiny.html").read_text(encoding="utf-8")
        broken_pages()
        writer.feedback("ada")
        assert "Score: " in (tmp_path / "feedback/ada" / LAB / "9a_tiny.html").read_text(encoding="utf-8")


def test_pending_evidence_whose_page_cannot_be_made_stops_no_later_run(tmp_path, sources, result, fresh, broken_pages):
    fresh(tmp_path)
    entry = result("ada")
    with Writer(tmp_path, LAB, sources) as writer:
        writer.workspace.write(writer.workspace.pending("ada"), to_json(entry))
    with Writer(tmp_path, LAB, sources) as writer:
        assert writer.done("ada") == entry.sha256
