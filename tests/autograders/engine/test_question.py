"""Cases and verdicts: marks start at zero, and nothing but a comparison made here moves them."""

from __future__ import annotations

import math

import pytest
import torch

from autograders.engine.asking.comparison import close, equal, raises, that, unchanged
from autograders.engine.asking.question import ask, question
from autograders.engine.asking.quiz_question import ask_quiz
from autograders.engine.asking.reference import LocalAsker, Reference
from autograders.engine.asking.remote import Student
from autograders.engine.isolation.inside import wire
from autograders.engine.student_fault import StudentFault
from autograders.engine.verdict import CaseResult, QuestionResult, Verdict
from course_lib.workbook.quizzes import Statement
from tests.autograders.engine.fixed_reply import FixedReply


def put(function, namespace, points=4.0, asker=None):
    entry = question("exercise")(function)
    return ask(entry, points, Student(asker or LocalAsker(namespace)), Reference({"double": lambda x: 2 * x}), 0)


def three_cases(student, reference, rng, case):
    for number in range(3):
        x = rng.normal(number + 1)
        with case(f"length {number + 1}"):
            close(student.double(x), reference.double(x))
    with case("a whole number", weight=3):
        equal(student.double(3), 6)


def test_the_share_of_right_cases_by_weight_is_earned():
    assert put(three_cases, {"double": lambda x: x * 2}).score == 4
    assert put(three_cases, {"double": lambda x: x * 2 if isinstance(x, int) else x}).score == 2
    assert put(three_cases, {"double": lambda x: x * 2.0 if len(x) > 1 else x}).score == pytest.approx(
        4 * 2 / 6, abs=1e-3
    )


@pytest.mark.parametrize(
    ("function", "verdict"),
    [
        (lambda x: None, Verdict.WRONG),
        (lambda x: "2", Verdict.WRONG),
        (lambda x: {1, 2}, Verdict.WRONG),
        (lambda x: object(), Verdict.WRONG),
        (lambda x: float("nan"), Verdict.WRONG),
        (lambda x: torch.full((1,), math.nan), Verdict.WRONG),
        (lambda x: 1 / 0, Verdict.ERROR),
        (lambda x: exec("raise SystemExit"), Verdict.ERROR),
        (lambda x: exec("raise KeyboardInterrupt"), Verdict.ERROR),
        (lambda x: exec("raise MemoryError"), Verdict.MEMORY),
        (lambda x: exec("raise NotImplementedError"), Verdict.MISSING),
    ],
)
def test_what_is_not_right_earns_nothing(function, verdict):
    result = put(three_cases, {"double": function})
    assert result.score == 0 and result.cases[0].verdict is verdict


def test_a_missing_name_is_an_error_of_the_students():
    assert put(three_cases, {}).cases[0].verdict is Verdict.ERROR


def test_a_student_learns_the_kind_of_mistake_and_no_value():
    def leaks(x):
        raise ValueError(f"the input was {x}")

    for function in (leaks, lambda x: x * 3, lambda x: torch.zeros(9)):
        for case in put(three_cases, {"double": function}).cases:
            assert "tensor" not in case.message and "." not in case.message.strip(".")


def test_a_case_that_compares_nothing_or_breaks_is_a_fault_and_no_mark():
    def empty(student, reference, rng, case):
        with case("nothing is compared"):
            student.double(1)

    def broken(student, reference, rng, case):
        with case("right"):
            equal(student.double(1), 2)
        with case("a mistake of the author's"):
            equal(student.double(1), undefined)  # noqa: F821

    def stateless(student, reference, rng, case):
        pass

    for function in (empty, broken, stateless):
        result = put(function, {"double": lambda x: 2 * x})
        assert result.is_fault and result.score == 0


def test_raises_wants_the_named_kind_or_one_derived_from_it():
    def refuses(student, reference, rng, case):
        with case("a bad value"):
            equal(student.double(1), 2)
            raises(ValueError, student.double, -1)

    def double_with(error):
        def double(x):
            if x < 0:
                raise error
            return 2 * x

        return put(refuses, {"double": double}).score

    class Finer(ValueError):
        pass

    assert double_with(ValueError("x")) == 4 and double_with(Finer()) == 4
    assert double_with(TypeError("x")) == 0
    assert put(refuses, {"double": lambda x: 2 * x}).score == 0


