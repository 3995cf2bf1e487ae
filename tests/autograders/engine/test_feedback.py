"""Feedback shows what a student wrote and never runs it, whether this engine or nbgrader renders it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograders.engine.records.feedback import FeedbackPages, plain_page
from autograders.engine.records.gradebook import BookMark
from autograders.engine.records.harmless import harmless_markdown, literal_markdown, one_line, terminal_text, text_only
from autograders.engine.records.writer import Writer
from autograders.engine.verdict import CaseResult, CellRun, QuestionResult, Verdict
from tests.autograders.engine.synthetic_results import LAB, ROOT, png, synthetic_result, tiny_sources
from tests.examples import examples

HOSTILE = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil></sCrIpT>",
    "<scr<script>ipt>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "<svg/onload=alert(1)>",
    "<iframe src=http://evil></iframe><object data=x></object><embed src=x>",
    '<a href="javascript:alert(1)">x</a>',
    "<link rel=stylesheet href=http://evil/x.css><style>*{display:none}</style><base href=http://evil>",
    "<meta http-equiv=refresh content='0;url=http://evil'><form action=http://evil><input name=a></form>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](javascript\\:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](<java\tscript:alert(1)>)",
    "[x](\x01javascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    "[x]: javascript:alert(1)\n\n[x]",
    "<javascript:alert(1)>",
    '[x](http://a.org "t\\" onmouseover=alert(1) x=")',
    "![x](http://evil/track.png)",
    '![x](x "onerror=alert(1)")',
    "$$\\href{javascript:alert(1)}{x}$$ $</script><script>alert(1)</script>$",
    "```html\n</code></pre><script>alert(1)</script>\n```",
    "`</code><script>alert(1)</script>`",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<!-- --><script>alert(1)</script><![CDATA[<script>alert(1)</script>]]>",
    "\x1b[31m<script>alert(1)</script>\x1b[0m\x1b]8;;javascript:alert(1)\x07x\x1b]8;;\x07",
    "\ud800<script>alert(1)</script>\udfff",
    "</textarea></title></style></div></body></html><script>alert(1)</script>",
]
FORBIDDEN = {
    "iframe",
    "object",
    "embed",
    "form",
    "base",
    "applet",
    "frame",
    "svg",
    "video",
    "audio",
    "input",
    "textarea",
}


class Elements(HTMLParser):
    """Everything active in a page."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.scripts, self.found, self.links, self.images, self.styles = [], [], [], [], 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        entries = dict(attributes)
        self.found += [f"{tag} {name}" for name in entries if name.startswith("on") or name in ("srcdoc", "formaction")]
        if tag in FORBIDDEN:
            self.found.append(tag)
        if tag == "script":
            self.scripts.append(entries.get("src"))
        if tag in ("link", "meta", "style"):
            self.styles += 1
        if "href" in entries:
            self.links.append(entries["href"])
        if "src" in entries and tag != "script":
            self.images.append(entries["src"])


def assert_harmless(html, plain):
    """`plain` is the same page without a hostile string: the template's own scripts and styles."""
    page, usual = Elements(html), Elements(plain)
    assert page.found == []
    assert page.scripts == usual.scripts
    assert page.styles == usual.styles
    for link in page.links:
        assert link.split(":")[0].lower() in ("http", "https", "mailto") or "javascript:" not in "".join(link.split())
        assert link.startswith(("#", "http://", "https://", "mailto:")) or ":" not in link.split("%E2%81%A0")[0], link
    assert all(source.startswith("data:image/png;base64,") for source in page.images)


def hostile_result(sources, student="eve", strings=HOSTILE):
    """Every place of a student's strings filled with all of them."""
    text = "\n\n".join(strings)
    result = synthetic_result(student, LAB, sources)

    def fill(notebook):
        cases = tuple(CaseResult(string, Verdict.ERROR, string) for string in strings)
        double = QuestionResult("double", 3.0, cases)
        runs = (
            CellRun(
                "double",
                Verdict.ERROR,
                text=text,
                images=(png(), b"<script>", text.encode("utf-8", "replace")),
                error=text,
            ),
            CellRun("words", Verdict.TIMEOUT, text=text),
        )
        return replace(
            notebook,
            questions=(double, *notebook.questions[1:]),
            cells=runs,
            answers={"double": text, "words": text},
            texts={"why": text},
            repairs=tuple(strings),
            problems=tuple(strings),
        )

    return replace(result, problems=tuple(strings), notebooks=tuple(fill(notebook) for notebook in result.notebooks))


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A workspace with an honest student and a hostile one."""
    sources = tiny_sources(tmp_path_factory.mktemp("course"))
    workspace = tmp_path_factory.mktemp("workspace")
    with Writer(workspace, LAB, sources) as writer:
        writer.write(synthetic_result("ada", LAB, sources))
        writer.write(hostile_result(sources))
    return workspace, sources


def page(workspace, student):
    return (workspace / "feedback" / student / LAB / "9a_tiny.html").read_text(encoding="utf-8")


def test_our_pages_run_nothing_of_a_students(graded):
    workspace, _ = graded
    assert_harmless(page(workspace, "eve"), page(workspace, "ada"))


def test_our_pages_still_show_it(graded):
    shown = page(graded[0], "eve")
    assert "alert(1)" in shown
    assert "data:image/png;base64," in shown
    assert "In []" not in shown


def test_nbgraders_own_pages_run_nothing_either(graded, tmp_path):
    """The converter that `nbgrader generate_feedback` and Formgrader's button use, on our autograded notebooks."""
    from nbgrader.converters import GenerateFeedback
    from nbgrader.coursedir import CourseDirectory

    from course_lib.workbook.nbgrader_settings import nbgrader_settings

    shutil.copytree(graded[0], tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "feedback")
    config = nbgrader_settings(tmp_path, source=tmp_path)
    config.CourseDirectory.assignment_id = LAB
    config.CourseDirectory.notebook_id = "9a_tiny"
    GenerateFeedback(coursedir=CourseDirectory(config=config), config=config).start()
    assert_harmless(page(tmp_path, "eve"), page(tmp_path, "ada"))
    assert "Score: " in page(tmp_path, "ada")


