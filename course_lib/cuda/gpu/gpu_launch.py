"""Passing arguments to the driver: one buffer for their values, and pointers into it, as cuLaunchKernel wants them."""

from __future__ import annotations

import ctypes
import struct
import sys
import threading
from collections.abc import Sequence
from typing import Any

from course_lib.cuda.calling.arguments import Bound

__all__ = ["Parameters", "current_stream"]


class Parameters(threading.local):
    """The buffer of one kernel, kept from launch to launch; each thread that launches has its own."""

    def __init__(self) -> None:
        self._formats: list[str] | None = None

    def pack(self, arguments: Sequence[Bound]) -> int:
        """Write the values; returns the address of the array of pointers. The driver copies them during the call."""
        formats = [argument.format for argument in arguments]
        if formats != self._formats:
            self._arrange(formats)
        self._struct.pack_into(self._buffer, 0, *[argument.value for argument in arguments])
        return self._address

    def _arrange(self, formats: list[str]) -> None:
        # "x" pads every value to a multiple of 16, the strictest alignment that a built-in type has
        sizes = [struct.calcsize("=" + each) for each in formats]
        padded = [f"{each}{-size % 16}x" for each, size in zip(formats, sizes, strict=True)]
        self._struct = struct.Struct("=" + "".join(padded))
        self._buffer = ctypes.create_string_buffer(self._struct.size + 1)
        start = ctypes.addressof(self._buffer)
        places, at = [], start
        for size in sizes:
            places.append(at)
            at += size + -size % 16
        self._pointers = (ctypes.c_void_p * max(len(places), 1))(*places)
        self._address = ctypes.addressof(self._pointers)
        self._formats = formats


def current_stream(arguments: Sequence[Bound], device: int, cupy: Any) -> int:
    """torch's current stream if a tensor is passed (or no array at all), else CuPy's: results are then in order."""
    torch = sys.modules.get("torch")
    libraries = {argument.array.library for argument in arguments if argument.array is not None}
    if torch is not None and libraries != {"cupy"} and torch.cuda.is_initialized():
        return torch.cuda.current_stream(device).cuda_stream
    return cupy.cuda.get_current_stream().ptr
