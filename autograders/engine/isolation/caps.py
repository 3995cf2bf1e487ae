"""Caps on a whole sandbox's memory, processes and CPU share: cgroups where they can be had, else rlimits alone.

Resource limits hold for each process; a cgroup holds for all of them together. `best_caps` tries what can be had here
by making one: cgroup v2, cgroup v1, a transient systemd scope, nothing. rlimits are set in every case, inside the
sandbox (`inside/zygote.py`).
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import shutil
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path

from autograders.engine.isolation.limits import Limits

__all__ = ["Caps", "NoCaps", "best_caps"]

CGROUPS = Path("/sys/fs/cgroup")
_PREFIX = "course-grade-"
_numbers = itertools.count()


class Caps(ABC):
    """Limits around one sandbox: `command` wraps its command line, `close` takes the limits away after its end.

    Raises OSError or KeyError where this kind cannot be had.
    """

    kind = ""

    @abstractmethod
    def __init__(self, limits: Limits) -> None: ...

    @abstractmethod
    def command(self, command: list[str]) -> list[str]:
        """The command line that starts `command` inside the caps."""

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel has killed a process of this sandbox for its memory."""
        return False

    @abstractmethod
    def close(self) -> None:
        """Remove what was made. The sandbox's processes must have ended, or be ending."""


class NoCaps(Caps):
    """Nothing can be had here: rlimits hold for each process alone."""

    kind = "rlimits"

    def __init__(self, limits: Limits) -> None:
        """Nothing is made: `inside/zygote.py` sets the limits."""

    def command(self, command: list[str]) -> list[str]:
        return command

    def close(self) -> None:
        """Nothing was made."""


class CgroupV2(Caps):
    kind = "cgroup v2"

    def __init__(self, limits: Limits, parent: Path | None = None) -> None:
        self.folder = _make(parent or _own_v2_group())
        try:
            _write(self.folder / "memory.max", limits.memory)
            _write(self.folder / "pids.max", limits.processes)
        except OSError:
            self.close()
            raise
        with contextlib.suppress(OSError):  # absent where there is no swap, or the cpu controller is not delegated
            _write(self.folder / "memory.swap.max", 0)
        with contextlib.suppress(OSError):
            _write(self.folder / "cpu.max", "100000 100000")

    def command(self, command: list[str]) -> list[str]:
        return _join([self.folder], command)

    def ran_out_of_memory(self) -> bool:
        return _count(self.folder / "memory.events", "oom_kill") > 0

    def close(self) -> None:
        with contextlib.suppress(OSError):
            _write(self.folder / "cgroup.kill", 1)
        _remove(self.folder)


class CgroupV1(Caps):
    """Systemd 258 has given it up; containers and small virtual machines still hand it out, on Linux 6.18 too."""

    kind = "cgroup v1"

    def __init__(self, limits: Limits, root: Path = CGROUPS) -> None:
        own = _own_v1_groups()
        self.folders: dict[str, Path] = {}
        try:
            for controller in ("memory", "pids", "cpu"):
                parent = root / controller / own.get(controller, "/").lstrip("/")
                if controller != "cpu" or parent.is_dir():
                    self.folders[controller] = _make(parent)
            _write(self.folders["memory"] / "memory.limit_in_bytes", limits.memory)
            _write(self.folders["pids"] / "pids.max", limits.processes)
            with contextlib.suppress(OSError):  # only where swap is accounted
                _write(self.folders["memory"] / "memory.memsw.limit_in_bytes", limits.memory)
            with contextlib.suppress(OSError, KeyError):
                _write(self.folders["cpu"] / "cpu.cfs_quota_us", 100_000)
        except OSError:
            self.close()
            raise

    def command(self, command: list[str]) -> list[str]:
        return _join(list(self.folders.values()), command)

    def ran_out_of_memory(self) -> bool:
        return _count(self.folders["memory"] / "memory.oom_control", "oom_kill") > 0

    def close(self) -> None:
        for folder in self.folders.values():
            _remove(folder)


