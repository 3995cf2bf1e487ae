"""What a night's page and its short form say, from runs written down by hand."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from course_lib.workbook.execute.comparison import differences
from course_lib.workbook.execute.history import History
from course_lib.workbook.execute.result import Problem
from course_lib.workbook.execute.settings import Settings
from course_lib.workbook.nightly.job_summary import MAX_CHARACTERS, job_summary
from course_lib.workbook.nightly.page import day, duration, number, page
from course_lib.workbook.nightly.report import report
from course_lib.workbook.nightly.sparkline import HEIGHT, WIDTH, sparkline
from course_lib.workbook.steps.step import Outcome, Step
from tests.workbook.executions import failed, make_metric, make_result, make_run

BROKEN = Problem("error", "ValueError: <b>no</b>", "->   1 | f(`x`)", "cell_one")


@pytest.fixture
def night(tmp_path):
    """Puts a report together: codes of steps by name, this run's results, earlier runs."""

    def make(steps, results, *earlier, said="", pages=None, **about):
        outcomes = []
        for name, code in steps.items():
            log = tmp_path / f"{name}.txt"
            log.write_text(said or f"{name} \x1b[31mspoke\x1b[0m")
            outcomes.append(Outcome(Step(name, f"what is {name}?", (name,)), code, 65.0, log))
        run = make_run(*results, number=20, **about)
        run["differences"] = differences(run, History(earlier, Settings().parameters))
        return report(outcomes, run, earlier, pages or {})

    return make


class TestReport:
    def test_verdict(self, night):
        assert night({"lint": 0, "notebooks": 0}, []).verdict == "Every step passed"
        bad = night({"lint": 1, "types": 0, "notebooks": 2}, [])
        assert (bad.ok, bad.verdict, bad.seconds) == (False, "Failed: lint, notebooks", 195.0)

    def test_only_a_failed_step_is_quoted_by_its_end_and_without_colours(self, night):
        made = night({"lint": 1, "types": 0}, [], said="".join(f"line {number}\x1b[0m\n" for number in range(100)))
        lint, types = made.steps
        assert lint.output.splitlines()[0] == "line 60" and lint.output.endswith("line 99")
        assert types.output == ""

    def test_since_when_a_notebook_fails(self, night):
        passed, broken = make_result(), failed(make_result(), BROKEN)
        days = [
            make_run(result, number=number) for number, result in enumerate([broken, passed, broken, broken], start=1)
        ]
        (still,) = night({}, [broken], *days).notebooks
        assert still.since == "2026-11-03"
        (new,) = night({}, [broken], *days[:2]).notebooks
        assert new.since is None
        (sound,) = night({}, [passed], *days).notebooks
        assert sound.since is None

    def test_metrics_have_their_past_and_those_that_moved_are_marked(self, night):
        earlier = [make_run(make_result(metrics=[make_metric("loss", 0.5, high=1), make_metric("macs", 7)]))] * 2
        now = make_result(metrics=[make_metric("loss", 0.9, high=1), make_metric("macs", 7), make_metric("new", None)])
        (notebook,) = night({}, [now], *earlier).notebooks
        loss, macs, new = notebook.metrics
        assert (loss.values, loss.moved) == ([0.5, 0.5, 0.9], True)
        assert (macs.values, macs.moved) == ([7, 7, 7], False)
        assert new.values == [None]
        assert notebook.needs_a_look

    def test_cells_that_failed_are_counted_once(self, night):
        (notebook,) = night({}, [failed(make_result(), BROKEN, BROKEN, Problem("metric", "out"))]).notebooks
        assert notebook.cells_failed == 1


class TestPage:
    def test_faults_come_first(self, night):
        results = [make_result("1a"), failed(make_result("1b"), BROKEN)]
        text = page(night({"lint": 1, "notebooks": 1}, results, busy="this machine is busy"))
        places = [
            text.index(words)
            for words in (
                "Failed: lint, notebooks",
                "This machine is busy",
                "lint spoke",
                "ValueError",
                "<h2>Steps",
                "1a<",
            )
        ]
        assert places == sorted(places)

    def test_what_notebooks_print_is_text(self, night):
        text = page(night({"notebooks": 1}, [failed(make_result(), BROKEN)]))
        assert "&lt;b&gt;no&lt;/b&gt;" in text and "<b>no" not in text

    def test_it_needs_no_other_file_and_no_script(self, night):
        text = page(night({"notebooks": 0}, [make_result(metrics=[make_metric()])]))
        assert not re.search(r"<script|<link|<img|\bsrc=|url\(|https?://", text)

    def test_it_links_to_what_was_executed(self, night):
        parts = [make_result("1a", part) for part in ("solution", "student", "graded")]
        pages = {("1a", part): f"notebooks/{part}/1a.html" for part in ("solution", "graded")}
        text = page(night({"notebooks": 0}, parts, pages=pages))
        assert re.findall(r'href="(.*?)"', text) == ["notebooks/solution/1a.html", "notebooks/graded/1a.html"]

    def test_time_over_the_budget_is_marked(self, night):
        late, text_late = make_result("1a", seconds=95.0), 'class="bad">95 s'
        assert text_late in page(night({}, [late]))
        assert "slow" in page(night({}, [late]))
        assert text_late.replace("95", "12") not in page(night({}, [make_result("1a", seconds=12.0)]))

    def test_the_first_night_and_one_like_the_last(self, night):
        assert "no earlier run to compare with" in page(night({}, [make_result()]))
        assert "Nothing is different from the run of 2026-11-01, 03:20 UTC" in page(
            night({}, [make_result()], make_run(make_result()))
        )

    def test_every_difference_is_named(self, night):
        earlier = make_run(make_result("1a"), failed(make_result("1b"), BROKEN), make_result("1c"), whole=True)
        earlier["ok"] = True
        text = page(night({}, [failed(make_result("1a"), BROKEN), make_result("1b")], earlier, whole=True))
        headings = re.findall(r"<h3>(.*?)</h3>", text)
        assert headings == ["Notebooks that are gone", "Newly broken", "Fixed"]

    def test_without_a_notebook(self, night):
        assert "No notebook was executed to its end" in page(night({"notebooks": 9}, []))


