"""`course submit` and grading say the same of an answer, however far it is written."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from autograders.authoring.trial import Trial
from autograders.engine.asking.registry import questions_of
from autograders.engine.isolation.limits import Limits
from autograders.engine.notebook_grading import NotebookGrader
from autograders.engine.repair.rebuild import rebuild
from course_lib.handin.completeness import inspect_notebook
from course_lib.handin.read_notebook import read_notebook
from course_lib.workbook import source_notebooks

ROOT = Path(__file__).resolve().parents[2]
EXERCISES = {
    cell.id: notebook for notebook in source_notebooks(ROOT).values() for cell in notebook.text.of_kind("exercise")
}
REGIONS = {
    name: cell.source.count("### BEGIN SOLUTION")
    for name, notebook in EXERCISES.items()
    for cell in notebook.text.of_kind("exercise")
    if cell.id == name
}
HALVES = [(name, kept) for name, count in REGIONS.items() if count > 1 for kept in range(count)]
STUB = "raise NotImplementedError('Replace this line and the one above with your code.')"
CHECKED = datetime(2000, 1, 1, tzinfo=UTC)


@cache
def labs_text(lab, notebook):
    return (ROOT / "labs" / lab / f"{notebook}.ipynb").read_text(encoding="utf-8")


def given_out(name):
    notebook = EXERCISES[name]
    return json.loads(labs_text(notebook.lab, notebook.id))


def handed_in(name, text):
    """The released notebook with one answer, `text`."""
    book = given_out(name)
    [cell] = [cell for cell in book["cells"] if cell["id"] == name]
    cell["source"] = text
    return json.dumps(book).encode()


def released(name):
    [cell] = [cell for cell in given_out(name)["cells"] if cell["id"] == name]
    return "".join(cell["source"])


def solution(name):
    return next(cell.source for cell in EXERCISES[name].text.of_kind("exercise") if cell.id == name)


def with_one_part(name, kept):
    """The solution's part number `kept`, the stub in place of the others; written out here, apart from the build."""
    lines, part, inside = [], -1, False
    for line in solution(name).split("\n"):
        if "### BEGIN SOLUTION" in line:
            part, inside = part + 1, True
            if part != kept:
                indent = line[: len(line) - len(line.lstrip())]
                lines += [f"{indent}# YOUR CODE HERE", indent + STUB]
        elif "### END SOLUTION" in line:
            inside = False
        elif not inside or part == kept:
            lines.append(line)
    return "\n".join(lines)


def words_of_submit(name, text):
    """What `course submit` lists about the one exercise: the words before its name."""
    findings = inspect_notebook(read_notebook(handed_in(name, text)), (), (), CHECKED)
    found = [gap.partition(": ") for gap in findings.gaps]
    return [(words, names) for words, _, names in found if name in re.findall(r"\w+", names) or names == "all of it"]


def is_graded(name, text):
    """Whether grading runs the answer and asks, instead of "not written yet"."""
    grader = NotebookGrader(EXERCISES[name], {}, Limits())
    return name in [cell.id for cell in grader.runnable_cells(rebuild(EXERCISES[name], handed_in(name, text)))]


def test_there_are_exercises_of_several_parts():
    assert len({name for name, _ in HALVES}) >= 10


@pytest.mark.parametrize(("name", "kept"), HALVES)
def test_each_half_alone(name, kept):
    text = with_one_part(name, kept)
    [(words, names)] = words_of_submit(name, text)
    missing = [number for number, line in enumerate(text.split("\n"), start=1) if STUB in line]
    assert words == "partly written" and len(missing) == REGIONS[name] - 1
    assert f"{name} (line {missing[0]} still to be written)" in names
    assert is_graded(name, text)


@pytest.mark.parametrize("name", EXERCISES)
def test_nothing_and_all(name):
    for blank in (released(name), "", released(name).replace("\n", "  \n") + "\n"):
        assert [words for words, _ in words_of_submit(name, blank)] == ["no answer yet"]
        assert not is_graded(name, blank)
    assert words_of_submit(name, solution(name)) == [] and is_graded(name, solution(name))


@pytest.mark.parametrize(
    ("name", "kept"), [("ffn_gelu", 0), ("layer_norm", 0), ("bpe_encode", 0), ("window_attention", 1)]
)
def test_a_half_can_earn_marks(name, kept):
    trial = _trial(EXERCISES[name].id)
    result = trial.ask(questions_of(EXERCISES[name])[name], trial.namespace(with_one_part(name, kept)), 0)
    assert 0 < result.score < result.points


@cache
def _trial(notebook):
    return Trial(source_notebooks(ROOT)[notebook])
