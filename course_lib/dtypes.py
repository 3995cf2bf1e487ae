"""What a dtype is called, the same for torch and NumPy, without importing either."""

from __future__ import annotations

from typing import Any

__all__ = ["dtype_name"]


def dtype_name(dtype: Any) -> str:
    """`float32` for torch.float32, numpy.float32 and numpy.dtype("float32")."""
    name = getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype)
    return name.removeprefix("torch.")
