"""Grids and blocks: one to three whole numbers, within the limits that every GPU since 2010 has."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

__all__ = ["LaunchError", "check_shared", "triple"]

LIMITS = {"grid": (2**31 - 1, 65535, 65535), "block": (1024, 1024, 64)}
MOST_THREADS = 1024
MOST_SHARED = 227 * 1024


class LaunchError(RuntimeError):
    """A launch that cannot be made, or a kernel that stopped before its end."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


def triple(size: Any, what: str) -> tuple[int, int, int]:
    """(x, y, z) of a grid or a block given as a number or as up to three of them."""
    return _checked(tuple(size) if isinstance(size, Sequence) else (size,), what)


@functools.lru_cache(maxsize=4096)  # a program launches with a few sizes, very often
def _checked(numbers: tuple[Any, ...], what: str) -> tuple[int, int, int]:
    size = numbers if len(numbers) > 1 else numbers[0] if numbers else ()
    if not 1 <= len(numbers) <= 3 or any(isinstance(n, bool) or int(n) != n for n in numbers):
        raise LaunchError(f"{what} is one to three whole numbers, such as (4, 2), not {size!r}")
    x, y, z = [int(n) for n in [*numbers, 1, 1][:3]]
    for axis, n, most in zip("xyz", (x, y, z), LIMITS[what], strict=True):
        if not 1 <= n <= most:
            raise LaunchError(f"{what} {(x, y, z)}: {axis} is {n}, allowed are 1 to {most}")
    if what == "block" and math.prod((x, y, z)) > MOST_THREADS:
        raise LaunchError(f"a block has at most {MOST_THREADS} threads; {(x, y, z)} are {x * y * z}")
    return x, y, z


def check_shared(shared_mem: int) -> int:
    """Bytes of dynamic shared memory, at most what one block may have on the largest GPU."""
    if not 0 <= shared_mem <= MOST_SHARED:
        raise LaunchError(f"shared_mem is {shared_mem} bytes; a block may have 0 to {MOST_SHARED} (227 KB)")
    return int(shared_mem)
