"""Compiling for GPUs on a computer without one: cubins, errors, the cache, and what the wrappers become."""

import pytest

from course_lib import cuda, native
from course_lib.cuda.gpu import nvrtc
from course_lib.cuda.gpu.expectations import ARCHITECTURES
from course_lib.cuda.gpu.gpu_kernel import architecture
from course_lib.cuda.reading.kernel_text import KernelText
from course_lib.cuda.reading.source import Source, read_source
from tests.cuda.nvrtc_here import needs_nvrtc
from tests.cuda.third_party import KERNELS

pytestmark = needs_nvrtc
THIRD_PARTY = {
    "vector_add": "vectorAdd",
    "tiled_matmul": "matmulTiled<float, TILE>",
    "reduction": "reduceSum",
    "prefix_scan": "prescan",
    "histogram": "histogram256",
    "stencil_2d": "stencil2d",
    "transpose": "transposeNoBankConflicts",
    "softmax": "softmax_forward_kernel",
    "layer_norm": "layernorm_forward<__half>",
}


@pytest.mark.parametrize("arch", [*ARCHITECTURES, "sm_90a"])
@pytest.mark.parametrize("file", THIRD_PARTY)
def test_the_sources_that_run_on_the_host_compile_for_every_gpu(file, arch):
    if file == "softmax" and arch != "sm_80":
        pytest.skip("cooperative_groups.h takes seconds to compile: once is enough")
    found = cuda.inspect(KERNELS / f"{file}.cu", THIRD_PARTY[file], arch)
    assert 0 < found.registers <= 64, str(found)
    assert found.spill_stores == found.spill_loads == 0
    shared = {
        "tiled_matmul": 4 * 16 * 33,
        "reduction": 128,
        "histogram": 1024,
        "stencil_2d": 4 * 12 * 20,
        "transpose": 4 * 32 * 33,
    }
    assert found.shared == shared.get(file, 0)


WRAPPERS = """
#include "mma.cuh"
#include "mma_sparse.cuh"
#include "ldmatrix.cuh"
#include "cp_async.cuh"
#include "dp4a.cuh"
#include "lop3.cuh"
__global__ void k(const unsigned* x, float* f, int* i) {
    __shared__ __align__(16) unsigned s[128];
    cp_async_16(&s[4 * threadIdx.x], x + 4 * threadIdx.x, x[0] != 0);
    cp_async_8(&s[2 * threadIdx.x], x);
    cp_async_4(&s[threadIdx.x], x);
    cp_async_commit();
    cp_async_wait<0>();
    unsigned a[4], b[2], t[2], p;
    ldmatrix_x4(a, &s[4 * threadIdx.x]);
    ldmatrix_x2(b, &s[4 * threadIdx.x]);
    ldmatrix_x1(p, &s[4 * threadIdx.x]);
    ldmatrix_x2_trans(t, &s[4 * threadIdx.x]);
    b[0] ^= t[0], b[1] ^= t[1];
    float d[4] = {};
    int e[4] = {};
    mma_m16n8k16_f16(d, a, b, d);
    mma_m16n8k32_s8(e, a, b, e);
    if (FULL) {
        mma_m16n8k16_bf16(d, a, b, d);
        mma_m16n8k256_b1_and(e, a, b, e);
        const int start[2] = {e[0], e[1]};
        int both[2];
        mma_m8n8k128_b1_and(both, a[0], b[0], start);
        e[0] = both[0];
        mma_sp_m16n8k32_f16(d, a, a, d, p);
        mma_sp_m16n8k32_bf16<1>(d, a, a, d, p);
    }
    e[1] = dp4a(e[0], e[1], dp4a_su(e[2], p, 1)) + lop3<0xEA>(a[0], a[1], a[2]);
    for (int k = 0; k < 4; ++k) f[k * 32 + threadIdx.x] = d[k], i[k * 32 + threadIdx.x] = e[k];
}
"""
COMMON = [
    "ldmatrix.sync.aligned.m8n8.x4.shared.b16",
    "ldmatrix.sync.aligned.m8n8.x2.shared.b16",
    "ldmatrix.sync.aligned.m8n8.x1.shared.b16",
    "ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16",
    "dp4a.s32.s32",
    "dp4a.s32.u32",
    "lop3.b32",
]
AMPERE = [
    "cp.async.cg.shared.global",
    "cp.async.ca.shared.global",
    "cp.async.commit_group",
    "cp.async.wait_group",
    "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32",
    "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32",
    "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32",
    "mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.and.popc",
    "mma.sync.aligned.m8n8k128.row.col.s32.b1.b1.s32.and.popc",
]
TURING = ["mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32", "mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32"]


@pytest.mark.parametrize("arch", [*ARCHITECTURES, "sm_90a"])
def test_the_wrappers_become_their_instructions(arch):
    full = arch != "sm_75"
    found = cuda.inspect(WRAPPERS, "k", arch, options=(f"-DFULL={int(full)}",))
    for instruction in COMMON + (AMPERE if full else TURING):
        assert found.uses(instruction), f"{instruction} on {arch}"
    assert found.uses("mma.sp") == full
    assert found.uses("cp.async") == full
    assert found.spill_stores == 0


def test_what_sm_75_does_not_have_stops_the_kernel_there():
    found = cuda.inspect(WRAPPERS, "k", "sm_75", options=("-DFULL=1",))
    assert found.uses("trap")


def test_hopper_instructions_need_the_a():
    source = '__global__ void k() { asm volatile("wgmma.fence.sync.aligned;"); }'
    assert cuda.inspect(source, "k", "sm_90a").uses("wgmma.fence")
    with pytest.raises(native.CompileError):
        cuda.inspect(source, "k", "sm_90")


