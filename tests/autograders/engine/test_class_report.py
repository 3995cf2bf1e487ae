"""The class report: right numbers, nothing fetched, nothing of a student's run."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import statistics
import subprocess
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest

from autograders.engine.records.class_figures import histogram, pass_rates, share_bar
from autograders.engine.records.class_report import class_table, report_html, write_report
from autograders.engine.records.class_table import ClassTable
from autograders.engine.records.workspace import Workspace
from autograders.engine.records.writer import Writer
from autograders.engine.verdict import Verdict
from course_lib.errors import CourseError
from tests.autograders.engine.synthetic_results import (
    LAB,
    ROOT,
    book_marks,
    synthetic_class,
    synthetic_result,
    tiny_sources,
)


@pytest.fixture(scope="module")
def lab1():
    from course_lib.workbook.source import source_notebooks

    return {name: source for name, source in source_notebooks(ROOT).items() if source.lab == "lab1_cnn_basics"}


@pytest.fixture(scope="module")
def results(lab1):
    return list(synthetic_class("lab1_cnn_basics", lab1, 120))


@pytest.fixture(scope="module")
def table(lab1, results):
    table = ClassTable("lab1_cnn_basics", lab1)
    for result in results:
        table.add(result, book_marks(result, lab1))
    return table


@pytest.fixture(scope="module")
def html(table):
    return report_html(table)


class Page(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.script, self.policy = [], [], "", ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if ("http-equiv", "Content-Security-Policy") in attributes:
            self.policy = dict(attributes)["content"]

    def handle_data(self, data):
        if self.tags[-1:] == ["script"] and not self.script:
            self.script = data


def test_fetches_nothing_and_runs_its_own_script_alone(html):
    page = Page(html)
    names = {name for name, _ in page.attributes}
    assert page.tags.count("script") == 1
    assert not {"link", "img", "iframe", "object", "embed", "form", "base"} & set(page.tags)
    assert "src" not in names
    assert not [name for name in names if name.startswith("on")]
    assert all(value.startswith("#") for name, value in page.attributes if name == "href")
    digest = base64.b64encode(hashlib.sha256(page.script.encode()).digest()).decode()
    assert page.policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert "&lt;img src=x onerror=alert(1)&gt;" in html  # the hostile name is shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.ipynb" in html


def test_numbers_are_those_of_the_results(table, results):
    """Counted again here, straight from the results."""
    assert [row.score for row in table.students] == pytest.approx([result.score for result in results])
    for (notebook, question), row in table.questions.items():
        graded = [q for r in results for n in r.notebooks for q in n.questions if (n.id, q.id) == (notebook, question)]
        whole = [q for q in graded if not q.is_fault]
        assert sum(row.verdicts.values()) == len(graded)
        assert row.pass_rate == pytest.approx(statistics.fmean(q.score == q.points for q in whole))
        assert row.mean_share == pytest.approx(statistics.fmean(q.score / q.points for q in whole))
    for case in table.hardest_cases:
        seen = [
            c.verdict
            for r in results
            for n in r.notebooks
            for q in n.questions
            if (n.id, q.id) == (case.notebook, case.question) and q.verdict is not Verdict.MISSING
            for c in q.cases
            if c.name == case.name and c.verdict is not Verdict.FAULT
        ]
        assert (case.tried, case.failed) == (len(seen), sum(v is not Verdict.RIGHT for v in seen))
    rates = [case.failure_rate for case in table.hardest_cases]
    assert rates == sorted(rates, reverse=True)


def test_what_staff_must_look_at_is_there(table, html):
    assert sum(bool(row.faults) for row in table.students) == 4
    assert sum(bool(row.repairs) for row in table.students) == 7
    assert "were joined" in html
    assert "Grade them again with --regrade" in html


def test_grading_without_a_sandbox_is_said(lab1):
    table = ClassTable("lab1_cnn_basics", lab1)
    unsafe = {"sandbox": "NONE: graded with --unsafe-no-sandbox"}
    for student, provenance in (("ada", unsafe), ("bob", {"sandbox": "bubblewrap"})):
        result = synthetic_result(student, "lab1_cnn_basics", lab1, provenance=provenance)
        table.add(result, book_marks(result, lab1))
    assert "1 of 2 submissions ran with the grader's own rights" in " ".join(report_html(table).split()).replace(
        "&#39;", "'"
    )


def test_a_class_of_none_and_of_one(lab1):
    table = ClassTable("lab1_cnn_basics", lab1)
    assert "0 submissions" in report_html(table)
    result = synthetic_result("ada", "lab1_cnn_basics", lab1, ability=2.0)
    table.add(result, book_marks(result, lab1))
    assert "Nobody failed a case." in report_html(table)


def bars(svg, names=("bar",)):
    root = ElementTree.fromstring(svg)
    return [entry for entry in root.iter("rect") if entry.get("class") in names]


@pytest.mark.parametrize("scores", [[], [0.0], [10.0], [0.0, 5.0, 9.99, 10.0], [2.5] * 200, [-1.0, 11.0]])
def test_the_histogram_counts_everyone_once(scores):
    heights = [float(bar.get("height")) for bar in bars(histogram(scores, 10.0, bins=4))]
    words = [int(bar.find("title").text.split()[0]) for bar in bars(histogram(scores, 10.0, bins=4))]
    assert sum(words) == len(scores)
    assert all((height > 0) == (count > 0) for height, count in zip(heights, words, strict=True))
    if max(words) > 0:
        assert heights[words.index(max(words))] == max(heights)


def test_stacked_bars_fill_their_line():
    verdicts = {"right": 3, "wrong": 1, "process died": 4}
    svg = pass_rates([("<one>", verdicts), ("none", {})], "T")
    pieces = [entry for entry in ElementTree.fromstring(svg).iter("rect")]
    widths = [float(piece.get("width")) for piece in pieces]
    assert [width / sum(widths) for width in widths] == pytest.approx([3 / 8, 1 / 8, 4 / 8], abs=1e-3)
    assert "38%" in svg and "&lt;one&gt;" in svg
    assert len(list(ElementTree.fromstring(share_bar(verdicts, "T")).iter("rect"))) == 3


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    sources = tiny_sources(tmp_path_factory.mktemp("course"))
    workspace = tmp_path_factory.mktemp("workspace")
    with Writer(workspace, LAB, sources) as writer:
        for student, ability in (("ada", 2.0), ("bob", -1.0), ("=1+1", 0.5)):
            writer.write(synthetic_result(student, LAB, sources, ability=ability))
    return workspace, sources


def test_files_are_written_and_agree(graded):
    workspace, sources = graded
    page = write_report(workspace, LAB, sources)
    assert page == workspace / "reports" / LAB / "class.html"
    assert "class report" in page.read_text(encoding="utf-8")
    with (page.parent / "class.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    record = json.loads((page.parent / "class.json").read_text())
    assert rows["ada"]["total"] == "10"
    assert rows.keys() == {"ada", "bob", "'=1+1"}
    assert {row["student"]: row["score"] for row in record["students"]}["ada"] == 10
    assert {row["question"] for row in record["questions"]} == {"double", "words"}


def test_marks_by_hand_count(graded, tmp_path):
    from nbgrader.api import Gradebook

    workspace, sources = graded
    with Gradebook(f"sqlite:///{workspace / 'gradebook.db'}") as book:
        book.find_grade("why", "9a_tiny", LAB, "bob").manual_score = 1.25
        book.db.commit()
    rows = {row.student: row for row in class_table(Workspace(workspace, LAB), sources).students}
    assert rows["bob"].score == 1.25


def test_damaged_evidence_is_said_and_stops_nothing(graded):
    workspace, sources = graded
    path = workspace / "evidence" / LAB / "carl.json"
    path.write_text("{")
    table = class_table(Workspace(workspace, LAB), sources)
    path.unlink()
    assert table.unreadable == ["carl"]
    assert len(table.students) == 3
    assert "cannot be read: grade the submission again" in report_html(table)


def test_nothing_graded_is_one_sentence(tmp_path, graded):
    with pytest.raises(CourseError, match="nothing of lab9_tiny has been graded"):
        write_report(tmp_path, LAB, graded[1])


@pytest.mark.browser
def test_tables_sort_in_a_browser(tmp_path, html):
    """The policy lets the page's own script run, and a click sorts by number."""
    from playwright.sync_api import sync_playwright

    (tmp_path / "class.html").write_text(html, encoding="utf-8")
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])
        page = browser.new_page()
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"file://{tmp_path / 'class.html'}")
        heads = page.locator("#students ~ .panel >> nth=0").locator("th")
        names = heads.all_inner_texts()
        at = names.index("total")
        heads.nth(at).locator("button").click()
        cells = page.locator(f"#students ~ .panel >> nth=0 >> tbody tr td:nth-child({at + 1})").all_inner_texts()
        assert [float(cell) for cell in cells] == sorted((float(cell) for cell in cells), reverse=True)
        heads.nth(at).locator("button").click()
        cells = page.locator(f"#students ~ .panel >> nth=0 >> tbody tr td:nth-child({at + 1})").all_inner_texts()
        assert [float(cell) for cell in cells] == sorted(float(cell) for cell in cells)
        assert errors == []
        browser.close()


def _chromium():
    found = subprocess.run(["which", "chromium", "chromium-browser", "google-chrome"], capture_output=True, text=True)
    if not found.stdout:
        pytest.skip("needs Chromium")
    return found.stdout.split()[0]
