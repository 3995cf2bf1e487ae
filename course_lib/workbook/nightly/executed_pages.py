"""Executed notebooks as HTML, beside the page that links to them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import nbformat

from course_lib.workbook.execute.document import Entry

__all__ = ["Pages", "write_executed_pages"]

# (notebook, part) -> path below the folder of the page
Pages = dict[tuple[str, str], str]
SUBFOLDER = "notebooks"


def write_executed_pages(root: Path, entries: Sequence[Entry], folder: Path) -> Pages:
    """Write a page for each executed copy there is, in place of those of an earlier night."""
    shutil.rmtree(folder / SUBFOLDER, ignore_errors=True)
    pages: Pages = {}
    for entry in entries:
        copy = root / entry["executed"] if entry["executed"] else None
        if copy is not None and copy.exists():
            place = Path(SUBFOLDER, entry["part"], f"{entry['notebook']}.html")
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_text(_as_html(copy), encoding="utf-8")
            pages[entry["notebook"], entry["part"]] = place.as_posix()
    return pages


def _as_html(notebook: Path) -> str:
    from nbconvert import HTMLExporter

    # formulas need MathJax from the network; nothing else of the page does
    exporter = HTMLExporter(require_js_url="", jquery_url="", mermaid_js_url="", exclude_anchor_links=True)
    html, _ = exporter.from_notebook_node(nbformat.read(notebook, as_version=4))
    return str(html)
