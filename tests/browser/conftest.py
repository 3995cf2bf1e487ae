"""JupyterLab as `course lab` starts it, on a copy of the labs, in a headless Chromium."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from course_lib.workbook.lab_server import LabServer

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="package")
def labs(tmp_path_factory):
    """A student's copy: browser tests type into it."""
    root = tmp_path_factory.mktemp("student")
    shutil.copytree(ROOT / "labs", root / "labs")
    return root


@pytest.fixture(scope="package")
def server(labs):
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed; `apt-get install chromium` on Debian")
    with LabServer(labs, port=8899) as server:
        server.wait_until_ready()
        yield server


@pytest.fixture(scope="package")
def browser(server):
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture
def open_notebook(browser, server, request):
    """open_notebook("lab1_cnn_basics/1a_neural_networks.ipynb") -> a driver; its screenshot is kept after the test."""
    from tests.browser.lab_page import LabPage

    pages = []

    def opened(path):
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        pages.append(LabPage(page))
        pages[-1].open(server, path)
        return pages[-1]

    yield opened
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for number, lab in enumerate(pages):
        lab.page.screenshot(path=SCREENSHOTS / f"{request.node.name}-{number}.png".replace("/", "_"))
        lab.close()
