"""An exercise, and a lab, added to a copy of the course: two folders of one name, and all of it works."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nbformat
import pytest

from autograders.authoring.answers import read_answers, shortages
from autograders.authoring.course_maker import Parts
from autograders.authoring.dry_run import dry_run
from autograders.authoring.trial import Trial, released_stubs
from autograders.engine.asking.registry import questions_of
from course_lib.course_root import places
from course_lib.workbook import source_notebooks
from course_lib.workbook.build import build
from course_lib.workbook.start_here import read_labs
from course_lib.workbook.syllabus import read_syllabus

ROOT = Path(__file__).resolve().parents[1]
TEXT, MARKING = places(ROOT).text, places(ROOT).marking
HOST = "1b_convolution"
TOPIC = read_syllabus(ROOT)[-1]  # of the last notebook that is planned
LAB = Parts(
    TOPIC.notebook,
    next(lab.folder for lab in read_labs(ROOT) if TOPIC.notebook.startswith(str(lab.number))),
    f'# %% exercise="toy_lab" topics="{TOPIC.id}"\ndef half(x):\n    """Half of x."""\n    ### BEGIN SOLUTION\n'
    '    return x / 2\n    ### END SOLUTION\n\n# %% check="toy_lab" points=2\nassert half(3) == 1.5\n',
    questions="from autograders.engine.asking.comparison import equal\n"
    "from autograders.engine.asking.question import question\n\n\n"
    '@question("toy_lab")\ndef half(student, reference, rng, case):\n    x = 2 * rng.integer(1, 100) + 1\n'
    '    with case("an odd number"):\n        equal(student.half(x), x / 2)\n',
    answers="".join(
        f'# %% wrong="toy_lab" name="{name}"\n# -     return x / 2\n# +     return {value}\n\n'
        for name, value in (("whole numbers", "x // 2"), ("twice", "x * 2"), ("nothing done", "x"))
    )
    + '# %% right="toy_lab" name="a product"\ndef half(x):\n    return 0.5 * x\n',
    title="A toy",
)
EXERCISE = '''\
# %% exercise="running_mean"
def running_mean(values: torch.Tensor, window: int) -> torch.Tensor:
    """Mean of each `window` neighbours; ValueError if there are too few values."""
    ### BEGIN SOLUTION
    if window > len(values):
        raise ValueError(f"{len(values)} values are too few for a window of {window}")
    return values.unfold(0, window, 1).mean(1)
    ### END SOLUTION


# %% check="running_mean" points=2
with checking.check("running_mean"):
    checking.close(running_mean(torch.tensor([1.0, 3.0, 5.0]), 2), torch.tensor([2.0, 4.0]), "running_mean(x, 2)")
    checking.raises(ValueError, lambda: running_mean(torch.ones(2), 3), "running_mean(x, 3)")
'''
ANSWERS = """

# %% wrong="running_mean" name="sums instead of means"
# -     return values.unfold(0, window, 1).mean(1)
# +     return values.unfold(0, window, 1).sum(1)

# %% wrong="running_mean" name="windows side by side"
# -     return values.unfold(0, window, 1).mean(1)
# +     return values.unfold(0, window, window).mean(1)

# %% wrong="running_mean" name="accepts too few values"
# -         raise ValueError(f"{len(values)} values are too few for a window of {window}")
# +         return values

# %% right="running_mean" name="differences of running sums"
def running_mean(values, window):
    if window > len(values):
        raise ValueError("too few values")
    sums = torch.cat([torch.zeros(1), values.cumsum(0)])
    return (sums[window:] - sums[:-window]) / window
