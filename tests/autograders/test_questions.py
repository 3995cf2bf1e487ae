"""Hidden questions, of every notebook: solutions keep full marks, stubs, wrong and trivial answers lose them."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest
import torch

from autograders.authoring.dry_run import Answered, Asked
from autograders.authoring.refusals import refusals
from autograders.authoring.trial import Trial, released_stubs
from autograders.engine.asking import comparison
from autograders.engine.asking.inputs import Inputs
from autograders.engine.asking.native_question import NativeKernel
from autograders.engine.asking.question import Cases, ask
from autograders.engine.asking.reference import LocalAsker
from autograders.engine.asking.registry import questions_of
from autograders.engine.asking.remote import Student
from autograders.engine.isolation.inside import wire
from autograders.engine.verdict import Verdict
from tests.autograders.engine.fixed_reply import FixedReply
from tests.exercises import EXERCISES, NOTEBOOKS, answers_to

ROOT = Path(__file__).resolve().parents[2]
SEEDS = range(20)
FEW_SEEDS = SEEDS[:4]
TRIVIAL_SHARE = 0.34
TRIVIAL = ("None", "args[0] if args else next(iter(kwargs.values()), None)", "0", "args", "1.0")
REPLIES = [
    None, True, -1, 1.0, "text", (), [[]], {"a": 1.0}, (1.0, ()), (1.0, (1.0, 2.0)), (None, None, {}), torch.zeros(0),
    torch.ones(2, 3), (torch.ones(2), torch.ones(2)), wire.Handle(0, "Tensor"), [wire.Handle(0, "Module")] * 2,
]  # fmt: skip

each_exercise = pytest.mark.parametrize(("name", "exercise"), EXERCISES)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def untimed(monkeypatch):
    """Kernels are launched and not timed: how fast one is does not hang on the inputs that a seed draws."""
    monkeypatch.setattr(NativeKernel, "faster_than", lambda *_, **__: comparison.that(True, ""))


@functools.cache
def trial(name):
    return Trial(NOTEBOOKS[name])


@functools.cache
def questions(name):
    return questions_of(NOTEBOOKS[name])


@functools.cache
def stubs(name):
    return released_stubs(ROOT, NOTEBOOKS[name])


@functools.cache
def solved(name, exercise):
    return trial(name).namespace(trial(name).solutions[exercise])


def result(name, exercise, namespace, seed):
    return trial(name).ask(questions(name)[exercise], namespace, seed)


def lost(result):
    return [case for case in result.cases if case.verdict is not Verdict.RIGHT]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_exercise_of_the_notebook_has_one_question(name):
    assert refusals([NOTEBOOKS[name]]) == []


@each_exercise
def test_whatever_is_replied_is_no_fault_of_the_question(name, exercise):
    """Else a wrong answer could choose to be looked at by a person."""
    for reply in REPLIES:
        result = ask(questions(name)[exercise], 1.0, Student(FixedReply.of(reply)), trial(name).reference, 0)
        assert not result.is_fault, (reply, [case.message for case in result.cases])
        assert result.score <= TRIVIAL_SHARE, reply


@each_exercise
def test_solution_keeps_full_marks(name, exercise, untimed):
    for seed in SEEDS:
        full = result(name, exercise, solved(name, exercise), seed)
        assert lost(full) == []
        assert full.score == full.points == trial(name).points[exercise] > 0
        assert 4 <= len(full.cases) <= 10
        assert len({case.name for case in full.cases}) == len(full.cases)


@each_exercise
def test_the_dry_run_finds_no_problem(name, exercise):
    """All keep and lose what they should, each case catches a wrong answer, and no message says too much."""
    answered = [tried(name, exercise, *source, FEW_SEEDS[0]) for source in sources(name, exercise)]
    problems = Asked(name, exercise, trial(name).points[exercise], tuple(answered)).problems
    problems += [problem for answer in answered for problem in weaknesses(answer)]
    assert not problems, "\n".join(problems)


@each_exercise
def test_other_inputs_catch_the_same_answers(name, exercise, untimed):
    is_native = questions(name)[exercise].seconds is not None  # compiled and launched: its wrong answers are tried once
    problems = []
    for kind, called, source in sources(name, exercise):
        for seed in FEW_SEEDS[1:] if not (is_native and kind == "wrong") else ():
            answer = tried(name, exercise, kind, called, source, seed)
            wanted = {"wrong": answer.share < 1, "stub": answer.share == 0}.get(kind, answer.share == 1)
            if answer.result.is_fault or not wanted:
                problems.append(f'seed {seed}: {kind} "{called}" gets {answer.share:.0%}: {lost(answer.result)}')
            problems += [f"seed {seed}: {problem}" for problem in weaknesses(answer)]
    assert not problems, "\n".join(problems)


def sources(name, exercise):
    """(kind, name, source) of whatever the question is put to."""
    kept = [(answer.kind, answer.name, answer.source) for answer in answers_to(name, exercise)]
    return [("solution", "", trial(name).solutions[exercise]), ("stub", "", stubs(name)[exercise]), *kept]


def tried(name, exercise, kind, called, source, seed):
    return Answered(kind, called, result(name, exercise, trial(name).namespace(source), seed))


def weaknesses(answer):
    """Sentences about an answer that is not caught for its own mistake, and about messages that give something away."""
    messages = " ".join(case.message for case in answer.lost)
    who = f'{answer.kind} "{answer.name}"'
    if answer.kind == "wrong" and re.search(r"raised (NameError|SyntaxError|ImportError|UnboundLocalError)", messages):
        yield f"{who} is broken, not caught: {messages}"
    if answer.kind == "wrong" and answer.name != "calls the library" and "Your code calls" in messages:
        yield f"{who} is caught for a call in passing: {messages}"
    if answer.kind == "stub" and {case.verdict for case in answer.result.cases} != {Verdict.MISSING}:
        yield f"{who} is not seen to be unwritten: {messages}"
    for case in answer.result.cases:
        # places in the answer may be numbered, [0, 2], and names such as atan2; values and sizes may not be given
        words = re.sub(r"\[\d+(, \d+)*\]|\b[A-Za-z_]\w*", "", case.message)
        if re.search(r"\d", words) or re.search(r"\d\.\d|\d{2}", case.name):
            yield f'{who}, case "{case.name}" gives something away: {case.message}'


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


@each_exercise
def test_trivial_answer_gets_little(name, exercise, untimed):
    for body in TRIVIAL:
        namespace = trial(name).namespace(trivial(trial(name).solutions[exercise], body))
        gets_little(name, exercise, namespace, body)


def gets_little(name, exercise, namespace, answer):
    for seed in FEW_SEEDS:
        little = result(name, exercise, namespace, seed)
        assert not little.is_fault, (answer, lost(little))
        assert little.score <= TRIVIAL_SHARE * little.points, (answer, little)


def blank(value, fill):
    """The same value with `fill` for each number."""
    if isinstance(value, torch.Tensor):
        return torch.full_like(value, fill)
    if isinstance(value, (list, tuple)):
        return type(value)(blank(item, fill) for item in value)
    if isinstance(value, dict):
        return {key: blank(item, fill) for key, item in value.items()}
    return type(value)(fill) if isinstance(value, (int, float)) else value


@each_exercise
def test_an_answer_of_the_right_shape_without_content_gets_little(name, exercise):
    nodes = ast.parse(trial(name).solutions[exercise]).body
    functions = [node.name for node in nodes if isinstance(node, ast.FunctionDef)]
    for fill in (0, 1) if functions else ():
        namespace = dict(solved(name, exercise))
        for function in functions:
            solution = namespace[function]
            namespace[function] = lambda *args, _of=solution, _fill=fill, **kwargs: blank(_of(*args, **kwargs), _fill)
        gets_little(name, exercise, namespace, fill)


@each_exercise
def test_inputs_do_not_depend_on_the_answers(name, exercise, untimed):
    def after_asking(namespace):
        inputs, student = Inputs(3, exercise), Student(LocalAsker(namespace))
        questions(name)[exercise].function(student, trial(name).reference, inputs, Cases())
        return inputs.integers(0, 2**31, 4).tolist()

    nothing = trial(name).namespace(trivial(trial(name).solutions[exercise], "None"))
    assert after_asking(nothing) == after_asking(solved(name, exercise))


@each_exercise
def test_inputs_differ_between_seeds(name, exercise, untimed):
    def requests(seed):
        class Recorder(LocalAsker):
            def ask(self, request):
                sent.append(request)
                return super().ask(request)

        sent = []
        student = Student(Recorder(solved(name, exercise)))
        questions(name)[exercise].function(student, trial(name).reference, Inputs(seed, exercise), Cases())
        return sent

    first, again, other = requests(0), requests(0), requests(1)
    assert first == again
    assert not set(first) <= set(other)
