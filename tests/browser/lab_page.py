"""One notebook open in JupyterLab, used as a student uses it: scroll to a cell, type, run, look."""

from __future__ import annotations

import hashlib

import nbformat

__all__ = ["LabPage"]

START_MS = 90_000


class LabPage:
    def __init__(self, page):
        self.page = page
        self.cell_ids, self.code_ids = [], set()

    def open(self, server, path):
        """Sign in, open the notebook and wait for its kernel."""
        cells = nbformat.read(server.root / "labs" / path, as_version=4).cells
        self.cell_ids = [cell.id for cell in cells]
        self.code_ids = {cell.id for cell in cells if cell.cell_type == "code"}
        self.page.goto(f"{server.address.url}lab/workspaces/test/tree/{path}?reset&token={server.token}")
        self.page.get_by_text("| Idle").wait_for(timeout=START_MS)  # the status bar's word on the kernel
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=START_MS)

    def is_code(self, cell_id):
        return cell_id in self.code_ids

    def cell(self, cell_id):
        """The cell, scrolled into view; JupyterLab numbers the cells it shows."""
        index = self.cell_ids.index(cell_id)
        found = self.page.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{index}']")
        if found.count() == 0:
            found = self.page.locator(".jp-Notebook .jp-Cell").nth(index)
        found.scroll_into_view_if_needed()
        return found

    def run(self, cell_id):
        """Put the cursor into a code cell, press Ctrl+Enter and wait until it has run. Returns the cell."""
        cell = self.cell(cell_id)
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")
        prompt = cell.locator(".jp-InputArea-prompt")
        self.page.wait_for_function(
            "prompt => /^\\[\\d+\\]:$/.test(prompt.textContent.trim())",
            arg=prompt.element_handle(),
            timeout=START_MS,
        )
        return cell

    def replace_source(self, cell_id, source):
        """Select all of a cell's text and type over it (pasted whole, so that nothing is auto-indented)."""
        self.cell(cell_id).locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(source)

    def output_text(self, cell_id):
        return self.cell(cell_id).locator(".jp-OutputArea").inner_text()

    def picture_in(self, cell_id):
        """A fingerprint of the picture a cell's output shows."""
        picture = self.cell(cell_id).locator(".jp-OutputArea img").first
        picture.wait_for(state="visible", timeout=START_MS)
        return hashlib.sha256(picture.screenshot()).hexdigest()

    def close(self):
        self.page.close()
