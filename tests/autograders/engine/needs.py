"""What tests of real sandboxes need, and why they are skipped where it is missing."""

from __future__ import annotations

import functools

import pytest

from autograders.engine.isolation.available import SandboxMissing, require_sandbox


@functools.cache
def _missing() -> str:
    try:
        require_sandbox()
    except SandboxMissing as reason:
        return str(reason)
    return ""


needs_sandbox = pytest.mark.skipif(bool(_missing()), reason=f"no sandbox here: {_missing()}")
