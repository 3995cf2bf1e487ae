"""What the kernel tests share."""

import importlib.util

import numpy as np
import pytest

from course_lib import native

NAMES_LINES = ("tests/cuda/watching", "tests/cuda/test_written_kernel.py")


def pytest_collection_modifyitems(items):
    has_compiler = native.find_compiler("c++") is not None
    has_elftools = importlib.util.find_spec("elftools") is not None
    for item in items:
        path = item.path.as_posix()
        if "tests/cuda" not in path or "gpu" in item.keywords:
            continue
        if not has_compiler:
            item.add_marker(pytest.mark.skip(reason="no C++ compiler"))
        elif not has_elftools and any(part in path for part in NAMES_LINES):
            item.add_marker(pytest.mark.skip(reason="findings name source lines: pip install pyelftools"))


@pytest.fixture
def rng():
    return np.random.default_rng(0)
