"""Every room of operations is held to one shape, whatever it computes: CONTRIBUTING.md, "Adding a kernel".

Results are compared with the oracle of the room's problems, the definition's and each kernel's alike.
"""

from __future__ import annotations

import functools

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from course_lib import cuda, native
from course_lib.cuda.gpu import nvrtc
from course_lib.errors import CourseError
from course_lib.operation import NAMESPACE, Explanation
from tests.rooms.launched import spy_on_launches
from tests.rooms.room import ROOT, find_rooms, rooms_from_elsewhere

ELSEWHERE = rooms_from_elsewhere()
ROOMS = ELSEWHERE or find_rooms()

every_room = pytest.mark.parametrize("room", ROOMS, ids=str)
every_version = pytest.mark.parametrize(
    ("room", "version"), [pytest.param(room, v, id=f"{room}-{v}") for room in ROOMS for v in room.versions]
)
needs_compiler = pytest.mark.skipif(native.find_compiler("c++") is None, reason="no C++ compiler")


def test_there_are_rooms_and_no_kernel_outside_them():
    assert ROOMS
    inside = {file for room in ROOMS for file in room.kernel_files}
    assert ELSEWHERE or inside == set((ROOT / "course_lib").rglob("*.cu"))


@every_room
def test_no_part_is_missing(room):
    assert not room.missing(), "\n".join(room.missing())


@every_room
def test_problems_are_awkward(room):
    """Nothing at all, a single element, and a side beyond a warp that no tile divides."""
    assert len({problem.name for problem in room.problems}) == len(room.problems)
    shapes = [problem.call(room.function).shape for problem in room.problems]
    assert any(0 in shape for shape in shapes), "no problem has an empty result"
    assert any(shape.numel() == 1 for shape in shapes), "no problem has a single result"
    assert any(side > 32 and side % 8 for shape in shapes for side in shape), "no result has a side like 33 or 131"
    assert any(problem.closely for problem in room.problems), "no problem is marked closely=True"
    met = {each.dtype for problem in room.problems for each in _operands(problem)}
    assert set(room.operation.dtypes) <= met, "a dtype of the kernels occurs in no problem"


@every_room
def test_the_definition_is_right(room):
    for problem in room.problems:
        _right(problem.call(room.function, version=0), problem)


@needs_compiler
@every_version
def test_nothing_is_found_under_observation(room, version):
    assert not _findings(room, version), "\n".join(_findings(room, version))


@needs_compiler
@every_version
def test_every_version_is_right_on_the_host(room, version, monkeypatch):
    if _findings(room, version):  # it would run inside this process, and write wherever it likes
        pytest.fail(f"{room} {version} is not run: test_nothing_is_found_under_observation found something.")
    launched = spy_on_launches(monkeypatch)
    for problem in room.problems:
        defined = problem.call(room.function, version=0)
        assert launched == [], f"{problem.name}: version 0 launches a kernel"
        result = problem.call(room.function, version=version)
        assert launched.pop() == problem.call(room.function, version=version, explain=True).launch.template
        assert (result.shape, result.dtype) == (defined.shape, defined.dtype), problem.name
        _right(result, problem)


@pytest.mark.parametrize(
    ("line", "architecture"),
    [pytest.param(*each, id=f"{r}-{each[0].kernel}-{each[1]}") for r in ROOMS for each in r.promises],
)
def test_promises_are_kept(line, architecture):
    try:
        nvrtc.version()
    except nvrtc.NoNvrtc as missing:
        pytest.skip(str(missing))
    found = cuda.inspect(line.path, line.kernel, architecture, options=line.options)
    assert not line.problems(found), f"{found}\n" + "\n".join(line.problems(found))


@every_room
def test_torch_accepts_the_operations(room):
    """Schema, fake implementation and autograd, for every operation of ours that a call reaches."""
    for problem in room.problems:
        if problem.closely:
            with _Recorded() as recorded:
                problem.call(room.function)
            assert room.name in {operation._opname for operation, _ in recorded.calls}
            for operation, args in recorded.calls:
                torch.library.opcheck(operation, args)


