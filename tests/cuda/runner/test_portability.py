"""The other ways to the same result: other stack switching, other compilers, another processor, no GPU packages."""

import importlib.util
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from course_lib import cuda, native
from course_lib.cuda.runner import host_compile, isolated
from tests.cuda import third_party

WITH_BARRIERS = [third_party.tiled_matmul, third_party.reduction, third_party.softmax, third_party.layer_norm_half]
QEMU = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
has_zig = importlib.util.find_spec("ziglang") is not None


def run_isolated(case, rng):
    kernel, grid, block, arguments, shared_mem, expected, tolerance = case(rng)
    with cuda.use("host", isolated=True, time_limit=120):
        kernel(grid, block, arguments, shared_mem=shared_mem)
    for position, values in expected.items():
        np.testing.assert_allclose(arguments[position], values, rtol=tolerance, atol=tolerance)
    report = cuda.check(kernel, grid, block, arguments, shared_mem, time_limit=120)
    assert report.ok, str(report)


@pytest.mark.parametrize("case", WITH_BARRIERS[:2], ids=lambda case: case.__name__)
def test_the_c_librarys_own_stack_switching(case, rng, monkeypatch):
    monkeypatch.setattr(host_compile, "BARE", (*host_compile.BARE, "-DCOURSE_UCONTEXT"))
    run_isolated(case, rng)


@pytest.mark.slow
@pytest.mark.skipif(not has_zig, reason="the ziglang wheel is not installed")
class TestZig:
    @pytest.fixture(autouse=True)
    def only_zig(self, monkeypatch):
        monkeypatch.setenv("COURSE_COMPILER", "zig")

    @pytest.mark.parametrize("case", WITH_BARRIERS, ids=lambda case: case.__name__)
    def test_results_and_checks(self, case, rng):
        run_isolated(case, rng)

    def test_faults_have_their_lines(self):
        kernel = cuda.compile("__global__ void k(float* x) {\n    x[threadIdx.x] = 1;\n}", "k", backend="host")
        (finding,) = cuda.check(kernel, 1, 5, (np.zeros(4, np.float32),)).findings
        assert (finding.kind, finding.line) == ("out-of-bounds write", 2)

    def test_plain_loops_are_recognised(self):
        source = "__global__ void plain(float* x) { x[0] = 1; }\n__global__ void waits(float* x) { __syncthreads(); }"
        assert cuda.compile(source, "plain", backend="host").host().library.is_plain
        assert not cuda.compile(source, "waits", backend="host").host().library.is_plain


class ForArm(native.Compiler):
    def driver(self, language):
        return [*super().driver(language), "-target", "aarch64-linux-musl", "-static"]


@pytest.mark.slow
@pytest.mark.skipif(not (has_zig and QEMU), reason="needs the ziglang wheel and qemu-aarch64")
@pytest.mark.parametrize("case", WITH_BARRIERS, ids=lambda case: case.__name__)
def test_arm64_under_emulation(case, rng, monkeypatch):
    monkeypatch.setenv("COURSE_COMPILER", "zig")
    zig = native.find_compiler("c++")
    arm = ForArm(zig.command, zig.family, f"{zig.version} for arm64")
    really = subprocess.Popen

    def without_native(flags):
        return [flag for flag in flags if flag != "-march=native"]

    watched = host_compile._watched
    monkeypatch.setattr(host_compile, "host_compiler", lambda: arm)
    monkeypatch.setattr(host_compile, "KERNEL", without_native(host_compile.KERNEL))
    monkeypatch.setattr(host_compile, "_watched", lambda compiler: without_native(watched(compiler)))

    def emulated(command, **how):
        is_kernel = len(command) > 1 and command[1].endswith("/job")
        return really([QEMU, *command] if is_kernel else command, **how)

    monkeypatch.setattr(isolated.subprocess, "Popen", emulated)
    # the kernels must not be compiled for this process, whose processor is another one
    monkeypatch.setattr(cuda.Kernel, "prepare", lambda kernel: None)
    run_isolated(case, rng)


