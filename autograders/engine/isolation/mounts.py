"""Bubblewrap's command line: namespaces of the sandbox's own, and what of this machine stands in its file system.

Read-only system and Python environment, the course's library, no home, no project, a small /tmp in memory.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from pathlib import Path

from autograders.engine.isolation.font_list import font_list
from autograders.engine.isolation.limits import Limits
from course_lib.errors import CourseError

__all__ = [
    "COURSE_LIB",
    "ENVIRONMENT",
    "INSIDE",
    "NOBODY",
    "SandboxMissing",
    "as_root",
    "bubblewrap",
    "python_inside",
    "version",
]

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


def bubblewrap(limits: Limits, *, probe: bool = False) -> list[str]:
    """bwrap's command line up to the program."""
    command = ["bwrap", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
    command += ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    if as_root():
        # real root makes the mounts, and the first program becomes nobody: no process inside has root's files
        command += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        command += ["--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY)]
        command += ["--disable-userns"] if version() >= (0, 8) else []
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


def python_inside() -> str:
    """Where this Python stands inside."""
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
        "--ro-bind", str(font_list()), "/course/matplotlib",
    ]  # fmt: skip


def as_root() -> bool:
    """Whether the grader is root: then a user of its own serves, else a user namespace."""
    return os.geteuid() == 0


@functools.cache
def version() -> tuple[int, ...]:
    """Bubblewrap's."""
    said = subprocess.run(["bwrap", "--version"], capture_output=True, text=True, check=False).stdout
    return tuple(int(part) for part in re.findall(r"\d+", said))
