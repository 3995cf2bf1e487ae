"""GPU arrays for a kernel that runs on the host: copied there before the launch, and back after it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from course_lib.cuda.calling.arguments import Bound
from course_lib.cuda.calling.arrays import as_array

__all__ = ["on_host"]


@contextlib.contextmanager
def on_host(bound: Sequence[Bound], *, back: bool = True) -> Iterator[list[Bound]]:
    """The same arguments with every GPU array replaced by a copy in the computer's memory.

    One array passed twice is copied once. Views of one array are copied apart, so a kernel that writes through one
    and reads through the other needs its arrays on the CPU.

    back  copy the results into the GPU arrays afterwards.
    """
    copies: dict[int, tuple[Any, Any]] = {}
    local = []
    for argument in bound:
        if argument.array is None or argument.array.gpu is None:
            local.append(argument)
            continue
        owner = argument.array.owner
        if argument.array.address not in copies:
            copies[argument.array.address] = (owner, owner.cpu() if argument.array.library == "torch" else owner.get())
        array = as_array(copies[argument.array.address][1])
        local.append(replace(argument, array=array, value=array.address))
    yield local
    for original, copy in copies.values() if back else ():
        if hasattr(original, "copy_"):
            original.copy_(copy)
        else:
            original.set(copy)
