"""Multiplying by a real number with whole numbers alone, as processors without a floating-point unit must."""

from __future__ import annotations

import numpy as np

__all__ = ["fixed_point", "scale_down"]


def fixed_point(factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write positive numbers as multiplier / 2^shift (Jacob et al., 2018, section 2.2).

    factors  float64 array, each from 2^-31 to 2^29.

    Returns (multiplier int32 from 2^30 to 2^31 - 1, shift int32 from 1 to 62), of the same shape.
    """
    factors = np.asarray(factors, np.float64)
    if not ((factors >= 2.0**-31) & (factors < 2.0**29)).all():
        raise ValueError(f"factors lie from 2^-31 to 2^29, not from {factors.min():g} to {factors.max():g}")
    mantissa, exponent = np.frexp(factors)  # factor = mantissa * 2^exponent, mantissa in [0.5, 1)
    multiplier = np.round(mantissa * 2.0**31).astype(np.int64)
    overflowed = multiplier == 2**31
    multiplier[overflowed] //= 2
    shift = 31 - exponent - overflowed
    return multiplier.astype(np.int32), shift.astype(np.int32)


def scale_down(sums: np.ndarray, multiplier: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """round(sums * multiplier / 2^shift) in whole numbers, halves upwards; sums within int32. Returns int64."""
    shift = np.asarray(shift, np.int64)
    return (np.asarray(sums, np.int64) * np.asarray(multiplier, np.int64) + (np.int64(1) << (shift - 1))) >> shift
