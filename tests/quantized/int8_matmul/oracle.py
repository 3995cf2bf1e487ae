"""int8_matmul in NumPy, straight from its formula: int64 sums, float32 steps one by one, bfloat16 from its bits."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch

DTYPES = {
    "int32": torch.int32,
    "int8": torch.int8,
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}


@dataclass(frozen=True)
class Problem:
    """The arguments of one call as NumPy arrays; `out` is a key of DTYPES."""

    a: np.ndarray
    w: np.ndarray
    out: str = "int32"
    a_scale: np.ndarray | None = None
    w_scale: np.ndarray | None = None
    a_zero_point: np.ndarray | None = None
    w_zero_point: np.ndarray | None = None
    bias: np.ndarray | None = None
    out_scale: np.ndarray | None = None
    out_zero_point: np.ndarray | None = None

    def call(self, device: str = "cpu") -> dict[str, Any]:
        """Arguments for int8_matmul."""
        arguments: dict[str, Any] = {"out_dtype": DTYPES[self.out]}
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, np.ndarray):
                arguments[each.name] = torch.from_numpy(value).to(device)
        return arguments


def problem(m, n, k, out="int32", *, zeros="", per="tensor", bias="", seed=0, extreme=False) -> Problem:
    """A random problem.

    zeros    which of "a", "w" have zero points.
    per      "tensor": one scale and zero point each; "row": one for each row.
    bias     "", "int" or "float".
    extreme  every number is -128 and every zero point 127: the largest sums.
    """
    rng = np.random.default_rng([seed, m, n, k])

    def integers(*shape):
        return np.full(shape, -128, np.int8) if extreme else rng.integers(-128, 128, shape).astype(np.int8)

    def zero_points(letter, rows):
        count = rows if per == "row" else 1
        if letter not in zeros:
            return None
        return np.full(count, 127, np.int8) if extreme else rng.integers(-128, 128, count).astype(np.int8)

    def scales(rows):
        return None if out == "int32" else rng.uniform(0.001, 0.1, rows if per == "row" else 1).astype(np.float32)

    biases = {
        "": lambda: None,
        "int": lambda: rng.integers(-5000, 5000, n).astype(np.int32),
        "float": lambda: rng.normal(0, 5, n).astype(np.float32),
    }
    # the spread of random sums, so that most int8 outputs lie inside the range and some outside
    spread = np.float32(0.0025 * 5500 * max(k, 1) ** 0.5 / 60)
    return Problem(
        integers(m, k),
        integers(n, k),
        out,
        scales(m),
        scales(n),
        zero_points("a", m),
        zero_points("w", n),
        biases[bias](),
        np.array([spread]) if out == "int8" else None,
        rng.integers(-128, 128, 1).astype(np.int8) if out == "int8" else None,
    )


def exact_sums(p: Problem) -> np.ndarray:
    """S in int64 [M, N], by the definition."""
    a, w = p.a.astype(np.int64), p.w.astype(np.int64)
    if p.a_zero_point is not None:
        a = a - p.a_zero_point.astype(np.int64).reshape(-1, 1)
    if p.w_zero_point is not None:
        w = w - p.w_zero_point.astype(np.int64).reshape(-1, 1)
    return a @ w.T


def oracle(p: Problem) -> np.ndarray:
    """The result: int32, int8, float16 or float32 (holding bfloat16 numbers where those are asked for)."""
    total = exact_sums(p)
    if p.bias is not None and p.bias.dtype == np.int32:
        total = total + p.bias
    assert np.abs(total).max(initial=0) < 2**31, "the problem itself leaves int32"
    if p.out == "int32":
        return total.astype(np.int32)
    scale = np.multiply(p.a_scale.reshape(-1, 1), p.w_scale.reshape(1, -1), dtype=np.float32)
    y = np.multiply(total.astype(np.float32), scale, dtype=np.float32)
    if p.bias is not None and p.bias.dtype == np.float32:
        y = np.add(y, p.bias, dtype=np.float32)
    if p.out == "float32":
        return y
    if p.out == "float16":
        with np.errstate(over="ignore"):
            return y.astype(np.float16)
    if p.out == "bfloat16":
        return to_bfloat16(y)
    rate = np.float32(1) / p.out_scale
    with np.errstate(over="ignore", invalid="ignore"):
        q = np.rint(np.multiply(y, rate, dtype=np.float32)).astype(np.float64)
    q = np.where(np.isnan(q), 0, q) + p.out_zero_point
    return np.clip(q, -128, 127).astype(np.int8)


def to_bfloat16(y: np.ndarray) -> np.ndarray:
    """float32 rounded to the upper 16 of its bits, halves to even; finite numbers."""
    bits = np.ascontiguousarray(y, np.float32).view(np.uint32).astype(np.uint64)
    bits = (bits + 0x7FFF + (bits >> np.uint64(16) & np.uint64(1))) & np.uint64(0xFFFF0000)
    return bits.astype(np.uint32).view(np.float32)


def as_numpy(result: torch.Tensor) -> np.ndarray:
    result = result.detach().cpu()
    return (result.float() if result.dtype == torch.bfloat16 else result).numpy()


def assert_exact(result: torch.Tensor, p: Problem) -> None:
    """Shape, dtype and every bit."""
    assert result.dtype == DTYPES[p.out]
    expected = oracle(p)
    assert result.shape == expected.shape
    np.testing.assert_array_equal(as_numpy(result), expected)
