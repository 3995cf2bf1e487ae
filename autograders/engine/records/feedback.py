"""Feedback pages: nbgrader's own template, rendered in process with everything that pages share done once."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograders.engine.records.gradebook import BookMark

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["FeedbackPages", "plain_page"]

# what Markdown makes; everything else that a student's text may have turned into is shown as text
TAGS = frozenset(
    {"a", "blockquote", "br", "code", "del", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p"}
    | {"pre", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"}
)
ATTRIBUTES = {"a": ["href", "title"], "div": ["class"], "span": ["class"], "pre": ["class"], "code": ["class"]}
# lexers take time squared for some input: within these limits the worst takes a part of a second
LONGEST_HIGHLIGHTED = 8_000
_BLANK = re.compile(r"\s{100}")


class FeedbackPages:
    """Renders autograded notebooks; one object serves a whole class, and its first page takes longest."""

    def render(
        self,
        notebook: NotebookNode,
        name: str,
        marks: Mapping[str, BookMark],
        comments: Mapping[str, str],
    ) -> str:
        """HTML of one autograded notebook with its marks and comments, each by nbgrader's name of the cell."""
        notebook = copy.deepcopy(notebook)
        for cell in notebook.cells:
            entries = cell.metadata.get("nbgrader", {})
            mark = marks.get(entries.get("grade_id", ""))
            if entries.get("grade") and mark:
                entries["score"], entries["points"] = mark.score, mark.points
            elif entries.get("grade"):
                entries["score"] = 0.0
            if entries.get("solution"):
                entries["comment"] = comments.get(entries["grade_id"])
        totals = {
            "notebook": name,
            "score": sum(mark.score for mark in marks.values()),
            "max_score": sum(mark.points for mark in marks.values()),
            "late_penalty": 0.0,  # the course takes none
        }
        html, _ = self._exporter.from_notebook_node(notebook, resources={"nbgrader": totals})
        return html

    @cached_property
    def _exporter(self) -> Any:
        import nbgrader
        from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
        from traitlets.config import Config

        forms = Path(nbgrader.__file__).parent / "server_extensions" / "formgrader"
        config = Config()
        config.Exporter.default_preprocessors = []
        config.HTMLExporter.template_name = "feedback"
        config.HTMLExporter.extra_template_basedirs = [str(forms / "templates")]
        config.HTMLExporter.extra_template_paths = [
            str(forms / "static" / "node_modules" / "bootstrap" / "dist" / "css"),
        ]
        exporter = _class_exporter()(config=config)
        exporter.register_preprocessor(CSSHTMLHeaderPreprocessor, enabled=True)
        return exporter


def plain_page(name: str, marks: Mapping[str, BookMark], error: Exception) -> str:
    """HTML of a notebook whose page could not be made: its marks, and that the rest is missing."""
    rows = "".join(f"<li>{escape(cell)}: {mark.score} of {mark.points}</li>" for cell, mark in marks.items())
    title = escape(name)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head><body>\n'
        f"<h1>{title}</h1>\n<p>This page could not be made as usual ({escape(type(error).__name__)}). "
        f"The marks stand; ask the staff for details.</p>\n<ul>{rows}</ul>\n</body></html>\n"
    )


def _class_exporter() -> type:
    """HTMLExporter that keeps what it made of the course's own cells, and sanitises what it makes of a student's."""
    from IPython.lib.lexers import IPython3Lexer
    from jinja2 import pass_context
    from nbconvert.exporters import HTMLExporter
    from nbconvert.exporters.templateexporter import TemplateExporter
    from nbconvert.filters.widgetsdatatypefilter import WidgetsDataTypeFilter
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import Python3Lexer
    from pygments.lexers.special import TextLexer

    class ClassExporter(HTMLExporter):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self._known: dict[tuple[str, str], str] = {}
            self._lexer, self._formatter = IPython3Lexer(), HtmlFormatter(cssclass=" highlight hl-ipython3")
            self._students_lexer, self._plain_lexer = Python3Lexer(), TextLexer()

        def _highlight(self, cell: Any, source: str) -> str:
            """IPython's lexer is for our cells alone: blanks and dots of a student's would keep it busy for minutes."""
            lexer = self._lexer
            if _is_students(cell):
                is_slow = len(source) > LONGEST_HIGHLIGHTED or _BLANK.search(source)
                lexer = self._plain_lexer if is_slow else self._students_lexer
            return highlight(source, lexer, self._formatter)

        def _once(self, kind: str, cell: Any, source: str, make: Any) -> str:
            if _is_students(cell) or cell.get("id") == "grading_notes":
                return make()
            if (kind, source) not in self._known:
                self._known[kind, source] = make()
            return self._known[kind, source]

        @pass_context
        def markdown2html(self, context: Any, source: str) -> str:
            cell = context.get("cell", {})
            html = self._once("markdown", cell, source, lambda: HTMLExporter.markdown2html(self, context, source))
            return _sanitise(html) if _is_students(cell) and source == cell.source else html

        @pass_context
        def highlight_code(self, context: Any, source: str, metadata: Any = None) -> str:
            cell = context.get("cell", {})
            return self._once("code", cell, source, lambda: self._highlight(cell, source))

        def from_notebook_node(self, nb: Any, resources: Any = None, **settings: Any) -> Any:
            resources = self._init_resources(resources)
            self.register_filter("highlight_code", self.highlight_code)
            widgets = WidgetsDataTypeFilter(notebook_metadata=self._nb_metadata, parent=self, resources=resources)
            self.register_filter("filter_data_type", widgets)
            # HTMLExporter would now parse the whole page, style sheets and all, to add alternative texts: seconds
            return TemplateExporter.from_notebook_node(self, nb, resources, **settings)

    return ClassExporter


def _is_students(cell: Any) -> bool:
    return bool(cell.get("metadata", {}).get("nbgrader", {}).get("solution"))


def _sanitise(html: str) -> str:
    """A second wall behind `harmless_markdown`: only elements that Markdown makes, links only to the web."""
    import bleach

    return bleach.clean(html, tags=TAGS, attributes=ATTRIBUTES, protocols=["http", "https", "mailto"])
