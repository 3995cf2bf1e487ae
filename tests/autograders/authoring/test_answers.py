"""Reading a file of answers: edits of the solution or of another answer, and what is refused, and where."""

from __future__ import annotations

import pytest

from autograders.authoring.answers import read_answers, shortages
from autograders.authoring.course_maker import Parts, make_course
from autograders.authoring.programs import same_program
from autograders.authoring.rewrite import rewrite_as_edits
from autograders.command import main
from course_lib.errors import CourseError
from course_lib.workbook import source_notebooks

TEXT = '''# %% exercise="mean"
def mean(x: list[float]) -> float:
    """The mean of some numbers."""
    ### BEGIN SOLUTION
    total = sum(x)
    ### END SOLUTION
    # the rest is given
    ### BEGIN SOLUTION
    return total / len(x)
    ### END SOLUTION

# %% check="mean" points=1
assert mean([1, 3]) == 2

# %% exercise="twice"
def twice(x):
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION

# %% check="twice" points=1
assert twice(1) == 2
'''
LOOP = """# %% right="mean" name="a loop"
def mean(x):
    total = 0
    for value in x:
        total += value
    return total / len(x)
"""


@pytest.fixture
def answers_of(tmp_path):
    """Reads the answers of a notebook whose file of answers is this text."""

    def read(text, of=read_answers):
        make_course(tmp_path, Parts("9a_means", "lab9_means", TEXT, answers=text))
        [notebook] = source_notebooks(tmp_path).values()
        return of(notebook)

    return read


@pytest.fixture
def refused(answers_of):
    """(line, sentence without the file) of what is said against a text."""

    def read(text):
        with pytest.raises(CourseError) as caught:
            answers_of(text)
        place, _, words = str(caught.value).partition(": ")
        path, _, line = place.rpartition(":")
        assert path.endswith("9a_means/answers.py")
        return int(line), words

    return read


def test_an_edit_of_the_solution(answers_of):
    [answer] = answers_of('# %% wrong="mean" name="the sum"\n# -     return total / len(x)\n# +     return total\n')
    assert (answer.kind, answer.id, answer.name, answer.of) == ("wrong", "mean", "the sum", "")
    assert answer.source == (
        'def mean(x: list[float]) -> float:\n    """The mean of some numbers."""\n    total = sum(x)\n'
        "    # the rest is given\n    return total"
    )
    assert answer.edit.diff == "-     return total / len(x)\n+     return total"


def test_an_edit_may_span_what_students_are_given(answers_of):
    text = '# %% wrong="mean" name="a"\n#       total = sum(x)\n# -     # the rest is given\n# +     total += 1\n'
    [answer] = answers_of(text)
    assert answer.source.split("\n")[2:] == ["    total = sum(x)", "    total += 1", "    return total / len(x)"]


def test_full_text_has_no_edit(answers_of):
    [answer] = answers_of('# %% wrong="mean" name="the first"\n# the first one\ndef mean(x):\n    return x[0]\n')
    assert answer.source == "# the first one\ndef mean(x):\n    return x[0]" and answer.edit is None


def test_an_edit_of_a_right_answer_that_stands_below(answers_of):
    first, second = answers_of(
        '# %% wrong="mean" name="one off" of="a loop"\n# -     total = 0\n# +     total = 1\n' + LOOP
    )
    assert first.source == second.source.replace("total = 0", "total = 1") and first.of == "a loop"


def test_an_edit_of_an_edit(answers_of):
    chain = (
        '# %% wrong="mean" name="one off" of="a loop"\n# -     total = 0\n# +     total = 1\n\n'
        '# %% wrong="mean" name="more off" of="one off"\n# -     total = 1\n# +     total = 1\n# +     total += 1\n\n'
        '# %% wrong="mean" name="most off" of="more off"\n# -     total += 1\n# +     total += 2\n'
    )
    *_, last = answers_of(LOOP + chain)
    assert last.source.split("\n")[1:3] == ["    total = 1", "    total += 2"]


