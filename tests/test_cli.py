"""The `course` command as people type it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autograders.authoring import course_maker as maker
from course_lib import cli
from course_lib.course_root import course_root
from course_lib.errors import CourseError

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = (
    "doctor",
    "lab",
    "progress",
    "submit",
    "build",
    "run",
    "check",
    "test",
    "nightly",
    "syllabus",
    "train",
    "bench",
)


def course(*arguments, cwd=ROOT, **environment):
    return subprocess.run(
        [sys.executable, "-P", "-m", "course_lib.cli", *arguments],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "120", **environment},
        capture_output=True,
        text=True,
    )


def make_course(folder):
    """A course with nothing in it but one covered and one missing topic."""
    adding = '# %% experiment="adding" topics="sums"\n1 + 1\n'
    maker.make_course(folder, maker.Parts("1a_sums", "lab1_a", adding, start=""))
    (folder / "labs").mkdir()
    with (folder / "solutions" / "syllabus.csv").open("a") as file:
        file.write("products,Multiplying,1b_products,exercise,0\n")
    return folder


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_lists_the_commands(arguments):
    done = course(*arguments)
    assert done.returncode == 0
    assert all(f" {command} " in done.stdout for command in COMMANDS)


def test_help_is_quick_because_it_imports_little():
    heavy = "('torch', 'numpy', 'nbformat', 'papermill', 'matplotlib', 'jupyterlab')"
    code = (
        f"import sys; from course_lib import cli; cli.main(['--help']); print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lap"], "Did you mean 'lab'"),
        (["run", "--profile", "slow"], "'slow'"),
        (["run", "--jobs", "many"], "--jobs"),
        (["run", "--part", "answers"], "'answers'"),
        (["nightly", "--jobs", "-1"], "--jobs"),
        (["run", "--jobs", "-1"], "--jobs"),
        (["lab", "--port", "70000"], "--port"),
        (["build", "--chekc"], "--chekc"),
        (["run", "lba1"], "no lab or notebook 'lba1'"),
        (["bench", "csr"], "no benchmark 'csr'"),
        (["train", "shapes_resent"], "shapes_resent"),
        (["lab"], "run `course build` first"),
        (["progress"], "start_here.ipynb cannot be read"),
        (["submit", "lab1"], "no lab 'lab1'"),
        (["submit"], "Missing argument"),
    ],
)
def test_a_mistake_is_answered_in_one_line_with_code_2(tmp_path, arguments, words):
    done = course(*arguments, cwd=make_course(tmp_path))
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.startswith("course: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_faulty_source_is_a_mistake_too(tmp_path):
    root = make_course(tmp_path)
    (root / "solutions/lab1_a/1a_sums/01_start.py").write_text("# %%\n1 + 1\n")
    done = course("syllabus", cwd=root)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "1a_sums/01_start.py" in done.stderr


def test_build_problems_are_listed_and_fail(tmp_path):
    root = make_course(tmp_path)
    (root / "README.md").touch()
    (root / "solutions/lab1_a/1a_sums/01_start.py").write_text(
        (root / "solutions/lab1_a/1a_sums/01_start.py").read_text().replace('topics="sums"', 'topics="sumz"')
    )
    done = course("build", cwd=root)
    assert done.returncode == 1
    assert "sumz" in done.stderr
    assert "Traceback" not in done.stderr


def test_syllabus_counts_and_lists(tmp_path):
    root = make_course(tmp_path)
    whole = course("syllabus", cwd=root)
    assert whole.returncode == 0
    assert "Sums" in whole.stdout
    assert "adding" in whole.stdout
    assert "1 of 2 topics are taught; 1 are missing" in whole.stdout
    missing = course("syllabus", "--missing", cwd=root)
    assert "products" in missing.stdout
    assert "Adding" not in missing.stdout


def test_errors_of_the_course_and_interrupts_have_their_codes(monkeypatch, capsys):
    def fail(error):
        def show(*arguments, **options):
            raise error

        monkeypatch.setattr("course_lib.workbook.syllabus_table.show", show)
        monkeypatch.setattr("course_lib.workbook.syllabus.coverage", lambda root: [])
        return cli.main(["syllabus"]), capsys.readouterr().err

    assert fail(CourseError("two\n  lines")) == (2, "course: two lines\n")
    assert fail(KeyboardInterrupt()) == (130, "course: stopped.\n")
    with pytest.raises(ZeroDivisionError):  # our own mistakes keep their traceback
        fail(ZeroDivisionError())


@pytest.mark.parametrize(
    ("same_bits", "agrees", "code", "words"),
    [(True, True, 0, "the same file as"), (False, True, 0, "agrees with"), (False, False, 1, "DIFFERS from")],
)
def test_train_compares_with_what_is_shipped(monkeypatch, capsys, tmp_path, same_bits, agrees, code, words):
    def reproduce(name, folder):
        made = {"path": folder / name, "seconds": 1.0, "accuracy": 0.9, "shipped_accuracy": 0.91}
        return made | {"same_bits": same_bits, "agrees": agrees}

    monkeypatch.setattr("course_lib.training.reproduce", reproduce)
    monkeypatch.setattr("course_lib.training.recipe_names", lambda: ("one", "two"))
    assert cli.main(["train", "two", "--output", str(tmp_path)]) == code
    said = capsys.readouterr().out
    assert f"wrote {tmp_path / 'two'} in 1 s: accuracy 0.9000, {words} the shipped one (0.9100)" in said
    assert "one ..." not in said


class TestRoot:
    def test_is_found_from_below(self, tmp_path):
        root = make_course(tmp_path)
        assert course_root(root / "solutions" / "lab1_a") == root.resolve()
        assert course_root(root) == root.resolve()

    def test_is_the_packages_own_elsewhere(self, tmp_path):
        assert course_root(tmp_path) == ROOT

    def test_a_students_copy_has_no_solutions(self, tmp_path):
        root = make_course(tmp_path)
        shutil.rmtree(root / "solutions")
        assert course_root(root / "labs", holding="labs") == root.resolve()
        with pytest.raises(CourseError, match="student's copy, and this command is for authors"):
            course_root(root / "labs")

    def test_a_package_without_its_course_says_so(self, tmp_path, monkeypatch):
        monkeypatch.setattr(
            "course_lib.course_root.__file__", str(tmp_path / "site-packages/course_lib/course_root.py")
        )
        with pytest.raises(CourseError, match="not inside a course"):
            course_root(tmp_path)


def make_students_copy(folder):
    """What students get: the built labs and course_lib."""
    shutil.copytree(ROOT / "labs", folder / "labs")
    (folder / "course_lib").mkdir()
    (folder / "pyproject.toml").touch()
    return folder


def test_a_student_sees_progress_and_hands_in_without_the_sources(tmp_path):
    root = make_students_copy(tmp_path / "mine")
    shown = course("progress", "lab1", cwd=root / "labs" / "lab1_cnn_basics")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "1a Neural networks from the inside" in shown.stdout and "hidden questions" in shown.stdout
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}

    asked = course("submit", "lab1", cwd=root)
    assert asked.returncode == 2
    assert "--yes" in asked.stderr and asked.stderr.count("\n") == 1
    packed = course("submit", "lab1", "--student", "ada", "--yes", cwd=root)
    assert (packed.returncode, packed.stderr) == (0, "")
    again = course("submit", "lab1", "--student", "ada", "--yes", cwd=root)
    assert again.returncode == 2 and "--force" in again.stderr
    assert course("submit", "lab1", "--student", "ada", "--yes", "--force", cwd=root).returncode == 0

    after = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    archive = after.pop(root / "ada-lab1_cnn_basics.zip")
    assert after == before
    assert hashlib.sha256(archive).hexdigest() in packed.stdout


def test_bench_hands_its_options_on(tmp_path):
    root = make_course(tmp_path)
    (root / "benchmarks").mkdir()
    (root / "benchmarks" / "echo.py").write_text("import sys; print('heard', sys.argv[1:]); sys.exit(3)")
    done = course("bench", "echo", "--quick", "--samples", "5", cwd=root)
    assert done.returncode == 3 and "heard ['--quick', '--samples', '5']" in done.stdout
    assert course("bench", cwd=root).stdout == "Benchmarks: echo\n"
