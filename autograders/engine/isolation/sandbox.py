"""A process that can read the system and the course's library, write 256 MB of /tmp, and reach nothing else.

Bubblewrap gives it namespaces of its own (processes, network, mounts, IPC, host name), a read-only file system without
homes and without this project, an empty environment and an unprivileged user (`mounts.py`); `seccomp.py` and `caps.py`
close and cap the rest. It ends with the grader: `--die-with-parent`, and its process namespace ends with its first
process.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from autograders.engine.isolation import seccomp
from autograders.engine.isolation.caps import Caps, NoCaps, best_caps
from autograders.engine.isolation.limits import Limits
from autograders.engine.isolation.mounts import (
    COURSE_LIB,
    ENVIRONMENT,
    INSIDE,
    NOBODY,
    as_root,
    bubblewrap,
    python_inside,
)
from autograders.engine.student_fault import Unanswerable

__all__ = ["Sandbox"]


class Sandbox:
    """One sandbox, started at once; `wait` until it can fork processes.

    unsafe  run the same processes without bubblewrap, with rlimits alone: only for work you trust.
    """

    def __init__(self, limits: Limits, *, unsafe: bool = False) -> None:
        self.limits, self.unsafe = limits, unsafe
        self.caps: Caps = NoCaps(limits) if unsafe else best_caps(limits)
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._stderr, self._saying = os.pipe()  # no file: a student's process might write to it
        os.set_blocking(self._stderr, False)
        self._deadline = time.monotonic() + limits.start
        self._private: Path | None = None
        try:
            self.process = self._start(theirs)
        except BaseException:
            self.control.close()
            self.caps.close()
            os.close(self._stderr)
            raise
        finally:
            theirs.close()
            os.close(self._saying)

    def wait(self) -> None:
        """Until the imports are done. Raises Unanswerable with what the sandbox said if it does not come up."""
        if not select.select([self.control], [], [], max(0, self._deadline - time.monotonic()))[0]:
            said = self._said()
            self.close()
            raise Unanswerable(f"a sandbox did not start within {self.limits.start:.0f} s: {said}")
        if self.control.recv(1) != b"R":
            self.process.wait()
            said = self._said()
            self.close()
            raise Unanswerable(f"a sandbox did not start: {said}")

    def fork(self, channel: socket.socket, output: int) -> None:
        """Start a process of the student's that answers on `channel` and prints to `output`."""
        socket.send_fds(self.control, [b"F"], [channel.fileno(), output])

    def close(self) -> None:
        """Kill everything inside. May be called twice."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL) if self.unsafe else self.process.kill()
        self.process.wait()
        self.control.close()
        self.caps.close()
        if self._stderr >= 0:
            os.close(self._stderr)
            self._stderr = -1
        if self._private:
            shutil.rmtree(self._private, ignore_errors=True)

    @property
    def ran_out_of_memory(self) -> bool:
        return self.caps.ran_out_of_memory()

    def _start(self, control: socket.socket) -> subprocess.Popen[bytes]:
        order = {
            "control": control.fileno(),
            "uid": _uid_inside(self.caps) if as_root() and not self.unsafe else None,
            "alone": not self.unsafe,
            "limits": self.limits.as_dict() | {"count_processes": isinstance(self.caps, NoCaps) and not self.unsafe},
        }
        zygote = ["-s", "-m", "inside.zygote", json.dumps(order)]
        if self.unsafe:
            zygote.insert(0, sys.executable)
            self._private = Path(tempfile.mkdtemp(prefix="course-unsafe-"))
            return self._popen(zygote, (control.fileno(),), env=_unsafe_environment(self._private))
        with tempfile.TemporaryFile() as program:
            program.write(seccomp.filter_program())
            program.flush()
            program.seek(0)
            command = [*bubblewrap(self.limits), "--seccomp", str(program.fileno()), "--", python_inside(), *zygote]
            return self._popen(
                self.caps.command(command), (control.fileno(), program.fileno()), env=_outer_environment()
            )

    def _popen(self, command: list[str], descriptors: tuple[int, ...], env: dict[str, str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._saying,
            pass_fds=descriptors, env=env, cwd=self._private or "/", start_new_session=True,
        )  # fmt: skip

    def _said(self) -> str:
        said = b""
        with contextlib.suppress(OSError):  # nothing more to read, or closed already
            said = os.read(self._stderr, 1 << 16)
        lines = said.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


def _uid_inside(caps: Caps) -> int:
    """Who root becomes. Without a cgroup a user's processes count over all sandboxes: each has a user of its own."""
    if not isinstance(caps, NoCaps):
        return NOBODY
    ranges = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    has_spare_users = any(int(first) + int(count) >= 2**31 for first, _, count in ranges)
    return 2**30 + secrets.randbelow(2**29) if has_spare_users else NOBODY


def _outer_environment() -> dict[str, str]:
    """For bwrap and systemd-run: /proc/1/environ shows it inside, whatever `--clearenv` clears."""
    names = ("PATH", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
    return {name: os.environ[name] for name in names if name in os.environ}


def _unsafe_environment(private: Path) -> dict[str, str]:
    paths = os.pathsep.join([str(INSIDE.parent), str(COURSE_LIB.parent)])
    places = {"HOME": str(private), "PYTHONPATH": paths, "MPLCONFIGDIR": str(private / "matplotlib")}
    return ENVIRONMENT | {"PATH": os.environ.get("PATH", ""), "IPYTHONDIR": str(private / "ipython")} | places
