"""A process that can read the system and the course's library, write 256 MB of /tmp, and reach nothing else.

Bubblewrap gives it namespaces of its own (processes, network, mounts, IPC, host name), a read-only file system without
homes and without this project, an empty environment and an unprivileged user; `seccomp.py` and `caps.py` close and cap
the rest. It ends with the grader: `--die-with-parent`, and its process namespace ends with its first process.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
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
from autograders.engine.student_fault import Unanswerable
from course_lib.errors import CourseError

__all__ = ["Sandbox", "SandboxMissing", "describe", "require_sandbox"]

NOBODY = 65534
COURSE_LIB = Path(__file__).resolve().parents[3] / "course_lib"
INSIDE = Path(__file__).resolve().parent / "inside"
EXCHANGES = (Path("/usr/local/share/nbgrader"), Path("/usr/share/nbgrader"))  # where nbgrader keeps hand-ins
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",
    "USER": "student",
    "LOGNAME": "student",
    "LANG": "C.UTF-8",
    "PYTHONPATH": "/course",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "MPLCONFIGDIR": "/tmp/.matplotlib",
    "IPYTHONDIR": "/tmp/.ipython",
    "XDG_CACHE_HOME": "/tmp/.cache",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


class SandboxMissing(CourseError):
    """No sandbox can be had here."""


class Sandbox:
    """One sandbox, started at once; `wait` until it can fork kernels.

    unsafe  run the same processes without bubblewrap, with rlimits alone: only for work you trust.
    """

    def __init__(self, limits: Limits, *, unsafe: bool = False) -> None:
        self.limits, self.unsafe = limits, unsafe
        self.caps: Caps = NoCaps() if unsafe else best_caps(limits)
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
        """Start a kernel that answers on `channel` and prints to `output`."""
        socket.send_fds(self.control, [b"K"], [channel.fileno(), output])

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
            "uid": _uid_inside(self.caps) if _as_root() and not self.unsafe else None,
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
            command = [*_bubblewrap(self.limits), "--seccomp", str(program.fileno()), "--", _python_inside(), *zygote]
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


def require_sandbox(limits: Limits | None = None) -> str:
    """A sentence on the sandbox that this machine has. Raises SandboxMissing, with what to do, if it has none."""
    if not sys.platform.startswith("linux"):
        raise SandboxMissing("submissions are graded in a bubblewrap sandbox, which Linux alone has; grade them there")
    if not shutil.which("bwrap"):
        raise SandboxMissing("bubblewrap is not installed; install it (Debian, Ubuntu: apt install bubblewrap)")
    if not seccomp.is_supported():
        raise SandboxMissing("there is a system call filter for x86_64 and aarch64 processors alone")
    probe = [*_bubblewrap(limits or Limits(), probe=True), "--", "/usr/bin/true"]
    done = subprocess.run(probe, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise SandboxMissing(
            f"bubblewrap cannot start a sandbox here ({reason}); containers need --privileged or unprivileged user "
            "namespaces, Ubuntu 24.04 needs an AppArmor profile for bwrap"
        )
    return describe(limits)


def describe(limits: Limits | None = None) -> str:
    caps = best_caps(limits or Limits())
    caps.close()
    user = "a user of its own" if _as_root() else "a user namespace"
    return f"bubblewrap {'.'.join(map(str, _version()))}, {user}, caps by {caps.kind}"


def _as_root() -> bool:
    return os.geteuid() == 0


def _uid_inside(caps: Caps) -> int:
    """Who root becomes. Without a cgroup a user's processes count over all sandboxes: each has a user of its own."""
    if not isinstance(caps, NoCaps):
        return NOBODY
    ranges = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    has_spare_users = any(int(first) + int(count) >= 2**31 for first, _, count in ranges)
    return 2**30 + secrets.randbelow(2**29) if has_spare_users else NOBODY


@functools.cache
def _version() -> tuple[int, ...]:
    said = subprocess.run(["bwrap", "--version"], capture_output=True, text=True, check=False).stdout
    return tuple(int(part) for part in re.findall(r"\d+", said))


