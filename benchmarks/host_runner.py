"""How fast CUDA kernels run on this computer's processor, beside the same loops in plain C++.

    course bench host_runner            (or python -m benchmarks.host_runner)

Two claims: a 512x512x512 float32 matmul with 16x16 shared tiles takes at most 1 s on 2 cores, and a kernel without
barriers takes at most three times as long as the same loop compiled with -O2. Times are the processor time of this
process (other programs on the computer count little) and, in brackets, of the wall clock; medians of several runs.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.harness.machine import describe, device_slug
from benchmarks.harness.result import RESULTS, save
from course_lib import cuda, native
from course_lib.cuda.runner.host_kernel import workers

ELEMENTS = 1 << 22
MATMUL = """
__global__ void matmul(const float* a, const float* b, float* c, int n) {
    __shared__ float a_tile[16][17], b_tile[16][17];
    int row = blockIdx.y * 16 + threadIdx.y, column = blockIdx.x * 16 + threadIdx.x;
    float sum = 0;
    for (int k = 0; k < n; k += 16) {
        a_tile[threadIdx.y][threadIdx.x] = a[row * n + k + threadIdx.x];
        b_tile[threadIdx.y][threadIdx.x] = b[(k + threadIdx.y) * n + column];
        __syncthreads();
        for (int i = 0; i < 16; i++) sum += a_tile[threadIdx.y][i] * b_tile[i][threadIdx.x];
        __syncthreads();
    }
    c[row * n + column] = sum;
}
"""
# name: (body of the loop over i, arrays' type)
LOOPS = {
    "add": ("c[i] = a[i] + b[i];", "float"),
    "saxpy": ("c[i] = 2.5f * a[i] + b[i];", "float"),
    "relu": ("c[i] = a[i] > 0.5f ? a[i] : 0.0f;", "float"),
    "polynomial": ("float x = a[i]; c[i] = ((x * 0.3f + 0.2f) * x + 0.7f) * x + b[i];", "float"),
    "exp": ("c[i] = expf(a[i]) * b[i];", "float"),
    "hash": ("unsigned x = a[i] * 2654435761u; x ^= x >> 15; c[i] = x + b[i];", "unsigned"),
    "gather": ("c[i] = a[(i * 7919u) & (n - 1)] + b[i];", "float"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a line for each, and save them all."""
    cpu = torch.device("cpu")
    parser = argparse.ArgumentParser(prog="benchmarks.host_runner", description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=RESULTS / f"host_runner-{device_slug(cpu)}.json")
    output = parser.parse_args(arguments).output
    compiler = native.find_compiler("c++")
    if compiler is None:
        raise native.NoCompiler("c++")
    machine = describe(cpu) | {"workers": workers(), "compiler": compiler.version}
    print(f"{machine['device']}, {machine['cores']} cores; {workers()} worker threads; {machine['compiler']}")
    rows = []
    for measured in (matmul, shuffles, *(lambda name=name: loop(name) for name in LOOPS)):
        rows.append(measured())
        print(rows[-1].pop("line"), flush=True)
    print(f"saved as {save({'family': 'host_runner', 'machine': machine, 'rows': rows}, output)}")


def matmul() -> dict[str, Any]:
    """The tiled matmul; a kernel with barriers, 262,144 fibers."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((512, 512)).astype(np.float32) for _ in range(2))
    c = np.zeros_like(a)
    kernel = cuda.compile(MATMUL, "matmul", backend="host")
    kernel((32, 32), (16, 16), (a, b, c, 512))
    error = float(np.abs(c - a.astype(np.float64) @ b.astype(np.float64)).max())
    assert error < 1e-3, error
    cpu, wall = measure(lambda: kernel((32, 32), (16, 16), (a, b, c, 512)), runs=5)
    busy = cpu / min(workers(), 2)
    line = f"tiled matmul 512^3: {busy:.2f} s of 2 cores' time ({wall:.2f} s on the clock); at most 1 s: {busy <= 1}"
    return {"name": "matmul_512", "cpu_seconds": cpu, "wall_seconds": wall, "two_core_seconds": busy, "line": line}


def shuffles() -> dict[str, Any]:
    """A warp reduction per row: what one exchange between the lanes of a warp costs."""
    source = """__global__ void rows(const float* x, float* sums, int n) {
        float sum = 0;
        for (int k = threadIdx.x; k < n; k += 32) sum += x[blockIdx.x * n + k];
        for (int step = 16; step; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
        if (threadIdx.x == 0) sums[blockIdx.x] = sum;
    }"""
    x = np.random.default_rng(0).random((4096, 64)).astype(np.float32)
    sums = np.zeros(4096, np.float32)
    kernel = cuda.compile(source, "rows", backend="host")
    cpu, wall = measure(lambda: kernel(4096, 32, (x, sums, 64)), runs=5)
    np.testing.assert_allclose(sums, x.sum(1), rtol=1e-5)
    each = cpu / (4096 * 5)
    line = f"warp reduction: {each * 1e9:.0f} ns for each of its 5 shuffles of a whole warp, all else included"
    return {"name": "warp_reduction", "cpu_seconds": cpu, "wall_seconds": wall, "line": line}


def loop(name: str) -> dict[str, Any]:
    """A kernel without barriers, on one worker, beside the loop it is."""
    body, kind = LOOPS[name]
    kernel = cuda.compile(
        f"""extern "C" __global__ void run(const {kind}* a, const {kind}* b, {kind}* c, int n) {{
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n) {{ {body} }}
        }}""",
        "run",
        backend="host",
    )
    assert kernel.host().library.is_plain
    plain = native.compile_cpp(
        f"""#include <math.h>
        extern "C" void run(const {kind}* a, const {kind}* b, {kind}* c, int n) {{
            for (int i = 0; i < n; i++) {{ {body} }}
        }}""",
        flags=("-O2",),
    )
    rng = np.random.default_rng(0)
    dtype = np.float32 if kind == "float" else np.uint32
    a, b = ((rng.random(ELEMENTS) * (1 if kind == "float" else 2**32)).astype(dtype) for _ in range(2))
    c, wanted = np.zeros_like(a), np.zeros_like(a)
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (a, b, wanted)]
    os.environ["COURSE_CUDA_WORKERS"] = "1"
    ours, _ = measure(lambda: kernel(ELEMENTS // 256, 256, (a, b, c, ELEMENTS)), runs=9)
    del os.environ["COURSE_CUDA_WORKERS"]
    theirs, _ = measure(lambda: plain.run(*pointers, ELEMENTS), runs=9)
    np.testing.assert_allclose(c, wanted, rtol=1e-6)
    ratio = ours / theirs
    line = (
        f"{name:>10}: {ours * 1e3:6.2f} ms, C++ -O2 {theirs * 1e3:6.2f} ms, ratio {ratio:.2f}; at most 3: {ratio <= 3}"
    )
    return {"name": name, "cpu_seconds": ours, "plain_cpp_seconds": theirs, "ratio": ratio, "line": line}


def measure(call: Callable[[], Any], *, runs: int) -> tuple[float, float]:
    """Medians of processor and wall-clock seconds, after one call that does not count."""
    call()
    samples = []
    for _ in range(runs):
        cpu, wall = time.process_time(), time.perf_counter()
        call()
        samples.append((time.process_time() - cpu, time.perf_counter() - wall))
    return statistics.median(s[0] for s in samples), statistics.median(s[1] for s in samples)


if __name__ == "__main__":
    main()
