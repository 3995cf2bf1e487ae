"""Native questions: what becomes of an answer that is no kernel, and of replies that no honest run gives."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch

from autograders.engine.asking.comparison import close
from autograders.engine.asking.native_question import native_question
from autograders.engine.asking.question import ask
from autograders.engine.asking.reference import LocalAsker
from autograders.engine.asking.remote import Student
from autograders.engine.isolation.inside import wire
from autograders.engine.verdict import Verdict
from course_lib import native

TWICE = """
__global__ void twice(float* out, const float* x, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = 2 * x[i];
}
"""
NAIVE = """
__global__ void twice(float* out, const float* x, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    volatile float sum = 0;
    for (int k = 0; k < 200000; ++k) sum = sum + x[i] / 100000;
    out[i] = sum;
}
"""


@native_question("twice", launch_seconds=1.0)
def twice(kernel, reference, rng, case):
    x = rng.normal(70)
    args = (torch.zeros(70), x, 70)
    with case("values"):
        close(kernel.launch((3,), (32,), args, outputs=(0,))[0], 2 * x)
    with case("watched"):
        kernel.no_faults((3,), (32,), args)
    with case("side by side"):
        reads, requests, sectors = kernel.traffic("x", (3,), (32,), args)
        close(float(sectors), 9.0)
        close((float(reads), float(requests)), (70.0, 3.0))
    with case("quick"):
        kernel.faster_than(NAIVE, 1.5, (3,), (32,), args)


def put(asker):
    return ask(twice, 4.0, Student(asker), None, 0)


def verdicts(result):
    return [case.verdict for case in result.cases]


needs_compiler = pytest.mark.skipif(native.find_compiler("c++") is None, reason="no C++ compiler")


@needs_compiler
def test_a_right_kernel_keeps_its_points():
    result = put(LocalAsker({"twice": TWICE}))
    assert result.score == 4, result


@needs_compiler
@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (None, Verdict.WRONG),
        (7, Verdict.WRONG),
        ("x" * 200_000, Verdict.WRONG),
        (TWICE.replace("twice", "thrice"), Verdict.WRONG),
        (TWICE.replace("int n)", "int n, int more)"), Verdict.WRONG),
        ("twice.cu", Verdict.WRONG),
        (TWICE.replace(";", ""), Verdict.ERROR),
        ('#include "/nowhere/at/all.h"\n' + TWICE, Verdict.ERROR),
        (TWICE.replace("if (i < n)", "raise NotImplementedError('')\n"), Verdict.MISSING),
    ],
)
def test_what_is_no_kernel_gets_one_verdict_for_all_cases(text, verdict):
    result = put(LocalAsker({"twice": text}))
    assert verdicts(result) == [verdict] * 4
    assert result.score == 0


def test_no_variable_is_an_error_of_the_students():
    assert verdicts(put(LocalAsker({}))) == [Verdict.ERROR] * 4


@needs_compiler
@pytest.mark.parametrize(
    ("change", "lost"),
    [
        (("i < n", "i <= n"), {"watched": Verdict.WRONG}),
        (("2 * x[i]", "3 * x[i]"), {"values": Verdict.WRONG}),
        (("x[i]", "x[i * 37 % n]"), {"values": Verdict.WRONG, "side by side": Verdict.WRONG}),
    ],
)
def test_each_mistake_loses_its_cases(change, lost):
    result = put(LocalAsker({"twice": TWICE.replace(*change)}))
    assert {case.name: case.verdict for case in result.cases if case.verdict is not Verdict.RIGHT} == lost


@needs_compiler
def test_after_two_time_outs_nothing_more_is_launched():
    result = put(LocalAsker({"twice": TWICE.replace("if (i", "volatile int k = 1; while (k) ; if (i")}))
    assert verdicts(result) == [Verdict.TIMEOUT] * 4
    launched, refused = result.cases[:2], result.cases[2:]
    assert max(case.seconds for case in refused) < min(case.seconds for case in launched) / 2


@needs_compiler
def test_a_slow_kernel_is_found_slow():
    @native_question("twice")
    def quick(kernel, reference, rng, case):
        args = (torch.zeros(70), rng.normal(70), 70)
        with case("quick"):
            kernel.faster_than(NAIVE, 1.5, (3,), (32,), args)

    for source, verdict in ((NAIVE, Verdict.WRONG), (TWICE, Verdict.RIGHT)):
        [case] = ask(quick, 1.0, Student(LocalAsker({"twice": source})), None, 0).cases
        assert case.verdict is verdict


class Forger:
    """Answers every job with the same reply."""

    def __init__(self, reply):
        self.reply = reply

    def ask(self, request):
        if wire.loads(request)["op"] == "value":
            return wire.dumps({"value": TWICE})
        return self.reply if isinstance(self.reply, bytes) else wire.dumps({"value": self.reply})

    @contextmanager
    def clean_process(self, seconds):
        yield self


@pytest.mark.parametrize(
    "reply",
    [
        b"no message",
        None,
        [],
        {},
        {"status": 3},
        {"status": "marks, please"},
        {"status": "done"},
        {"status": "done", "arrays": None, "findings": 0, "sectors": "9", "seconds": 1},
        {"status": "done", "arrays": [], "findings": ["kind"], "accesses": True, "seconds": float("nan")},
        {"status": "done", "arrays": [torch.zeros(71)], "findings": [1], "sectors": -1, "seconds": -1.0},
        {"status": "done", "arrays": [torch.zeros(70).double()], "findings": {}, "seconds": float("inf")},
    ],
)
def test_a_malformed_reply_is_a_verdict_and_never_a_mark(reply):
    result = put(Forger(reply))
    assert result.score == 0
    assert set(verdicts(result)) == {Verdict.ERROR}


def test_a_job_that_fails_is_a_fault_of_the_grader_and_no_mark():
    class Failing(Forger):
        def ask(self, request):
            if wire.loads(request)["op"] == "value":
                return wire.dumps({"value": TWICE})
            return wire.dumps({"error": ["NoCompiler", "RuntimeError"], "message": ""})

    result = put(Failing(None))
    assert result.is_fault and result.score == 0
