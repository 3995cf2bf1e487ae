"""`course grade` as staff run it: from files to gradebook, killed at any moment, run again, regraded."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from autograders.command import main
from autograders.engine import class_run
from autograders.engine.class_run import ClassRun, class_seed
from autograders.engine.records.workspace import Workspace
from autograders.engine.submission_grading import GradingSettings
from tests.autograders import tiny_course
from tests.autograders.engine.needs import needs_sandbox
from tests.autograders.tiny_course import LAB, NOTEBOOK, course, environment, hand_in, notebook

pytestmark = [needs_sandbox, pytest.mark.slow]

DOUBLE = "def double(x):\n    return x + x"
THRICE = "def thrice(x):\n    return 3 * x"
WRONG = "def thrice(x):\n    return x * x * x"
# student: (answers, automatic marks of 5)
CLASS = {
    "ada": (None, 5.0),
    "bob": ({}, 0.0),
    "cleo": ({"thrice": THRICE}, 3.0),
    "dan": ({"double": DOUBLE, "thrice": WRONG}, 2.0),
    "eve": ({"double": "import os\nos._exit(0)", "thrice": THRICE}, 3.0),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tiny_course.tiny_course(tmp_path_factory.mktemp("course"))
    tiny_course.build_course(root)
    return root


@pytest.fixture(scope="module")
def submissions(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("submissions")
    for student, (answers, _) in CLASS.items():
        hand_in(folder, student, notebook(root, answers))
    hand_in(folder, "fay", b"this is no notebook")
    return folder


def marks(workspace: Path) -> dict[str, float]:
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{workspace / 'gradebook.db'}") as book:
        students = [submission.student.id for submission in book.assignment_submissions(LAB)]
        assert len(students) == len(set(students))
        return {submission.student.id: submission.score for submission in book.assignment_submissions(LAB)}


EXPECTED = {student: score for student, (_, score) in CLASS.items()} | {"fay": 0.0}


@pytest.fixture(scope="module")
def graded(root, submissions, tmp_path_factory):
    workspace = tmp_path_factory.mktemp("workspace")
    done = course(root, "grade", "lab9", str(submissions), "--workspace", str(workspace), "--jobs", "2", "--seed", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    return workspace, done


def test_everybody_gets_their_marks(graded):
    workspace, done = graded
    assert marks(workspace) == EXPECTED
    assert "Graded 6" in done.stdout and "bubblewrap" in done.stdout


def test_evidence_traces_every_mark(graded, submissions):
    import hashlib

    workspace, _ = graded
    for student in CLASS:
        record = json.loads((workspace / "evidence" / LAB / f"{student}.json").read_text())
        content = (submissions / student / f"{NOTEBOOK}.ipynb").read_bytes()
        handed_in = f"{NOTEBOOK}\0{len(content)}\0".encode() + content
        assert record["sha256"] == hashlib.sha256(handed_in).hexdigest()
        assert record["seed"] == 3 and record["provenance"]["limits"]["cell"] > 0 and record["started"]
        for question in record["notebooks"][0]["questions"]:
            assert question["cases"] and all(case["verdict"] for case in question["cases"])
        assert (workspace / "submitted" / student / LAB / f"{NOTEBOOK}.ipynb").read_bytes() == content
        assert (workspace / "feedback" / student / LAB / f"{NOTEBOOK}.html").exists()


def test_what_is_done_is_not_graded_again(graded, root, submissions, monkeypatch, capsys):
    workspace, _ = graded
    before = {path: path.stat().st_mtime_ns for path in (workspace / "evidence" / LAB).glob("*.json")}
    monkeypatch.chdir(root)
    assert main(["grade", "lab9", str(submissions), "--workspace", str(workspace), "--jobs", "1"]) == 0
    assert "6 were graded before" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (workspace / "evidence" / LAB).glob("*.json")} == before


def test_grading_again_gives_the_same_marks(graded, root, submissions):
    """Whoever is graded again, and by how many workers: the whole class is once more where a run is killed below."""
    workspace, _ = graded
    words = ("--workspace", str(workspace), "--regrade", "--student", "dan", "--jobs", "1")
    done = course(root, "grade", "lab9", str(submissions), *words)
    assert done.returncode == 0 and "No mark changes." in done.stdout, done.stdout + done.stderr
    assert marks(workspace) == EXPECTED


def test_report_and_exports_are_written(graded, root, monkeypatch, capsys):
    workspace, _ = graded
    monkeypatch.chdir(root)
    assert main(["report", "lab9", "--workspace", str(workspace)]) == 0
    for form in ("csv", "canvas", "moodle"):
        assert main(["export", "lab9", "--format", form, "--workspace", str(workspace)]) == 0
        assert "wrote" in capsys.readouterr().out
    names = {path.name for path in (workspace / "reports" / LAB).iterdir()}
    assert {"class.html", "class.csv", "class.json", "csv.csv", "canvas.csv", "moodle.csv"} <= names


@pytest.fixture(scope="module")
def packed(root, tmp_path_factory):
    """What `course submit` makes of cleo's second try, and the notebook in it."""
    place = tmp_path_factory.mktemp("student")
    student = place / "cleo"
    shutil.copytree(root / "labs", student / "labs")
    for name in ("pyproject.toml", "course_lib"):
        (student / name).symlink_to(root / name)
    content = notebook(root, {"double": DOUBLE, "thrice": THRICE, "why": "Because it is a sum."})
    hand_in(student / "labs", LAB, content)
    done = subprocess.run(
        [sys.executable, "-m", "course_lib.cli", "submit", "lab9", "--student", "cleo", "--yes"],
        cwd=student, env=environment(student) | {"XDG_STATE_HOME": str(place / "state")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    [archive] = student.glob("*.zip")
    return archive, content


def test_what_a_student_packs_is_graded_and_a_changed_mark_asked_for(graded, root, packed, tmp_path):
    """A regrade shows what would change, and without a yes changes nothing."""
    workspace = tmp_path / "workspace"
    shutil.copytree(graded[0], workspace)
    later, content = packed
    kept, seed = (
        workspace / "submitted" / "cleo" / LAB / f"{NOTEBOOK}.ipynb",
        workspace / "evidence" / f"{LAB}-seed.json",
    )
    before = kept.read_bytes()
    words = ("grade", "lab9", str(later), "--workspace", str(workspace), "--regrade", "--jobs", "1", "--seed", "4")
    done = course(root, *words, input="n\n")
    assert "double" in done.stdout and "Nothing was changed." in done.stdout and marks(workspace)["cleo"] == 3
    assert kept.read_bytes() == before and json.loads(seed.read_text()) == {"seed": 3}
    done = course(root, *words, "--yes")
    assert done.returncode == 0 and marks(workspace)["cleo"] == 5
    assert kept.read_bytes() == content != before and json.loads(seed.read_text()) == {"seed": 4}


class NothingDone:
    """A writer of a workspace in which nobody has marks yet."""

    def done(self, student):
        return None


def prepare(root, workspace, submissions=None, **options):
    """What a run does before it grades; returns the names of the files to grade."""
    run = ClassRun(GradingSettings(root, LAB), Workspace(workspace, LAB), submissions, **options)
    return [name for submission in run._to_do(NothingDone(), []) for name in submission.files]


def test_a_later_submission_replaces_the_earlier_one(root, tmp_path):
    """Notebooks that are not handed in again go; other labs' and other students' stay."""
    workspace = tmp_path / "workspace"
    old = workspace / "submitted" / "ada" / LAB / "9b_more.ipynb"
    others = [
        workspace / "submitted" / "ada" / "lab8_other" / "8a_other.ipynb",
        workspace / "submitted" / "bob" / LAB / "9b_more.ipynb",
    ]
    for path in (old, *others):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"earlier")
    hand_in(tmp_path / "class", "ada", notebook(root, None))
    assert prepare(root, workspace, tmp_path / "class") == [NOTEBOOK]
    assert [path.name for path in old.parent.iterdir()] == [f"{NOTEBOOK}.ipynb"]
    assert all(path.exists() for path in others)


@pytest.mark.parametrize("place", [None, ".", "submitted"])
def test_a_run_from_the_workspace_removes_nothing(place, root, tmp_path):
    folder = tmp_path / "submitted" / "ada" / LAB
    folder.mkdir(parents=True)
    for name in (NOTEBOOK, "notes"):
        (folder / f"{name}.ipynb").write_bytes(notebook(root, None))
    prepare(root, tmp_path, place and tmp_path / place)
    assert len(list(folder.iterdir())) == 2


def test_of_two_first_runs_both_use_the_seed_that_is_kept(tmp_path, monkeypatch):
    workspace = Workspace(tmp_path, LAB)
    drawn = iter((11, 22))

    def draw(_):
        number = next(drawn)
        if number == 11:  # meanwhile the other run draws and keeps its own
            assert class_seed(workspace) == 22
        return number

    monkeypatch.setattr(class_run.secrets, "randbelow", draw)
    assert class_seed(workspace) == class_seed(workspace) == 22
    assert list(workspace.partial.iterdir()) == []


def test_a_seed_that_is_given_is_kept_by_the_run_that_holds_the_workspace(tmp_path):
    workspace = Workspace(tmp_path, LAB)
    assert class_seed(workspace, 5) == 5 and list(tmp_path.iterdir()) == []


# a file that a run makes on its way: before its workers start, in the middle of a student's marks, after them
MOMENTS = ("evidence/*-seed.json", f"feedback/*/{LAB}/*.html", f"evidence/{LAB}/*.json")


def test_a_run_that_is_killed_goes_on_where_it_was(graded, root, submissions, tmp_path):
    """kill -9 at three moments, then to the end: everybody once, nothing lost, no process left."""
    chance = random.Random(11)
    workspace = tmp_path / "workspace"
    words = ("grade", "lab9", str(submissions), "--workspace", str(workspace), "--jobs", "2", "--seed", "3")
    for moment in MOMENTS:
        before = set(workspace.glob(moment))
        process = subprocess.Popen(
            tiny_course.command(root, *words), cwd=root, env=tiny_course.environment(root),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        while process.poll() is None and set(workspace.glob(moment)) <= before:
            time.sleep(0.02)
        time.sleep(chance.uniform(0, 0.2))
        processes = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        process.send_signal(signal.SIGKILL)
        process.wait()
        _, alive = psutil.wait_procs(processes, timeout=120)
        assert not [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]
    done = course(root, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert marks(workspace) == EXPECTED
    assert {path.stem for path in (workspace / "evidence" / LAB).glob("*.json")} == EXPECTED.keys()
    for student in EXPECTED:
        assert judged(workspace, student) == judged(graded[0], student)


def judged(workspace, student):
    """(exercise, case, verdict) of all that a student was asked."""
    record = json.loads((workspace / "evidence" / LAB / f"{student}.json").read_text())
    return [
        (question["id"], case["name"], case["verdict"])
        for book in record["notebooks"]
        for question in book["questions"]
        for case in question["cases"]
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("grade", "lab7", "."), "there is no lab 'lab7'"),
        (("grade", "lab9", "/nowhere"), "/nowhere"),
        (("grade", "lab9", "SUBMISSIONS", "--student", "zoe"), "nothing of zoe"),
        (("grade", "lab9", "SUBMISSIONS", "--workspace", "ROOT/marks"), "inside the course"),
        (("grade", "lab9", "SUBMISSIONS", "--cluster", "tcp://127.0.0.1:1"), "no dask scheduler"),
        (("report", "lab9"), "graded"),
        (("grade", "lab9", "SUBMISSIONS", "--jobs", "-1"), "jobs"),
    ],
)
def test_mistakes_get_a_sentence(words, said, root, submissions, tmp_path, monkeypatch, capsys):
    words = [word.replace("SUBMISSIONS", str(submissions)).replace("ROOT", str(root)) for word in words]
    if "--workspace" not in words:
        words += ["--workspace", str(tmp_path / "workspace")]
    monkeypatch.chdir(root)
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error and len(error.strip().splitlines()) == 1
