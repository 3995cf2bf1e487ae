"""Every kernel compiles for every GPU generation and keeps what its file promises. Needs NVRTC, no GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from course_lib.cuda.gpu.expectations import expectations
from course_lib.cuda.gpu.nvrtc import NoNvrtc, version
from course_lib.cuda.gpu.resources import inspect
from course_lib.sparse.csr_matmul.launch import HERE

FILES = sorted(HERE.glob("*.cu"))
PROMISES = [
    pytest.param(expected, arch, id=f"{expected.kernel}-{arch}")
    for path in FILES
    for expected in expectations(path)
    for arch in expected.architectures
]


def test_every_file_promises_something_for_the_oldest_and_the_newest():
    assert [path.stem for path in FILES] == ["row_per_thread", "row_per_warp", "sddmm", "tiled"]
    for path in FILES:
        met = {arch for expected in expectations(path) for arch in expected.architectures}
        assert {"sm_75", "sm_90"} <= met, path


@pytest.mark.parametrize(("expected", "arch"), PROMISES)
def test_promise_is_kept(expected, arch):
    try:
        version()
    except NoNvrtc as missing:
        pytest.skip(str(missing))
    assert expected.problems(inspect(Path(expected.path), expected.kernel, arch, options=expected.options)) == []