NO_GPU_PACKAGES = """
import importlib.util, sys
for name in ("cupy", "torch", "cuda", "IPython"):
    sys.modules[name] = None
import numpy as np
from course_lib import cuda
k = cuda.compile("__global__ void k(float* x) { __syncthreads(); x[threadIdx.x] += 1; }", "k")
x = np.zeros(4, np.float32)
k(1, 4, (x,))
assert (x == 1).all()
assert cuda.check(k, 1, 4, (x,)).ok
if importlib.util.find_spec("elftools"):
    assert cuda.check(k, 1, 5, (x,)).kinds() == {"out-of-bounds write", "out-of-bounds read"}
try:
    cuda.inspect("__global__ void k() {}", "k", "sm_80")
except cuda.NoNvrtc as error:
    assert "pip install cupy" in str(error)
"""


def test_numpy_is_all_it_needs():
    done = subprocess.run(
        [sys.executable, "-c", NO_GPU_PACKAGES], env={**os.environ, "PYTHONPATH": "."}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


NO_ELFTOOLS = """
import sys
sys.modules["elftools"] = None
import numpy as np
from course_lib import cuda
k = cuda.compile("__global__ void k(float* x) { x[threadIdx.x] += 1; }", "k", backend="host")
x = np.zeros(4, np.float32)
assert cuda.check(k, 1, 4, (x,)).ok
assert cuda.access_trace.trace(k, 1, 4, (x,)).of("x").sectors() == 2
cuda.check(k, 1, 5, (x,))
"""


def test_only_naming_a_line_takes_pyelftools():
    done = subprocess.run(
        [sys.executable, "-c", NO_ELFTOOLS], env={**os.environ, "PYTHONPATH": "."}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(
        "CourseError: Naming a kernel's source lines takes pyelftools: pip install pyelftools"
    )


def test_importing_brings_neither_torch_nor_cupy():
    code = "import sys; from course_lib import cuda; print(*{'torch', 'cupy', 'IPython'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": "."}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.strip()) == (0, "")


def test_nothing_else_of_the_library_is_imported():
    code = (
        "import sys; from course_lib import cuda; print(*sorted(n for n in sys.modules if n.startswith('course_lib.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": "."}, capture_output=True, text=True
    )
    rooms = {name.split(".")[1] for name in done.stdout.split()}
    assert not rooms & {
        "sparse",
        "quantized",
        "models",
        "training",
        "notebook",
        "explore",
        "measure",
        "data",
        "workbook",
    }


@pytest.mark.slow
@pytest.mark.skipif(not has_zig, reason="the ziglang wheel is not installed")
def test_kernels_of_two_compilers_in_one_process(rng, monkeypatch):
    for compiler in ("", "zig", ""):
        monkeypatch.setenv("COURSE_COMPILER", compiler)
        kernel, grid, block, arguments, _, expected, tolerance = third_party.tiled_matmul(rng)
        with cuda.use("host"):
            kernel(grid, block, arguments)
        np.testing.assert_allclose(arguments[2], expected[2], rtol=tolerance, atol=tolerance)


def test_a_runner_that_is_linked_into_the_kernel(rng, monkeypatch):
    """As on Apple's systems, where there is no name by which a kernel could find a library that is loaded already."""
    really = native.build

    def as_object(source, language, **how):
        is_runner = how["name"] == "cuda-runtime"
        return really(source, language, **{**how, "links": ("-c",), "suffix": ".o"} if is_runner else how)

    monkeypatch.setattr(host_compile.native, "build", as_object)
    kernel, grid, block, arguments, _, expected, tolerance = third_party.tiled_matmul(rng)
    with cuda.use("host"):
        kernel(grid, block, arguments)
    np.testing.assert_allclose(arguments[2], expected[2], rtol=tolerance, atol=tolerance)
