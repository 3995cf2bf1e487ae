"""`course lab`, started as a student starts it, on a course of one page."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook, writes

from course_lib.errors import CourseError
from course_lib.workbook import lab_server
from course_lib.workbook.lab_server import LabServer
from tests.ctrl_c import interruptible

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def make_course(root):
    for name in ("labs", "solutions", "course_lib"):
        (root / name).mkdir(parents=True)
    (root / "pyproject.toml").touch()
    notebook = new_notebook(cells=[new_code_cell("import sys\nprint(sys.executable)", id="where")])
    notebook.metadata.kernelspec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    (root / "labs" / "start_here.ipynb").write_text(writes(notebook))
    return root


def with_a_foreign_kernel(home):
    """A home folder whose own "python3" kernel is another Python, as an old installation leaves it."""
    kernel = home / ".local/share/jupyter/kernels/python3/kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text(json.dumps({"argv": ["/nonexistent/python"], "display_name": "Old", "language": "python"}))
    return home


class Started:
    """`course lab` in a terminal without a display, with the port it wants taken by somebody else."""

    def __init__(self, root, home):
        self.squatter = socket.socket()
        self.squatter.bind(("127.0.0.1", 0))
        self.squatter.listen()
        self.wanted = self.squatter.getsockname()[1]
        environment = {name: value for name, value in os.environ.items() if "DISPLAY" not in name}
        environment |= {"HOME": str(home), "PYTHONUNBUFFERED": "1", "SSH_CONNECTION": "1 2 3 4"}
        self.root = root
        self.process = subprocess.Popen(
            interruptible([sys.executable, "-P", "-m", "course_lib.cli", "lab", "--port", str(self.wanted)]),
            cwd=root / "labs",  # from below the course's folder
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        self.said = self.read_until("Stop it with")
        self.url = re.search(r"http://127\.0\.0\.1:\d+/\S+", self.said)[0]
        self.port = int(self.url.split(":")[2].partition("/")[0])
        self.token = self.url.partition("token=")[2]

    def read_until(self, words):
        said = ""
        for line in self.process.stdout:
            said += line
            if words in line:
                return said
        raise AssertionError(said + self.process.stderr.read())

    def get(self, path, token=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{path}", headers={"Authorization": f"token {token or self.token}"}
        )
        with urllib.request.urlopen(request, timeout=120) as response:
            return response.read().decode()

    def close(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        _, errors = self.process.communicate(timeout=300)
        self.squatter.close()
        return errors


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    home = with_a_foreign_kernel(tmp_path_factory.mktemp("home"))
    started = Started(make_course(tmp_path_factory.mktemp("a course")), home)
    yield started
    started.close()


def test_the_url_answers_when_it_is_printed_and_shows_the_first_page(lab):
    assert "/lab/tree/start_here.ipynb?token=" in lab.url
    assert "start_here.ipynb" in lab.get("api/contents/?content=1")


def test_a_taken_port_is_passed_over_and_said(lab):
    assert lab.port != lab.wanted
    assert f"Port {lab.wanted} is taken; JupyterLab uses port {lab.port}" in lab.said


def test_it_says_how_to_stop_and_how_to_reach_it_from_afar(lab):
    assert "Ctrl-C" in lab.said
    assert f"ssh -L {lab.port}:127.0.0.1:{lab.port}" in lab.said


def test_nobody_enters_without_the_token(lab):
    with pytest.raises(urllib.error.HTTPError, match="403"):
        lab.get("api/contents/", token="guess")


def test_logs_go_to_a_file(lab):
    assert "ServerApp" not in lab.said
    assert "ServerApp" in (lab.root / "build/lab/server.log").read_text()


def test_no_news_and_no_panels_of_staff(lab):
    settings = json.loads(lab.get("lab/api/settings/@jupyterlab/apputils-extension:notification"))
    assert settings["schema"]["properties"]["fetchNews"]["default"] == "false"
    page = lab.get("lab/tree/start_here.ipynb")
    config = json.loads(re.search(r'<script id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.DOTALL)[1])
    assert config["news"]["disabled"]
    assert {"@jupyter/nbgrader", "jupyterlab-jupytext"} <= set(config["disabledExtensions"])
    with pytest.raises(urllib.error.HTTPError, match="404"):
        lab.get("formgrader/api/assignments")


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_first_visit_shows_the_page_no_dialog_and_this_python(lab):
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=CHROMIUM, args=flags) as browser:
        page = browser.new_page()
        page.goto(lab.url)
        page.get_by_text("| Idle").wait_for(timeout=300_000)
        page.locator(".jp-Notebook .jp-Cell").first.click()
        page.keyboard.press("Control+Enter")
        output = page.locator(".jp-OutputArea-output").first
        output.wait_for(timeout=300_000)
        assert Path(output.inner_text().strip()).parent == Path(sys.executable).parent
        assert page.locator(".jp-Dialog, .Toastify__toast").count() == 0


def test_ctrl_c_stops_the_server_with_its_kernels(tmp_path):
    started = Started(make_course(tmp_path / "course"), tmp_path)
    assert started.close() == ""
    assert started.process.returncode == 0
    with pytest.raises(OSError):
        started.get("api")


def test_in_the_background_it_says_what_stops_it_there(tmp_path, capsys):
    """What `nohup` and a script's `&` start ignores Ctrl-C."""
    server = LabServer(tmp_path, 8888)
    server.address = lab_server._Address("http://127.0.0.1:8888/", 8888)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        lab_server._announce(server, 8888)
    finally:
        signal.signal(signal.SIGINT, before)
    assert f"Stop it with `kill {os.getpid()}`." in capsys.readouterr().out


def test_an_unbuilt_course_is_refused(tmp_path):
    with pytest.raises(CourseError, match="run `course build` first"):
        lab_server.serve(tmp_path)


def test_a_server_that_does_not_come_up_is_reported_with_its_last_words(tmp_path, monkeypatch):
    root = make_course(tmp_path / "course")
    words = "[C 2026-01-01 10:00:00.000 ServerApp] Bad config encountered."
    monkeypatch.setattr(LabServer, "_command", lambda self: [sys.executable, "-c", f"print({words!r}); exit(3)"])
    with pytest.raises(CourseError, match=r"did not start: Bad config encountered\. Its log is .*server.log"):
        lab_server.serve(root)


def test_a_server_that_never_answers_is_given_up_and_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(LabServer, "_command", lambda self: [sys.executable, "-c", "import time; time.sleep(600)"])
    monkeypatch.setattr(lab_server, "START_SECONDS", 0.5)
    root = make_course(tmp_path / "course")
    with pytest.raises(CourseError, match="did not answer"), LabServer(root, 8888) as server:
        server.wait_until_ready()
    assert server.process.poll() is not None


@pytest.mark.parametrize(
    ("platform", "environment", "opens"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("darwin", {}, True),
        ("darwin", {"SSH_CONNECTION": "1 2 3 4"}, False),
    ],
)
def test_a_browser_is_opened_where_there_is_a_display(monkeypatch, platform, environment, opens):
    monkeypatch.setattr(sys, "platform", platform)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert lab_server._has_display() is opens
