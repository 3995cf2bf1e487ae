"""`course lab`: JupyterLab on the student notebooks, set up for somebody who opens it for the first time."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
import webbrowser
from dataclasses import dataclass
from pathlib import Path

from course_lib.errors import CourseError

__all__ = ["LabServer", "serve"]

START_SECONDS, STOP_SECONDS = 120, 20
FIRST_PAGE = "start_here.ipynb"

# course_lib.workbook first: it makes a slow import of Jupyter's quick
START = "import course_lib.workbook; from jupyterlab.labapp import main; main()"

# Defaults for this run alone; a student's own settings still win over them.
SETTINGS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
# Staff's tools: nbgrader's panels show error messages where there is no class, jupytext's menus offer other formats.
PAGE = {"disabledExtensions": {"@jupyter/nbgrader": True, "jupyterlab-jupytext": True}}
NBGRADER = ("formgrader", "validate_assignment", "assignment_list", "course_list")
STAFF_EXTENSIONS = ("jupyterlab_jupytext", *(f"nbgrader.server_extensions.{name}" for name in NBGRADER))
SERVER = {"ServerApp": {"jpserver_extensions": dict.fromkeys(STAFF_EXTENSIONS, False)}}


def serve(root: Path, *, port: int = 8888, browser: bool = True) -> None:
    """Run JupyterLab on `root/labs` until Ctrl-C; prints its URL as soon as it answers.

    port     tried first; a taken one is passed over for another, which is said.
    browser  open a window if there is a display.

    Raises CourseError if the labs are not built or the server does not come up.
    """
    if not (root / "labs" / FIRST_PAGE).exists():
        raise CourseError(f"{root / 'labs' / FIRST_PAGE} is missing: run `course build` first")
    print("Starting JupyterLab ...", flush=True)
    with LabServer(root, port) as server:
        try:
            server.wait_until_ready()
            _announce(server, port)
            if browser and _has_display():
                webbrowser.open(server.url)
            code = server.process.wait()
        except KeyboardInterrupt:
            print("\nStopping JupyterLab ...", flush=True)
            with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
                server.process.wait(3)  # Ctrl-C in a terminal has reached the server too
            return
    if code:
        raise CourseError(f"JupyterLab ended by itself with code {code}; its log is {server.log}")
    print("JupyterLab was shut down from the browser.")


@dataclass(frozen=True)
class _Address:
    url: str
    port: int


class LabServer:
    """A JupyterLab process; use it in a `with` block, whose end stops it and its kernels."""

    process: subprocess.Popen[bytes]

    def __init__(self, root: Path, port: int) -> None:
        self.root, self.port = root, port
        self.folder = root / "build" / "lab"
        self.log = self.folder / "server.log"
        self.token = secrets.token_hex(24)
        self.address: _Address | None = None

    @property
    def url(self) -> str:
        """Opens the first notebook, signed in."""
        assert self.address is not None
        return f"{self.address.url}lab/tree/{FIRST_PAGE}?token={self.token}"

    def __enter__(self) -> LabServer:
        try:
            self._write_settings()
        except OSError as error:
            raise CourseError(f"{self.folder} cannot be written, and JupyterLab needs it: {error}") from error
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self._command(),
                cwd=self.root / "labs",
                env=self._environment(),
                stdin=subprocess.DEVNULL,  # no "Shut down (y/n)?" at Ctrl-C
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self

    def __exit__(self, *exception: object) -> None:
        for request in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                self.process.send_signal(request)
            with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
                self.process.wait(STOP_SECONDS)

    def wait_until_ready(self) -> None:
        """Returns when the server answers; raises CourseError if it ends or takes too long."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise CourseError(f"JupyterLab did not start: {self._last_words()}. Its log is {self.log}")
            self.address = self.address or self._read_address()
            if self.address and self._answers():
                return
            time.sleep(0.2)
        raise CourseError(f"JupyterLab did not answer within {START_SECONDS} s; its log is {self.log}")

    def _command(self) -> list[str]:
        return [
            sys.executable,
            "-P",  # a student's random.py must not stand in for Python's
            "-c",
            START,
            "--no-browser",
            "--allow-root",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=100",
            f"--ServerApp.root_dir={self.root / 'labs'}",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--LabApp.news_url=None",
            "--LabApp.extension_manager=readonly",
        ]

    def _environment(self) -> dict[str, str]:
        """Settings for this server alone, this Python for its kernels and terminals."""
        environment = dict(os.environ)
        environment["JUPYTER_TOKEN"] = self.token  # an argument could be read by every user of this computer
        environment["JUPYTER_RUNTIME_DIR"] = str(self.folder / "runtime")
        environment["JUPYTER_PREFER_ENV_PATH"] = "1"
        for name, first in (("JUPYTER_CONFIG_PATH", self.folder), ("PATH", Path(sys.executable).parent)):
            environment[name] = os.pathsep.join(filter(None, [str(first), environment.get(name, "")]))
        return environment

    def _write_settings(self) -> None:
        for name, content in (
            ("jupyter_server_config", SERVER),
            ("labconfig/page_config", PAGE),
            ("labconfig/default_setting_overrides", SETTINGS),
        ):
            path = self.folder / f"{name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content, indent=2))

    def _read_address(self) -> _Address | None:
        """The server writes down which port it took in a file with its process's number."""
        record = self.folder / "runtime" / f"jpserver-{self.process.pid}.json"
        try:
            facts = json.loads(record.read_text())
        except (OSError, ValueError):  # not there yet, or half written
            return None
        # a file left by an earlier server with the same number holds another token
        return _Address(facts["url"], facts["port"]) if facts["token"] == self.token else None

    def _answers(self) -> bool:
        assert self.address is not None
        request = urllib.request.Request(f"{self.address.url}lab", headers={"Authorization": f"token {self.token}"})
        context = ssl._create_unverified_context() if self.address.url.startswith("https") else None
        try:
            with urllib.request.urlopen(request, timeout=10, context=context) as response:
                return response.status == 200
        except OSError:
            return False

    def _last_words(self) -> str:
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        if not lines:
            return f"it ended with code {self.process.returncode} and no message"
        return re.sub(r"^\[[^]]*\]\s*", "", lines[-1]).rstrip(".")  # without "[C 2026-01-01 12:00:00 ServerApp]"


def _announce(server: LabServer, wanted_port: int) -> None:
    assert server.address is not None
    port = server.address.port
    if port != wanted_port:
        print(f"Port {wanted_port} is taken; JupyterLab uses port {port}.")
    print(f"The course is open at\n\n    {server.url}\n")
    if "SSH_CONNECTION" in os.environ:
        print(f"From your own computer, connect with `ssh -L {port}:127.0.0.1:{port} ...` and open the same address.")
    in_background = signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # of nohup, of a script's `&`
    how = f"`kill {os.getpid()}`" if in_background else "Ctrl-C in this terminal"
    print(f"Stop it with {how}.", flush=True)


def _has_display() -> bool:
    if sys.platform in ("darwin", "win32"):
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
