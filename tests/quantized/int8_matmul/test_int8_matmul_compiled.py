"""NVRTC compiles every kernel for every architecture; the `expect` lines of the .cu files say what must come out."""

from __future__ import annotations

from pathlib import Path

import pytest

from course_lib.cuda import nvrtc
from course_lib.cuda.expectations import ARCHITECTURES, expectations
from course_lib.cuda.resources import inspect
from course_lib.quantized.int8_matmul import KERNELS, op

FOLDER = Path(op.__file__).parent
EXPECTED = [
    (each, arch) for path in sorted(FOLDER.glob("*.cu")) for each in expectations(path) for arch in each.architectures
]


def test_every_kernel_has_expectations_for_every_architecture():
    covered = {(each.path.stem, arch) for each, arch in EXPECTED}
    assert covered == {(name, arch) for name in KERNELS.values() for arch in ARCHITECTURES}


@pytest.mark.parametrize(("expected", "arch"), EXPECTED, ids=lambda value: getattr(value, "kernel", value))
def test_compiles_as_expected(expected, arch):
    try:
        nvrtc.version()
    except nvrtc.NoNvrtc as missing:
        pytest.skip(str(missing))
    assert expected.problems(inspect(expected.path, expected.kernel, arch, options=expected.options)) == []
