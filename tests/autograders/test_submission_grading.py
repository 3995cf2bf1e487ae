"""One submission in a real sandbox: what kills one question costs no other, and faults of ours are no marks."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

from autograders.engine.asking.question import question
from autograders.engine.asking.registry import questions_of
from autograders.engine.isolation import session
from autograders.engine.isolation.caps import CgroupV1, CgroupV2, best_caps
from autograders.engine.isolation.limits import MB, Limits
from autograders.engine.isolation.session import TIME_IS_UP, SandboxSlot
from autograders.engine.submission import Submission
from autograders.engine.submission_grading import GradingSettings, SubmissionGrader
from autograders.engine.verdict import Verdict
from course_lib.workbook import source_notebooks
from tests.autograders import tiny_course
from tests.autograders.engine.bench import Bench
from tests.autograders.engine.needs import needs_sandbox
from tests.autograders.tiny_course import LAB, NOTEBOOK, notebook

pytestmark = [needs_sandbox, pytest.mark.slow]

LIMITS = Limits(memory=700 * MB, cell=4, question=4, submission=40)
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
def bench(root):
    grader = SubmissionGrader(GradingSettings(root, LAB, limits=LIMITS))
    with grader:
        bench = Bench(grader)
        yield bench
        bench.close()


@pytest.fixture
def ask(bench, monkeypatch):
    """ask(questions): other hidden questions for this test."""
    return lambda questions: monkeypatch.setattr(bench.grader.graders[NOTEBOOK], "questions", questions)


@pytest.fixture
def allow(bench, monkeypatch):
    """allow(submission=5): other limits for this test."""
    return lambda **limits: bench.allow(monkeypatch, **limits)


@pytest.fixture
def taken(bench, monkeypatch):
    """One entry for each sandbox that is used beside the one that is there."""
    bench.start()
    taken, take = [], bench.grader.supply.take
    monkeypatch.setattr(bench.grader.supply, "take", lambda: taken.append(1) or take())
    return taken


def grade(grader, root, answers):
    """Questions by exercise, and the whole result. `grader`: a Bench or a SubmissionGrader."""
    result = grader.grade(Submission("ada", LAB, {NOTEBOOK: notebook(root, answers)}))
    return {entry.id: entry for entry in result.notebooks[0].questions}, result


def test_solution_and_stub(bench, root):
    """As a class run grades them: each in a sandbox of its own."""
    assert grade(bench.grader, root, None)[1].score == 5
    found, result = grade(bench.grader, root, {})
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
def test_what_ends_one_question_costs_no_other(bench, root, source, verdict):
    found, result = grade(bench, root, {"double": source, "thrice": THRICE})
    assert found["double"].verdict is verdict and found["double"].score == 0
    assert found["thrice"].score == 3 and not result.faults


LEAVE = "open('/tmp/left', 'w').close(); open('/dev/shm/left', 'w').close(); subprocess.Popen(['sleep', '1000'])"
END_SANDBOX = "os.kill(-1, 9); time.sleep(60)"
TAKE_MEMORY = "[os.fork() or (b'x' * 400_000_000, time.sleep(60)) for _ in range(2)]; os.wait(); os._exit(0)"
LOOK = """\
def thrice(x):
    import os
    running = [entry for entry in os.listdir("/proc") if entry.isdigit() and int(entry) > 2]
    left = os.listdir("/tmp") + os.listdir("/dev/shm")
    return 3 * x if running == [str(os.getpid())] and "left" not in left else (running, left)