def test_our_page_has_what_nbgraders_has(graded):
    """Marks, anchors, comments and the table of contents of nbgrader's template."""
    shown = page(graded[0], "ada")
    for words in (
        "9a_tiny (Score: ",
        'href="#check_double"',
        'name="check_double"',
        "Written response",
        "Student's answer",
    ):
        assert words in shown


def test_quiz_feedback_gives_the_reasons(graded):
    workspace, sources = graded
    right = QuestionResult(
        "words",
        2.0,
        (CaseResult("statement a", Verdict.RIGHT), CaseResult("statement b", Verdict.WRONG)),
        share=0.0,
    )
    missing = QuestionResult("words", 2.0, (CaseResult("the answer", Verdict.MISSING, "Not answered yet."),))
    result = synthetic_result("quiz", LAB, sources)
    notebooks = tuple(
        replace(notebook, questions=(notebook.questions[0], question))
        for notebook, question in zip(result.notebooks, (right, missing), strict=True)
    )
    with Writer(workspace, LAB, sources) as writer:
        writer.write(replace(result, notebooks=notebooks))
    answered = page(workspace, "quiz")
    assert "a: right. The statement is true: A says what is so." in answered
    assert "b: wrong. The statement is false: B is &lt;b&gt;not&lt;/b&gt; so." in answered
    skipped = (workspace / "feedback" / "quiz" / LAB / "9b_tiny.html").read_text(encoding="utf-8")
    assert "Not answered yet." in skipped
    assert "A says what is so" not in skipped


def render(markdown):
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    return MarkdownWithMath(renderer=IPythonRenderer(escape=False)).render(markdown)


pieces = st.sampled_from(
    [
        *"<>&;:()[]!\"'`\\$#\n\t /-_*=x",
        "script",
        "javascript:",
        "href=",
        "onerror=",
        "&#",
        "&lt",
        "http://a",
        "<!--",
        "](",
    ]
)


@examples(300)
@given(st.lists(pieces | st.characters(), max_size=25).map("".join))
def test_no_markdown_becomes_active(text):
    """nbconvert's renderer, which lets HTML through and does not look at links, on anything."""
    elements = Elements(render(harmless_markdown(text)))
    assert elements.found == elements.scripts == elements.images == []
    assert elements.styles == 0
    assert not [link for link in elements.links if link.lower().startswith(("javascript:", "data:", "vbscript:"))]


def test_honest_markdown_looks_as_written():
    link = "https://arxiv.org/abs/1512.03385"
    text = f"Because *it* is `x < y` and $a<b$:\n\n- **one** [paper]({link})\n\n| a | b |\n|--|--|\n| 1 | 2 |"
    html = render(harmless_markdown(text))
    for part in ("<em>it</em>", "<strong>one</strong>", "<table>", f'href="{link}"', "<li>"):
        assert part in html
    assert "x &lt; y" in html


@pytest.mark.parametrize("sentence", [*HOSTILE, "a *b* `c` [d](e) $f$ # _g_ \\ ~h~ |i| 1. - + http://j.k"])
def test_a_literal_sentence_is_shown_as_it_stands(sentence):
    from html import unescape

    html = render(f"- {literal_markdown(sentence)}").strip()
    inner = html.removeprefix("<ul>\n<li>").removesuffix("</li>\n</ul>")
    assert "<" not in inner
    assert unescape(inner).replace("\u2060", "") == one_line(sentence)


