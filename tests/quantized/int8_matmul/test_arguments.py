from __future__ import annotations

import pytest
import torch

from course_lib.errors import CourseError
from course_lib.quantized import int8_matmul
from course_lib.quantized.int8_matmul.arguments import largest_k


def int8(*shape):
    return torch.zeros(shape, dtype=torch.int8)


A, W = int8(3, 8), int8(5, 8)
SCALED = {"a_scale": 0.1, "w_scale": 0.1, "out_dtype": torch.float32}
WRONG = {
    "a is no tensor": ((A.numpy(), W), {}, "a is a ndarray; it takes a torch.int8 tensor"),
    "a is float": ((A.float(), W), {}, r"a has dtype torch.float32; it takes torch.int8. Quantize"),
    "w is uint8": ((A, W.to(torch.uint8)), {}, "w has dtype torch.uint8"),
    "a is a batch": ((int8(2, 3, 8), W), {}, r"a has shape \[2, 3, 8\]; it takes 2 dimensions.*flatten"),
    "K differs": ((A, int8(5, 9)), {}, r"a is \[3, 8\] and w is \[5, 9\]; K, the last, must agree"),
    "w transposed": ((A, W.t()), {}, r"pass w.t\(\)"),
    "devices": ((A, int8(5, 8).to("meta")), {}, "a is on cpu and w on meta"),
    "out_dtype": ((A, W), {"out_dtype": torch.float64}, "out_dtype is torch.float64; it is one of"),
    "no scale": ((A, W), {"out_dtype": torch.float32, "w_scale": 1.0}, "float32 needs a_scale"),
    "scale for int32": ((A, W), {"a_scale": 1.0}, "a_scale was given, but out_dtype torch.int32"),
    "no out_scale": ((A, W), {**SCALED, "out_dtype": torch.int8}, "needs out_scale"),
    "out_scale unused": ((A, W), {**SCALED, "out_scale": 1.0}, "out_scale was given"),
    "out_zero_point unused": ((A, W), {**SCALED, "out_zero_point": 0}, "out_zero_point was given"),
    "scale is double": (
        (A, W),
        {**SCALED, "a_scale": torch.ones(3, dtype=torch.float64)},
        "a_scale has dtype torch.float64; it takes torch.float32",
    ),
    "scale of columns": (
        (A, W),
        {**SCALED, "a_scale": torch.ones(5)},
        r"a_scale has shape \[5\]; it takes one element, or \[3\], one for each row of a",
    ),
    "scale lies": ((A, W), {**SCALED, "w_scale": torch.ones(1, 5)}, r"w_scale has shape \[1, 5\]"),
    "scale elsewhere": ((A, W), {**SCALED, "w_scale": torch.ones(5, device="meta")}, "w_scale is on meta"),
    "scale is 0": ((A, W), {**SCALED, "a_scale": 0.0}, "a_scale is 0.0; a scale is a finite number"),
    "scale is inf": ((A, W), {**SCALED, "a_scale": float("inf")}, "a_scale is inf"),
    "zero point is 128": ((A, W), {"a_zero_point": 128}, "a_zero_point is 128; .* from -128 to 127"),
    "zero point is a fraction": ((A, W), {"w_zero_point": 1.5}, "w_zero_point is 1.5"),
    "zero points are int32": (
        (A, W),
        {"a_zero_point": torch.zeros(3, dtype=torch.int32)},
        "a_zero_point has dtype torch.int32; it takes torch.int8",
    ),
    "out_zero_point per channel": (
        (A, W),
        {**SCALED, "out_dtype": torch.int8, "out_scale": 1.0, "out_zero_point": torch.zeros(5, dtype=torch.int8)},
        r"out_zero_point has shape \[5\]; it takes one element\.",
    ),
    "bias is half": ((A, W), {**SCALED, "bias": torch.zeros(5).half()}, "bias has dtype torch.float16"),
    "bias is short": ((A, W), {**SCALED, "bias": torch.zeros(3)}, r"bias has shape \[3\]; it takes \[5\]"),
    "bias elsewhere": ((A, W), {**SCALED, "bias": torch.zeros(5, device="meta")}, "bias is on meta"),
    "float bias without scale": ((A, W), {"bias": torch.zeros(5)}, "pass an int32 bias"),
    "version": (
        (A, W),
        {"version": "cuda"},
        r"version is 'cuda'; it is 0 \(the definition\), 1 \(naive\), 2 \(dp4a\), 3 \(mma\), or None",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments_are_named(name):
    positional, named, message = WRONG[name]
    with pytest.raises(CourseError, match=message):
        int8_matmul(*positional, **named)


@pytest.mark.parametrize(("a_zero", "w_zero", "ends"), [(0, 0, 128 * 128), (1, 0, 255 * 128), (1, 1, 255 * 255)])
def test_k_stops_where_a_sum_could_leave_int32(a_zero, w_zero, ends):
    k = largest_k(bool(a_zero), bool(w_zero))
    assert k * ends < 2**31 <= (k + 1) * ends
    zeros = {"a_zero_point": 127} if a_zero else {}
    zeros |= {"w_zero_point": 127} if w_zero else {}
    a = torch.full((1, k + 1), -128, dtype=torch.int8)
    assert int8_matmul(a[:, :k], a[:, :k], **zeros).item() == k * ends
    with pytest.raises(CourseError, match=f"K is {k + 1}, .* K up to {k}"):
        int8_matmul(a, a, **zeros)


def test_scales_may_be_numbers_scalars_vectors_or_columns():
    a, w = torch.randint(-128, 128, (3, 8), dtype=torch.int8), torch.randint(-128, 128, (5, 8), dtype=torch.int8)
    forms = [0.25, torch.tensor(0.25), torch.tensor([0.25]), torch.full((3,), 0.25), torch.full((3, 1), 0.25)]
    results = [int8_matmul(a, w, a_scale=form, w_scale=0.5, out_dtype=torch.float32) for form in forms]
    assert all(torch.equal(result, results[0]) for result in results)
    assert torch.equal(results[0], int8_matmul(a, w) * 0.125)
