"""Edits of a text: each change applies exactly once, or it is said why not."""

from __future__ import annotations

import pytest

from autograders.authoring.edits import EditFault, read_edit

BASE = """def mean(x):
    total = 0

    for value in x:
        total += value
        total += 0
    return total / len(x)"""


def edited(source, base=BASE):
    return read_edit(source).apply(base)


def fault(source, base=BASE):
    with pytest.raises(EditFault) as caught:
        edited(source, base)
    return caught.value.line, str(caught.value)


def test_a_line_is_replaced_and_all_others_stay():
    assert edited("# -     return total / len(x)\n# +     return total") == BASE.replace(" / len(x)", "")


def test_several_changes_in_any_order():
    source = "# -     return total / len(x)\n# +     return total\n\n# -     total = 0\n# +     total = 1"
    assert edited(source) == BASE.replace(" / len(x)", "").replace("total = 0", "total = 1")


def test_lines_that_go_and_lines_that_come_with_one_that_stays():
    assert (
        edited("# -         total += 0\n#       return total / len(x)\n# +     return 0")
        == BASE.replace("        total += 0\n", "") + "\n    return 0"
    )


def test_lines_in_between_keep_their_order():
    source = (
        "# -     for value in x:\n# +     for value in sorted(x):\n#           total += value\n# -         total += 0"
    )
    assert edited(source) == BASE.replace("in x", "in sorted(x)").replace("\n        total += 0", "")


def test_empty_lines_as_a_formatter_leaves_them():
    assert edited("#       total = 0\n# -") == BASE.replace("\n\n", "\n")
    assert edited("#       total = 0\n#\n# +     x = list(x)\n# +").split("\n")[1:5] == [
        "    total = 0", "", "    x = list(x)", "",
    ]  # fmt: skip


def test_blanks_at_the_end_of_a_line_do_not_count():
    assert edited("# -     total = 0   \n# +     total = 1", BASE.replace("total = 0", "total = 0  ")) == BASE.replace(
        "total = 0", "total = 1"
    )


def test_a_line_that_is_not_there_is_named_with_the_nearest():
    assert fault("# -     return total / size\n# +     return total") == (
        1, "`    return total / size` was not found; the nearest is: `    return total / len(x)`",
    )  # fmt: skip
    assert fault("# - nothing alike at all") == (1, "`nothing alike at all` was not found")


def test_another_indentation_is_said():
    assert fault("# -     total += value\n# +     total += 1") == (
        1, "`    total += value` was not found; it stands there with another indentation: `        total += value`",
    )  # fmt: skip


def test_the_line_of_the_second_change_is_named():
    line, message = fault("# -     total = 0\n# +     total = 1\n\n#       return total / len(x)\n# -     return 0")
    assert line == 5 and "`    return 0` was not found" in message


def test_lines_that_do_not_follow_each_other():
    assert fault("# -     total = 0\n# -         total += 0") == (
        1, "`    total = 0` / `        total += 0`: these lines do not stand one below the other",
    )  # fmt: skip


def test_a_line_that_stands_twice():
    twice = BASE.replace("total += 0", "total += value")
    assert fault("# -         total += value", twice) == (
        1, "`        total += value` stands 2 times; add a line above or below with `#   `",
    )  # fmt: skip
    assert edited("#           total += value\n# -         total += value", twice) == twice.replace(
        "        total += value\n        total", "        total"
    )


def test_new_lines_need_a_place():
    assert fault("# +     total = 1") == (
        1, "nothing says where the new lines go; add the line above or below with `#   `",
    )  # fmt: skip


def test_a_change_that_changes_nothing():
    assert fault("# -     total = 0\n# +     total = 0") == (1, "the change changes nothing")
    assert fault("#       total = 0") == (1, "the change changes nothing")


def test_changes_that_touch_the_same_lines():
    source = "# -     total = 0\n#\n# +     total = 1\n\n#\n# -     for value in x:\n# +     for value in []:"
    assert fault(source) == (5, "two changes touch the same lines; write them as one")


@pytest.mark.parametrize("line", ["return total", "#- x", "# * x", "#x", "    # - x", "# -x"])
def test_a_line_of_no_kind(line):
    number, message = fault(f"# -     total = 0\n{line}")
    assert number == 2 and f"`{line}`: a line of an edit begins with" in message


def test_reading_and_writing_are_inverse():
    source = "#       total = 0\n# -\n# +     x = list(x)\n\n# -     return total / len(x)\n# +     return total"
    edit = read_edit(source)
    assert edit.source == source and read_edit(edit.source).changes == edit.changes
    assert edit.diff.split("\n")[2:4] == ["+     x = list(x)", ""]
