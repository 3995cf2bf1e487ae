"""Would a kernel run here, and which of several? For operations that choose among numbered versions."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING

from course_lib.cuda.calling import backends

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["backend_of", "capability_of", "chosen_version"]


def backend_of(tensor: Tensor) -> str | None:
    """`cuda` or `host`: where a kernel on this tensor runs if nobody says more. None: no kernel runs by itself.

    On a CPU kernels are exact but slow, so they run there only inside `with cuda.use("host")`. On a GPU they need CuPy.
    """
    forced = backends.current().backend
    if forced is not None:
        return forced
    return "cuda" if tensor.is_cuda and _has_cupy() else None


def capability_of(tensor: Tensor) -> tuple[int, int] | None:
    """The compute capability of the GPU that holds the tensor, such as (9, 0); None for a tensor elsewhere."""
    if not tensor.is_cuda:
        return None
    import torch

    return torch.cuda.get_device_capability(tensor.device)


def chosen_version(tensor: Tensor, needs: Mapping[int, tuple[int, int]]) -> int | None:
    """The largest version number that can run where a kernel on this tensor would run; None if none does.

    needs   version number: the compute capability it needs. The host runs every version.
    """
    backend = backend_of(tensor)
    if backend is None:
        return None
    capability = capability_of(tensor) if backend == "cuda" else None
    able = [version for version, least in needs.items() if capability is None or capability >= least]
    return max(able, default=None)


@functools.cache
def _has_cupy() -> bool:
    return importlib.util.find_spec("cupy") is not None
