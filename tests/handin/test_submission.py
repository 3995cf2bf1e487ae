"""What is refused, what the zip holds, and the command."""

from __future__ import annotations

import hashlib
import io
import os

import pytest

from course_lib.errors import CourseError
from course_lib.handin.gathering import gather
from course_lib.handin.packing import destination, pack, write
from course_lib.handin.submit import submit
from tests.handin.copies import LAB, answered, notebook_of


class TestRefused:
    def test_an_unknown_lab(self, student):
        with pytest.raises(CourseError, match=r"no lab 'lab9'; there are lab1_cnn_basics"):
            gather(student, "lab9")

    def test_no_notebook_at_all(self, student):
        notebook_of(student).unlink()
        with pytest.raises(CourseError, match="nothing to hand in"):
            gather(student, "lab1")

    def test_a_notebook_too_large_to_be_graded(self, student):
        with notebook_of(student).open("ab") as file:
            file.truncate(33 * 2**20)
        with pytest.raises(CourseError, match=r"1a_sums\.ipynb has 33 MiB.* Clear Outputs"):
            gather(student, "lab1")

    def test_a_large_file_that_does_not_go_in_is_no_trouble(self, student):
        with (notebook_of(answered(student)).parent / "big.ipynb").open("wb") as file:
            file.truncate(33 * 2**20)
        assert gather(student, "lab1").notes == ("big.ipynb does not go in",)

    @pytest.mark.parametrize(
        "name", ["../x", "a/b", ".hidden", "-x", "a b", "x\n", "x" * 90, "a..b", "nul\0", "end.", "end_"]
    )
    def test_names_unfit_for_a_folder(self, student, name):
        with pytest.raises(CourseError, match="--student"):
            pack(gather(student, "lab1"), name)
        with pytest.raises(CourseError, match="--student"):
            destination(None, LAB, name, force=False)

    def test_where_it_may_not_be_written(self, student):
        (student / "old.zip").write_text("precious")
        for output, words in (("old.zip", "--force"), ("x.tar", r"\.zip"), ("no/x.zip", "no folder")):
            with pytest.raises(CourseError, match=words):
                destination(student / output, LAB, None, force=False)
        assert destination(student / "old.zip", LAB, None, force=True) == student / "old.zip"
        assert destination(student / "labs", LAB, "ada", force=False) == student / "labs" / f"ada-{LAB}.zip"
        assert destination(None, LAB, None, force=False) == student / f"{LAB}.zip"

    def test_a_disk_that_is_full(self, student, monkeypatch):
        def no_space(handle):
            raise OSError(28, "No space left on device")

        (student / "old.zip").write_text("precious")
        monkeypatch.setattr("course_lib.handin.packing.os.fsync", no_space)
        with pytest.raises(CourseError, match="No space left"):
            write(b"zip", student / "old.zip")
        assert (student / "old.zip").read_text() == "precious"
        assert sorted(path.name for path in student.iterdir()) == ["course_lib", "labs", "old.zip", "pyproject.toml"]


class TestZip:
    def test_the_same_notebooks_give_the_same_bytes(self, student):
        first = pack(gather(student, "lab1"), "ada")
        os.utime(notebook_of(student), (1, 1))
        assert pack(gather(student, "lab1"), "ada") == first

    def test_without_the_start_page(self, student):
        (student / "labs" / "start_here.ipynb").unlink()
        submission = gather(answered(student), "1")
        assert submission.gaps == []
        assert [part.findings.tasks for part in submission.parts] == [3]


class TestCommand:
    def run(self, root, **options):
        return submit(root, "lab1", **{"output": None, "student": None, "yes": False, "force": False} | options)

    def test_complete(self, student, capsys):
        before = {path: path.read_bytes() for path in (answered(student) / "labs").rglob("*.ipynb")}
        assert self.run(student)
        said = capsys.readouterr().out
        path = student / f"{LAB}.zip"
        assert f"wrote {path} (" in said
        assert f"sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}" in said
        assert "has an answer" in said
        assert {path: path.read_bytes() for path in (student / "labs").rglob("*.ipynb")} == before
        assert path.stat().st_mode & 0o777 == 0o644

    def test_incomplete_and_nobody_to_ask(self, student, capsys, monkeypatch):
        monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
        with pytest.raises(CourseError, match=r"one thing is missing.* --yes"):
            self.run(student)
        assert "1a: no answer yet" in capsys.readouterr().out
        assert not list(student.glob("*.zip"))
        assert self.run(student, yes=True)

    @pytest.mark.parametrize(("typed", "packed"), [("y\n", True), ("n\n", False), ("\n", False)])
    def test_incomplete_and_asked(self, student, monkeypatch, typed, packed):
        terminal = io.StringIO(typed)
        terminal.isatty = lambda: True
        monkeypatch.setattr("sys.stdin", terminal)
        assert self.run(student) is packed
        assert bool(list(student.glob("*.zip"))) is packed

    def test_brackets_in_what_is_told_are_no_markup(self, student, capsys):
        path = notebook_of(answered(student))
        path.with_name("[red]x[bold].ipynb").write_text("{}")
        self.run(student)
        assert "[red]x[bold].ipynb does not go in" in capsys.readouterr().out