def test_names_of_architectures():
    assert [architecture(c) for c in ((7, 5), (8, 0), (8, 9), (9, 0), (10, 0), (12, 0))] == [
        "sm_75",
        "sm_80",
        "sm_89",
        "sm_90a",
        "sm_100a",
        "sm_120a",
    ]


def test_errors_name_the_real_file_and_line(tmp_path):
    (tmp_path / "part.cuh").write_text("#pragma once\n\n__device__ float part() { return nothing; }\n")
    (tmp_path / "whole.cu").write_text(
        '#include "part.cuh"\n\n__global__ void whole(float* x) {\n    x[0] = absent;\n}\n'
    )
    with pytest.raises(native.CompileError) as error:
        cuda.inspect(tmp_path / "whole.cu", "whole", "sm_80")
    assert f'{tmp_path / "part.cuh"}(3): error: identifier "nothing" is undefined' in str(error.value)
    assert f'{tmp_path / "whole.cu"}(4): error: identifier "absent" is undefined' in str(error.value)
    with pytest.raises(native.CompileError, match=r"k.cu\(2\): error"):
        cuda.inspect("// text\n__global__ void k() { oops }", "k", "sm_80")


def test_a_cubin_is_kept_and_everything_it_depends_on_is_in_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    runs = []
    really = nvrtc._run
    monkeypatch.setattr(nvrtc, "_run", lambda *given: runs.append(given) or really(*given))
    source = read_source("template <class T> __global__ void k(T* x) { x[0] = 1; }\n__constant__ float w[3];", "k")
    longer = Source(source.text + "\n", source.file)
    first = nvrtc.compile_cubin(KernelText(source, "k<float>"), "sm_80")
    assert first.path.read_bytes()[:4] == b"\x7fELF"
    assert first.symbol == "_Z1kIfEvPT_"
    assert first.variables == {"w": "w"}
    assert "registers" in first.log
    assert nvrtc.compile_cubin(KernelText(source, "k<float>"), "sm_80") == first
    assert len(runs) == 1
    for other in (
        lambda: nvrtc.compile_cubin(KernelText(source, "k<double>"), "sm_80"),
        lambda: nvrtc.compile_cubin(KernelText(source, "k<float>"), "sm_90a"),
        lambda: nvrtc.compile_cubin(KernelText(source, "k<float>", ("-lineinfo",)), "sm_80"),
        lambda: nvrtc.compile_cubin(KernelText(longer, "k<float>"), "sm_80"),
    ):
        assert other().path != first.path
    assert len(runs) == 5
    first.path.unlink()
    assert nvrtc.compile_cubin(KernelText(source, "k<float>"), "sm_80").path == first.path
    assert first.path.exists()


def test_the_wrappers_are_part_of_the_key(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    header = tmp_path / "mine.cuh"
    monkeypatch.setattr(nvrtc, "INCLUDE", tmp_path)
    source = Source('#include "mine.cuh"\n__global__ void k(int* x) { x[0] = VALUE; }', "k.cu")
    header.write_text("#define VALUE 1\n")
    first = nvrtc.compile_cubin(KernelText(source, "k"), "sm_80")
    header.write_text("#define VALUE 2\n")
    assert nvrtc.compile_cubin(KernelText(source, "k"), "sm_80").path != first.path


def test_spills_and_stack_are_seen():
    source = """__global__ void k(const float* x, float* y, int n) {
        float v[64];
        for (int i = 0; i < 64; ++i) v[i] = x[i * n + threadIdx.x];
        for (int j = 0; j < n; ++j) for (int i = 0; i < 64; ++i) v[i] = v[i] * v[(i + 1) % 64] + x[j];
        for (int i = 0; i < 64; ++i) y[i * n + threadIdx.x] = v[i];
    }"""
    found = cuda.inspect(source, "k", "sm_80", options=("--maxrregcount=32",))
    assert found.registers <= 32
    assert found.spill_stores > 0
    assert found.spill_loads > 0
    local = """__global__ void k(int* x, int i) {
        int a[32];
        for (int k = 0; k < 32; ++k) a[k] = x[k];
        for (int k = 0; k < i; ++k) a[a[k] & 31] += k;
        x[0] = a[i];
    }"""
    assert cuda.inspect(local, "k", "sm_80").stack >= 128


def test_the_ptx_is_that_of_one_kernel():
    source = """extern "C" __global__ void a(float* x) { x[0] = rsqrtf(x[0]); }
    extern "C" __global__ void b(float* x) { x[0] = sinf(x[0]); }"""
    assert cuda.inspect(source, "a", "sm_80").uses("rsqrt.approx")
    assert not cuda.inspect(source, "b", "sm_80").uses("rsqrt.approx")


def test_headers_that_nvrtc_does_not_have():
    source = """#include <stdint.h>
    #include <cstdio>
    #include <cuda_runtime.h>
    #include <cfloat>
    #include <climits>
    __global__ void k(uint8_t* x, int64_t n) {
        float f = FLT_MAX;
        if (n < INT_MAX) printf("%d\\n", x[n]);
        x[0] = f > 0;
    }"""
    assert cuda.inspect(source, "k", "sm_80").registers > 0


def test_without_cupy_the_message_says_what_to_install(monkeypatch):
    nvrtc._nvrtc.cache_clear()
    monkeypatch.setattr(nvrtc.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(nvrtc.NoNvrtc, match="pip install cupy-cuda13x nvidia-cuda-nvrtc"):
        nvrtc.version()
    monkeypatch.undo()
    nvrtc._nvrtc.cache_clear()
    assert nvrtc.version() >= (12, 0)
