"""Feedback pages: nbgrader's own template, rendered in process with everything that pages share done once."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograders.engine.records.gradebook import BookMark

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["FeedbackPages"]

# what Markdown makes; everything else that a student's text may have turned into is shown as text
TAGS = frozenset(
    {"a", "blockquote", "br", "code", "del", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p"}
    | {"pre", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"}
)
ATTRIBUTES = {"a": ["href", "title"], "div": ["class"], "span": ["class"], "pre": ["class"], "code": ["class"]}


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


def _class_exporter() -> type:
    """HTMLExporter that keeps what it made of the course's own cells, and sanitises what it makes of a student's."""
    from IPython.lib.lexers import IPython3Lexer
    from jinja2 import pass_context
    from nbconvert.exporters import HTMLExporter
    from nbconvert.exporters.templateexporter import TemplateExporter
    from nbconvert.filters.widgetsdatatypefilter import WidgetsDataTypeFilter
    from pygments import highlight
    from pygments.formatters import HtmlFormatter

    class ClassExporter(HTMLExporter):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self._known: dict[tuple[str, str], str] = {}
            self._lexer, self._formatter = IPython3Lexer(), HtmlFormatter(cssclass=" highlight hl-ipython3")

        def _once(self, kind: str, cell: Any, source: str, make: Any) -> str:
            if cell.get("metadata", {}).get("nbgrader", {}).get("solution") or cell.get("id") == "grading_notes":
                return make()
            if (kind, source) not in self._known:
                self._known[kind, source] = make()
            return self._known[kind, source]

        @pass_context
        def markdown2html(self, context: Any, source: str) -> str:
            cell = context.get("cell", {})
            html = self._once("markdown", cell, source, lambda: HTMLExporter.markdown2html(self, context, source))
            is_answer = cell.get("metadata", {}).get("nbgrader", {}).get("solution") and source == cell.source
            return _sanitise(html) if is_answer else html

        @pass_context
        def highlight_code(self, context: Any, source: str, metadata: Any = None) -> str:
            cell = context.get("cell", {})
            return self._once("code", cell, source, lambda: highlight(source, self._lexer, self._formatter))

        def from_notebook_node(self, nb: Any, resources: Any = None, **settings: Any) -> tuple[str, Any]:
            resources = self._init_resources(resources)
            self.register_filter("highlight_code", self.highlight_code)
            widgets = WidgetsDataTypeFilter(notebook_metadata=self._nb_metadata, parent=self, resources=resources)
            self.register_filter("filter_data_type", widgets)
            # HTMLExporter would now parse the whole page, style sheets and all, to add alternative texts: seconds
            return TemplateExporter.from_notebook_node(self, nb, resources, **settings)

    return ClassExporter


def _sanitise(html: str) -> str:
    """A second wall behind `harmless_markdown`: only elements that Markdown makes, links only to the web."""
    import bleach

    return bleach.clean(html, tags=TAGS, attributes=ATTRIBUTES, protocols=["http", "https", "mailto"])
