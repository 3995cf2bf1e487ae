"""One submission in a real sandbox: what kills one question costs no other, and faults of ours are no marks."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

from autograders.engine.asking.question import question
from autograders.engine.asking.registry import questions_of
from autograders.engine.isolation import session
from autograders.engine.isolation.limits import Limits
from autograders.engine.isolation.session import TIME_IS_UP, SandboxSlot
from autograders.engine.submission import Submission
from autograders.engine.submission_grading import GradingSettings, SubmissionGrader
from autograders.engine.verdict import Verdict
from course_lib.workbook import source_notebooks
from tests.autograders import tiny_course
from tests.autograders.engine.needs import needs_sandbox
from tests.autograders.tiny_course import LAB, NOTEBOOK, notebook

pytestmark = [needs_sandbox, pytest.mark.slow]

LIMITS = Limits(cell=4, question=4, submission=40)
DOUBLE, THRICE = "def double(x):\n    return 2 * x", "def thrice(x):\n    return 3 * x"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tiny_course.tiny_course(tmp_path_factory.mktemp("course"))
    tiny_course.build_course(root)
    return root


@pytest.fixture(scope="module")
def questions(root):
    return questions_of(source_notebooks(root)[NOTEBOOK])


@pytest.fixture(scope="module")
def make_grader(root):
    """A grader for other questions or limits; all are closed at the end."""
    opened = []

    def make(entries=None, **settings):
        grader = SubmissionGrader(GradingSettings(root, LAB, **{"limits": LIMITS, **settings}))
        if entries is not None:
            grader.graders[NOTEBOOK].questions = entries
        opened.append(grader.__enter__())
        return grader

    yield make
    for grader in opened:
        grader.__exit__()


@pytest.fixture(scope="module")
def grader(make_grader):
    return make_grader()


def grade(grader, root, answers):
    result = grader.grade(Submission("ada", LAB, {NOTEBOOK: notebook(root, answers)}))
    return {entry.id: entry for entry in result.notebooks[0].questions}, result


def test_solution_and_stub(grader, root):
    assert grade(grader, root, None)[1].score == 5
    found, result = grade(grader, root, {})
    assert result.score == 0 and {entry.verdict for entry in found.values()} == {Verdict.MISSING}


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        ("import os\nos._exit(0)", Verdict.DIED),
        ("while True: pass", Verdict.TIMEOUT),
        ("import os\nwhile True: os.write(1, b'x' * 65536)", Verdict.OUTPUT),
        ("def double(x):\n    import os\n    os._exit(0)", Verdict.DIED),
        ("def double(x):\n    while True: pass", Verdict.TIMEOUT),
        ("def double(x):\n    import ctypes\n    ctypes.string_at(0)", Verdict.DIED),
        ("def double(x):\n    raise KeyboardInterrupt", Verdict.ERROR),
        ("def double(x):\n    return bytearray(10 ** 12)", Verdict.MEMORY),
        ("def double(x) return", Verdict.ERROR),
    ],
)
def test_what_ends_one_question_costs_no_other(grader, root, source, verdict):
    found, result = grade(grader, root, {"double": source, "thrice": THRICE})
    assert found["double"].verdict is verdict and found["double"].score == 0
    assert found["thrice"].score == 3 and not result.faults


def test_a_helper_in_a_cell_of_its_own_is_taken_along(grader, root):
    import nbformat

    book = nbformat.reads(notebook(root, {"double": "def double(x):\n    return plus(x, x)"}).decode(), as_version=4)
    place = next(number for number, cell in enumerate(book.cells) if cell.id == "double")
    book.cells.insert(place, nbformat.v4.new_code_cell("def plus(a, b):\n    return a + b"))
    result = grader.grade(Submission("ada", LAB, {NOTEBOOK: nbformat.writes(book).encode()}))
    assert result.score == 2 and any("taken along" in repair for repair in result.notebooks[0].repairs)


def test_a_setup_of_ours_that_fails_is_a_fault_and_no_mark(root, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(root, broken, symlinks=True)
    source = broken / "solutions" / LAB / NOTEBOOK / "01_start.py"
    source.write_text(source.read_text().replace("import math", "import a_module_that_is_not_there"))
    found, result = grade(SubmissionGrader(GradingSettings(broken, LAB, limits=LIMITS)), broken, None)
    assert result.score == 0 and all(entry.is_fault for entry in found.values())
    assert "a_module_that_is_not_there" in found["double"].cases[0].message


def test_a_broken_question_is_a_fault_and_the_next_one_counts(make_grader, root, questions):
    @question("double")
    def double(student, reference, rng, case):
        with case("broken"):
            undefined  # noqa: B018, F821

    found, result = grade(make_grader({**questions, "double": double}), root, None)
    assert found["double"].is_fault and found["double"].score == 0 and found["thrice"].score == 3
    assert result.faults == ["double"]


@pytest.mark.parametrize("answer", [DOUBLE, "def double(x):\n    return x", "import os\nos._exit(0)"])
def test_without_a_question_no_mark_is_given_and_a_person_is_asked(make_grader, root, questions, answer):
    found, result = grade(make_grader({"thrice": questions["thrice"]}), root, {"double": answer, "thrice": THRICE})
    assert found["double"].is_fault and found["double"].score == 0 and result.faults == ["double"]
    assert "double has no hidden question" in found["double"].cases[0].message
    assert found["thrice"].score == 3


def test_two_gradings_agree_but_for_their_times(grader, root):
    answers = {"double": "def double(x):\n    return x + x if x > 50 else 0", "thrice": THRICE}
    first, second = (grade(grader, root, answers)[0] for _ in range(2))
    for name in first:
        assert [(case.name, case.verdict) for case in first[name].cases] == [
            (case.name, case.verdict) for case in second[name].cases
        ]


def test_the_time_of_a_submission_is_shared_by_its_questions(make_grader, root):
    grader = make_grader(limits=Limits(cell=30, question=30, submission=5))
    found, result = grade(grader, root, {"double": "def double(x):\n    while True: pass", "thrice": THRICE})
    assert found["double"].verdict is found["thrice"].verdict is Verdict.TIMEOUT
    assert result.score == 0 and not result.faults


def test_without_a_sandbox_on_request_the_evidence_says_so(make_grader, root):
    grader = make_grader(unsafe=True)
    result = grade(grader, root, None)[1]
    assert result.score == 5 and "NONE" in str(result.provenance["sandbox"])


def with_deadly_helpers(root, number):
    """Right answers; cells of the student's own that one of them names kill the process."""
    import nbformat

    names = ", ".join(f"h{each}" for each in range(number))
    answers = {"double": f"{DOUBLE}\n    print({names})", "thrice": THRICE}
    book = nbformat.reads(notebook(root, answers).decode(), as_version=4)
    place = next(number for number, cell in enumerate(book.cells) if cell.id == "double")
    book.cells[place:place] = [
        nbformat.v4.new_code_cell(f"h{each} = 1\nimport os\nos._exit(0)") for each in range(number)
    ]
    return Submission("ada", LAB, {NOTEBOOK: nbformat.writes(book).encode()})


