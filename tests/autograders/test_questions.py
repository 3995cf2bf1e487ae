"""Hidden questions, for every lab that has them: solutions keep full marks, stubs, wrong and trivial answers lose them.

Every notebook joins by itself.
"""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest
import torch

from autograders.authoring.refusals import refusals
from autograders.engine.asking.inputs import Inputs
from autograders.engine.asking.question import Cases, ask
from autograders.engine.asking.reference import LocalAsker
from autograders.engine.asking.registry import questions_of
from autograders.engine.asking.remote import Student
from autograders.engine.isolation.inside import wire
from autograders.engine.verdict import Verdict
from autograders.question_trial import QuestionTrial, released_stubs
from autograders.trial import read_answers
from course_lib.workbook import source_notebooks
from tests.autograders.engine.fixed_reply import FixedReply

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = source_notebooks(ROOT)
ASKED = {name: questions_of(book) for name, book in NOTEBOOKS.items()}
QUESTIONS = [(name, exercise) for name in ASKED for exercise in sorted(ASKED[name])]
ANSWERS = [
    pytest.param(name, cell, id=f"{name}-{cell.kind}-{cell.id}-{cell.name}")
    for name, book in NOTEBOOKS.items()
    for cell in read_answers(ROOT, book)
]
FEW_SEEDS = range(100, 104)
TRIVIAL_SHARE = 0.34
REPLIES = [
    None, True, -1, 1.0, "text", (), [[]], {"a": 1.0}, (1.0, ()), (1.0, (1.0, 2.0)), (None, None, {}), torch.zeros(0),
    torch.ones(2, 3), (torch.ones(2), torch.ones(2)), wire.Handle(0, "Tensor"), [wire.Handle(0, "Module")] * 2,
]  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@functools.cache
def trial(name):
    return QuestionTrial(NOTEBOOKS[name])


def entry(name, exercise):
    return ASKED[name][exercise]


@functools.cache
def solved(name, exercise):
    return trial(name).namespace(trial(name).solutions[exercise])


def results(name, exercise, namespace, seeds):
    return [trial(name).ask(entry(name, exercise), namespace, seed) for seed in seeds]


def lost(result):
    return [case for case in result.cases if case.verdict is not Verdict.RIGHT]


@pytest.mark.parametrize(("name", "exercise"), QUESTIONS)
def test_whatever_is_replied_is_no_fault_of_the_question(name, exercise):
    """Else a wrong answer could choose to be looked at by a person."""
    for reply in REPLIES:
        result = ask(entry(name, exercise), 1.0, Student(FixedReply.of(reply)), trial(name).reference, 0)
        assert not result.is_fault, (reply, [case.message for case in result.cases])
        assert result.score <= TRIVIAL_SHARE, reply


def test_every_exercise_of_the_course_has_a_question():
    assert refusals(NOTEBOOKS.values()) == []


@pytest.mark.parametrize(("name", "exercise"), QUESTIONS)
def test_solution_keeps_full_marks(name, exercise):
    for result in results(name, exercise, solved(name, exercise), range(20)):
        assert lost(result) == []
        assert result.score == result.points == trial(name).points[exercise] > 0
        assert 4 <= len(result.cases) <= 10
        assert len({case.name for case in result.cases}) == len(result.cases)


@pytest.mark.parametrize(("name", "exercise"), QUESTIONS)
def test_stub_scores_nothing(name, exercise):
    namespace = trial(name).namespace(released_stubs(ROOT, NOTEBOOKS[name])[exercise])
    for result in results(name, exercise, namespace, FEW_SEEDS):
        assert result.score == 0 and not result.is_fault
        assert {case.verdict for case in result.cases} == {Verdict.MISSING}


@pytest.mark.parametrize(("name", "answer"), ANSWERS)
def test_answer(name, answer):
    namespace = trial(name).namespace(answer.source)
    for result in results(name, answer.id, namespace, FEW_SEEDS):
        assert not result.is_fault, lost(result)
        if answer.kind == "right":
            assert lost(result) == []
        else:
            assert result.score < result.points
            require_its_own_mistake(answer.name, lost(result))


