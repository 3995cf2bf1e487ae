"""What is made of the record: counts, the next exercise, the table and the page."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from course_lib import progress
from course_lib.errors import CourseError
from course_lib.progress import record_file
from course_lib.progress.outline import find_lab, read_outline
from course_lib.progress.page import as_html, as_text
from course_lib.progress.standing import next_exercise, standing
from course_lib.progress.table import show_progress
from tests.progress.small_course import LABS, attempt, check_line

ROOT = Path(__file__).resolve().parents[2]


class TestOutline:
    def test_comes_back(self, course):
        assert read_outline(course) == LABS

    @pytest.mark.parametrize(
        "text", [None, "", "{}", "[]", '{"metadata": {"course": {"outline": [3]}}}', "\x00", '{"metadata": null}']
    )
    def test_a_lost_or_damaged_start_page_is_one_sentence(self, course, text):
        page = course / "labs" / "start_here.ipynb"
        page.unlink()
        if text is not None:
            page.write_text(text)
        with pytest.raises(CourseError, match=r"start_here\.ipynb"):
            read_outline(course)

    @pytest.mark.parametrize("name", ["lab1_sums", "lab1", "1", "labs/lab1_sums/", "labs\\lab1_sums"])
    def test_names_of_labs(self, name):
        assert find_lab(name, ["lab10_x", "lab1_sums"]) == "lab1_sums"

    def test_unknown_lab(self):
        with pytest.raises(CourseError, match="no lab 'lab'; there are lab1_sums"):
            find_lab("lab", ["lab1_sums"])

    def test_the_built_start_page_lists_what_the_notebooks_ask(self):
        """Against nbgrader's own entries in the built notebooks."""
        for lab in read_outline(ROOT):
            for notebook in lab.notebooks:
                cells = json.loads((ROOT / "labs" / lab.folder / f"{notebook.id}.ipynb").read_text())["cells"]
                entries = [cell["metadata"].get("nbgrader", {}) for cell in cells]
                assert [task.id for task in notebook.tasks] == [e["grade_id"] for e in entries if e.get("solution")]
                points = sum(entry.get("points", 0) for entry in entries)
                assert sum(task.points for task in notebook.tasks) == points


class TestStanding:
    def test_counts(self):
        [lab] = standing(LABS, [attempt("add", "passed"), attempt("carry", "failed"), attempt("words", "answered")])
        first, second = lab.notebooks
        names = [[task.id for task in group] for group in (first.passed, first.tried, first.left, first.answered)]
        assert names == [["add"], ["carry"], [], ["words"]]
        assert (first.points, first.points_in_all, first.tries, first.quizzes, first.next.id) == (3, 7, 2, 1, "carry")
        assert (second.exercises, [task.id for task in second.left]) == (1, ["multiply"])

    def test_the_last_run_counts(self):
        history = ["passed", "failed", "unwritten"]
        groups = ["passed", "tried", "left"]
        for length in (1, 2, 3):
            [lab] = standing(LABS, [attempt("add", outcome) for outcome in history[:length]])
            assert "add" in [task.id for task in getattr(lab.notebooks[0], groups[length - 1])]
            assert lab.notebooks[0].tries == min(length, 2)

    @given(st.lists(st.tuples(st.sampled_from(["add", "carry", "multiply", "words", "gone"]),
                              st.sampled_from(["passed", "failed", "unwritten", "answered"]))))  # fmt: skip
    def test_every_exercise_is_in_one_group(self, history):
        [lab] = standing(LABS, [attempt(*entry) for entry in history])
        for part in lab.notebooks:
            every = [*part.passed, *part.tried, *part.left]
            assert sorted(every, key=lambda task: task.id) == sorted(
                part.notebook.of_kind("exercise"), key=lambda task: task.id
            )
            assert (part.next is None) == (len(part.passed) == part.exercises)

    @pytest.mark.parametrize(
        ("history", "expected"),
        [
            ([], "add"),
            (["multiply failed", "gone passed"], "multiply"),
            (["multiply passed"], "add"),
            (["add passed", "words answered"], "carry"),
            (["add passed", "carry passed"], "multiply"),
            (["add passed", "carry passed", "multiply passed"], None),
        ],
    )
    def test_next(self, history, expected):
        attempts = [attempt(*entry.split()) for entry in history]
        following = next_exercise(standing(LABS, attempts), attempts)
        assert (following.task.id if following else None) == expected


class TestShown:
    def test_table(self, course):
        record_file.append(course, check_line("add"))
        record_file.append(course, "damaged")
        said = io.StringIO()
        show_progress(course, "1", Console(file=said, width=80))
        text = " ".join(said.getvalue().split())
        for words in (
            "1a Adding", "1 0 1 3/7 0/1", "1b Multiplying", "0 0 1 0/2.5", "together", "1 0 2 3/9.5 0/1",
            "Next: carry in labs/lab1_sums/1a_sums.ipynb", "hidden questions", "passed over: 1.",
        ):  # fmt: skip
            assert words in text, words

    def test_table_for_a_terminal_without_unicode(self, course):
        said = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        record_file.append(course, check_line("add"))
        show_progress(course, None, Console(file=said, width=80))
        said.flush()
        assert b"#####....." in said.buffer.getvalue()

    def test_a_small_share_shows_and_a_large_one_is_not_all(self):
        from course_lib.progress.table import BAR, _share

        for of in range(1, 60):
            shares = [_share(count, of) for count in range(of + 1)]
            assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == BAR
            assert all(0 < share < BAR for share in shares[1:-1])

    def test_html_escapes_and_says_the_numbers(self):
        labs = standing(LABS, [attempt("add", "passed"), attempt("carry", "failed")])
        html = as_html(labs, next_exercise(labs, []))
        assert "Lab 1: Sums &amp; &lt;terms&gt;" in html
        assert 'href="lab1_sums/1a_sums.ipynb"' in html
        assert 'aria-label="1 passed, 1 tried, 1 left"' in html and "1 of 3 exercises pass" in html
        assert "width: 50.00%" in html and "hidden questions" in html

    def test_text(self):
        labs = standing(LABS, [attempt("add", "passed")])
        assert as_text(labs, next_exercise(labs, [])).splitlines()[1:4] == [
            "  1a Adding       1 of 2 exercises pass; 3 of 7 points; 0 of 1 quiz answered",
            "  1b Multiplying  0 of 1 exercise pass; 0 of 2.5 points",
            "Next: carry in 1a Adding.",
        ]

    def test_show_outside_a_notebook_prints_and_never_raises(self, course, capsys):
        progress.show(course)
        assert "0 of 2 exercises pass" in capsys.readouterr().out
        (course / "labs" / "start_here.ipynb").unlink()
        progress.show(course)
        assert capsys.readouterr().out.startswith("Your progress cannot be shown: ")
