"""Kernels in a process of their own: what goes wrong there becomes a message here."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from course_lib import cuda
from tests.ctrl_c import interruptible

SOURCE = """
#include <stdlib.h>
__constant__ int how;
__global__ void k(float* x, int what) {
    if (what == 1) { volatile int i = 0; while (true) i = i + 1; }
    if (what == 2) *(volatile int*)8 = 1;
    if (what == 3) abort();
    if (what == 4) exit(7);
    if (what == 5) asm volatile("int3");
    __syncthreads();
    x[threadIdx.x] = how + threadIdx.x;
    if (threadIdx.x == 0 && what == 6) printf("done\\n");
}
"""


@pytest.fixture
def kernel():
    made = cuda.compile(SOURCE, "k", backend="host")
    made.variable("how").view(np.int32)[:] = 10
    return made


def children():
    listing = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True
    ).stdout
    return [line for line in listing.splitlines() if "cuda-host-" in line]


def run(kernel, what, limit=20.0):
    x = np.zeros(4, np.float32)
    with cuda.use("host", isolated=True, time_limit=limit):
        kernel(1, 4, (x, what))
    return x


def test_results_come_back(kernel, capsys):
    np.testing.assert_array_equal(run(kernel, 6), [10, 11, 12, 13])
    assert capsys.readouterr().out == "done\n"


def test_arrays_that_share_memory_come_back_together(kernel):
    source = "__global__ void k(float* x, float* y) { x[threadIdx.x] += 1; __syncthreads(); y[threadIdx.x] *= 10; }"
    base = np.arange(6, dtype=np.float32)
    with cuda.use("host", isolated=True):
        cuda.compile(source, "k", backend="host")(1, 4, (base[:4], base[2:]))
    np.testing.assert_array_equal(base, [1, 2, 30, 40, 40, 50])


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (2, r"segmentation fault\) in thread \(0, 0, 0\) of block \(0, 0, 0\)"),
        (3, r"abort\(\)"),
        (4, "exit code 7"),
    ],
)
def test_a_fault_is_a_message(kernel, what, said):
    with pytest.raises(cuda.LaunchError, match=said):
        run(kernel, what)
    assert not children()


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="int3 is an instruction of x86")
def test_a_trap_is_a_message(kernel):
    with pytest.raises(cuda.LaunchError, match="a trap"):
        run(kernel, 5)


def test_an_endless_loop_is_ended(kernel):
    start = time.monotonic()
    with pytest.raises(cuda.LaunchError, match=r"did not finish within 0.5 s.*thread \(0, 0, 0\) of block \(0, 0, 0\)"):
        run(kernel, 1, limit=0.5)
    assert time.monotonic() - start < 30
    assert not children()


def test_arrays_of_a_failed_launch_stay_as_they_were(kernel):
    x = np.full(4, 5, np.float32)
    with cuda.use("host", isolated=True), pytest.raises(cuda.LaunchError):
        kernel(1, 4, (x, 3))
    np.testing.assert_array_equal(x, 5)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_nothing_stays_behind_when_the_caller_is_interrupted_or_killed(tmp_path):
    """The caller, a Python of its own, is interrupted in the middle of a launch, and another one is killed."""
    script = tmp_path / "caller.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import numpy as np
            from course_lib import cuda
            kernel = cuda.compile({SOURCE!r}, "k", backend="host")
            print("ready", flush=True)
            with cuda.use("host", isolated=True, time_limit=100):
                kernel(1, 4, (np.zeros(4, np.float32), 1))
            """
        )
    )
    for ending in (signal.SIGINT, signal.SIGKILL):
        command = [sys.executable, str(script)]
        caller = subprocess.Popen(
            interruptible(command),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": "."},
        )  # fmt: skip
        assert caller.stdout.readline() == b"ready\n"
        child = wait_for(lambda caller=caller: child_of(caller.pid))
        caller.send_signal(ending)
        caller.wait(300)
        caller.stdout.close()
        wait_for(lambda child=child: not alive(child))


def child_of(pid):
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and "/cuda-host-" in Path(status.parent, "cmdline").read_text():
            return int(status.parent.name)
    return 0


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition, seconds=300):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := condition():
            return result
        time.sleep(0.02)
    raise AssertionError("waited in vain")
