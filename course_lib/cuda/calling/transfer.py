"""GPU arrays for a kernel that runs on the host: copied there before the launch, and back after it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from course_lib.cuda.calling.arguments import Bound
from course_lib.cuda.calling.arrays import Array, as_array
from course_lib.cuda.calling.bound_launch import BoundLaunch

__all__ = ["on_host"]


@contextlib.contextmanager
def on_host(launch: BoundLaunch, *, back: bool = True) -> Iterator[BoundLaunch]:
    """The same launch with every GPU array replaced by a copy in the computer's memory.

    One array passed twice is copied once. Views of one array are copied apart, so a kernel that writes through one
    and reads through the other needs its arrays on the CPU.

    back  copy the results into the GPU arrays afterwards.
    """
    copies: dict[int, tuple[Any, Any]] = {}

    def local(argument: Bound) -> Bound:
        array = argument.array
        if array is None or array.gpu is None:
            return argument
        if array.address not in copies:
            copies[array.address] = (array.owner, _copied(array))
        copy = as_array(copies[array.address][1])
        assert copy is not None  # a copy of an array is an array
        return replace(argument, array=copy, value=copy.address)

    yield replace(launch, arguments=[local(argument) for argument in launch.arguments])
    for original, copy in copies.values() if back else ():
        if hasattr(original, "copy_"):
            original.copy_(copy)
        else:
            original.set(copy)


def _copied(array: Array) -> Any:
    return array.owner.cpu() if array.library == "torch" else array.owner.get()