@every_room
def test_gradients_are_those_of_small_steps(room):
    """(L(x + h d) - L(x - h d)) / 2h is <gradient, d>: L weighs the result at random, d is a random direction."""
    torch.manual_seed(0)
    for problem in room.problems:
        leaves = [each for each in _operands(problem) if each.requires_grad]
        result = problem.call(room.function) if problem.closely and leaves else torch.empty(0, dtype=torch.int8)
        if result.dtype != torch.float32:
            continue
        weights = torch.randn(result.shape, dtype=torch.float64)
        gradients = torch.autograd.grad((result * weights).sum(), leaves)
        for leaf, gradient in zip(leaves, gradients, strict=True):
            direction, step = torch.randn_like(leaf), 0.01 * leaf.detach().abs().mean()
            total = lambda p=problem, w=weights: (p.call(room.function) * w).sum()  # noqa: E731
            measured = _slope(total, leaf, step * direction) / step
            error = (measured - (gradient * direction).sum()).abs()
            assert error <= 0.02 * max(measured.abs(), gradient.norm()), f"{problem.name}: {tuple(leaf.shape)}"


@every_room
def test_it_compiles_into_one_graph(room):
    for problem in room.problems:
        if problem.closely:
            torch._dynamo.reset()
            compiled = torch.compile(room.function, fullgraph=True, backend="aot_eager")
            _right(problem.call(compiled), problem)


@every_room
def test_it_says_which_way_it_takes_and_why(room):
    problem, newest = room.problems[0], max(room.versions)
    said = problem.call(room.function, explain=True)
    assert isinstance(said, Explanation)
    assert (said.way, said.version, said.launch) == (
        "cpu" if not room.operation.no_cpu else room.operation.on_cpu,
        0,
        None,
    )
    assert said.reason in str(said)
    with cuda.use("host"):
        said = problem.call(room.function, explain=True)
    assert (said.operation, said.way, said.version) == (room.name, "host", newest)
    assert said.launch.file in room.kernel_files
    for version in room.versions:
        assert problem.call(room.function, version=version, explain=True).version == version
    assert problem.call(room.function, version=0, explain=True).way == "reference"


@every_room
def test_mistakes_are_named(room):
    problem = room.problems[0]
    for version in (-1, max(room.versions) + 1, "cuda", True):
        with pytest.raises(CourseError, match=rf"{room.name}: version is .*{max(room.versions)} \(.*None"):
            problem.call(room.function, version=version)
    for k in range(len(problem.args)):
        for wrong in ([1.0], torch.zeros(2, 3, 4, 5, 6), None):
            with pytest.raises(CourseError, match=room.name):
                room.function(*problem.args[:k], wrong, *problem.args[k + 1 :], **problem.named)


@every_room
def test_the_cpu_path_is_right(room):
    """What a laptop runs by default: cpu.cpp, or what the room declares in its place."""
    for problem in room.problems:
        _right(problem.call(room.function), problem)


@every_room
def test_a_benchmark_times_it_beside_peers(room):
    family = room.benchmark.FAMILY
    assert family.name == room.name
    for device in (torch.device("cpu"), torch.device("cuda")):
        for case in family.cases(device, True):
            contenders = family.contenders(device, case)
            assert {contender.ours for contender in contenders} == {True, False}, f"{case.name} lacks ours or a peer"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no NVIDIA GPU")
@pytest.mark.parametrize(
    ("room", "version"), [pytest.param(room, v, id=f"{room}-{v}") for room in ROOMS for v in (None, 0, *room.versions)]
)
def test_every_version_is_right_on_a_gpu(room, version):
    for problem in room.problems:
        there = problem.on("cuda")
        said = there.call(room.function, version=version, explain=True)
        assert said.way == ("reference" if version == 0 else "cuda"), said
        _right(there.call(room.function, version=version), problem)


class _Recorded(TorchFunctionMode):
    """Keeps the calls of our own operations."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if getattr(function, "namespace", "") == NAMESPACE:
            self.calls.append((function, args))
        return function(*args, **(kwargs or {}))


@functools.cache
def _findings(room, version):
    """What `cuda.check` reports of the problems that are looked at closely."""
    watched = {each: each.call(room.function, version=version, explain=True) for each in room.problems if each.closely}
    reports = {problem.name: said.launch.check(time_limit=60) for problem, said in watched.items()}
    return [f"{name}: {report}" for name, report in reports.items() if not report.ok or report.notes]


@torch.no_grad()
def _slope(call, leaf, step):
    """Half the difference of `call` with `leaf` moved by +step and by -step; the leaf is moved back."""
    kept = leaf.clone()
    ends = [(leaf.copy_(kept + sign * step), call())[1] for sign in (1, -1)]
    leaf.copy_(kept)
    return (ends[0] - ends[1]) / 2


def _right(result, problem):
    problem.check(result.detach().cpu())


def _operands(problem):
    """The tensors of a call, those in a format's fields too."""
    for value in (*problem.args, *problem.named.values()):
        if isinstance(value, Tensor):
            yield value
        else:
            yield from (each for each in getattr(value, "__dict__", {}).values() if isinstance(each, Tensor))
