"""What every test may rely on."""

from __future__ import annotations

import sys

import pytest

from tests.file_order import longest_first, times_of_the_last_run


def pytest_collection_modifyitems(items):
    longest_first(items, times_of_the_last_run())


@pytest.fixture(autouse=True)
def plain_figures():
    """matplotlib as it comes: a notebook that an earlier test ran in this process has left the course's own look."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot and pyplot.rcParams["axes.titlelocation"] != pyplot.rcParamsDefault["axes.titlelocation"]:
        pyplot.rcdefaults()
