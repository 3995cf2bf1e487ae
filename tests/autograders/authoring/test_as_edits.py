"""Writing a program as an edit: it makes the same program again, by the words of the text it edits."""

from __future__ import annotations

import itertools

import pytest

from autograders.authoring.as_edits import edit_between, in_the_words_of
from autograders.authoring.edits import read_edit
from autograders.authoring.programs import same_program

SOLUTION = '''
@torch.no_grad()
def smooth(values: Tensor, window: int = 3) -> Tensor:
    """Mean of neighbours.

    values  float [N].
    """
    # as many windows as fit
    count = len(values) - window + 1
    result: list[Tensor] = []
    for start in range(count):  # one by one
        if window == 1:
            result.append(values[start])
        else:
            result.append(
                values[start : start + window].mean(),
            )
    return torch.stack(result)


class Smooth(nn.Module):
    """A layer."""

    def forward(self, x: Tensor) -> Tensor:
        return smooth(x)
'''.strip()

BARE = """
@torch.no_grad()
def smooth(values, window=3):
    count = len(values) - window + 1
    result = []
    for start in range(count):
        if window == 1:
            result.append(values[start])
        else:
            result.append(values[start : start + window].mean())
    return torch.stack(result)


class Smooth(nn.Module):
    def forward(self, x):
        return smooth(x)
""".strip()

MISTAKES = {
    "a line": ("window + 1", "window"),
    "a line before the first": ("    count =", "    values = values.abs()\n    count ="),
    "a head": ("if window == 1", "if window == 2"),
    "a default": ("window=3", "window=2"),
    "a parameter more": ("window=3", "window=3, stride=1"),
    "a line less": ("            result.append(values[start])", "            pass"),
    "a branch less": ("        else:\n            result.append(values[start : start + window].mean())\n", ""),
    "a method": ("return smooth(x)", "return smooth(x, 5)"),
    "a base class": ("nn.Module", "object"),
    "another loop": ("for start in range(count)", "for start in reversed(range(count))"),
    "a decorator less": ("@torch.no_grad()\n", ""),
    "a line at the end": ("return smooth(x)", "x = 2 * x\n        return smooth(x)"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_becomes_a_short_edit_of_the_solution(mistake):
    source = BARE.replace(*MISTAKES[mistake])
    assert source != BARE
    text = in_the_words_of(SOLUTION, source)
    assert same_program(text, source) and not same_program(text, SOLUTION)
    edit = edit_between(SOLUTION, text)
    assert edit.apply(SOLUTION) == text
    assert len(edit.source.split("\n")) <= 5
    assert "Mean of neighbours." in text and "A layer." in text


def test_all_pairs_of_mistakes_keep_the_program():
    for one, other in itertools.combinations(MISTAKES, 2):
        source = BARE.replace(*MISTAKES[one]).replace(*MISTAKES[other])
        text = in_the_words_of(SOLUTION, source)
        assert same_program(text, source), (one, other)
        assert edit_between(SOLUTION, text).apply(SOLUTION) == text


def test_the_same_program_takes_all_words_of_the_base():
    assert in_the_words_of(SOLUTION, BARE) == SOLUTION


def test_a_cuda_source_is_compared_line_by_line():
    base = 'scale = r"""\n// out[i] = 2 x[i]\n__global__ void scale(float* x) {\n    x[0] *= 2;  // twice\n}\n"""'
    source = 'scale = r"""\n__global__ void scale(float* x) {\n    x[1] *= 2;\n}\n"""'
    text = in_the_words_of(base, source)
    assert same_program(text, source) and "// out[i] = 2 x[i]" in text
    assert edit_between(base, text).diff == "-     x[0] *= 2;  // twice\n+     x[1] *= 2;"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1  # one", "x: int = 1"),
        ("def f(a: int) -> int:\n    'doc'\n    return a", "def f(a):\n    return a"),
        ("def f():\n    'doc'", "def f():\n    pass"),
        ('k = """\na // b\n"""', 'k = """\na\n\n"""'),
    ],
)
def test_programs_that_are_the_same(one, other):
    assert same_program(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 2"),
        ("def f(a=1): return a", "def f(a=2): return a"),
        ("def f(): return 'doc'", "def f(): return"),
        ("x: int", "x: int = 1"),
        ('k = """\na\n"""', 'k = """\nb\n"""'),
    ],
)
def test_programs_that_differ(one, other):
    assert not same_program(one, other)


SHORT_TEXTS = [
    "\n".join(lines) for count in (1, 2, 3) for lines in itertools.product(("a", "b", "    a", ""), repeat=count)
]


def test_an_edit_between_any_two_texts_makes_the_second_of_the_first():
    for one, other in itertools.permutations(SHORT_TEXTS, 2):
        edit = edit_between(one, other)
        assert edit.apply(one) == other
        assert read_edit(edit.source).apply(one) == other, (one, other)
