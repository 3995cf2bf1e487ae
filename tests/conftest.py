"""What every test may rely on: the same random numbers in every run, and matplotlib as it comes."""

from __future__ import annotations

import os
import random
import sys
import zlib

import pytest
from hypothesis import register_random

from tests import examples
from tests.file_order import longest_first, times_of_the_last_run

# Images of containers set it; every process that a test starts would then compile torch's 2,000 files once more.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
if not examples.NIGHTLY:
    os.environ.setdefault("PYTHONHASHSEED", "0")  # of xdist's workers and of what tests start


class TorchRandom:
    """torch's generator, as Hypothesis wants it: seeded anew for each example."""

    def seed(self, seed):
        sys.modules["torch"].manual_seed(seed)

    def getstate(self):
        return sys.modules["torch"].get_rng_state()

    def setstate(self, state):
        sys.modules["torch"].set_rng_state(state)


TORCH_RANDOM = TorchRandom()


def pytest_collection_modifyitems(items):
    longest_first(items, times_of_the_last_run())


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Before fixtures of any scope: no test depends on what ran before it."""
    seed = zlib.crc32(item.nodeid.encode())
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
        register_random(TORCH_RANDOM)


@pytest.fixture(autouse=True)
def plain_figures():
    """matplotlib as it comes: a notebook that an earlier test ran in this process has left the course's own look."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot and pyplot.rcParams["axes.titlelocation"] != pyplot.rcParamsDefault["axes.titlelocation"]:
        pyplot.rcdefaults()
