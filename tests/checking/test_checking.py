"""Comparisons fail exactly when they should, and say where to look."""

from __future__ import annotations

import math

import nbformat
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nbclient import NotebookClient

from course_lib import checking
from course_lib.checking import CheckFailed


def message_of(call):
    with pytest.raises(CheckFailed) as caught:
        call()
    return str(caught.value)


class TestClose:
    @given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5), st.integers(0, 4), st.floats(1e-3, 1e3))
    def test_agrees_with_its_definition(self, values, place, gap):
        expected = torch.tensor(values, dtype=torch.float64)
        actual = expected.clone()
        actual[place % len(values)] += gap
        within = gap <= 1e-6 + 1e-4 * abs(expected[place % len(values)].item()) * (1 - 1e-12)
        try:
            checking.close(actual, expected, "x")
            passed = True
        except CheckFailed:
            passed = False
        borderline = abs(gap - (1e-6 + 1e-4 * abs(values[place % len(values)]))) < 1e-6
        assert passed == within or borderline

    @pytest.mark.parametrize(
        ("actual", "expected"),
        [
            (torch.ones(2), torch.ones(2)),
            (np.ones(2), np.ones(2)),
            ([1.0, 1.0], [1, 1]),
            (torch.ones(2), [1, 1]),
            ((torch.ones(2), 3), (torch.ones(2), 3)),
            ({"a": torch.ones(1), "b": 2.0}, {"b": 2.0, "a": torch.ones(1)}),
            (torch.tensor(3.0), 3.0),
            (torch.tensor([3.0]), 3.0),
            (torch.ones(2, dtype=torch.bfloat16), torch.ones(2)),
            (torch.ones(2, requires_grad=True), torch.ones(2)),
            (torch.eye(2).to_sparse(), torch.eye(2)),
            ([torch.tensor(1.0), 2.0], [1.0, 2.0]),
            ([torch.ones(2, requires_grad=True), [1, 1]], [[1, 1], [1, 1]]),
            (torch.eye(2, requires_grad=True).to_sparse(), torch.eye(2)),
            ([[1.0], [2.0, 3.0]], [[1], [2, 3]]),
            ([torch.ones(1), torch.ones(2)], [[1], [1, 1]]),
            (torch.tensor([1.0, float("inf")]), [1, math.inf]),
            (torch.tensor([1 + 2j]).conj(), torch.tensor([1 - 2j])),
        ],
    )
    def test_equal_values_of_many_kinds(self, actual, expected):
        checking.close(actual, expected, "x")

    @pytest.mark.parametrize(
        ("actual", "expected", "words"),
        [
            (None, torch.ones(2), "x is None"),
            (torch.ones(3), torch.ones(2), "the shape of x is wrong"),
            (torch.ones(2, 1), torch.ones(2), "the shape of x is wrong"),
            ([1.0, 1.0], torch.ones(2), "the type of x is wrong"),
            (np.ones(2), torch.ones(2), "the type of x is wrong"),
            (torch.tensor([1.0, float("nan")]), torch.ones(2), "x[1] is wrong"),
            ("text", 1.0, "x should be numbers"),
            ("1.0", 1.0, "x should be numbers"),
            (["1.0"], [1.0], "x should be numbers"),
            ([[1.0], [2.0, 4.0]], [[1], [2, 3]], "x[1][1] is wrong"),
            (torch.tensor([1 + 2j]), torch.tensor([1.0]), "x[0] is wrong"),
            (torch.tensor([math.inf, 2.0]), torch.tensor([math.inf, 1.0]), "x[1] is wrong"),
            ((torch.ones(2),), (torch.ones(2), 1), "x is wrong"),
            ({"a": 1.0}, {"b": 1.0}, "the keys of x"),
            (2.0, 1.0, "x is wrong"),
            (torch.tensor([[1.0, 5.0]]), torch.ones(1, 2), "x[0, 1] is wrong"),
        ],
    )
    def test_differences_are_named(self, actual, expected, words):
        message = message_of(lambda: checking.close(actual, expected, "x", hint="look here"))
        assert words in message and message.endswith("look here")

    def test_a_difference_beyond_six_digits_is_visible(self):
        text = message_of(lambda: checking.close(1.00000001, 1.0, "x", rtol=0, atol=1e-12))
        assert "1.00000001" in text

    @pytest.mark.filterwarnings("error")
    def test_infinity_prints_no_warning(self):
        message_of(lambda: checking.close(torch.tensor([math.inf, 2.0]), torch.tensor([math.inf, 1.0]), "x"))

    def test_counts_and_largest_difference(self):
        message = message_of(lambda: checking.close(torch.tensor([1.0, 3.0, 5.0]), torch.ones(3), "x"))
        assert "yours     3" in message and "expected  1" in message and "2 of 3 values differ, by up to 4" in message

    def test_nan_agrees_with_nothing(self):
        nan = torch.tensor([float("nan")])
        message_of(lambda: checking.close(nan, nan, "x"))

    def test_dtype_counts_only_when_asked(self):
        checking.close(torch.ones(2).double(), torch.ones(2), "x")
        assert "dtype" in message_of(lambda: checking.close(torch.ones(2).double(), torch.ones(2), "x", dtype=True))


