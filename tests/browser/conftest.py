"""JupyterLab as `course lab` starts it, on a copy of the course, in a headless Chromium: one of each for all tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil
import pytest

from course_lib.workbook.lab_server import LabServer
from tests.browser.lab_page import LabPage

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="session")
def chromium():
    """The path of the program."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed; `apt-get install chromium` on Debian")
    return CHROMIUM


@pytest.fixture(scope="package")
def server(chromium, tmp_path_factory):
    """On a whole copy of the course, in which progress is recorded: browser tests type into it."""
    root = tmp_path_factory.mktemp("student")
    shutil.copytree(ROOT / "labs", root / "labs")
    (root / "course_lib").symlink_to(ROOT / "course_lib")
    shutil.copy(ROOT / "pyproject.toml", root)
    with LabServer(root, port=8899) as server:
        server.wait_until_ready()
        started = [server.process, *psutil.Process(server.process.pid).children(recursive=True)]
        yield server
        started += psutil.Process(server.process.pid).children(recursive=True)
    require_end([psutil.Process(each.pid) for each in started if psutil.pid_exists(each.pid)])


@pytest.fixture(scope="package")
def browser(chromium, server):
    """Pages of one context, so that JupyterLab's scripts are fetched and compiled once."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened.new_context(viewport={"width": 1400, "height": 1000})
        started = psutil.Process().children(recursive=True)
        opened.close()
    require_end([each for each in started if each.is_running() and "chrom" in each.name()])


def require_end(processes):
    _, alive = psutil.wait_procs(processes, timeout=60)
    assert not [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def open_notebook(browser, server, request):
    """open_notebook("lab1_cnn_basics/1a_neural_networks.ipynb") -> a driver; its screenshot is kept after the test."""
    pages = []

    def opened(path):
        pages.append(LabPage(browser.new_page()))
        pages[-1].open(server, path)
        return pages[-1]

    yield opened
    for number, lab in enumerate(pages):
        keep_screenshot(lab, f"{request.node.name}-{number}")
        lab.close()


def keep_screenshot(lab, name):
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    lab.page.screenshot(path=SCREENSHOTS / f"{name}.png".replace("/", "_"))
