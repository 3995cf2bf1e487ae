"""Which way a call takes, on GPUs that are pretended."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
import torch

from course_lib import cuda
from course_lib.cuda import versions
from course_lib.errors import CourseError
from course_lib.operation import Operation, Version

LATER = {
    1: Version("naive"),
    2: Version("dp4a", needs=(6, 1)),
    3: Version("mma", needs=(7, 5)),
    4: Version("wgmma", (9, 0)),
}
OPERATION = Operation("scale", LATER, (torch.float32, torch.float16), no_cpu="nobody has written it", on_cpu="torch")


@pytest.fixture
def gpu(monkeypatch):
    """A function: capability -> something that looks like a float32 tensor on such a GPU, with CuPy installed."""

    def make(major, minor, dtype=torch.float32, cupy=True):
        monkeypatch.setattr(versions, "_has_cupy", lambda: cupy)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (major, minor))
        return SimpleNamespace(is_cuda=True, device=torch.device("cuda", 0), dtype=dtype)

    return make


@pytest.mark.parametrize(
    ("capability", "version", "words"),
    [
        ((10, 0), 4, r"the newest, and this GPU \(10.0\) runs it"),
        ((9, 0), 4, r"the newest, and"),
        ((8, 9), 3, r"the newest for this GPU \(8.9\)"),
        ((7, 5), 3, "the newest for"),
        ((7, 0), 2, "the newest for"),
        ((6, 0), 1, "the newest for"),
    ],
)
def test_a_gpu_gets_the_newest_version_that_it_runs(gpu, capability, version, words):
    way = OPERATION.way(gpu(*capability), None)
    assert (way.name, way.version) == ("cuda", version)
    assert re.search(words, way.reason)


def test_what_stands_in_the_way_of_a_kernel_is_said(gpu):
    assert OPERATION.way(gpu(9, 0, dtype=torch.float64), None)[:2] == ("reference", 0)
    without = OPERATION.way(gpu(9, 0, cupy=False), None)
    assert without[:2] == ("reference", 0)
    assert "no kernel can be launched on cuda:0; `course doctor`" in without.reason
    only_new = Operation("scale", {1: Version("wgmma", (9, 0))}, (torch.float32,))
    assert only_new.way(gpu(8, 0), None).name == "reference"
    assert OPERATION.way(torch.empty(2, device="meta"), None).name == "reference"


def test_a_version_that_is_asked_for_runs_where_the_tensor_lies(gpu):
    assert OPERATION.way(gpu(6, 0), 3) == ("cuda", 3, "version 3 was asked for")
    assert OPERATION.way(gpu(6, 0), 0)[:2] == ("reference", 0)
    assert OPERATION.way(torch.ones(2), 1)[:2] == ("host", 1)
    with cuda.use("host"):
        tensor = gpu(6, 0)
        assert OPERATION.way(tensor, 3)[:2] == ("host", 3)
        assert OPERATION.way(tensor, None)[:2] == ("host", 4)  # the host runs every version


def test_a_cpu_takes_its_fast_path_or_says_why_there_is_none():
    way = OPERATION.way(torch.ones(2), None)
    assert way == ("torch", 0, "the tensors lie in the computer's memory, and nobody has written it")
    assert Operation("scale", LATER, (torch.float32,)).way(torch.ones(2), None)[:2] == ("cpu", 0)
    assert Operation("scale", LATER, (torch.float32,)).way(torch.ones(2).double(), None)[:2] == ("reference", 0)


@pytest.mark.parametrize("version", [5, -1, "4", True, False, 1.5])
def test_versions_that_do_not_exist(version):
    with pytest.raises(CourseError, match=r"scale: version is .*; it is 0 \(the definition\), 1 \(naive\), .* or None"):
        OPERATION.check_version(version, torch.float32)


def test_versions_that_do_not_compute_with_a_dtype():
    OPERATION.check_version(None, torch.float64)
    OPERATION.check_version(0, torch.float64)
    with pytest.raises(CourseError, match=r"scale: the kernels compute with float32, float16, not with float64"):
        OPERATION.check_version(2, torch.float64)
