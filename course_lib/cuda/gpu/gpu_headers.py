"""The headers that NVRTC needs beside its own: where NVIDIA's are installed, and small ones for C's names."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["BUILT_IN", "cuda_include_folders"]

_INTEGERS = """#pragma once
typedef signed char int8_t; typedef unsigned char uint8_t; typedef short int16_t; typedef unsigned short uint16_t;
typedef int int32_t; typedef unsigned int uint32_t; typedef long long int64_t; typedef unsigned long long uint64_t;
typedef long intptr_t; typedef unsigned long uintptr_t;
#define INT8_MIN (-128)
#define INT8_MAX 127
#define UINT8_MAX 255
#define INT16_MIN (-32768)
#define INT16_MAX 32767
#define UINT16_MAX 65535
#define INT32_MIN (-2147483647 - 1)
#define INT32_MAX 2147483647
#define UINT32_MAX 4294967295u
"""
_LIMITS = """#pragma once
#define CHAR_BIT 8
#define INT_MIN (-2147483647 - 1)
#define INT_MAX 2147483647
#define UINT_MAX 4294967295u
#define LLONG_MAX 9223372036854775807ll
#define ULLONG_MAX 18446744073709551615ull
"""
_FLOATS = """#pragma once
#define FLT_MAX 3.402823466e+38f
#define FLT_MIN 1.175494351e-38f
#define FLT_EPSILON 1.192092896e-07f
#define DBL_MAX 1.7976931348623157e+308
#define DBL_MIN 2.2250738585072014e-308
#define DBL_EPSILON 2.2204460492503131e-16
#define INFINITY __int_as_float(0x7f800000)
#define NAN __int_as_float(0x7fffffff)
"""
_NOTHING = "#pragma once\n"
# NVRTC declares the functions of these headers by itself but has no files of these names, which sources written for
# nvcc include as a matter of course.
BUILT_IN = {
    **dict.fromkeys(["stdint.h", "cstdint"], _INTEGERS),
    **dict.fromkeys(["limits.h", "climits"], _LIMITS),
    **dict.fromkeys(["float.h", "cfloat", "math.h", "cmath"], _FLOATS),
    **dict.fromkeys(
        ["stdio.h", "cstdio", "stdlib.h", "cstdlib", "string.h", "cstring", "assert.h", "cassert"], _NOTHING
    ),
    **dict.fromkeys(["stddef.h", "cstddef", "cuda.h", "cuda_runtime.h", "device_launch_parameters.h"], _NOTHING),
}


def cuda_include_folders(major: int) -> list[Path]:
    """Folders with cuda_fp16.h and its like, of NVRTC's major version: NVIDIA's wheels first, then a toolkit.

    The wheels: nvidia-cuda-runtime (float16, bfloat16), nvidia-cuda-cccl (cooperative groups), nvidia-cuda-crt (wmma).
    """
    folders = [folder for folder in _candidates(major) if folder.is_dir()]
    toolkit = next((folder for folder in folders if _version(folder) == major), None)
    if toolkit is None:
        return []
    # before CUDA 13 each wheel has a folder of its own: they belong together
    wheels = [folder for folder in folders if folder.parent.parent == toolkit.parent.parent and folder != toolkit]
    chosen = [toolkit, *(wheels if toolkit.parent.name == "cuda_runtime" else [])]
    return [place for folder in chosen for place in (folder, folder / "cccl") if place.is_dir()]


def _candidates(major: int) -> Iterator[Path]:
    spec = importlib.util.find_spec("nvidia")
    for place in spec.submodule_search_locations if spec and spec.submodule_search_locations else ():
        yield Path(place) / f"cu{major}" / "include"  # one folder for all wheels, since CUDA 13
        for wheel in ("cuda_runtime", "cuda_cccl", "cuda_nvcc"):
            yield Path(place) / wheel / "include"
    for variable in ("CUDA_PATH", "CUDA_HOME", "CONDA_PREFIX"):
        if os.environ.get(variable):
            yield Path(os.environ[variable]) / "targets" / "x86_64-linux" / "include"
            yield Path(os.environ[variable]) / "include"
    yield Path(f"/usr/local/cuda-{major}/include")
    yield Path("/usr/local/cuda/include")


def _version(folder: Path) -> int | None:
    try:
        text = (folder / "cuda_runtime_api.h").read_text(errors="replace")
    except OSError:
        return None
    match = re.search(r"#define\s+CUDART_VERSION\s+(\d+)", text)
    return int(match.group(1)) // 1000 if match else None
