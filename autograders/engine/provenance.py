"""What a mark was made with, for the evidence: limits, versions, the sandbox, the machine."""

from __future__ import annotations

import functools
import platform
from importlib import metadata

from autograders.engine.isolation.available import describe
from autograders.engine.isolation.limits import Limits

__all__ = ["provenance"]


@functools.cache
def provenance(limits: Limits, *, unsafe: bool = False) -> dict[str, object]:
    packages = ("small-fast-networks", "torch", "numpy", "ipython", "nbgrader", "distributed")
    return {
        "limits": limits.as_dict(),
        "sandbox": "NONE: graded with --unsafe-no-sandbox" if unsafe else describe(limits),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in packages}},
        "machine": {"system": platform.platform(), "processor": platform.machine()},
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "absent"