def test_answers_keep_the_order_of_the_file(answers_of):
    text = (
        '# %% wrong="twice" name="b"\ndef twice(x): return x\n\n'
        + LOOP
        + '\n# %% wrong="twice" name="a"\ntwice = abs\n'
    )
    assert [answer.name for answer in answers_of(text)] == ["b", "a loop", "a"]


def test_an_edit_that_applies_nowhere(refused):
    line, words = refused(
        LOOP + '\n# %% wrong="mean" name="the sum"\n\n# -     return total / n\n# +     return total\n'
    )
    assert words == (
        'wrong answer "the sum" to mean: as an edit of the solution: `    return total / n` was not found; '
        "the nearest is: `    return total / len(x)`"
    )
    assert line == 10


def test_an_edit_that_applies_twice(refused):
    _, words = refused(
        '# %% right="mean" name="slow"\ndef mean(x):\n    x = list(x)\n    x = list(x)\n    return sum(x) / len(x)\n\n'
        '# %% wrong="mean" name="empties it" of="slow"\n# -     x = list(x)\n# +     x = []\n'
    )
    assert words == (
        'wrong answer "empties it" to mean: as an edit of the answer "slow": `    x = list(x)` stands 2 times; '
        "add a line above or below with `#   `"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            '# %% wrong="mean" name="a" of="einsum"\n# - x\n',
            "it is an edit of 'einsum'; there are 'a loop'",
        ),
        (
            '# %% wrong="mean" name="a" of="a"\n# - x\n',
            "it is an edit of 'a', a wrong answer that must stand above it",
        ),
        (
            '# %% wrong="mean" name="a" of="b"\n# - x\n\n# %% wrong="mean" name="b" of="a"\n# - x\n',
            "it is an edit of 'b', a wrong answer that must stand above it",
        ),
        (
            '# %% wrong="twice" name="a" of="a loop"\n# - x\n',
            "it is an edit of 'a loop'; there are none",
        ),
        (
            '# %% wrong="mean" name="a"\n# -     total = sum(x)\n# +     total = sum(x)\n',
            "as an edit of the solution: the change changes nothing",
        ),
        (
            '# %% wrong="mean" name="a"\n# -     total = sum(x)\n# +     total = sum(x)  # all\n',
            "it is the same program as the solution",
        ),
        (
            '# %% wrong="mean" name="a"\ndef mean(x):\n    total = 0\n    for value in x:\n        total += value\n'
            "    return total / len(x)\n",
            'it is the same program as the answer "a loop"',
        ),
        (
            '# %% wrong="mean" name="a"\n# -     total = sum(x)\n# +     total = 0\n\n'
            '# %% wrong="mean" name="b"\ndef mean(x):\n    total = 0\n    return total / len(x)\n',
            'it is the same program as the answer "a"',
        ),
        (
            '# %% right="mean" name="a"\n# -     total = sum(x)\n# +     total = float(sum(x))\n',
            "a right answer is written in full, independently of the solution",
        ),
        (
            '# %% right="mean" name="a" of="a loop"\ndef mean(x): return sum(x) / len(x)\n',
            "a right answer is written in full, independently of the solution",
        ),
        (
            '# %% wrong="mean" name="a" of="a loop"\ndef mean(x): return x\n',
            'as an edit of the answer "a loop": `def mean(x): return x`: '
            "a line of an edit begins with `# - `, `# + ` or `#   `",
        ),
        (
            '# %% wrong="mean" name="a"\n#- x\n#+ y\n',
            "it has no code; a line of an edit begins with one of '# - ', '# + ', '#   '",
        ),
        (
            '# %% wrong="mean" name="a" off="a loop"\n# - x\n',
            "its header has unknown keys off",
        ),
        (
            '# %% wrong="mean" name="a loop"\ndef mean(x): return x\n',
            "another answer of this exercise has the same name",
        ),
        (
            '# %% wrong="mean"\ndef mean(x): return x\n',
            "it has no name: say in `name` what is wrong with it, or how it differs",
        ),
        (
            '# %% wrong="median" name="a"\ndef median(x): return x\n',
            "9a_means has no exercise 'median'; it has 'mean', 'twice'",
        ),
    ],
    ids=[
        "unknown base", "of itself", "circle", "of another exercise's", "changes nothing", "a comment only",
        "as a right one", "as a wrong one", "right edit", "right with a base", "base and full text", "comments alone",
        "unknown key", "name taken", "no name", "no exercise",
    ],
)  # fmt: skip
def test_what_is_refused(refused, text, words):
    line, said = refused(LOOP + "\n" + text)
    assert said.partition(": ")[2] == words
    assert line >= 8


