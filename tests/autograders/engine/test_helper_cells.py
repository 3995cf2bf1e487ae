"""Names that code binds and needs, and the student's own cells that follow from them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograders.engine.repair import helper_cells
from autograders.engine.repair.helper_cells import Helper, OwnCode, added_code, find_helpers, own_statements
from autograders.engine.repair.python_names import compiles, names_of


@pytest.mark.parametrize(
    ("source", "defined", "needed"),
    [
        ("import a.b as c, d.e", {"c", "d"}, set()),
        ("def f(x, y=k):\n    z = x + g\n    return lambda w: w + z + h", {"f"}, {"k", "g", "h"}),
        ("class A(B):\n    c = d\n    def m(self): return c", {"A"}, {"B", "d", "c"}),
        ("x = [i for i in y if i > t]", {"x"}, {"y", "t"}),
        ("def f():\n    global g\n    g = 1", {"f", "g"}, set()),
        ("a, (b, *c) = d", {"a", "b", "c"}, {"d"}),
        ("%matplotlib inline\n!ls\nx = y", {"x"}, {"y"}),
        ("def f(", set(), set()),
        ("x\0", set(), set()),
    ],
)
def test_names(source, defined, needed):
    names = names_of(source)
    assert (set(names.defined), set(names.needed)) == (defined, needed)


@given(st.text(max_size=200) | st.text("([{)]}:,.=+-*@#'\"\\ \nlambdaif", max_size=200))
def test_any_text(source):
    assert compiles(source) or not names_of(source).defined
    own_statements(source, "import math")


def test_nearest_definition_above_is_taken_with_what_it_needs():
    own = [OwnCode(1, "h = 1"), OwnCode(3, "h = k"), OwnCode(9, "h = 3"), OwnCode(2, "k = 2"), OwnCode(4, "z = 1")]
    found = find_helpers(own, {"f": (5, "def f(): return h"), "g": (7, "g = 1")}, frozenset())
    assert found == [(Helper("k = 2", "f"), "k"), (Helper("h = k", "f"), "h")]


def test_names_that_are_there_need_nothing():
    own = [OwnCode(1, "h = len = m = g = 1")]
    answers = {"f": (5, "def f(): return h + len + m + g"), "g": (7, "def g(): pass\nm = h = 1")}
    assert find_helpers(own, answers, frozenset()) == []
    assert find_helpers(own, {"f": (5, "h")}, frozenset({"h"})) == []


def test_star_imports_are_the_last_resort_and_circles_end():
    own = [OwnCode(1, "from numpy import *"), OwnCode(2, "a = b"), OwnCode(3, "b = a")]
    assert [name for _, name in find_helpers(own, {"f": (5, "a + cos")}, frozenset())] == ["cos", "a", "b"]


def test_statements_added_to_a_cell_of_ours():
    ours = "import math\nx = 1\nprint(x)"
    assert own_statements(ours, ours) == ""
    assert own_statements("import math\n@dec\ndef f():\n    return 1\nprint(2)\nx = 2", ours) == (
        "@dec\ndef f():\n    return 1\nx = 2"
    )
    assert own_statements("x = " + "1+" * 20_000 + "1", ours) == ""


def counted(monkeypatch):
    """Lengths of the cells that `added_code` has parsed."""
    lengths = []
    monkeypatch.setattr(helper_cells, "own_statements", lambda altered, ours: lengths.append(len(altered)) or altered)
    return lengths


def test_copies_of_a_cell_are_parsed_up_to_a_number(monkeypatch):
    parsed = counted(monkeypatch)
    added, left_out = added_code([("", [OwnCode(number, f"x = {number}") for number in range(500)])] * 3)
    assert len(parsed) == len(added) <= 3 * 12
    assert left_out == 3 * 500 - len(parsed)
    assert added[-1] == OwnCode(499, "x = 499")


def test_altered_cells_of_ours_are_parsed_up_to_a_length(monkeypatch):
    parsed = counted(monkeypatch)
    added, left_out = added_code([("", [OwnCode(0, "#" * 60_000), OwnCode(1, "x = 1")])] * 40)
    assert sum(parsed) <= 128 * 1024
    assert left_out == 80 - len(parsed) == 80 - len(added)
    assert added[-1] == OwnCode(1, "x = 1")  # what is short still fits