@pytest.mark.parametrize(
    "text",
    [
        *("[" * 20_000, "[a](" * 5_000, "*a " * 6_000, "_a*b " * 4_000, "> " * 10_000, "<a " * 6_000, "**a" * 6_000),
        *("$a " * 6_000, "\\begin{a}" * 2_000, "|a" * 9_000, " " * 20_000 + "a", "1. a\n" * 4_000, "a`" * 9_000),
        *("\n".join("  " * depth + "- a" for depth in range(150)), "![" * 9_000, "x" * 10_000_000),
    ],
)
def test_text_made_to_be_slow_is_not(text):
    started = time.process_time()
    render(harmless_markdown(text))
    assert time.process_time() - started < 5  # the worst of them took minutes; any of them is well below one second


def test_terminal_text_keeps_colours_alone():
    assert terminal_text("\x1b[31mred\x1b[0m\x1b[2J\x1b]0;title\x07 \x00x\r\n", 99) == "\x1b[31mred\x1b[0m x\n"
    assert terminal_text("10%\r50%\r100%\ndone", 99) == "100%\ndone"
    assert text_only("a\ud800b\x07\tc\r\nd", 99) == "a\ufffdb\tc\nd"
    assert text_only("x" * 10, 4).startswith("xxxx\n[6 ")


@pytest.mark.slow
def test_the_real_command_makes_feedback(tmp_path):
    """`nbgrader generate_feedback` from autograders/, for the first lab."""
    from course_lib.workbook.source import source_notebooks

    lab = "lab1_cnn_basics"
    sources = source_notebooks(ROOT)
    with Writer(tmp_path, lab, sources) as writer:
        writer.write(synthetic_result("ada", lab, sources, ability=2.0))
    names = sorted(path.name for path in (tmp_path / "feedback" / "ada" / lab).iterdir())
    shutil.rmtree(tmp_path / "feedback")
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", "generate_feedback", lab],
        cwd=ROOT / "autograders",
        env={**os.environ, "COURSE_WORKSPACE": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path / "jupyter")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "feedback" / "ada" / lab).iterdir()) == names


@pytest.fixture(scope="module")
def code_page():
    """Renders a notebook of one answer cell."""
    from nbformat.v4 import new_code_cell, new_notebook

    pages = FeedbackPages()

    def make(source):
        entries = {"solution": True, "grade": False, "grade_id": "answer"}
        return pages.render(new_notebook(cells=[new_code_cell(source, metadata={"nbgrader": entries})]), "n", {}, {})

    return make


@pytest.mark.timeout(60)
@pytest.mark.parametrize("size", [7_900, 60_000])
@pytest.mark.parametrize(
    "part",
    [
        *(" \n", "\t\n", "\\\n", " ", '"', '"""', "(", "[{(", "f'{", "a", "`", ".", "a.", "@", "0_", "é", "#\n", "\0"),
        *("%%x\n", "!x\n", "class ", "def \\\n", "match ", "from ", "x = '\\", " \n" * 49 + "a", " " * 98 + "match"),
    ],
)
def test_code_made_to_be_slow_is_not(code_page, part, size):
    code_page((part * size)[:size])


def test_long_code_is_shown_in_the_same_place_without_colours(code_page):
    short, long = "x = '<b>' & 1\n", "x = '<script>alert(1)</script>' & 1\n" * 1_000
    coloured, plain = code_page(short), code_page(long)
    assert '<span class="n">x</span>' in coloured and "&lt;b&gt;" in coloured
    opening = '<div class=" highlight hl-ipython3"><pre><span></span>'
    assert opening in coloured
    assert opening + "x = '&lt;script&gt;alert(1)&lt;/script&gt;' &amp; 1" in plain
    assert_harmless(plain, coloured)
    assert opening + "x" in code_page("x" + " \n" * 50 + "y = 1")  # blanks, which cost most of all


@pytest.mark.timeout(60)
def test_blanks_in_an_answer_are_counted_where_others_render_it(tmp_path):
    """nbgrader's own page has IPython's lexer, which no limit of ours guards."""
    sources = tiny_sources(tmp_path / "course", ["9a_tiny"])
    result = synthetic_result("ada", LAB, sources)
    [notebook] = result.notebooks
    blank = " \n\x00" * 10_000
    answer = "def double(x):" + blank + "    return 2 * x"
    with Writer(tmp_path / "workspace", LAB, sources) as writer:
        writer.write(replace(result, notebooks=(replace(notebook, answers={"double": answer, "words": "1"}),)))
        [path] = (tmp_path / "workspace").glob("autograded/**/*.ipynb")
        assert "blank characters]" in path.read_text(encoding="utf-8")
        assert " \\n" * 60 not in path.read_text(encoding="utf-8")


def test_the_plain_page_shows_the_marks_and_no_markup_but_its_own():
    strange = type("<script>", (Exception,), {})
    page = plain_page("<b>n</b>", {"<i>": BookMark(1.5, None, None, 1.5, 2.0, False)}, strange("<script>"))
    assert "1.5 of 2.0" in page and "The marks stand" in page
    assert not any(markup in page for markup in ("<b>", "<i>", "<script>"))
