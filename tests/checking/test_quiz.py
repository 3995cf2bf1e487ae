from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib import quiz
from course_lib.checking import CheckFailed

KEY = {"a": (True, "ra"), "b": (False, "rb"), "c": (True, "rc"), "d": (False, "rd")}


@pytest.mark.parametrize(
    ("answer", "points"),
    [
        ({"a", "c"}, 4),
        (["A", "c"], 4),
        ("a, c", 4),
        ("ac", 4),
        ({"a"}, 2),
        ({"b", "d"}, 0),
        (set(), 0),
        (None, 0),
    ],
)
def test_shares(answer, points):
    assert quiz.score("words", answer, KEY, 4) == points


def test_choosing_everything_is_worth_nothing():
    assert quiz.score("words", set("abcd"), KEY, 4) == 0


@pytest.mark.parametrize("answer", [3, {1, 2}, {"e"}, {"a": True}, [["a"]]])
def test_malformed_answers_are_explained(answer):
    with pytest.raises(CheckFailed, match="words"):
        quiz.check_answer("words", answer, "abcd")


def test_visible_check_says_what_was_understood_and_no_more(capsys):
    quiz.check_answer("words", {"c", "a"}, "abcd")
    quiz.check_answer("words", None, "abcd")
    text = capsys.readouterr().out
    assert "a, c of a, b, c, d" in text and "not answered yet" in text


@given(st.sets(st.sampled_from("abcd")), st.floats(0.5, 20))
def test_score_is_finite_and_in_range(answer, points):
    value = quiz.score("words", answer, KEY, points)
    assert math.isfinite(value) and 0 <= value <= points
    assert (value == points) == (answer == {"a", "c"})
