"""A CUDA exercise graded in real sandboxes: each broken or hostile kernel gets its verdict and costs no other."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from autograders.authoring.answers import read_answers
from autograders.engine.isolation.available import SandboxMissing, require_sandbox
from autograders.engine.submission import Submission
from autograders.engine.submission_grading import GradingSettings, SubmissionGrader
from autograders.engine.verdict import Verdict
from course_lib import native
from course_lib.workbook import source_notebooks
from tests.autograders.engine.bench import Bench

ROOT = Path(__file__).resolve().parents[2]
BOOK = source_notebooks(ROOT)["2e_sparse_kernels"]
BY_THREAD, BY_WARP = "csr_spmm_row_per_thread", "csr_spmm_row_per_warp"
WATCHED = "no access outside the arrays and no conflict, watched"


def reason_not_to():
    if native.find_compiler("c++") is None:
        return "no C++ compiler"
    try:
        require_sandbox()
    except SandboxMissing as missing:
        return f"no sandbox: {missing}"
    return ""


REASON = reason_not_to()
pytestmark = [pytest.mark.skipif(bool(REASON), reason=REASON), pytest.mark.slow, pytest.mark.timeout(600)]

SOLUTION = {cell.id: cell.source for cell in BOOK.text.of_kind("exercise")}
WRONG = {cell.name: cell.source for cell in read_answers(BOOK)}


@pytest.fixture(scope="module")
def grader():
    with SubmissionGrader(GradingSettings(ROOT, "lab2_pruning")) as grader:
        bench = Bench(grader)
        yield bench
        bench.close()


def grade(grader, answers, before=""):
    """Results by exercise for the released notebook with these answers; `before` runs in the student's process."""
    released = json.loads((ROOT / "labs" / BOOK.lab / f"{BOOK.id}.ipynb").read_text())
    for cell in released["cells"]:
        if cell["id"] in answers:
            cell["source"] = before + answers[cell["id"]]
    submission = Submission("student", BOOK.lab, {BOOK.id: json.dumps(released).encode()})
    [notebook] = grader.grade(submission).notebooks
    return {question.id: question for question in notebook.questions}


def with_body(exercise, body, first=""):
    """The exercise's kernel with another body, after declarations of its own."""
    head = re.search(r"__global__.*?\{", SOLUTION[exercise], re.DOTALL).group()
    return f'{exercise} = r"""\n{first}\n{head}\n{body}\n}}\n"""\n'


def correct_body(exercise):
    return SOLUTION[exercise].split("### BEGIN SOLUTION")[1].split("### END SOLUTION")[0]


def by_name(question):
    return {case.name: case for case in question.cases}


def test_the_solution_keeps_full_marks(grader):
    result = grade(grader, SOLUTION)
    assert {name: question.score for name, question in result.items()} == {BY_THREAD: 5.0, BY_WARP: 6.0}


PATCHES = """
import types
from course_lib import cuda
from course_lib.cuda import access_trace, written_kernel
from course_lib.cuda.runner import isolated
clean = types.SimpleNamespace(ok=True, findings=(), message="", kinds=lambda: set())
cuda.check = written_kernel.check = lambda *args, **kwargs: clean
isolated.run_isolated = lambda *args, **kwargs: None
"""


def test_faults_are_found_whatever_the_notebook_has_replaced(grader):
    answers = {
        BY_THREAD: WRONG["reads one value past the end of a row"],
        BY_WARP: WRONG["no barrier between writing parts and adding them"],
    }
    result = grade(grader, answers, before=PATCHES)
    off_by_one, racing = by_name(result[BY_THREAD])[WATCHED], by_name(result[BY_WARP])[WATCHED]
    assert off_by_one.verdict is Verdict.WRONG and "out-of-bounds read" in off_by_one.message
    assert racing.verdict is Verdict.WRONG and "race" in racing.message
    assert not any(question.is_fault for question in result.values())


def test_an_endless_kernel_costs_its_own_exercise_alone(grader):
    result = grade(grader, {BY_THREAD: WRONG["never ends: p stands still"], BY_WARP: SOLUTION[BY_WARP]})
    assert {case.verdict for case in result[BY_THREAD].cases} <= {Verdict.TIMEOUT, Verdict.RIGHT}
    assert result[BY_THREAD].verdict is Verdict.TIMEOUT
    assert result[BY_WARP].score == 6


def test_a_kernel_that_kills_all_it_can_and_one_that_writes_its_own_report(grader):
    killer = with_body(BY_THREAD, "kill(-1, 9);", 'extern "C" int kill(int, int);')
    forger = with_body(
        BY_WARP,
        'for (int file = 3; file < 20; ++file) write(file, "finding\\tnone\\n", 13);' + correct_body(BY_WARP),
        'extern "C" long write(int, const void*, unsigned long);',
    )
    result = grade(grader, {BY_THREAD: killer, BY_WARP: forger})
    assert {case.verdict for case in result[BY_THREAD].cases} == {Verdict.DIED} and result[BY_THREAD].score == 0
    assert by_name(result[BY_WARP])[WATCHED].verdict is Verdict.ERROR
    assert result[BY_WARP].score < 6 and not any(question.is_fault for question in result.values())


def test_a_process_left_behind_does_not_reach_the_next_launch(grader):
    """A copy of the kernel's process leaves its session and would end every process of the sandbox a little later."""
    first = 'extern "C" { int fork(); int setsid(); int kill(int, int); int usleep(unsigned); }'
    leaving = "if (blockIdx.x + blockIdx.y + threadIdx.x == 0 && !fork()) { setsid(); usleep(400000); kill(-1, 9); }"
    answer = with_body(BY_THREAD, leaving + correct_body(BY_THREAD), first)
    question = grade(grader, {BY_THREAD: answer})[BY_THREAD]
    assert Verdict.DIED not in {case.verdict for case in question.cases} and not question.is_fault
    assert question.score > 0