def test_too_few_answers_are_named_with_the_file(answers_of):
    text = LOOP + '\n# %% wrong="mean" name="the sum"\ndef mean(x): return sum(x)\n'
    one, two, three = answers_of(text, of=shortages)
    assert one.startswith("mean has 1 wrong answer; write three or more") and one.endswith("9a_means/answers.py")
    assert two.startswith("twice has 0 wrong answers; write three or more")
    assert three.startswith("twice has no right answer; write one")


def test_a_notebook_without_a_file_of_answers(tmp_path, answers_of):
    answers_of("")
    [notebook] = source_notebooks(tmp_path).values()
    assert not (notebook.marking / "answers.py").exists()
    assert read_answers(notebook) == [] and rewrite_as_edits(notebook) == []
    assert len(shortages(notebook)) == 4


def test_wrong_answers_in_full_are_rewritten_as_edits_and_stay_the_same_programs(answers_of, tmp_path):
    text = (
        "# %% [markdown]\n# Mistakes.\n\n"
        '# %% wrong="mean" name="the sum"\ndef mean(x):\n    total = sum(x)\n    return total\n\n\n'
        '# %% wrong="mean" name="starts with \\"1\\""\ndef mean(x):\n    total = 1\n    for value in x:\n'
        "        total += value\n    return total / len(x)\n\n\n"
        '# %% wrong="mean" name="the first"\ndef mean(x):\n    return x[0]\n\n\n' + LOOP
    )
    before = answers_of(text)
    rewritten = answers_of(text, of=rewrite_as_edits)
    [notebook] = source_notebooks(tmp_path).values()
    after = read_answers(notebook)
    assert [answer.name for answer in rewritten] == ["the sum", 'starts with "1"']
    assert [answer.name for answer in after] == [answer.name for answer in before]
    assert all(same_program(one.source, other.source) for one, other in zip(before, after, strict=True))
    assert after[0].edit.diff == "-     return total / len(x)\n+     return total"
    assert (after[1].of, after[1].edit.diff) == ("a loop", "-     total = 0\n+     total = 1")
    assert (notebook.marking / "answers.py").read_text() == (
        "# %% [markdown]\n# Mistakes.\n\n"
        '# %% wrong="mean" name="the sum"\n# -     return total / len(x)\n# +     return total\n\n'
        '# %% wrong="mean" name="starts with \\"1\\"" of="a loop"\n# -     total = 0\n# +     total = 1\n\n'
        '# %% wrong="mean" name="the first"\ndef mean(x):\n    return x[0]\n\n\n' + LOOP
    )
    assert rewrite_as_edits(notebook) == []


def test_an_answer_that_is_no_python_stays_as_it_is(answers_of):
    text = '# %% wrong="mean" name="a bracket is missing"\ndef mean(x):\n    total = sum(x\n    return total\n'
    assert answers_of(text, of=rewrite_as_edits) == []


def test_the_command_counts_rewrites_and_says_what_is_missing(answers_of, tmp_path, monkeypatch, capsys):
    answers_of(LOOP + '\n# %% wrong="mean" name="the sum"\ndef mean(x):\n    total = sum(x)\n    return total\n')
    monkeypatch.chdir(tmp_path)
    assert main(["answers", "9a"]) == 1
    out, err = capsys.readouterr()
    assert out == "9a_means: 1 wrong answers, 0 of them edits; 1 right ones\n"
    assert [line.partition(";")[0] for line in err.splitlines()] == [
        "mean has 1 wrong answer", "twice has 0 wrong answers", "twice has no right answer",
    ]  # fmt: skip
    assert main(["answers", "--as-edits"]) == 1
    assert capsys.readouterr().out == (
        'mean: "the sum" is an edit now\n9a_means: 1 wrong answers, 1 of them edits; 1 right ones\n'
    )
