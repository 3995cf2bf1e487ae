"""Nine kernels in the manner of public CUDA samples, each with a launch and its result by NumPy in float64.

Every case is a function of a random generator and returns (kernel, grid, block, arguments, shared_mem, {argument's
position: expected values}, tolerance).
"""

from pathlib import Path

import numpy as np

from course_lib import cuda

KERNELS = Path(__file__).parent / "kernels"


def compiled(file, name, **options):
    return cuda.compile(KERNELS / f"{file}.cu", name, **options)


def floats(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


def vector_add(rng, n=1003):
    a, b = floats(rng, n), floats(rng, n)
    arguments = (a, b, np.zeros_like(a), n)
    return compiled("vector_add", "vectorAdd"), (n + 127) // 128, 128, arguments, 0, {2: a + b}, 0


def vector_add_stride(rng, n=1003):
    a, b = floats(rng, n), floats(rng, n)
    return compiled("vector_add", "vectorAddStride"), 3, 64, (a, b, np.zeros_like(a), n), 0, {2: a + b}, 0


def tiled_matmul(rng, m=33, n=20, k=50):
    a, b = floats(rng, m, k), floats(rng, k, n)
    c = np.zeros((m, n), np.float32)
    kernel = compiled("tiled_matmul", "matmulTiled<float, TILE>")
    grid = ((n + 15) // 16, (m + 15) // 16)
    return kernel, grid, (16, 16), (a, b, c, m, n, k), 0, {2: a.astype(float) @ b.astype(float)}, 1e-5


def reduction(rng, n=5000):
    x = floats(rng, n)
    return (
        compiled("reduction", "reduceSum"),
        4,
        256,
        (x, np.zeros(1, np.float32), n),
        0,
        {1: [x.astype(float).sum()]},
        1e-4,
    )


def prefix_scan(rng, blocks=3, n=256):
    x = floats(rng, blocks, n)
    sums = np.cumsum(x.astype(float), 1) - x
    kernel = compiled("prefix_scan", "prescan")
    return kernel, blocks, n // 2, (np.zeros_like(x), x, n), 4 * n, {0: sums}, 1e-4


def histogram(rng, n=9001):
    data = rng.integers(0, 256, n).astype(np.uint8)
    bins = np.zeros(256, np.uint32)
    expected = np.bincount(data, minlength=256)
    return compiled("histogram", "histogram256"), 5, 96, (data, bins, n), 0, {1: expected}, 0


def stencil_2d(rng, width=45, height=30):
    image = floats(rng, height, width)
    weights = np.array([0.1, 0.25, 0.5, 0.15, 0.05], np.float32)
    kernel = compiled("stencil_2d", "stencil2d", backend="host")
    kernel.variable("coeff").view(np.float32)[:] = weights
    padded = np.pad(image.astype(float), 2)
    expected = weights[2] * image.astype(float)
    for d in (-2, -1, 1, 2):
        expected += weights[d + 2] * padded[2 : 2 + height, 2 + d : 2 + d + width]
        expected += weights[d + 2] * padded[2 + d : 2 + d + height, 2 : 2 + width]
    grid = ((width + 15) // 16, (height + 7) // 8)
    return kernel, grid, (16, 8), (np.zeros_like(image), image, width, height), 0, {0: expected}, 1e-5


def transpose(rng, width=70, height=41):
    x = floats(rng, height, width)
    grid = ((width + 31) // 32, (height + 31) // 32)
    kernel = compiled("transpose", "transposeNoBankConflicts")
    return kernel, grid, (32, 8), (np.zeros((width, height), np.float32), x, width, height), 0, {0: x.T}, 0


def softmax(rng, rows=5, columns=77):
    x = floats(rng, rows, columns) * 10
    powers = np.exp(x.astype(float) - x.max(1, keepdims=True))
    expected = powers / powers.sum(1, keepdims=True)
    kernel = compiled("softmax", "softmax_forward_kernel")
    return kernel, rows, 64, (np.zeros_like(x), x, rows, columns), 2 * 2 * 4, {0: expected}, 1e-5


def layer_norm(rng, rows=7, columns=50, dtype=np.float32):
    x, weight, bias = (floats(rng, *shape).astype(dtype) for shape in ((rows, columns), (columns,), (columns,)))
    exact = x.astype(float)
    mean, spread = exact.mean(1), 1 / np.sqrt(exact.var(1) + 1e-5)
    expected = (exact - mean[:, None]) * spread[:, None] * weight.astype(float) + bias.astype(float)
    statistics = np.zeros(rows, np.float32), np.zeros(rows, np.float32)
    kernel = compiled("layer_norm", f"layernorm_forward<{'__half' if dtype == np.float16 else 'float'}>")
    arguments = (np.zeros_like(x), *statistics, x, weight, bias, rows, columns, 1e-5)
    tolerance = 2e-3 if dtype == np.float16 else 1e-5
    return kernel, (rows + 3) // 4, (32, 4), arguments, 0, {0: expected, 1: mean, 2: spread}, tolerance


def layer_norm_half(rng):
    return layer_norm(rng, dtype=np.float16)


CASES = [
    vector_add,
    vector_add_stride,
    tiled_matmul,
    reduction,
    prefix_scan,
    histogram,
    stencil_2d,
    transpose,
    softmax,
    layer_norm,
    layer_norm_half,
]
