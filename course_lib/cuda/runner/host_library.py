"""The compiled runner and kernels as `ctypes` libraries: the structures of host/runtime/launch.hpp in Python."""

from __future__ import annotations

import ctypes
import functools
from ctypes import POINTER, c_char, c_char_p, c_int, c_int32, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path

__all__ = ["HostLibrary", "KernelTable", "LaunchRequest", "load_runtime"]


class LaunchRequest(ctypes.Structure):
    """host/runtime/launch.hpp, field for field."""

    _fields_ = (
        ("thread", c_void_p),
        ("block", c_void_p),
        ("arguments", POINTER(c_void_p)),
        ("grid", c_uint32 * 3),
        ("size", c_uint32 * 3),
        ("dynamic_bytes", c_uint32),
        ("shared", c_void_p),
        ("workers", c_int32),
        ("order", c_int32),
        ("seed", c_uint32),
        ("status", c_int32),
        ("message", c_char * 1024),
        ("printed", POINTER(c_char)),
        ("printed_bytes", c_uint64),
        ("printed_capacity", c_uint64),
        ("stop", c_int32),
    )


class _Parameter(ctypes.Structure):
    _fields_ = (("kind", c_int), ("bytes", c_int), ("is_signed", c_int))


class _Global(ctypes.Structure):
    _fields_ = (("name", c_char_p), ("address", c_void_p), ("bytes", c_size_t))


class KernelTable(ctypes.Structure):
    """host/entry.hpp's Kernel: what a compiled kernel exports as `course_kernel`."""

    _fields_ = (
        ("thread", c_void_p),
        ("block", c_void_p),
        ("parameters", POINTER(_Parameter)),
        ("parameter_count", c_int),
        ("globals", POINTER(_Global)),
        ("global_count", c_int),
    )


class HostLibrary:
    """One compiled kernel, loaded.

    sizes      bytes of each parameter, as the compiler lays it out.
    variables  name: (address, bytes) of each __device__ and __constant__ variable.
    """

    def __init__(self, file: Path, runtime: ctypes.CDLL) -> None:
        self.runtime = runtime
        self._library = ctypes.CDLL(str(file))
        self.table = KernelTable.in_dll(self._library, "course_kernel")
        self.shared_use = ctypes.addressof(c_int32.in_dll(self._library, "course_shared_use"))
        self.sizes = [self.table.parameters[k].bytes for k in range(self.table.parameter_count)]
        entries = [self.table.globals[k] for k in range(self.table.global_count)]
        self.variables = {entry.name.decode(): (entry.address, entry.bytes) for entry in entries}

    @property
    def is_plain(self) -> bool:
        """True if the kernel was compiled to plain loops: none of its threads waits for another."""
        return bool(self.table.block)


@functools.cache
def load_runtime(file: Path) -> ctypes.CDLL:
    """The runner, loaded before the kernels that name it. A kernel that was linked with it is its own runner."""
    library = ctypes.CDLL(str(file))
    library.host_launch.argtypes = [POINTER(LaunchRequest)]
    library.host_launch.restype = c_int
    library.host_release.argtypes = [POINTER(LaunchRequest)]
    library.host_release.restype = None
    return library
