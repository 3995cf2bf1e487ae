"""One notebook open in JupyterLab, used as a student uses it: scroll to a cell, type, run, look."""

from __future__ import annotations

import time

import nbformat

__all__ = ["LabPage"]

# nothing that works takes as long, also where others use the processor
START_MS = 240_000
REDRAW_SECONDS = 120
FINGERPRINT = """async image => {
    const bytes = await (await fetch(image.src)).arrayBuffer();
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return Array.from(digest, byte => byte.toString(16).padStart(2, "0")).join("");
}"""
RED = ".jp-OutputArea :is([data-mime-type$='jupyter.stderr'], [data-mime-type$='jupyter.error'])"
CONTROLS = ".jp-OutputArea :is(.noUi-handle, select, input[type=checkbox])"


class LabPage:
    def __init__(self, page):
        self.page = page
        self.cell_ids, self.code_ids = [], set()
        self._end_kernel = lambda: None

    def open(self, server, path):
        """Sign in, open the notebook and wait for its kernel."""
        cells = nbformat.read(server.root / "labs" / path, as_version=4).cells
        self.cell_ids = [cell.id for cell in cells]
        self.code_ids = {cell.id for cell in cells if cell.cell_type == "code"}
        self._end_kernel = lambda: self._end_session(server, path)
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

    def start(self):
        """Run the settings and the imports, as every section asks for."""
        for cell_id in ("parameters", "setup"):
            self.run(cell_id)
            assert self.error_in(cell_id) == ""

    def replace_source(self, cell_id, source):
        """Select all of a cell's text and type over it (pasted whole, so that nothing is auto-indented)."""
        self.cell(cell_id).locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(source)

    def output_text(self, cell_id):
        return self.cell(cell_id).locator(".jp-OutputArea").inner_text()

    def picture_in(self, cell_id):
        """A fingerprint of the bytes of the picture that a cell's output shows."""
        picture = self.cell(cell_id).locator(".jp-OutputArea img").first
        picture.wait_for(state="visible", timeout=START_MS)
        return picture.evaluate(FINGERPRINT)

    def error_in(self, cell_id):
        """What a cell printed in red: a traceback or a warning."""
        return "\n".join(self.cell(cell_id).locator(RED).all_inner_texts())

    def controls_of(self, cell_id):
        """The sliders, lists and tick boxes of an explorable."""
        return self.cell(cell_id).locator(CONTROLS).all()

    def move(self, control):
        """A slider by one step, a list to its next entry, a tick box to the other state. Returns how to undo it."""
        kind = control.evaluate("element => element.tagName")
        if kind == "SELECT":
            chosen, count = control.evaluate("element => [element.selectedIndex, element.options.length]")
            control.select_option(index=(chosen + 1) % count)
            return lambda: control.select_option(index=chosen)
        if kind == "INPUT":
            control.click()
            return control.click
        now, most = (float(control.get_attribute(f"aria-value{name}")) for name in ("now", "max"))
        there, back = ("ArrowRight", "ArrowLeft") if now < most else ("ArrowLeft", "ArrowRight")
        self._step(control, there)
        return lambda: self._step(control, back)

    def _step(self, slider, key):
        """Press an arrow key until the slider has moved: a page busy with a redraw can miss a key."""
        before, deadline = slider.get_attribute("aria-valuenow"), time.monotonic() + REDRAW_SECONDS
        while slider.get_attribute("aria-valuenow") == before and time.monotonic() < deadline:
            slider.press(key)
            self.page.wait_for_timeout(200)

    def another_picture_in(self, cell_id, before):
        """Wait until a cell shows another picture than `before`, and the kernel rests. Returns the last fingerprint."""
        deadline = time.monotonic() + REDRAW_SECONDS
        while self.picture_in(cell_id) == before and time.monotonic() < deadline:
            self.page.wait_for_timeout(100)
        self.page.get_by_text("| Idle").wait_for(timeout=START_MS)
        return self.picture_in(cell_id)

    def close(self):
        """Closes the page and ends its kernel: a closed notebook's would stay with its hundreds of megabytes."""
        self._end_kernel()
        self.page.close()

    def _end_session(self, server, path):
        sessions, sign_in = f"{server.address.url}api/sessions", {"Authorization": f"token {server.token}"}
        for session in self.page.request.get(sessions, headers=sign_in).json():
            if session["path"] == path:
                assert self.page.request.delete(f"{sessions}/{session['id']}", headers=sign_in).ok