class SystemdScope(Caps):
    """A transient scope of the user's own systemd, which sets the cgroup up."""

    kind = "systemd scope"

    def __init__(self, limits: Limits) -> None:
        properties = {
            "MemoryMax": limits.memory,
            "MemorySwapMax": 0,
            "TasksMax": limits.processes,
            "CPUQuota": "100%",
        }
        self.prefix = ["systemd-run", "--user", "--scope", "--quiet", "--collect"]
        self.prefix += [part for name, value in properties.items() for part in ("-p", f"{name}={value}")]

    def command(self, command: list[str]) -> list[str]:
        return [*self.prefix, "--", *command]

    def close(self) -> None:
        """systemd collects the scope when its last process has ended."""


def best_caps(limits: Limits) -> Caps:
    """New caps of the best kind this machine has."""
    return _best_kind()(limits)


@functools.cache
def _best_kind() -> type[Caps]:
    kinds: tuple[type[Caps], ...] = (CgroupV2, CgroupV1, SystemdScope)
    return next((kind for kind in kinds if _works(kind)), NoCaps)


def _works(kind: type[Caps]) -> bool:
    """Whether a process can be started inside such caps."""
    if kind is SystemdScope and not shutil.which("systemd-run"):
        return False
    try:
        caps = kind(Limits())
    except (OSError, KeyError):
        return False
    try:
        return subprocess.run(caps.command(["true"]), capture_output=True, timeout=10, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
    finally:
        caps.close()


def remove_leftovers() -> None:
    """Remove the empty cgroups of graders that were killed. A killed grader's sandboxes have ended with it."""
    for folder in CGROUPS.glob(f"**/{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            with contextlib.suppress(OSError):
                folder.rmdir()


def _own_v2_group() -> Path:
    """The group this process is in, if the memory and pids controllers are handed down to its children."""
    mount = CGROUPS if (CGROUPS / "cgroup.controllers").exists() else CGROUPS / "unified"
    line = next(line for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
    for group in (mount / line[3:].lstrip("/"), (mount / line[3:].lstrip("/")).parent):
        handed_down = (group / "cgroup.subtree_control").read_text().split()
        if {"memory", "pids"} <= set(handed_down):
            return group
    raise OSError("the memory and pids controllers are not delegated to this process")


def _own_v1_groups() -> dict[str, str]:
    rows = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    return {controller: path for _, names, path in rows for controller in names.split(",")}


def _make(parent: Path) -> Path:
    folder = parent / f"{_PREFIX}{os.getpid()}-{next(_numbers)}"
    folder.mkdir()
    return folder


def _write(path: Path, value: object) -> None:
    path.write_text(f"{value}\n")


def _count(path: Path, name: str) -> int:
    with contextlib.suppress(OSError, ValueError):
        return dict(_pair(line) for line in path.read_text().splitlines()).get(name, 0)
    return 0


def _pair(line: str) -> tuple[str, int]:
    name, _, count = line.partition(" ")
    return name, int(count)


def _join(folders: list[Path], command: list[str]) -> list[str]:
    """A shell puts itself into the groups and becomes the command, so that no child escapes them."""
    script = "".join(f'echo $$ > "${number}" || exit 71; ' for number in range(1, len(folders) + 1))
    places = [str(folder / "cgroup.procs") for folder in folders]
    return ["/bin/sh", "-c", f'{script}shift {len(folders)}; exec "$@"', "sh", *places, *command]


_still_in_use: list[Path] = []


def _remove(folder: Path) -> None:
    """The kernel lets a group go a moment after its last process has ended; what takes longer is tried again later."""
    _still_in_use.append(folder)
    for _ in range(50):
        _still_in_use[:] = [group for group in _still_in_use if not _is_removed(group)]
        if folder not in _still_in_use:
            return
        time.sleep(0.02)


def _is_removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