def require_its_own_mistake(answer, cases):
    """A broken answer, or one caught for a call of the library in passing, would say nothing about the question."""
    messages = " ".join(case.message for case in cases)
    assert not re.search(r"raised (NameError|SyntaxError|ImportError|UnboundLocalError)", messages), messages
    if answer != "calls the library":
        assert "Your code calls" not in messages


@pytest.mark.parametrize(("name", "answer"), ANSWERS)
def test_messages_give_nothing_away(name, answer):
    [result] = results(name, answer.id, trial(name).namespace(answer.source), [7])
    for case in result.cases:
        # places in the answer may be numbered, [0, 2], and names such as atan2; values and sizes may not be given
        words = re.sub(r"\[\d+(, \d+)*\]|\b[A-Za-z_]\w*", "", case.message)
        assert not re.search(r"\d", words), case.message
        assert not re.search(r"\d\.\d|\d{2}", case.name), case.name


def trivial(solution, body):
    """The exercise with each of its functions, classes and variables replaced by one that does next to nothing."""
    nodes = ast.parse(solution).body
    names = [node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    variables = [name.id for node in nodes if isinstance(node, ast.Assign) for name in node.targets]
    assert names or variables
    return "\n".join(
        [f"def {name}(*args, **kwargs):\n    return {body}" for name in names]
        + [f"{name} = (lambda *args, **kwargs: {body})()" for name in variables if not names]
    )


@pytest.mark.parametrize("body", ["None", "args[0] if args else next(iter(kwargs.values()), None)", "0", "args", "1.0"])
@pytest.mark.parametrize(("name", "exercise"), QUESTIONS)
def test_trivial_answer_gets_little(name, exercise, body):
    namespace = trial(name).namespace(trivial(trial(name).solutions[exercise], body))
    for result in results(name, exercise, namespace, FEW_SEEDS):
        assert not result.is_fault, lost(result)
        assert result.score <= TRIVIAL_SHARE * result.points, result


def blank(value, fill):
    """The same value with `fill` for each number."""
    if isinstance(value, torch.Tensor):
        return torch.full_like(value, fill)
    if isinstance(value, (list, tuple)):
        return type(value)(blank(item, fill) for item in value)
    if isinstance(value, dict):
        return {key: blank(item, fill) for key, item in value.items()}
    return type(value)(fill) if isinstance(value, (int, float)) else value


@pytest.mark.parametrize("fill", [0, 1])
@pytest.mark.parametrize(("name", "exercise"), QUESTIONS)
def test_an_answer_of_the_right_shape_without_content_gets_little(name, exercise, fill):
    namespace = dict(solved(name, exercise))
    functions = [
        node.name for node in ast.parse(trial(name).solutions[exercise]).body if isinstance(node, ast.FunctionDef)
    ]
    for function in functions:
        solution = namespace[function]
        namespace[function] = lambda *args, _of=solution, **kwargs: blank(_of(*args, **kwargs), fill)
    if functions:
        for result in results(name, exercise, namespace, FEW_SEEDS):
            assert not result.is_fault, lost(result)
            assert result.score <= TRIVIAL_SHARE * result.points, result


@pytest.mark.parametrize(("name", "exercise"), QUESTIONS)
def test_inputs_do_not_depend_on_the_answers(name, exercise):
    def after_asking(namespace):
        inputs, student = Inputs(3, exercise), Student(LocalAsker(namespace))
        entry(name, exercise).function(student, trial(name).reference, inputs, Cases())
        return inputs.integers(0, 2**31, 4).tolist()

    nothing = trial(name).namespace(trivial(trial(name).solutions[exercise], "None"))
    assert after_asking(nothing) == after_asking(solved(name, exercise))


@pytest.mark.parametrize(("name", "exercise"), QUESTIONS)
def test_inputs_differ_between_seeds(name, exercise):
    def requests(seed):
        class Recorder(LocalAsker):
            def ask(self, request):
                sent.append(request)
                return super().ask(request)

        sent = []
        student = Student(Recorder(solved(name, exercise)))
        entry(name, exercise).function(student, trial(name).reference, Inputs(seed, exercise), Cases())
        return sent

    first, again, other = requests(0), requests(0), requests(1)
    assert first == again
    assert not set(first) <= set(other)