"""


@pytest.mark.parametrize(
    ("end", "more"),
    [("os._exit(0)", 0), ("while True: pass", 0), (END_SANDBOX, 1), (TAKE_MEMORY, 1)],
    ids=["exit", "loop", "end of the sandbox", "memory"],
)
def test_the_next_kernel_finds_nothing_of_a_dead_one(bench, root, taken, end, more):
    """In the same sandbox where that can be, else in `more`."""
    if end is TAKE_MEMORY and not isinstance(best_caps(LIMITS), CgroupV1 | CgroupV2):
        pytest.skip("nothing counts the memory of all processes here")
    source = f"import os, subprocess, time\ndef double(x):\n    {LEAVE}\n    {end}"
    found, result = grade(bench, root, {"double": source, "thrice": LOOK})
    assert found["double"].score == 0 and found["thrice"].score == 3, found
    assert not result.faults and len(taken) == more


def test_a_helper_in_a_cell_of_its_own_is_taken_along(bench, root):
    import nbformat

    book = nbformat.reads(notebook(root, {"double": "def double(x):\n    return plus(x, x)"}).decode(), as_version=4)
    place = next(number for number, cell in enumerate(book.cells) if cell.id == "double")
    book.cells.insert(place, nbformat.v4.new_code_cell("def plus(a, b):\n    return a + b"))
    result = bench.grade(Submission("ada", LAB, {NOTEBOOK: nbformat.writes(book).encode()}))
    assert result.score == 2 and any("taken along" in repair for repair in result.notebooks[0].repairs)


def test_a_setup_of_ours_that_fails_is_a_fault_and_no_mark(bench, root, tmp_path, taken):
    broken = tmp_path / "broken"
    shutil.copytree(root, broken, symlinks=True)
    source = broken / "solutions" / LAB / NOTEBOOK / "01_start.py"
    source.write_text(source.read_text().replace("import math", "import a_module_that_is_not_there"))
    grader = SubmissionGrader(GradingSettings(broken, LAB, limits=LIMITS))
    grader.supply = bench.grader.supply
    found, result = grade(grader, broken, None)
    assert result.score == 0 and all(entry.is_fault for entry in found.values())
    assert "a_module_that_is_not_there" in found["double"].cases[0].message
    assert len(taken) == 2  # the notebook once more in a fresh one


def test_a_broken_question_is_a_fault_and_the_next_one_counts(bench, root, questions, ask):
    @question("double")
    def double(student, reference, rng, case):
        with case("broken"):
            undefined  # noqa: B018, F821

    ask({**questions, "double": double})
    found, result = grade(bench, root, None)
    assert found["double"].is_fault and found["double"].score == 0 and found["thrice"].score == 3
    assert result.faults == ["double"]


@pytest.mark.parametrize("answer", [DOUBLE, "def double(x):\n    return x", "import os\nos._exit(0)"])
def test_without_a_question_no_mark_is_given_and_a_person_is_asked(bench, root, questions, ask, answer):
    ask({"thrice": questions["thrice"]})
    found, result = grade(bench, root, {"double": answer, "thrice": THRICE})
    assert found["double"].is_fault and found["double"].score == 0 and result.faults == ["double"]
    assert "double has no hidden question" in found["double"].cases[0].message
    assert found["thrice"].score == 3


def test_two_gradings_agree_but_for_their_times(bench, root):
    answers = {"double": "def double(x):\n    return x + x if x > 50 else 0", "thrice": THRICE}
    first, second = (grade(bench, root, answers)[0] for _ in range(2))
    for name in first:
        assert [(case.name, case.verdict) for case in first[name].cases] == [
            (case.name, case.verdict) for case in second[name].cases
        ]


def test_the_time_of_a_submission_is_shared_by_its_questions(bench, root, allow):
    allow(cell=30, question=30, submission=3)
    found, result = grade(bench, root, {"double": "def double(x):\n    while True: pass", "thrice": THRICE})
    assert found["double"].verdict is found["thrice"].verdict is Verdict.TIMEOUT
    assert result.score == 0 and not result.faults


def test_without_a_sandbox_on_request_the_evidence_says_so(bench, root):
    grader = SubmissionGrader(GradingSettings(root, LAB, limits=LIMITS, unsafe=True))
    grader.graders, grader.supply.ahead = bench.grader.graders, 0
    with grader:
        result = grade(grader, root, None)[1]
    assert result.score == 5 and "NONE" in str(result.provenance["sandbox"])


def with_deadly_helpers(root, number):
    """Right answers; cells of the student's own that one of them names end the sandbox."""
    import nbformat

    names = ", ".join(f"h{each}" for each in range(number))
    answers = {"double": f"{DOUBLE}\n    print({names})", "thrice": THRICE}
    book = nbformat.reads(notebook(root, answers).decode(), as_version=4)
    place = next(number for number, cell in enumerate(book.cells) if cell.id == "double")
    book.cells[place:place] = [
        nbformat.v4.new_code_cell(f"h{each} = 1\nimport os, time\n{END_SANDBOX}") for each in range(number)
    ]
    return Submission("ada", LAB, {NOTEBOOK: nbformat.writes(book).encode()})


def test_helpers_that_end_the_sandbox_get_only_so_many(bench, root, taken, allow):
    allow(charged_starts=0)  # the first, and one for each of two questions
    result = bench.grade(with_deadly_helpers(root, 4))
    [graded] = result.notebooks
    assert len(taken) == 2 and result.score == 0 and not result.faults
    assert {question.verdict for question in graded.questions} == {Verdict.TIMEOUT}
    assert [run.verdict for run in graded.cells].count(Verdict.DIED) == 3
    assert TIME_IS_UP in graded.questions[-1].cases[0].message


def test_helpers_that_end_the_sandbox_cost_nothing_within_the_free_ones(bench, root, taken, allow):
    allow(charged_starts=0)
    result = bench.grade(with_deadly_helpers(root, 2))
    assert len(taken) == 2 and result.score == 5


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


def test_an_error_of_ours_costs_what_is_unanswered_alone(bench, root, taken, monkeypatch):
    """The first question ends its sandbox; no process can be had for the next one."""

    def none():
        raise OSError(11, "no process can be had")

    monkeypatch.setattr(bench.grader.supply, "take", none)
    crash = f"import os, time\ndef double(x):\n    {END_SANDBOX}"
    found, result = grade(bench, root, {"double": crash, "thrice": THRICE})
    assert found["double"].verdict is Verdict.DIED
    assert result.faults == ["thrice"] and "no process can be had" in found["thrice"].cases[0].message


def test_an_interruption_is_not_made_a_fault(bench, root, monkeypatch):
    bench.close()

    def stop():
        raise KeyboardInterrupt

    monkeypatch.setattr(bench.grader.supply, "take", stop)
    with pytest.raises(KeyboardInterrupt):
        grade(bench, root, None)
