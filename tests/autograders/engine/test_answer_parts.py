"""`comparison.parts` takes answers apart, and a forbidden torch function is named in what the student reads."""

from __future__ import annotations

import tracemalloc

import pytest
import torch
import torch.nn.functional as F

from autograders.engine.asking import comparison
from autograders.engine.asking.comparison import close, parts
from autograders.engine.asking.question import Cases
from autograders.engine.asking.reference import LocalAsker
from autograders.engine.asking.remote import Student
from autograders.engine.student_fault import StudentFault
from autograders.engine.verdict import Verdict
from tests.autograders.engine.fixed_reply import FixedReply


@pytest.mark.parametrize("answer", [(1, 2.5), [1, 2.5], torch.tensor([1, 2.5])])
def test_pairs_of_every_kind(answer):
    first, second = parts(answer, 2)
    close((first, second), (1, 2.5))


@pytest.mark.parametrize(
    "answer", [None, 3, "ab", {0: 1, 1: 2}, {1, 2}, (1,), (1, 2, 3), torch.zeros(3), torch.tensor(2.0)]
)
def test_other_answers_are_wrong_and_no_fault_of_the_question(answer):
    case = Cases()
    with case("a pair"):
        parts(answer, 2, hint="Return the value and its gradient.")
    [result] = case.results
    assert result.verdict is Verdict.WRONG
    assert result.message.endswith("Return the value and its gradient.")


def test_taking_apart_compares_nothing():
    before = comparison.comparisons
    parts((1, 2), 2)
    assert comparison.comparisons == before
    case = Cases()
    with case("nothing compared"):
        parts((1, 2), 2)
    assert case.results[0].verdict is Verdict.FAULT


def test_a_call_of_a_forbidden_function_is_named():
    student = Student(LocalAsker({"conv": F.conv2d, "double": lambda x: 2 * x}))
    image = torch.ones(1, 1, 3, 3)
    with pytest.raises(StudentFault) as caught:
        student.without("F.conv2d", "F.unfold").conv(image, image)
    assert caught.value.verdict is Verdict.WRONG
    assert caught.value.message.startswith("Your code calls F.conv2d or F.unfold")
    assert torch.equal(student.without("F.conv2d").double(image), 2 * image)
    assert student.conv(image, image).item() == 9


def test_a_short_list_of_texts_takes_no_more_memory_than_it_has():
    answer = [""] * 2_000 + ["x" * 20_000]
    tracemalloc.start()
    with pytest.raises(StudentFault):
        close(answer, [0.0] * 2_001)
    with pytest.raises(StudentFault):
        close([answer, [1.0]], [[0.0] * 2_001, [1.0]])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6  # padded to the longest, 160 MB


@pytest.mark.parametrize("values", [(), (1.0,), (1.0, 2.0, 3.0), 5.0, None])
def test_gradients_and_arguments_come_in_the_number_asked_for(values):
    with pytest.raises(StudentFault):
        Student(FixedReply.of((1.0, values))).gradients("f", 1.0, 2.0, wrt=(0, 1))
    with pytest.raises(StudentFault):
        Student(FixedReply.of((1.0, values, {}))).after("f", 1.0, 2.0)
