from __future__ import annotations

import csv
from pathlib import Path

import pytest

from course_lib.errors import CourseError
from course_lib.workbook.syllabus import coverage, read_syllabus

ROOT = Path(__file__).resolve().parents[2]


def test_topics_count_only_in_their_form(tiny_course):
    covered = {topic.topic: topic.covered for topic in coverage(tiny_course.root)}
    assert covered == {"addition": True, "sums_plotted": True, "sum_terms": True, "product": False}
    tiny_course.replace('topics="sums_plotted"', 'topics="addition"')
    tiny_course.replace('exercise="add" topics="addition"', 'exercise="add" topics="sums_plotted"')
    covered = {topic.topic: topic.covered for topic in coverage(tiny_course.root)}
    assert not covered["addition"] and not covered["sums_plotted"]


def test_a_topic_counts_only_in_its_notebook(tiny_course):
    tiny_course.replace('topics="sums_plotted"', 'topics="product"')
    assert not {topic.topic: topic.covered for topic in coverage(tiny_course.root)}["product"]


def test_bad_form_is_named_with_its_row(tiny_course):
    path = tiny_course.root / "solutions/syllabus.csv"
    path.write_text(path.read_text().replace("experiment", "essay"))
    with pytest.raises(CourseError, match="row 3"):
        coverage(tiny_course.root)


def test_the_courses_own_syllabus():
    with (ROOT / "solutions/syllabus.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    topics = read_syllabus(ROOT)
    assert len(topics) == len(rows) == 221
    assert len({topic.id for topic in topics}) == 221


@pytest.mark.parametrize("notebook", ["1a_neural_networks", "1b_convolution"])
def test_finished_notebooks_teach_all_their_topics(notebook):
    missing = [topic.topic for topic in coverage(ROOT) if topic.notebook == notebook and not topic.covered]
    assert missing == []
