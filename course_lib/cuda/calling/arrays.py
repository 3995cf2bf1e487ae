"""Arrays of the three libraries, seen alike: where the data lies and what is in it."""

from __future__ import annotations

import functools
import sys
from typing import Any

import numpy as np

from course_lib.cuda.calling.errors import ArgumentError
from course_lib.dtypes import dtype_name

__all__ = ["Array", "as_array"]


class Array:
    """An array argument.

    owner    the object that was passed; kept so that the memory stays.
    library  "numpy", "torch" or "cupy".
    dtype    name without the library, such as "float32" or "bfloat16".
    gpu      the device's index, or None in the computer's own memory.
    address  of the first element.
    """

    # made for every argument of every launch, hence no dataclass; the shape and the reach are asked for rarely
    __slots__ = ("address", "dtype", "gpu", "itemsize", "library", "owner")

    def __init__(self, owner: Any, library: str, dtype: str, itemsize: int, gpu: int | None, address: int) -> None:
        self.owner, self.library, self.dtype = owner, library, dtype
        self.itemsize, self.gpu, self.address = itemsize, gpu, address

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's shape."""
        return tuple(self.owner.shape)

    @property
    def bytes(self) -> int:
        """From the first element to the end of the last, along the strides."""
        steps = self.owner.stride() if self.library == "torch" else self.owner.strides
        scale = self.itemsize if self.library == "torch" else 1
        if 0 in self.shape:
            return 0
        return sum((size - 1) * step * scale for size, step in zip(self.shape, steps, strict=True)) + self.itemsize

    def describe(self) -> str:
        """In words, for messages: `a float32 numpy array of shape (3, 4)`."""
        kind = "tensor" if self.library == "torch" else f"{self.library} array"
        return f"a {self.dtype} {kind} of shape {self.shape}"


def as_array(value: Any) -> Array | None:
    """`value` seen as an array, or None if it is none. Imports neither torch nor CuPy."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return _from_torch(value, torch)
    if isinstance(value, np.ndarray):
        return _from_numpy_like(value, "numpy", value.ctypes.data, None)
    cupy = sys.modules.get("cupy")
    if cupy is not None and isinstance(value, cupy.ndarray):
        return _from_numpy_like(value, "cupy", value.data.ptr, value.device.id)
    return None


def _from_numpy_like(value: Any, library: str, address: int, gpu: int | None) -> Array:
    if any(step < 0 and size > 1 for size, step in zip(value.shape, value.strides, strict=True)):
        raise ArgumentError(f"a {library} array with a negative stride has no first address to pass; copy it first")
    return Array(value, library, _numpy_name(value.dtype), value.itemsize, gpu, address)


def _from_torch(value: Any, torch: Any) -> Array:
    if value.layout is not torch.strided:
        raise ArgumentError(f"kernels take dense tensors; pass the parts of a {value.layout} tensor one by one")
    if value.is_cuda:
        gpu = value.get_device()
    elif value.is_cpu:
        gpu = None
    else:
        raise ArgumentError(f"kernels take tensors on the CPU or an NVIDIA GPU, not on {value.device}")
    name, itemsize = _torch_name(value.dtype)
    return Array(value, "torch", name, itemsize, gpu, value.data_ptr())


@functools.cache
def _numpy_name(dtype: np.dtype) -> str:
    return dtype_name(dtype)


@functools.cache
def _torch_name(dtype: Any) -> tuple[str, int]:
    return dtype_name(dtype), dtype.itemsize