class TestEqual:
    @pytest.mark.parametrize(
        ("actual", "expected"),
        [
            (3, 3),
            ("a", "a"),
            ((1, 2), (1, 2)),
            (torch.Size([1, 2]), (1, 2)),
            ([1, 2], (1, 2)),
            ((1, 2), [1, 2]),
            (True, True),
            (np.True_, True),
            (torch.tensor(True), True),
            (torch.tensor(3), 3),
            (np.int64(3), 3),
            (None, None),
            ({1, 2}, {2, 1}),
            ({"a": (1, 2)}, {"a": [1, 2]}),
            ({"a": torch.ones(2)}, {"a": torch.ones(2)}),
            ([torch.ones(2), 3], (torch.ones(2), 3)),
        ],
    )
    def test_passes(self, actual, expected):
        checking.equal(actual, expected, "x")

    @pytest.mark.parametrize(
        ("actual", "expected"),
        [
            (3, 4),
            (1, True),
            (True, 1),
            ((1, 2), (2, 1)),
            ((1, 2), (1, 2, 3)),
            ((1, 0), (True, False)),
            ("a", "b"),
            (None, 0),
            (torch.tensor([3, 3]), 3),
            (torch.tensor([]), 3),
            (np.array([]), 3),
            (torch.tensor([1, 2]), (1, 2)),
            (np.array([1, 2, 3]), (1, 2)),
            (math.nan, math.nan),
        ],
    )
    def test_fails(self, actual, expected):
        assert "x is wrong" in message_of(lambda: checking.equal(actual, expected, "x"))

    def test_the_place_in_a_container_is_named(self):
        assert "x[0][1] is wrong" in message_of(lambda: checking.equal([torch.ones(2)], [torch.tensor([1.0, 2])], "x"))
        assert "x['a'] is wrong" in message_of(lambda: checking.equal({"a": 1}, {"a": 2}, "x"))

    def test_whole_numbers_beyond_float64(self):
        large = torch.tensor([2**60, 2**60 + 1])
        checking.equal(large.clone(), large, "x")
        text = message_of(lambda: checking.equal(large - torch.tensor([0, 1]), large, "x"))
        assert f"yours     {2**60}\n  expected  {2**60 + 1}" in text

    def test_integer_tensors_are_exact_and_typed(self):
        checking.equal(torch.tensor([1, 2]), torch.tensor([1, 2]), "x")
        message_of(lambda: checking.equal(torch.tensor([1, 3]), torch.tensor([1, 2]), "x"))
        message_of(lambda: checking.equal(torch.tensor([1, 2], dtype=torch.int32), torch.tensor([1, 2]), "x"))


class TestRaises:
    def test_passes(self):
        checking.raises(ValueError, lambda: int("x"), "int('x')")

    def test_returns_instead(self):
        assert "it returned 3" in message_of(lambda: checking.raises(ValueError, lambda: 3, "f()"))

    def test_other_error(self):
        assert "ZeroDivisionError" in message_of(lambda: checking.raises(ValueError, lambda: 1 / 0, "f()"))

    def test_an_unwritten_exercise_is_no_refusal(self):
        def stub():
            raise NotImplementedError

        for error in (ValueError, RuntimeError, Exception):
            with pytest.raises(NotImplementedError):
                checking.raises(error, stub, "f()")


class TestUnchanged:
    def test_passes(self):
        x = torch.ones(3)
        with checking.unchanged(x=x):
            _ = x + 1

    def test_nan_that_stays_is_no_change(self):
        x, y = torch.tensor([math.nan, 1.0], requires_grad=True), np.array([math.nan])
        with checking.unchanged(x=x, y=y):
            _ = x * 2

    def test_a_new_shape_is_a_change(self):
        x = np.ones((2, 3))

        def reshape():
            with checking.unchanged(x=x):
                x.resize((3, 2), refcheck=False)

        assert "changed its input x" in message_of(reshape)

    @pytest.mark.parametrize("make", [torch.ones, np.ones])
    def test_in_place_write_is_named(self, make):
        x = make(3)

        def write():
            with checking.unchanged(x=x):
                x[0] = 5

        assert "changed its input x" in message_of(write)


