"""A student's answers survive everything an editor does to a notebook, and nothing but answers survives."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import nbformat
import pytest

from autograders.engine.repair.rebuild import Helper, rebuild
from autograders.engine.repair.released import released
from course_lib.workbook import source_notebooks
from course_lib.workbook.expand import expand
from tests.autograders.engine.small_course import (
    ANSWERS,
    SECRET,
    TEXT,
    WORDS,
    cell,
    cleared,
    solution,
    student,
    sums,
    worked,
)

ROOT = Path(__file__).resolve().parents[3]


def rebuilt(notebook):
    return rebuild(sums(), json.dumps(notebook).encode())


def new_code(source, **entries):
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None, **entries}


def new_text(source):
    return {"cell_type": "markdown", "source": source, "metadata": {}}


def place(notebook, identifier):
    return [entry.get("id") for entry in notebook["cells"]].index(identifier)


def insert_below(notebook, identifier, *cells):
    at = place(notebook, identifier) + 1
    notebook["cells"][at:at] = cells


def assert_everything_kept(got):
    assert got.answers == ANSWERS
    assert got.texts == {"why": TEXT}
    assert got.problems == ()


def only(repairs):
    [sentence] = repairs
    return sentence


@pytest.fixture(scope="module", params=source_notebooks(ROOT))
def course_notebook(request):
    return source_notebooks(ROOT)[request.param]


class TestWholeCourse:
    def test_released_cells_are_what_nbgrader_releases(self, course_notebook):
        built = cleared(json.loads(json.dumps(expand(course_notebook))))
        assert {known.id: known.released for known in released(course_notebook).cells} == {
            entry["id"]: entry["source"] for entry in built["cells"]
        }

    @pytest.mark.parametrize("version", ["stub", "solution"])
    def test_untouched_files_give_their_own_cells_without_repairs(self, course_notebook, version):
        raw = nbformat.writes(expand(course_notebook)).encode()
        if version == "stub":
            raw = json.dumps(cleared(json.loads(json.dumps(expand(course_notebook))))).encode()
        got = rebuild(course_notebook, raw)
        sources = {entry["id"]: "".join(entry["source"]) for entry in json.loads(raw)["cells"]}
        everything = got.answers | got.texts
        assert everything == {identifier: sources[identifier] for identifier in everything}
        assert len(everything) == len(course_notebook.text.of_kind("exercise", "quiz", "question"))
        assert (got.repairs, got.problems, got.helpers) == ((), (), ())
        for answer in course_notebook.text.of_kind("exercise", "quiz", "question"):
            known = released(course_notebook).by_id[answer.id]
            assert known.is_untouched(everything[answer.id]) == (version == "stub")


class TestEditors:
    def test_worked_notebook(self):
        got = rebuilt(worked())
        assert_everything_kept(got)
        assert (got.repairs, got.helpers) == ((), ())

    def test_jupyterlab_with_outputs_and_new_metadata(self):
        notebook = worked()
        for number, entry in enumerate(notebook["cells"]):
            entry["metadata"] |= {"editable": True, "slideshow": {"slide_type": ""}, "scrolled": True}
            entry["source"] = entry["source"].splitlines(keepends=True)
            if entry["cell_type"] == "code":
                entry["execution_count"] = number
                entry["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["hi\n"]}]
            if "nbgrader" in entry["metadata"]:
                entry["metadata"]["nbgrader"] |= {"checksum": "0" * 32, "cell_type": "code"}
        got = rebuilt(notebook)
        assert_everything_kept(got)
        assert got.repairs == ()

    def test_vs_code(self):
        notebook = worked()
        notebook["metadata"]["language_info"] = {"name": "python", "version": "3.12.1", "pygments_lexer": "ipython3"}
        for entry in notebook["cells"]:
            entry["metadata"]["vscode"] = {"languageId": "python"}
        got = rebuilt(notebook)
        assert_everything_kept(got)
        assert got.repairs == ()

    def test_colab_without_nbgrader_entries_keeps_ids_in_the_metadata(self):
        notebook = worked() | {"nbformat_minor": 0}
        notebook["metadata"] = {"colab": {"provenance": []}, "kernelspec": {"name": "python3", "display_name": "x"}}
        for entry in notebook["cells"]:
            entry["metadata"] = {"id": entry.pop("id"), "outputId": "b1"}
        got = rebuilt(notebook)
        assert_everything_kept(got)
        assert any("nbgrader's entries were missing" in sentence for sentence in got.repairs)

    def test_nbgrader_entries_missing(self):
        notebook = worked()
        for entry in notebook["cells"]:
            entry["metadata"] = {}
        got = rebuilt(notebook)
        assert_everything_kept(got)
        assert "recognised by their ids" in only(got.repairs)

    @pytest.mark.parametrize("minor", [0, 4])
    def test_format_4_before_ids(self, minor):
        notebook = worked() | {"nbformat_minor": minor}
        for entry in notebook["cells"]:
            del entry["id"]
        got = rebuilt(notebook)
        assert_everything_kept(got)
        assert f"4.{minor}" in got.repairs[0]
        assert any("no ids" in sentence for sentence in got.repairs)

    def test_format_3(self):
        old = nbformat.convert(nbformat.from_dict(worked()), 3)
        got = rebuild(sums(), nbformat.writes(old, version=3).encode())
        assert_everything_kept(got)
        assert "3.0" in got.repairs[0]

    def test_all_names_lost(self):
        notebook = worked()
        for entry in notebook["cells"]:
            entry["metadata"] = {}
            entry["id"] = f"new{place(notebook, entry['id'])}"
        got = rebuilt(notebook)
        assert_everything_kept(got)
        assert any("add was found in a cell without its name, which defines add" in line for line in got.repairs)
        assert any("recognised by their text" in line for line in got.repairs)

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"])
    def test_encodings(self, encoding):
        notebook = worked()
        cell(notebook, "why")["source"] = "Früher — später"
        got = rebuild(sums(), json.dumps(notebook, ensure_ascii=False).encode(encoding))
        assert got.texts == {"why": "Früher — später"}
        assert got.answers == ANSWERS
        assert len(got.repairs) == 1

    def test_damaged_bytes_in_an_output_cost_no_answer(self):
        notebook = worked()
        cell(notebook, "why")["source"] = "Früher"
        cell(notebook, "plot")["source"] = "print('ä')"
        raw = json.dumps(notebook, ensure_ascii=False).encode().replace("ä".encode(), b"\xff")
        got = rebuild(sums(), raw)
        assert got.texts == {"why": "Früher"}
        assert "not UTF-8" in got.repairs[0]

    def test_windows_line_ends(self):
        notebook = worked()
        for entry in notebook["cells"]:
            entry["source"] = entry["source"].replace("\n", "\r\n")
        got = rebuilt(notebook)
        assert_everything_kept(got)
        assert got.repairs == ()


class TestRepairs:
    def test_deleted(self):
        notebook = worked()
        del notebook["cells"][place(notebook, "add")]
        got = rebuilt(notebook)
        assert got.answers == ANSWERS | {"add": ""}
        assert only(got.repairs) == "The cell of add was deleted: its answer is missing."

    def test_deleted_question_and_quiz(self):
        notebook = worked()
        del notebook["cells"][place(notebook, "why")]
        del notebook["cells"][place(notebook, "letters")]
        got = rebuilt(notebook)
        assert got.texts == {"why": ""}
        assert got.answers["letters"] == ""
        assert len(got.repairs) == 2

    @pytest.mark.parametrize("stub_first", [True, False])
    def test_stub_beside_the_answer_is_dropped(self, stub_first):
        notebook = worked()
        stub = copy.deepcopy(cell(student(), "add")) | {"id": "copy"}
        at = place(notebook, "add")
        notebook["cells"].insert(at if stub_first else at + 1, stub)
        got = rebuilt(notebook)
        assert_everything_kept(got)
        assert "the one that was worked on was used" in only(got.repairs)

    def test_two_answers_are_joined_so_that_the_last_counts(self):
        notebook = worked()
        again = copy.deepcopy(cell(notebook, "add")) | {"id": "copy", "source": "def add(a, b):\n    return a - -b"}
        insert_below(notebook, "add", again)
        got = rebuilt(notebook)
        assert got.answers["add"] == ANSWERS["add"] + "\n" + again["source"]
        assert "stood in 2 cells; they were joined in order" in only(got.repairs)

    def test_of_answers_that_make_no_whole_the_last_that_compiles_counts(self):
        notebook = worked()
        broken = copy.deepcopy(cell(notebook, "add")) | {"id": "copy", "source": "def add(a, b:\n    return a"}
        insert_below(notebook, "add", broken)
        got = rebuilt(notebook)
        assert got.answers["add"] == ANSWERS["add"]
        assert "the last one that can run" in only(got.repairs)

    def test_equal_copies_are_one(self):
        notebook = worked()
        insert_below(notebook, "add", copy.deepcopy(cell(notebook, "add")) | {"id": "copy"})
        assert_everything_kept(rebuilt(notebook))

    @pytest.mark.parametrize("named", [True, False], ids=["both halves named", "second half nameless"])
    def test_split_inside_the_function(self, named):
        notebook = worked()
        whole = 'def add(a, b):\n    """Sum."""\n    c = a\n    return c + b'
        first, second = whole[: whole.index("    c")].rstrip("\n"), whole[whole.index("    c") :]
        cell(notebook, "add")["source"] = first
        half = copy.deepcopy(cell(notebook, "add")) if named else new_code("")
        insert_below(notebook, "add", half | {"id": "x", "source": second})
        got = rebuilt(notebook)
        assert got.answers["add"] == whole
        assert got.answers["twice"] == ANSWERS["twice"]
        assert "cells" in only(got.repairs) and "joined" in only(got.repairs)

    def test_split_off_the_first_half(self):
        notebook = worked()
        cell(notebook, "add")["source"] = "    return a + b"
        notebook["cells"].insert(place(notebook, "add"), new_code("def add(a, b):", id="x"))
        got = rebuilt(notebook)
        assert got.answers["add"] == "def add(a, b):\n    return a + b"
        assert "had been split into 2 cells" in only(got.repairs)

    def test_a_scratch_cell_below_is_not_part_of_the_answer(self):
        notebook = worked()
        insert_below(notebook, "add", new_code("add(3, 4)"), new_code("if True"))
        got = rebuilt(notebook)
        assert_everything_kept(got)
        assert got.helpers == () and got.repairs == ()

    def test_written_below_the_stub(self):
        notebook = student()
        insert_below(notebook, "add", new_code(ANSWERS["add"]))
        got = rebuilt(notebook)
        assert got.answers["add"] == ANSWERS["add"]
        assert "found in a cell without its name" in only(got.repairs)

    def test_function_moved_out_of_its_cell(self):
        notebook = worked()
        cell(notebook, "add")["source"] = "one = 1"
        insert_below(notebook, "plot", new_code("def add(a, b):\n    return a + b * one"))
        got = rebuilt(notebook)
        assert got.answers["add"] == "one = 1\ndef add(a, b):\n    return a + b * one"
        assert got.helpers == ()

    def test_reordered(self):
        notebook = worked()
        moved = notebook["cells"].pop(place(notebook, "twice"))
        notebook["cells"].insert(1, moved)
        got = rebuilt(notebook)
        assert_everything_kept(got)
        assert only(got.repairs) == "Cells had been moved and were put back in order: twice."
        assert list(got.answers) == ["add", "twice", "letters"]

    @pytest.mark.parametrize(("identifier", "kind"), [("add", "markdown"), ("add", "raw"), ("why", "code")])
    def test_retyped(self, identifier, kind):
        notebook = worked()
        cell(notebook, identifier)["cell_type"] = kind
        got = rebuilt(notebook)
        assert_everything_kept(got)
        assert identifier in only(got.repairs) and "turned back" in only(got.repairs)

    def test_altered_and_deleted_locked_cells_are_named(self):
        notebook = worked()
        cell(notebook, "check_add")["source"] = "assert True"
        cell(notebook, "why_prompt")["source"] += " !"
        del notebook["cells"][place(notebook, "check_twice")]
        got = rebuilt(notebook)
        assert_everything_kept(got)
        assert got.repairs == (
            "The locked cell check_add was altered; the original was used.",
            "The locked cell check_twice was deleted; the original was used.",
            "The locked cell why_prompt was altered; the original was used.",
        )

    def test_whitespace_in_a_locked_cell_is_no_alteration(self):
        notebook = worked()
        cell(notebook, "check_add")["source"] += "\n"
        assert rebuilt(notebook).repairs == ()

    def test_points_and_flags(self):
        notebook = worked()
        cell(notebook, "check_add")["metadata"]["nbgrader"]["points"] = 100
        cell(notebook, "check_twice")["metadata"]["nbgrader"]["points"] = 2.0
        cell(notebook, "add")["metadata"]["nbgrader"]["grade"] = True
        got = rebuilt(notebook)
        assert_everything_kept(got)
        assert sorted(got.repairs) == [
            "The points of check_add were changed; they are 3.",
            "nbgrader's entries of add were changed; the original ones were used.",
        ]

    @pytest.mark.parametrize("points", [None, "3", [3], True, {"a": 1}, 1e400])
    def test_points_of_any_type(self, points):
        notebook = worked()
        cell(notebook, "check_add")["metadata"]["nbgrader"]["points"] = points
        assert_everything_kept(rebuilt(notebook))

    def test_another_notebook(self):
        notebook = worked()
        notebook["metadata"]["course"]["notebook"] = "9z_else"
        assert "calls itself another notebook" in only(rebuilt(notebook).repairs)

    def test_answer_goes_on_below_the_question(self):
        notebook = worked()
        insert_below(notebook, "why", new_text("And **more**."))
        got = rebuilt(notebook)
        assert got.texts == {"why": f"{TEXT}\n\nAnd **more**."}
        assert "goes on in text cells right below it" in only(got.repairs)

    def test_answer_below_an_untouched_or_deleted_cell(self):
        notebook = student()
        insert_below(notebook, "why", new_text(TEXT))
        assert rebuilt(notebook).texts == {"why": TEXT}
        del notebook["cells"][place(notebook, "why")]
        assert rebuilt(notebook).texts == {"why": TEXT}


class TestHelpers:
    def test_helper_is_taken_along_and_its_own_needs(self):
        notebook = worked()
        cell(notebook, "twice")["source"] = "def twice(a):\n    return times(a, 2)"
        insert_below(notebook, "add", new_code("def times(a, b):\n    return np.multiply(a, b)"))
        insert_below(notebook, "parameters", new_code("import numpy as np"), new_code("never = used"))
        got = rebuilt(notebook)
        assert got.helpers == (
            Helper("import numpy as np", "add"),
            Helper("def times(a, b):\n    return np.multiply(a, b)", "twice"),
        )
        assert "2 pieces" in only(got.repairs) and "np, times" in only(got.repairs)

    def test_import_added_to_a_cell_of_ours(self):
        notebook = worked()
        cell(notebook, "setup")["source"] = "import math\nimport numpy as np\nprofile = 'full'\nprint(1)"
        cell(notebook, "add")["source"] = "def add(a, b):\n    return np.add(a, b)"
        got = rebuilt(notebook)
        [helper] = got.helpers
        assert helper.source.splitlines() == ["import numpy as np", "profile = 'full'"]
        assert helper.before == "add"

    def test_too_many_altered_copies_are_not_looked_at(self):
        notebook = worked()
        cell(notebook, "add")["source"] = "def add(a, b):\n    return plus(a, b) + early"
        copies = [new_code(f"early = {number}", id="setup") for number in range(15)]
        insert_below(notebook, "setup", *copies, new_code("def plus(a, b):\n    return a + b", id="setup"))
        got = rebuilt(notebook)
        assert [helper.source for helper in got.helpers] == ["early = 14", "def plus(a, b):\n    return a + b"]
        assert "4 altered copies of cells that are no answers went unread" in only(got.problems)

    def test_a_dozen_altered_copies_are_as_honest_as_one(self):
        notebook = worked()
        insert_below(notebook, "plot", *[new_code(f"print(add(1, {number}))", id="plot") for number in range(12)])
        assert_everything_kept(rebuilt(notebook))

    def test_nothing_is_taken_for_names_that_are_there(self):
        notebook = worked()
        cell(notebook, "add")["source"] = "def add(a, b):\n    return twice(a) + math.floor(len(profile)) + b"
        insert_below(notebook, "add", new_code("math = profile = twice = len = None"))
        assert rebuilt(notebook).helpers == ()

    def test_helper_below_the_last_answer_runs_after_all(self):
        notebook = worked()
        cell(notebook, "add")["source"] = "def add(a, b):\n    return plus(a, b)"
        notebook["cells"].append(new_code("def plus(a, b):\n    return a + b"))
        assert rebuilt(notebook).helpers == (Helper("def plus(a, b):\n    return a + b", ""),)


class TestTrust:
    def test_our_solution_never_becomes_an_answer(self):
        for notebook in (student(), {"cells": []}, student(WORDS)):
            got = rebuilt(notebook)
            assert SECRET not in json.dumps([got.answers, got.texts, [helper.source for helper in got.helpers]])

    def test_is_untouched(self):
        known = released(sums()).by_id
        [why] = [known[entry.id] for entry in sums().cells if entry.kind == "question"]
        add, stub = known["add"], cell(student(), "add")["source"]
        assert add.is_untouched(stub) and add.is_untouched(f"\n{stub} \n") and add.is_untouched(" \n")
        assert not add.is_untouched(ANSWERS["add"]) and not add.is_untouched(cell(solution(), "add")["source"])
        assert why.is_untouched("*Your answer here.*\n") and not why.is_untouched("No idea.")

    @pytest.mark.parametrize(
        ("raw", "word"),
        [
            (b"", "empty"),
            (b" \n", "empty"),
            (b"\0" * 100, "not a notebook"),
            (b"PK\3\4", "not JSON"),
            (b"{", "not JSON"),
            (b"[]", "no cells"),
            (b"null", "no cells"),
            (b"{}", "no cells"),
            (b'{"cells": {}}', "no cells"),
            (b'{"cells": []}', "no cells"),
            (b'{"worksheets": [3]}', "no cells"),
            (b'{"cells": [' + b"[" * 100_000, "deep"),
            (b'{"cells": [' + b"[]," * 2_000_000 + b"0]}", "values"),
            (b'{"cells": [3, null]}', "not an object"),
        ],
    )
    def test_what_is_no_notebook_is_told(self, raw, word):
        got = rebuild(sums(), raw)
        assert any(word in sentence for sentence in got.problems)
        assert got.answers == {"add": "", "twice": "", "letters": ""}
        assert got.texts == {"why": ""}