def _bubblewrap(limits: Limits, *, probe: bool = False) -> list[str]:
    """bwrap's command line up to the program."""
    command = ["bwrap", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
    command += ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    if _as_root():
        # real root makes the mounts, and the first program becomes nobody: no process inside has root's files
        command += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        command += ["--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY)]
        command += ["--disable-userns"] if _version() >= (0, 8) else []
    for name, value in ENVIRONMENT.items():
        command += ["--setenv", name, value]
    command += _readable(_system())
    command += _masks()
    command += [] if probe else _readable(_course())
    command += ["--proc", "/proc", "--dev", "/dev"]
    command += ["--perms", "1777", "--size", str(limits.tmp // 4), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]
    command += [part for place in ("/proc/sys", "/proc/irq", "/proc/bus") for part in ("--tmpfs", place)]
    command += [part for place in ("/proc/sys", "/proc/irq", "/proc/bus") for part in ("--remount-ro", place)]
    command += ["--ro-bind", "/dev/null", "/proc/sysrq-trigger"] if Path("/proc/sysrq-trigger").exists() else []
    command += ["--perms", "1777", "--size", str(limits.tmp), "--tmpfs", "/tmp"]
    return [*command, "--chdir", "/tmp", "--remount-ro", "/"]


def _readable(mounts: list[str]) -> list[str]:
    """The mounts, after folders for them that everybody may enter: bwrap's own are for root alone."""
    targets = [mounts[place + 2] for place in range(0, len(mounts), 3)]
    folders = dict.fromkeys(str(parent) for target in targets for parent in reversed(Path(target).parents))
    folders.pop("/", None)
    return [part for folder in folders for part in ("--perms", "0755", "--dir", folder)] + mounts


def _system() -> list[str]:
    """The system's programs and libraries and this environment's Python, read-only; no home, little of /etc."""
    command = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        place = Path("/", name)
        if place.is_symlink():
            command += ["--symlink", str(place.readlink()), str(place)]
        elif place.is_dir():
            command += ["--ro-bind", str(place), str(place)]
    for name in ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime"):
        command += ["--ro-bind-try", name, name]
    for prefix in dict.fromkeys((sys.base_prefix, sys.prefix)):
        if not Path(prefix).resolve().is_relative_to("/usr"):
            command += ["--ro-bind", prefix, _inside(prefix)]
    return command


def _inside(prefix: str) -> str:
    """Where a Python environment stands inside: where it is, unless the sandbox's own /tmp or /dev would cover it.

    An environment may be moved, since it finds itself by its program's place; the Python that it was made from may not.
    Raises SandboxMissing where that one would be covered.
    """
    if not any(Path(prefix).resolve().is_relative_to(place) for place in ("/tmp", "/dev", "/proc", "/course")):
        return prefix
    if prefix != sys.prefix:
        raise SandboxMissing(f"Python itself stands in {prefix}, which the sandbox covers; use one that is installed")
    return "/course/environment"


def _python_inside() -> str:
    program = Path(sys.executable)
    if program.is_relative_to(sys.prefix):
        return str(Path(_inside(sys.prefix)) / program.relative_to(sys.prefix))
    return sys.executable


def _masks() -> list[str]:
    """Empty folders over what lies in those places by chance and nobody inside may read: the course, other hand-ins.

    Raises SandboxMissing where the course and Python cannot be told apart.
    """
    root = COURSE_LIB.parent
    prefixes = [Path(prefix).resolve() for prefix in dict.fromkeys((sys.base_prefix, sys.prefix))]
    if root in prefixes:
        raise SandboxMissing(f"Python's environment is {root}, the course's folder itself; make it in a folder inside")
    command = []
    for place in (root, *EXCHANGES):
        if place.is_dir() and any(place.is_relative_to(shown) for shown in (Path("/usr"), *prefixes)):
            command += ["--tmpfs", str(place)]
            for prefix in prefixes:
                again = ["--ro-bind", str(prefix), str(prefix)] if prefix.is_relative_to(place) else []
                command += _readable(again)
            command += ["--remount-ro", str(place)]
    return command


def _course() -> list[str]:
    return [
        "--ro-bind", str(COURSE_LIB), "/course/course_lib",
        "--ro-bind", str(INSIDE), "/course/inside",
        "--ro-bind", str(_matplotlib_cache()), "/course/matplotlib",
    ]  # fmt: skip


@functools.cache
def _matplotlib_cache() -> Path:
    """A folder with matplotlib's list of fonts: making it takes each sandbox longer than all other imports."""
    folder = Path(tempfile.gettempdir()) / f"course-matplotlib-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o755)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        folder = Path(tempfile.mkdtemp(prefix="course-matplotlib-"))
    folder.chmod(0o755)
    if not any(folder.glob("fontlist-*.json")):
        make = [sys.executable, "-c", "import matplotlib.font_manager"]
        subprocess.run(make, env=os.environ | {"MPLCONFIGDIR": str(folder)}, capture_output=True, check=False)
        for file in folder.iterdir():
            file.chmod(0o644)
    return folder


def _outer_environment() -> dict[str, str]:
    """For bwrap and systemd-run: /proc/1/environ shows it inside, whatever `--clearenv` clears."""
    names = ("PATH", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
    return {name: os.environ[name] for name in names if name in os.environ}


def _unsafe_environment(private: Path) -> dict[str, str]:
    paths = os.pathsep.join([str(INSIDE.parent), str(COURSE_LIB.parent)])
    places = {"HOME": str(private), "PYTHONPATH": paths, "MPLCONFIGDIR": str(private / "matplotlib")}
    return ENVIRONMENT | {"PATH": os.environ.get("PATH", ""), "IPYTHONDIR": str(private / "ipython")} | places
