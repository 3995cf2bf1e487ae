"""What a run ran on: commit, versions of what the course depends on, machine. No names of computers or people."""

from __future__ import annotations

import importlib.metadata
import platform
import re
from pathlib import Path
from typing import TypedDict

from course_lib import machine

__all__ = ["Commit", "Machine", "commit_of", "installed_versions", "this_machine"]

DISTRIBUTION = "small-fast-networks"


class Commit(TypedDict):
    """The commit that is checked out, its subject, and whether files differ from it; id is empty outside git."""

    id: str
    subject: str
    dirty: bool


class Machine(TypedDict):
    """memory_bytes is None where the system does not say; gpu_driver where there is none."""

    system: str
    processor: str
    cores: int
    memory_bytes: int | None
    gpu_driver: str | None


def commit_of(root: Path) -> Commit:
    """The commit that the checkout at `root` stands on."""
    asked = machine.run("git", "-C", str(root), "log", "-1", "--format=%H%n%s")
    if asked.returncode:
        return Commit(id="", subject="", dirty=False)
    identifier, _, subject = asked.stdout.strip().partition("\n")
    changes = machine.run("git", "-C", str(root), "status", "--porcelain", "--untracked-files=normal")
    return Commit(id=identifier, subject=subject, dirty=bool(changes.stdout.strip()))


def installed_versions() -> dict[str, str]:
    """Python and each package that the course names as a dependency, as installed; absent ones are left out."""
    found = {"python": platform.python_version()}
    try:
        required = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:  # used from its folder without having been installed
        required = []
    for line in required:
        name = re.match(r"[\w.-]+", line)
        if name and name[0] not in found:
            try:
                found[name[0]] = importlib.metadata.version(name[0])
            except importlib.metadata.PackageNotFoundError:
                continue
    found.pop(DISTRIBUTION, None)
    return found


def this_machine() -> Machine:
    return Machine(
        system=platform.platform(),
        processor=machine.cpu_name(),
        cores=machine.usable_cores(),
        memory_bytes=machine.memory_bytes(),
        gpu_driver=machine.driver_version(),
    )