class TestSummary:
    def test_says_what_failed(self, night):
        text = job_summary(
            night({"lint": 1, "types": 0}, [failed(make_result(), BROKEN), make_result("1b", seconds=95.0)])
        )
        assert text.startswith("## Failed: lint\n")
        assert "lint spoke" in text and "| types | passed |" in text
        assert r"ValueError: \<b\>no\</b\>" in text
        assert "| 1b | solution | passed | **1 min 35 s** | 90 s |" in text

    def test_code_with_backticks_stays_in_its_fence(self, night):
        text = job_summary(night({"lint": 1}, [], said="a\n```\nb"))
        assert "````text\na\n```\nb\n````" in text

    def test_nobody_is_called_and_no_issue_named(self, night):
        problem = Problem("error", "@someone broke #12")
        text = job_summary(night({}, [failed(make_result(), problem)]))
        assert "@someone" not in text and "#12" not in text

    def test_it_fits_an_issue(self, night):
        problem = Problem("error", "long", "x" * 30_000)
        text = job_summary(night({"lint": 1}, [failed(make_result(name), problem) for name in ("1a", "1b", "1c")]))
        assert MAX_CHARACTERS < len(text) < MAX_CHARACTERS + 200
        assert text.endswith("Cut here; the page has all of it.\n")


class TestSparkline:
    @pytest.mark.parametrize("values", [[1.0], [1.0, 1.0], [0.0, 5.0, -3.0], [None, 1.0], [1.0, None], [1e300, -1e300]])
    @pytest.mark.parametrize("band", [(None, None), (0.5, None), (None, 2.0), (-10.0, 10.0), (1.0, 1.0)])
    def test_everything_lies_in_the_picture(self, values, band):
        picture = ElementTree.fromstring(sparkline(values, *band))
        for shape in picture:
            if shape.tag == "polyline":
                points = [tuple(map(float, point.split(","))) for point in shape.get("points").split()]
            elif shape.tag == "circle":
                points = [(float(shape.get("cx")), float(shape.get("cy")))]
            else:
                x, y, width, height = (float(shape.get(name)) for name in ("x", "y", "width", "height"))
                points = [(x, y), (x + width, y + height)]
            assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)

    def test_higher_is_up_and_newer_is_right(self):
        (line, dot) = ElementTree.fromstring(sparkline([1.0, 3.0, 2.0]))
        (x0, y0), (x1, y1), (x2, y2) = [tuple(map(float, point.split(","))) for point in line.get("points").split()]
        assert x0 < x1 < x2 and y1 < y2 < y0
        assert (float(dot.get("cx")), float(dot.get("cy"))) == (x2, y2)

    @pytest.mark.parametrize(("value", "kind"), [(0.5, "now"), (1.5, "now out"), (-0.5, "now out"), (1.0, "now")])
    def test_the_last_one_tells_whether_it_is_in_its_band(self, value, kind):
        assert f'class="{kind}"' in sparkline([0.5, value], 0.0, 1.0)

    def test_no_dot_where_this_run_has_no_number(self):
        assert "circle" not in sparkline([1.0, 2.0, None])
        assert sparkline([None]) == sparkline([]) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 0 s"),
        (725, "12 min 5 s"),
        (3599.7, "1 h 0 min"),
        (7322, "2 h 2 min"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_numbers_and_days():
    assert [number(value) for value in (None, 26506, 0.93456, -3.0, 2.5e-11)] == [
        "not finite",
        "26,506",
        "0.9346",
        "-3",
        "2.5e-11",
    ]
    assert day("2026-11-22T03:20:11+00:00") == "2026-11-22, 03:20 UTC"
