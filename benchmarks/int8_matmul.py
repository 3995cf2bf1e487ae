"""int8_matmul beside torch._int_mm, alone and followed by scaling, and beside float32 and bfloat16 products.

    PYTHONPATH=. python -m benchmarks.int8_matmul            # on the GPU if there is one; --quick, --help

On a CPU it times what runs there by default, the definition on torch's fast paths, not the kernels on the host runner.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.harness import Case, Contender, Family, Prediction, Unavailable, run
from benchmarks.harness.case import Medians
from course_lib.dtypes import dtype_name
from course_lib.quantized import int8_matmul
from course_lib.quantized.int8_matmul.op import Scaling

# Relative error of a right result. int32 is exact. The bfloat16 product starts from rounded inputs; ours is as close to
# the oracle as the output's type can be, as its column shows. An int8 may differ by one where a float32 step falls on
# the other side of a half.
TOLERANCE = {torch.int32: 0.0, torch.float32: 6e-3, torch.bfloat16: 6e-3, torch.int8: 2e-3}
NAIVE_AT_MOST = 2 * 2048**3  # operations; beyond it version 1 takes minutes of samples


@dataclass(frozen=True)
class Problem:
    """a [M, K] and w [N, K] int8, a float32 bias [N], w_scale [N], and a_scale: [M] for float outputs, as where tokens
    are quantized on the way in; [1] for int8 outputs, as where all scales were calibrated before."""

    a: Tensor
    w: Tensor
    a_scale: Tensor
    w_scale: Tensor
    bias: Tensor
    out_scale: float
    out_dtype: torch.dtype


def case(device: torch.device, m: int, n: int, k: int, out_dtype: torch.dtype) -> Case:
    """Random bytes; float and int8 outputs with scales and a bias fused, int32 outputs as they are."""

    def make(seed: int) -> Problem:
        generator = torch.Generator(device).manual_seed(seed)
        a, w = (
            torch.randint(-128, 128, (rows, k), device=device, dtype=torch.int8, generator=generator) for rows in (m, n)
        )
        counts = (1 if out_dtype == torch.int8 else m, n)
        a_scale, w_scale = (torch.rand(each, device=device, generator=generator) * 0.01 + 0.01 for each in counts)
        bias = torch.randn(n, device=device, generator=generator)
        spread = 0.015**2 * 74**2 * max(k, 1) ** 0.5  # of the outputs: int8 then holds four standard deviations
        return Problem(a, w, a_scale, w_scale, bias, spread / 32, out_dtype)

    name = dtype_name(out_dtype)
    return Case(
        name=f"{m}x{n}x{k} {name}",
        parameters={"m": m, "n": n, "k": k, "out_dtype": name},
        make=make,
        oracle=_oracle,
        bytes=m * k + n * k + out_dtype.itemsize * m * n,
        operations=2 * m * n * k,
        arithmetic="int8",
        tolerance=TOLERANCE[out_dtype],
    )


def _oracle(p: Problem) -> Tensor:
    sums = p.a.double() @ p.w.double().t()
    if p.out_dtype == torch.int32:
        return sums
    y = sums * p.a_scale.double()[:, None] * p.w_scale.double() + p.bias.double()
    return y if p.out_dtype != torch.int8 else torch.round(y / p.out_scale).clamp(-128, 127)


def checks(device: torch.device, quick: bool) -> list[Case]:
    shapes = [(1, 1, 1), (17, 31, 64), (129, 257, 100), (64, 768, 768), (300, 96, 1031), (256, 128, 4096)]
    shapes = shapes[2:3] if quick else shapes  # torch.compile takes seconds for each; the tests have them all
    return [case(device, *shape, dtype) for shape in shapes for dtype in TOLERANCE]


def cases(device: torch.device, quick: bool) -> list[Case]:
    if device.type == "cpu":
        shapes = [(256, 1024, 1024)] if quick else [(16, 1024, 1024), (256, 1024, 1024), (1024, 1024, 1024)]
        shapes += [] if quick else [(1024, 2048, 512), (128, 1000, 1001)]
        return [case(device, *s, dtype) for s in shapes for dtype in (torch.int32, torch.float32, torch.int8)]
    square = [(size, size, size) for size in ((2048, 4096) if quick else (1024, 2048, 4096, 8192))]
    layers = [(m, n, k) for m in (64, 512, 8192) for n, k in ((4096, 4096), (14336, 4096), (4096, 14336))]
    others = [(8192, 8192, 512), (4093, 4099, 4101)]  # output-bound; rows that do not start at 16 bytes
    shapes = square if quick else square + layers + others
    return [case(device, *s, dtype) for s in shapes for dtype in (torch.int32, torch.bfloat16, torch.int8)]


def contenders(device: torch.device, case: Case) -> list[Contender]:
    on_gpu = device.type == "cuda"
    ours = {"1 naive": 1, "2 dp4a": 2, "3 mma": 3} if on_gpu else {OURS: None}
    listed = [Contender(name, _ours(version), ours=True) for name, version in ours.items()]
    if case.parameters["out_dtype"] == "int32":
        return [*listed, Contender(INT_MM, lambda p: lambda: torch._int_mm(p.a, p.w.t()))]
    listed.append(Contender(f"{INT_MM}, then scaled", _scaled))
    listed.append(Contender(f"{INT_MM}, then scaled, compiled", _scaled_compiled))
    if case.parameters["out_dtype"] != "int8":
        return [
            *listed,
            Contender("float32 product", _floating(torch.float32)),
            Contender(BF16, _floating(torch.bfloat16)),
        ]
    return listed if on_gpu else [*listed, Contender("torch quantized linear", _quantized_linear)]


OURS, INT_MM, BF16 = "int8_matmul", "torch._int_mm", "bfloat16 product"


def _ours(version: int | None) -> Callable[[Problem], Callable[[], Tensor]]:
    def prepare(p: Problem) -> Callable[[], Tensor]:
        if version == 1 and 2 * p.a.shape[0] * p.w.numel() > NAIVE_AT_MOST:
            raise Unavailable("takes too long at this size")
        if p.out_dtype == torch.int32:
            return lambda: int8_matmul(p.a, p.w, version=version)
        scales: Scaling = {"a_scale": p.a_scale, "w_scale": p.w_scale, "bias": p.bias, "out_dtype": p.out_dtype}
        if p.out_dtype == torch.int8:
            scales["out_scale"] = torch.tensor([p.out_scale], device=p.a.device)
        return lambda: int8_matmul(p.a, p.w, **scales, version=version)

    return prepare


def _scaled(p: Problem) -> Callable[[], Tensor]:
    return lambda: _scale(torch._int_mm(p.a, p.w.t()), p)


def _scaled_compiled(p: Problem) -> Callable[[], Tensor]:
    compiled = torch.compile(_scale)
    return lambda: compiled(torch._int_mm(p.a, p.w.t()), p)


def _scale(sums: Tensor, p: Problem) -> Tensor:
    y = sums.float() * (p.a_scale[:, None] * p.w_scale) + p.bias
    if p.out_dtype != torch.int8:
        return y.to(p.out_dtype)
    return torch.round(y * (1 / p.out_scale)).clamp(-128, 127).to(torch.int8)


def _floating(dtype: torch.dtype) -> Callable[[Problem], Callable[[], Tensor]]:
    """What the layer costs without quantization: the product of the real numbers, with its bias."""

    def prepare(p: Problem) -> Callable[[], Tensor]:
        a, w = (p.a * p.a_scale[:, None]).to(dtype), (p.w * p.w_scale[:, None]).to(dtype)
        bias = p.bias.to(dtype)
        return lambda: torch.nn.functional.linear(a, w, bias)

    return prepare


def _quantized_linear(p: Problem) -> Callable[[], Tensor]:
    """torch's own int8 layer for processors: unsigned activations with one scale, weights packed beforehand."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # these tensor types will leave torch one day
        a = torch._make_per_tensor_quantized_tensor((p.a.short() + 128).to(torch.uint8), p.a_scale.item(), 128)
        zeros = torch.zeros(len(p.w), dtype=torch.int64)
        w = torch._make_per_channel_quantized_tensor(p.w, p.w_scale.double(), zeros, 0)
    packed = torch.ops.quantized.linear_prepack(w, p.bias)

    def call() -> Tensor:
        result = torch.ops.quantized.linear(a, packed, p.out_scale, 128)
        codes = torch.empty(0, dtype=torch.uint8).set_(result.untyped_storage(), 0, result.shape, result.stride())
        return codes.bitwise_xor_(128).view(torch.int8)  # unsigned to signed, in place: about 1% of the time

    return call