class TestWithout:
    @pytest.mark.parametrize(
        ("function", "call"),
        [
            ("F.conv2d", lambda x: torch.nn.functional.conv2d(x, x)),
            ("F.conv2d", lambda x: torch.nn.Conv2d(1, 2, 3)(x)),
            ("F.conv2d", lambda x: torch.nn.functional.conv2d(x.requires_grad_(), x).sum().backward()),
            ("F.unfold", lambda x: torch.nn.functional.unfold(x, 2)),
            ("F.max_pool2d", lambda x: torch.nn.functional.max_pool2d(x, 2)),
            ("F.max_pool2d", lambda x: torch.nn.AdaptiveMaxPool2d(1)(x)),
            ("F.avg_pool2d", lambda x: torch.nn.functional.avg_pool2d(x, 2)),
            ("F.conv2d with groups", lambda x: torch.nn.Conv2d(2, 2, 3, groups=2)(x.expand(1, 2, 4, 4))),
            ("F.batch_norm", lambda x: torch.nn.BatchNorm2d(1)(x)),
            ("F.batch_norm", lambda x: torch.nn.BatchNorm2d(1).eval()(x)),
            ("F.batch_norm", lambda x: torch.nn.functional.instance_norm(x)),
            ("F.layer_norm", lambda x: torch.nn.LayerNorm(4)(x)),
            ("F.layer_norm", lambda x: torch.nn.functional.group_norm(x, 1)),
            ("F.channel_shuffle", lambda x: torch.nn.ChannelShuffle(2)(x.expand(1, 2, 4, 4))),
            ("F.gelu", lambda x: torch.nn.GELU()(x)),
            ("F.hardswish", lambda x: torch.nn.functional.hardswish(x, inplace=True)),
            ("F.softshrink", lambda x: torch.nn.Softshrink(0.1)(x)),
        ],
    )
    def test_names_the_function(self, function, call):
        def run():
            with checking.without(function):
                call(torch.ones(1, 1, 4, 4))

        assert f"calls {function}, which this exercise builds" in message_of(run)

    def test_everything_else_passes(self):
        with checking.without("F.conv2d with groups"):
            torch.nn.functional.conv2d(torch.ones(1, 2, 4, 4), torch.ones(1, 2, 3, 3))
        with checking.without("F.conv2d", "F.unfold", "F.max_pool2d", "F.avg_pool2d"):
            x = torch.nn.functional.pad(torch.ones(1, 1, 4, 4), (1, 1, 1, 1)).unfold(2, 3, 1)
            _ = (x * 2).sum(-1) @ torch.ones(6, 2)

    def test_unknown_function(self):
        with pytest.raises(ValueError, match=r"without\(\) knows F\.conv2d"), checking.without("F.conv3d"):
            pass


class TestCheck:
    def test_counts_what_passed(self, capsys):
        with checking.check("task"):
            checking.equal(1, 1, "x")
            checking.close(1.0, 1.0, "y")
            checking.that(True, "z")
        assert capsys.readouterr().out == "task: all 3 visible checks pass.\n"

    def test_failure_names_the_exercise(self):
        def run():
            with checking.check("task"):
                checking.equal(1, 2, "x")

        assert message_of(run).startswith("task: not yet.\nx is wrong")

    def test_comparing_nothing_is_an_error_of_the_check(self):
        with pytest.raises(RuntimeError, match="compared nothing"), checking.check("task"):
            pass

    def test_errors_of_the_student_pass_through(self):
        with pytest.raises(ZeroDivisionError), checking.check("task"):
            _ = 1 / 0


def test_a_notebook_shows_the_message_without_a_traceback():
    code = (
        "from course_lib import checking\nwith checking.check('task'):\n    checking.equal(1, 2, 'x', hint='add one')"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(notebook, kernel_name="python3", timeout=300, allow_errors=True).execute()
    [error] = notebook.cells[0].outputs
    shown = "\n".join(error.traceback)
    assert error.ename == "CheckFailed"
    assert "Traceback" not in shown and "checking.py" not in shown
    assert shown.splitlines() == [
        "task: not yet.",
        "x is wrong",
        "  yours     1",
        "  expected  2",
        "  hint      add one",
    ]
