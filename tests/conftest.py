"""What every test may rely on."""

from __future__ import annotations

import sys

import pytest


def pytest_collection_modifyitems(items):
    """Files with long tests first, so that the last minutes are not one worker's alone."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def plain_figures():
    """matplotlib as it comes: a notebook that an earlier test ran in this process has left the course's own look."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot and pyplot.rcParams["axes.titlelocation"] != pyplot.rcParamsDefault["axes.titlelocation"]:
        pyplot.rcdefaults()
