"""Arrays of the three libraries, seen alike: where the data lies and what is in it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Array", "as_array"]


@dataclass(frozen=True)
class Array:
    """An array argument.

    owner    the object that was passed; kept so that the memory stays.
    library  "numpy", "torch" or "cupy".
    dtype    name without the library, such as "float32" or "bfloat16".
    gpu      the device's index, or None in the computer's own memory.
    address  of the first element.
    bytes    from the first element to the end of the last, along the strides.
    """

    owner: Any
    library: str
    dtype: str
    itemsize: int
    shape: tuple[int, ...]
    gpu: int | None
    address: int
    bytes: int

    def describe(self) -> str:
        """In words, for messages: `a float32 numpy array of shape (3, 4)`."""
        kind = "tensor" if self.library == "torch" else f"{self.library} array"
        return f"a {self.dtype} {kind} of shape {self.shape}"


def as_array(value: Any) -> Array | None:
    """`value` seen as an array, or None if it is none. Imports neither torch nor CuPy."""
    torch, cupy = sys.modules.get("torch"), sys.modules.get("cupy")
    if isinstance(value, np.ndarray):
        return _from_numpy_like(value, "numpy", value.ctypes.data, None)
    if torch is not None and isinstance(value, torch.Tensor):
        return _from_torch(value)
    if cupy is not None and isinstance(value, cupy.ndarray):
        return _from_numpy_like(value, "cupy", value.data.ptr, value.device.id)
    return None


def _from_numpy_like(value: Any, library: str, address: int, gpu: int | None) -> Array:
    reach = _reach(value.shape, value.strides, value.itemsize, library)
    return Array(value, library, value.dtype.name, value.itemsize, tuple(value.shape), gpu, address, reach)


def _from_torch(value: Any) -> Array:
    if value.device.type not in ("cpu", "cuda"):
        raise TypeError(f"kernels take tensors on the CPU or an NVIDIA GPU, not on {value.device}")
    if value.layout is not sys.modules["torch"].strided:
        raise TypeError(f"kernels take dense tensors; pass the parts of a {value.layout} tensor one by one")
    size = value.element_size()
    reach = _reach(tuple(value.shape), tuple(step * size for step in value.stride()), size, "torch")
    gpu = (value.device.index or 0) if value.device.type == "cuda" else None
    dtype = str(value.dtype).removeprefix("torch.")
    return Array(value, "torch", dtype, size, tuple(value.shape), gpu, value.data_ptr(), reach)


def _reach(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int, library: str) -> int:
    if 0 in shape:
        return 0
    if any(step < 0 and size > 1 for size, step in zip(shape, strides, strict=True)):
        raise TypeError(f"a {library} array with a negative stride has no first address to pass; copy it first")
    return sum((size - 1) * step for size, step in zip(shape, strides, strict=True)) + itemsize
