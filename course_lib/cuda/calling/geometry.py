"""Grids and blocks: one to three whole numbers, within the limits that every GPU since 2010 has."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Literal

from course_lib.cuda.calling.errors import LaunchError

__all__ = ["Size", "Triple", "check_shared", "triple"]

Size = int | Sequence[int]
Triple = tuple[int, int, int]

LIMITS = {"grid": (2**31 - 1, 65535, 65535), "block": (1024, 1024, 64)}
MOST_THREADS = 1024
MOST_SHARED = 227 * 1024


def triple(size: Size, what: Literal["grid", "block"]) -> Triple:
    """(x, y, z) of a grid or a block given as a number or as up to three of them. Raises LaunchError."""
    numbers = tuple(size) if isinstance(size, Sequence) else (size,)
    try:
        return _checked(numbers, what)
    except TypeError:  # what is in it cannot even be looked up
        raise _not_whole(size, what) from None


def check_shared(shared_mem: int) -> int:
    """Bytes of dynamic shared memory, at most what one block may have on the largest GPU. Raises LaunchError."""
    if not _is_whole(shared_mem) or not 0 <= shared_mem <= MOST_SHARED:
        raise LaunchError(f"shared_mem is {shared_mem!r} bytes; a block may have 0 to {MOST_SHARED} (227 KB)")
    return int(shared_mem)


@functools.lru_cache(maxsize=4096)  # a program launches with a few sizes, very often
def _checked(numbers: tuple[int, ...], what: Literal["grid", "block"]) -> Triple:
    if not 1 <= len(numbers) <= 3 or not all(_is_whole(n) for n in numbers):
        raise _not_whole(numbers[0] if len(numbers) == 1 else numbers, what)
    x, y, z = [int(n) for n in [*numbers, 1, 1][:3]]
    for axis, n, most in zip("xyz", (x, y, z), LIMITS[what], strict=True):
        if not 1 <= n <= most:
            raise LaunchError(f"{what} {(x, y, z)}: {axis} is {n}, allowed are 1 to {most}")
    if what == "block" and math.prod((x, y, z)) > MOST_THREADS:
        raise LaunchError(f"a block has at most {MOST_THREADS} threads; {(x, y, z)} are {x * y * z}")
    return x, y, z


def _is_whole(n: object) -> bool:
    return isinstance(n, Integral) or (isinstance(n, Real) and float(n).is_integer())


def _not_whole(size: object, what: str) -> LaunchError:
    return LaunchError(f"{what} is one to three whole numbers, such as (4, 2), not {size!r}")
