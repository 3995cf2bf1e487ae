"""Which sandbox can be had on this machine, and what to do where none can."""

from __future__ import annotations

import shutil
import subprocess
import sys

from autograders.engine.isolation import seccomp
from autograders.engine.isolation.caps import best_caps
from autograders.engine.isolation.limits import Limits
from autograders.engine.isolation.mounts import SandboxMissing, as_root, bubblewrap, version

__all__ = ["SandboxMissing", "describe", "require_sandbox"]


def require_sandbox(limits: Limits | None = None) -> str:
    """A sentence on the sandbox that this machine has. Raises SandboxMissing, with what to do, if it has none."""
    if not sys.platform.startswith("linux"):
        raise SandboxMissing("submissions are graded in a bubblewrap sandbox, which Linux alone has; grade them there")
    if not shutil.which("bwrap"):
        raise SandboxMissing("bubblewrap is not installed; install it (Debian, Ubuntu: apt install bubblewrap)")
    if not seccomp.is_supported():
        raise SandboxMissing("there is a system call filter for x86_64 and aarch64 processors alone")
    probe = [*bubblewrap(limits or Limits(), probe=True), "--", "/usr/bin/true"]
    done = subprocess.run(probe, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise SandboxMissing(
            f"bubblewrap cannot start a sandbox here ({reason}); containers need --privileged or unprivileged user "
            "namespaces, Ubuntu 24.04 needs an AppArmor profile for bwrap"
        )
    return describe(limits)


def describe(limits: Limits | None = None) -> str:
    """Its version, user and caps, in a few words: the evidence names them."""
    caps = best_caps(limits or Limits())
    caps.close()
    user = "a user of its own" if as_root() else "a user namespace"
    return f"bubblewrap {'.'.join(map(str, version()))}, {user}, caps by {caps.kind}"
