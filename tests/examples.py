"""How many random examples a test draws, and whether every run draws the same ones.

`make test` draws the same in every run: it fails only for what was changed. HYPOTHESIS_PROFILE=nightly draws others
each time, ten times as many, and begins with what failed before. An example that has found a fault is kept beside its
test with `@example`.
"""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

__all__ = ["MORE", "examples"]

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
MORE = 10 if NIGHTLY else 1
FAILED_BEFORE = Path(__file__).resolve().parents[1] / ".hypothesis" / "examples"

# a busy machine makes every example slow: time fails no test
UNHURRIED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", derandomize=True, database=None, **UNHURRIED)
settings.register_profile(
    "nightly", max_examples=1000, database=DirectoryBasedExampleDatabase(FAILED_BEFORE), print_blob=True, **UNHURRIED
)
settings.load_profile("nightly" if NIGHTLY else "default")


def examples(count: int) -> settings:
    """A decorator beside `@given` where 100 do not fit: `count` examples in `make test`, ten times as many at night."""
    return settings(max_examples=count * MORE)
