"""Quantities written for people: 3.5e-3 s is "3.5 ms"."""

from __future__ import annotations

__all__ = ["with_prefix"]

_PREFIXES = (
    (1e12, "T"),
    (1e9, "G"),
    (1e6, "M"),
    (1e3, "k"),
    (1.0, ""),
    (1e-3, "m"),
    (1e-6, "µ"),
    (1e-9, "n"),
    (1e-12, "p"),
)


def with_prefix(value: float, unit: str) -> str:
    """Three digits with an SI prefix (powers of 1000): `with_prefix(2048, "B")` is "2.05 kB"."""
    if value == 0:
        return f"0 {unit}"
    scale, prefix = next((pair for pair in _PREFIXES if abs(value) >= pair[0]), _PREFIXES[-1])
    shown = value / scale
    return f"{shown:.3g} {prefix}{unit}" if abs(shown) < 999.5 else f"{shown:.0f} {prefix}{unit}"