def _ratio(case_name: str, ours: str, theirs: str) -> Callable[[Medians], float]:
    """How many times faster `ours` is than `theirs`."""
    return lambda medians: medians[case_name, theirs] / medians[case_name, ours]


# Written before the first run, for an H100 or H200 and for a server processor with VNNI or AMX.
PREDICTIONS = (
    Prediction(
        "tiles and dp4a make version 2 at least 6 times as fast as version 1 (2048, int32)",
        _ratio("2048x2048x2048 int32", "2 dp4a", "1 naive"),
        low=6,
    ),
    Prediction(
        "tensor cores make version 3 at least 8 times as fast as version 2 (4096, int32)",
        _ratio("4096x4096x4096 int32", "3 mma", "2 dp4a"),
        low=8,
    ),
    Prediction(
        "without wgmma version 3 reaches 0.45 to 0.75 of torch._int_mm where arithmetic decides (8192, int32)",
        _ratio("8192x8192x8192 int32", "3 mma", INT_MM),
        low=0.45,
        high=0.75,
    ),
    Prediction(
        "fusing saves writing and reading int32: at K = 512 version 3 beats _int_mm with compiled scaling (int8)",
        _ratio("8192x8192x512 int8", "3 mma", f"{INT_MM}, then scaled, compiled"),
        low=1.0,
    ),
    Prediction(
        "version 3 is at least 1.1 times as fast as the bfloat16 product of cuBLAS (4096, bfloat16 output)",
        _ratio("4096x4096x4096 bfloat16", "3 mma", BF16),
        low=1.1,
    ),
    Prediction(
        "on the CPU ours is the call to torch._int_mm and 2% around it (1024, int32)",
        _ratio("1024x1024x1024 int32", OURS, INT_MM),
        low=0.9,
        high=1.1,
    ),
    Prediction(
        "on the CPU int8 with scales is at least 1.5 times as fast as float32 (1024, float32 output)",
        _ratio("1024x1024x1024 float32", OURS, "float32 product"),
        low=1.5,
    ),
    Prediction(
        "on the CPU torch's fused int8 layer beats our unfused definition by up to 3 times (1024, int8)",
        _ratio("1024x1024x1024 int8", OURS, "torch quantized linear"),
        low=0.33,
        high=1.0,
    ),
)

FAMILY = Family("int8_matmul", checks=checks, cases=cases, contenders=contenders, predictions=PREDICTIONS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Check, time, print, save."""
    run(FAMILY, arguments)


if __name__ == "__main__":
    main()