"""


def documented_question():
    """The whole example of docs/grading.md, as printed there."""
    text = (ROOT / "docs" / "grading.md").read_text(encoding="utf-8")
    [example] = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "@question(" in block]
    return example


def contents(root):
    folders = (root / TEXT.name, root / MARKING.name)
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {path.relative_to(root): path.read_bytes() for path in files}


def changed(before, after):
    return {path for path in before | after if before.get(path) != after.get(path)}


@pytest.fixture(scope="module")
def added(tmp_path_factory):
    """The course's folder with both in it, built; the files that each took; and what the build wrote."""
    root = tmp_path_factory.mktemp("course")
    for name in (TEXT.name, "labs"):
        shutil.copytree(ROOT / name, root / name)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, root / name)
    (root / "course_lib").symlink_to(ROOT / "course_lib")
    for lab in MARKING.glob("lab*"):
        shutil.copytree(lab, root / MARKING.name / lab.name, ignore=shutil.ignore_patterns("__pycache__"))

    for written in (root / TEXT.name, root / MARKING.name):
        shutil.rmtree(written / LAB.lab / LAB.id, ignore_errors=True)
    (root / "labs" / LAB.lab / f"{LAB.id}.ipynb").unlink(missing_ok=True)

    start = contents(root)
    host = source_notebooks(root)[HOST]
    (host.folder / "15_running_mean.py").write_text(EXERCISE)
    (host.marking / "questions_running_mean.py").write_text(documented_question())
    with (host.marking / "answers.py").open("a") as answers:
        answers.write(ANSWERS)
    with_exercise = contents(root)
    LAB.write(root)
    report = build(root)
    assert report.problems == []
    took = {"exercise": changed(start, with_exercise), "lab": changed(with_exercise, contents(root))}
    return root, took, {path.as_posix() for path in report.written}


@pytest.mark.parametrize(("what", "lab", "notebook"), [("exercise", "lab1_cnn_basics", HOST), ("lab", LAB.lab, LAB.id)])
def test_it_takes_two_folders_of_one_name(added, what, lab, notebook):
    _, took, _ = added
    folders = {path.parent for path in took[what]}
    assert folders == {Path(tree, lab, notebook) for tree in (TEXT.name, MARKING.name)}
    assert len(took[what]) <= 3


def test_the_build_writes_their_notebooks_and_the_tables(added):
    _, _, written = added
    assert written == {
        f"labs/lab1_cnn_basics/{HOST}.ipynb",
        f"labs/{LAB.lab}/{LAB.id}.ipynb",
        "labs/start_here.ipynb",
        "README.md",
    }


def test_the_exercise_works_as_a_student_and_as_staff_meet_it(added):
    root, _, _ = added
    notebook = source_notebooks(root)[HOST]
    trial, question = Trial(notebook), questions_of(notebook)["running_mean"]
    stub = released_stubs(root, notebook)["running_mean"]
    assert "unfold" not in stub and isinstance(trial.check("running_mean", stub), NotImplementedError)
    assert shortages(notebook) == []
    mine = [answer for answer in read_answers(notebook) if answer.id == "running_mean"]
    assert [answer.kind for answer in mine] == ["wrong"] * 3 + ["right"]
    solution = trial.solutions["running_mean"]
    for kind, source in [("right", solution), *((answer.kind, answer.source) for answer in mine)]:
        fails = trial.check("running_mean", source)
        result = trial.ask(question, trial.namespace(source), seed=5)
        assert not result.is_fault and result.points == 2
        if kind == "right":
            assert fails is None and result.score == result.points
        else:
            assert fails is not None and result.score < result.points


def test_the_lab_is_listed_and_its_questions_hold(added):
    root, _, _ = added
    readme = (root / "README.md").read_text()
    assert f"[A toy](labs/{LAB.lab}/{LAB.id}.ipynb) (5 min)" in readme
    start = nbformat.read(root / "labs" / "start_here.ipynb", as_version=4)
    assert any(f"[{LAB.id[:2]} A toy]({LAB.lab}/{LAB.id}.ipynb)" in cell.source for cell in start.cells)
    run = dry_run(root, LAB.lab)
    assert run.problems == []
    assert [asked.exercise for asked in run.questions if asked.notebook == LAB.id] == ["toy_lab"]
