"""Names on the command line stand for notebooks."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from course_lib.errors import CourseError
from course_lib.workbook.execute.selection import select

IDS = {
    "1a_neural_networks": "lab1_cnn_basics",
    "1b_convolution": "lab1_cnn_basics",
    "2a_criteria": "lab2_pruning",
    "10a_more": "lab10_more",
}
COURSE = {name: SimpleNamespace(id=name, lab=lab) for name, lab in IDS.items()}


def selected(*names):
    return [notebook.id for notebook in select(COURSE, names)]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), list(IDS)),
        (("1a",), ["1a_neural_networks"]),
        (("lab1",), ["1a_neural_networks", "1b_convolution"]),
        (("lab10_more",), ["10a_more"]),
        (("2a_criteria", "1a", "lab1_cnn_basics"), ["1a_neural_networks", "1b_convolution", "2a_criteria"]),
        (("solutions/lab2_pruning/2a_criteria/02_magnitude.py",), ["2a_criteria"]),
        (("labs/lab1_cnn_basics/1b_convolution.ipynb",), ["1b_convolution"]),
        (("solutions\\lab2_pruning\\2a_criteria\\",), ["2a_criteria"]),
        (("solutions/lab2_pruning/",), ["2a_criteria"]),
    ],
)
def test_names(names, expected):
    assert selected(*names) == expected


@pytest.mark.parametrize(("typo", "meant"), [("lba1", "lab1"), ("1c", "1"), ("2a_criterium", "2a_criteria")])
def test_an_unknown_name_is_answered_with_the_nearest_and_all(typo, meant):
    with pytest.raises(CourseError) as raised:
        selected("1a", typo)
    message = str(raised.value)
    assert f"did you mean '{meant}" in message
    assert all(name in message for name in [*IDS, *IDS.values()])


@pytest.mark.parametrize("name", ["a", "lab", "cnn_basics", "", "*"])
def test_a_part_of_a_name_is_no_name(name):
    with pytest.raises(CourseError, match="no lab or notebook"):
        selected(name)


def test_an_empty_course():
    with pytest.raises(CourseError, match="no notebooks yet"):
        select({}, [])