def count_starts(grader, monkeypatch):
    taken, take = [], grader.supply.take
    monkeypatch.setattr(grader.supply, "take", lambda: taken.append(1) or take())
    return taken


def test_helpers_that_kill_the_process_get_only_so_many_sandboxes(make_grader, root, monkeypatch):
    grader = make_grader(limits=Limits(cell=4, question=4, submission=40, charged_starts=0))
    taken = count_starts(grader, monkeypatch)  # the first, and one for each of two questions
    result = grader.grade(with_deadly_helpers(root, 5))
    [graded] = result.notebooks
    assert len(taken) == 3 and result.score == 0 and not result.faults
    assert {question.verdict for question in graded.questions} == {Verdict.TIMEOUT}
    assert [run.verdict for run in graded.cells].count(Verdict.DIED) == 3
    assert TIME_IS_UP in graded.questions[-1].cases[0].message


def test_helpers_that_kill_the_process_cost_nothing_within_the_free_sandboxes(make_grader, root, monkeypatch):
    grader = make_grader(limits=Limits(cell=4, question=4, submission=40, charged_starts=0))
    taken = count_starts(grader, monkeypatch)
    result = grader.grade(with_deadly_helpers(root, 2))
    assert len(taken) == 3 and result.score == 5


def test_starts_of_sandboxes_are_free_then_charged_then_refused(monkeypatch):
    """With a clock that only a start moves, by 5 s; another slot of the submission draws on the same starts."""
    now = [100.0]

    class Supply:
        limits = Limits(charged_starts=2)

        def take(self):
            now[0] += 5
            return SimpleNamespace(close=lambda: None)

    monkeypatch.setattr(session, "StudentProcess", lambda sandbox: sandbox)
    monkeypatch.setattr(session, "time", SimpleNamespace(monotonic=lambda: now[0]))
    slot = SandboxSlot(Supply(), 50, free_starts=2)
    left = []
    for turn in range(4):
        each = slot.beside() if turn == 2 else slot
        assert each.fork() is not None
        each.discard()
        left.append(each.seconds_left)
    assert left == [50, 50, 45, 0] and slot.fork() is slot.beside().fork() is None


def test_an_error_of_ours_costs_what_is_unanswered_alone(make_grader, root, monkeypatch):
    """The process dies at the first question; no process can be had for the next one."""
    grader = make_grader()
    first, take = grader.supply.take(), []

    def once():
        if take:
            raise OSError(11, "no process can be had")
        take.append(1)
        return first

    monkeypatch.setattr(grader.supply, "take", once)
    crash = "def thrice(x):\n    return 3 * x\ndef double(x):\n    import os\n    os._exit(0)"
    found, result = grade(grader, root, {"double": crash, "thrice": THRICE})
    assert found["double"].verdict is Verdict.DIED
    assert result.faults == ["thrice"] and "no process can be had" in found["thrice"].cases[0].message


def test_an_interruption_is_not_made_a_fault(make_grader, root, monkeypatch):
    grader = make_grader()

    def stop():
        raise KeyboardInterrupt

    monkeypatch.setattr(grader.supply, "take", stop)
    with pytest.raises(KeyboardInterrupt):
        grade(grader, root, None)
