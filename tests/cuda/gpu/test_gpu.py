"""The same kernels on a GPU: the launch itself, streams, shared memory beyond 48 KB, and the wrappers' layouts.

Run with `pytest -m gpu` where there is one. Everything up to the launch is tested without (test_nvrtc.py).
"""

import numpy as np
import pytest

from course_lib import cuda
from course_lib.cuda.calling import backends
from tests.cuda import third_party
from tests.cuda.runner.test_cooperative_groups import SOURCE as GROUPS
from tests.cuda.runner.test_host_warp import SHUFFLES, shuffled
from tests.cuda.runner.test_loads import SOURCE as LOADS
from tests.cuda.runner.test_small_floats import SOURCE as SMALL_FLOATS
from tests.cuda.runner.test_small_floats import random_bits, same
from tests.cuda.watching.test_watched_run import zeros

torch = pytest.importorskip("torch")
has_gpu = backends.preferred() == "cuda" and torch.cuda.is_available()
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not has_gpu, reason="no GPU that both CuPy and torch can use")]


def to_gpu(value):
    if not isinstance(value, np.ndarray):
        return value
    unsigned = {"uint16": np.int16, "uint32": np.int32, "uint64": np.int64}.get(value.dtype.name)
    return torch.from_numpy(value.view(unsigned) if unsigned else value).cuda()


@pytest.mark.parametrize("case", third_party.CASES, ids=lambda case: case.__name__)
def test_third_party_kernels(case, rng, monkeypatch):
    if case is third_party.stencil_2d:
        pytest.skip("sets its constants on the host; see test_constants")
    kernel, grid, block, arguments, shared_mem, expected, tolerance = case(rng)
    on_gpu = tuple(to_gpu(value) for value in arguments)
    kernel(grid, block, on_gpu, shared_mem=shared_mem)
    for position, values in expected.items():
        got = on_gpu[position].cpu().numpy().view(arguments[position].dtype)
        np.testing.assert_allclose(got, values, rtol=tolerance or 1e-6, atol=tolerance)


def test_host_and_gpu_agree_for_gpu_arrays(rng):
    kernel, grid, block, arguments, _, expected, tolerance = third_party.tiled_matmul(rng)
    on_gpu = tuple(to_gpu(value) for value in arguments)
    with cuda.use("host"):
        kernel(grid, block, on_gpu)
    np.testing.assert_allclose(on_gpu[2].cpu(), expected[2], rtol=tolerance, atol=tolerance)
    assert cuda.check(kernel, grid, block, on_gpu).ok


def test_constants_and_cupy_arrays(rng):
    cupy = pytest.importorskip("cupy")
    source = """__constant__ float w[3];
    __device__ int calls;
    __global__ void k(float* x) { x[threadIdx.x] = w[threadIdx.x]; atomicAdd(&calls, 1); }"""
    kernel = cuda.compile(source, "k", backend="cuda")
    kernel.variable("w").view(cupy.float32)[:] = cupy.array([1, 2, 3], cupy.float32)
    x = cupy.zeros(3, cupy.float32)
    kernel(1, 3, (x,))
    assert x.get().tolist() == [1, 2, 3]
    assert int(kernel.variable("calls").view(cupy.int32)[0]) == 3


def test_the_current_torch_stream_is_used():
    source = """__global__ void k(float* x) {
        long long start = clock64();
        while (clock64() - start < 200000000) ;
        x[0] += 1;
    }"""
    kernel = cuda.compile(source, "k", backend="cuda")
    x = torch.zeros(1, device="cuda")
    torch.cuda.synchronize()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        kernel(1, 1, (x,))
        assert not stream.query()
        y = x * 10
    assert torch.cuda.default_stream().query()
    stream.synchronize()
    assert y.item() == 10


