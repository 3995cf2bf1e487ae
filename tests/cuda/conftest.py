"""What the kernel tests share."""

import numpy as np
import pytest

from course_lib import native


def pytest_collection_modifyitems(items):
    if native.find_compiler("c++") is None:
        for item in items:
            if "tests/cuda" in str(item.path) and "gpu" not in item.keywords:
                item.add_marker(pytest.mark.skip(reason="no C++ compiler"))


@pytest.fixture
def rng():
    return np.random.default_rng(0)