def test_arguments_come_back_and_gradients_flow():
    def checks(student, reference, rng, case):
        x = rng.normal(5)
        with case("the argument is kept"):
            value, (after,) = student.after("double", x)
            close(value, 2 * x)
            unchanged(after, x)
        with case("gradients"):
            _, (gradient,) = student.gradients("double", x)
            close(gradient, torch.full((5,), 2.0))

    assert put(checks, {"double": lambda x: x * 2}).score == 4
    assert put(checks, {"double": lambda x: x.mul_(2)}).score < 4
    assert put(checks, {"double": lambda x: x.detach() * 2}).score == 2


def test_objects_stay_with_the_student():
    def module(student, reference, rng, case):
        with case("a module"):
            net = student.Net(3, 2)
            x = rng.normal(4, 3)
            weight, bias = rng.normal(2, 3), rng.normal(2)
            net.load_state({"weight": weight, "bias": bias})
            close(net(x), torch.nn.functional.linear(x, weight, bias))
            that(net.parameters().keys() == {"weight", "bias"}, "It has other parameters.")

    assert put(module, {"Net": torch.nn.Linear}).score == 4


def test_an_object_may_be_an_argument_of_a_later_call():
    def applied(student, reference, rng, case):
        with case("a module in a list"):
            net, x = student.Net(3, 2), rng.normal(4, 3)
            close(student.apply([net], x), net(x))

    assert put(applied, {"Net": torch.nn.Linear, "apply": lambda nets, x: nets[0](x)}).score == 4


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"garbage",
        wire.dumps(6),
        wire.dumps([6]),
        wire.dumps({}),
        wire.dumps({"value": 6, "score": 100}),
        wire.dumps({"error": []}),
        wire.dumps({"error": [5]}),
        wire.dumps({"error": "ValueError"}),
        wire.dumps({"error": ["ValueError"], "message": 7}),
        wire.dumps({"value": wire.Handle(10**9, "Tensor")}),
        wire.dumps({"value": math.inf}),
    ],
)
def test_forged_replies_earn_nothing(reply):
    result = put(three_cases, {}, asker=FixedReply(reply))
    assert result.score == 0 and not result.is_fault


def test_what_ends_the_process_ends_the_cases():
    class Dies:
        asked = 0

        def ask(self, request):
            self.asked += 1
            raise StudentFault(Verdict.DIED, "gone", ends_process=True)

    dies = Dies()
    result = put(three_cases, {}, asker=dies)
    assert [case.verdict for case in result.cases] == [Verdict.DIED] * 4 and dies.asked == 1


def test_scores_are_finite_and_within_the_points():
    right, wrong = CaseResult("a", Verdict.RIGHT), CaseResult("b", Verdict.WRONG)
    assert QuestionResult("q", 3, (right, wrong)).score == 1.5
    assert QuestionResult("q", 3, ()).score == 0
    for weight in (math.inf, math.nan, 0.0, -1.0):
        assert 0 <= QuestionResult("q", 3, (CaseResult("a", Verdict.RIGHT, weight=weight), wrong)).score <= 3
    assert QuestionResult("q", 3, (right, CaseResult("c", Verdict.FAULT))).score == 0


STATEMENTS = tuple(Statement(letter, letter in "ab", "because") for letter in "abcd")


@pytest.mark.parametrize(
    ("answer", "share"),
    [
        ({"a", "b"}, 1.0),
        (["B", "a"], 1.0),
        ("ab", 1.0),
        ({"a"}, 0.5),
        (set(), 0.0),
        ({"a", "b", "c", "d"}, 0.0),
        ({"c", "d"}, 0.0),
        (None, 0.0),
        ({"z"}, 0.0),
        ({1}, 0.0),
        (5, 0.0),
        ({"a": 1, "b": 1}, 0.0),
    ],
)
def test_quiz(answer, share):
    student = Student(LocalAsker({"words": answer}))
    result = ask_quiz("words", 4.0, STATEMENTS, student)
    assert result.score == 4 * share and not result.is_fault