def test_shared_memory_beyond_48_kilobytes():
    source = """__global__ void k(int* x, int n) {
        extern __shared__ int s[];
        for (int i = threadIdx.x; i < n; i += blockDim.x) s[i] = i;
        __syncthreads();
        x[0] = s[n - 1];
    }"""
    kernel = cuda.compile(source, "k", backend="cuda")
    most = torch.cuda.get_device_properties(0).shared_memory_per_block_optin
    x = torch.zeros(1, dtype=torch.int32, device="cuda")
    for size in (1024, 48 * 1024, most):
        kernel(1, 256, (x, size // 4), shared_mem=size)
        assert x.item() == size // 4 - 1
    if most < 227 * 1024:
        with pytest.raises(cuda.LaunchError, match="does not give a block"):
            kernel(1, 256, (x, 4), shared_mem=227 * 1024)


def test_arrays_in_the_wrong_place():
    kernel = cuda.compile("__global__ void k(float* x, float* y) { x[0] = y[0]; }", "k")
    x, y = torch.zeros(1), torch.zeros(1, device="cuda")
    with pytest.raises(cuda.ArgumentError, match="y on the GPU, x in the computer's memory"):
        kernel(1, 1, (x, y))
    with cuda.use("cuda"), pytest.raises(cuda.ArgumentError, match="in the computer's memory"):
        kernel(1, 1, (x, x))


def test_structures_and_scalars_arrive_as_on_the_host():
    source = """struct P { char c; double d; };
    __global__ void k(double* x, P p, short s, unsigned char b, float f, long long n) {
        x[0] = p.c; x[1] = p.d; x[2] = s; x[3] = b; x[4] = f; x[5] = n;
    }"""
    value = np.array(
        (7, 2.5), np.dtype({"names": ["c", "d"], "formats": ["i1", "f8"], "offsets": [0, 8], "itemsize": 16})
    )[()]
    kernel = cuda.compile(source, "k")
    for x in (torch.zeros(6, dtype=torch.float64), torch.zeros(6, dtype=torch.float64, device="cuda")):
        kernel(1, 1, (x, value, -3, 200, 0.5, 2**40))
        assert x.tolist() == [7, 2.5, -3, 200, 0.5, 2**40]


def test_shuffles_agree():
    x = torch.arange(32, dtype=torch.int32, device="cuda") * 7 + 1
    for width in (32, 8, 2):
        for operand in (0, 3, 16, 31):
            out = torch.zeros(4, 32, dtype=torch.int32, device="cuda")
            cuda.compile(SHUFFLES, "shuffles<int>")(1, 32, (x, out, operand, width))
            sources = np.array([shuffled(lane, operand, width) for lane in range(32)]).T
            np.testing.assert_array_equal(out.cpu(), x.cpu().numpy()[sources])


@pytest.mark.parametrize("name", ["binary<__half>", "binary<__nv_bfloat16>"])
def test_small_floats_agree_bit_for_bit(name):
    kind = torch.float16 if "half" in name else torch.bfloat16
    if kind == torch.bfloat16 and torch.cuda.get_device_capability()[0] < 8:
        pytest.skip("this GPU has no bfloat16")
    n = 50_000
    inputs = random_bits(kind, n)
    outs = []
    for device in ("cpu", "cuda"):
        out = torch.zeros(8, n, dtype=kind, device=device)
        cuda.compile(SMALL_FLOATS, name)((n + 255) // 256, 256, (*(v.to(device) for v in inputs), out, n))
        outs.append(out.cpu())
    # all but the square root and the quotient, which the GPU may compute with its fast approximations
    for row in (0, 1, 2, 5, 6, 7):
        assert same(outs[0][row], outs[1][row]), row


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("transposed", ["false", "true"])
def test_ldmatrix_agrees(count, transposed):
    outs = []
    for device in ("cpu", "cuda"):
        out = torch.zeros(count, 32, dtype=torch.int32, device=device)
        x = torch.arange(256, dtype=torch.int16, device=device)
        cuda.compile(LOADS, f"load<{count}, {transposed}>")(1, 32, (x, out))
        outs.append(out.cpu())
    assert torch.equal(*outs)


def test_groups_agree(rng):
    x = rng.integers(-9, 10, 96).astype(np.int32)
    outs = []
    for device in ("cpu", "cuda"):
        out = torch.zeros(9, 96, dtype=torch.int32, device=device)
        cuda.compile(GROUPS, "tiles<8>")(1, (32, 3), (torch.from_numpy(x).to(device), out, 96))
        outs.append(out.cpu())
    assert torch.equal(*outs)


def test_a_kernel_runs_again_from_the_cache(monkeypatch):
    from course_lib.cuda.gpu import nvrtc

    source = "__global__ void k(float* x) { x[0] += 1; }"
    x = torch.from_numpy(zeros(1)).cuda()
    cuda.compile(source, "k")(1, 1, (x,))
    monkeypatch.setattr(nvrtc, "_run", lambda *given: pytest.fail("compiled again"))
    cuda.compile(source, "k")(1, 1, (x,))
    assert x.item() == 2
