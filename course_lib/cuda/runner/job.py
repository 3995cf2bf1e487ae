"""A launch written to a file for a process of its own: host/runtime/job.hpp in Python."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from course_lib.cuda.calling.arguments import Bound

__all__ = ["Buffer", "group", "read_back", "write_job"]

HEADER = struct.Struct("<I3I3IIiIIIIIII")
ARGUMENT = struct.Struct("<iIQ")
BUFFER = struct.Struct("<QQI60s")
VARIABLE = struct.Struct("<QQ112s")


@dataclass
class Buffer:
    """Memory that one or several array arguments lie in: arrays that overlap stay overlapping.

    arguments  positions of the arguments.
    start      address of the first byte in this process.
    """

    arguments: list[int]
    start: int
    bytes: int
    name: str = ""
    offset: int = 0


def group(bound: Sequence[Bound]) -> list[Buffer]:
    """The buffers that the array arguments make up."""
    arrays = [(argument.array.address, argument.array.bytes, k) for k, argument in enumerate(bound) if argument.array]
    buffers: list[Buffer] = []
    for start, size, position in sorted(arrays):
        last = buffers[-1] if buffers else None
        if last and size and last.bytes and start < last.start + last.bytes:
            last.arguments.append(position)
            last.bytes = max(last.bytes, start + size - last.start)
        else:
            buffers.append(Buffer([position], start, size))
    for buffer in buffers:
        buffer.name = ", ".join(bound[k].parameter.name for k in sorted(buffer.arguments))
    return buffers


def write_job(
    path: Path,
    bound: Sequence[Bound],
    buffers: list[Buffer],
    variables: Mapping[str, bytes],
    *,
    check: bool,
    grid: tuple[int, int, int],
    block: tuple[int, int, int],
    shared_mem: int,
    workers: int,
    seconds: float,
    passes: int = 1,
    seed: int = 1,
) -> None:
    """Write the job file; fills in each buffer's offset in it."""
    counts = (len(bound), len(buffers), len(variables))
    at = HEADER.size + counts[0] * ARGUMENT.size + counts[1] * BUFFER.size + counts[2] * VARIABLE.size
    places = []
    values = [argument.data for argument in bound]
    for data in [*values, *variables.values()]:
        at = _aligned(at)
        places.append(at)
        at += len(data)
    for buffer in buffers:
        at = _aligned(at)
        buffer.offset = at
        at += buffer.bytes
    owner = {position: k for k, buffer in enumerate(buffers) for position in buffer.arguments}
    with path.open("wb") as file:
        header = (int(check), *grid, *block, shared_mem, workers, seed, passes, int(seconds * 1000), *counts, 0)
        file.write(HEADER.pack(*header))
        for k, argument in enumerate(bound):
            if k in owner:
                inside = argument.array.address - buffers[owner[k]].start
                file.write(ARGUMENT.pack(owner[k], 8, inside))
            else:
                file.write(ARGUMENT.pack(-1, len(values[k]), places[k]))
        for buffer in buffers:
            name = buffer.name.encode()[:59]
            file.write(BUFFER.pack(buffer.offset, buffer.bytes, buffer.start % 64, name))
        for (name, data), place in zip(variables.items(), places[len(values) :], strict=True):
            file.write(VARIABLE.pack(place, len(data), name.encode()[:111]))
        for data, place in zip([*values, *variables.values()], places, strict=True):
            file.seek(place)
            file.write(data)
        for buffer in buffers:
            file.seek(buffer.offset)
            file.write(ctypes.string_at(buffer.start, buffer.bytes))
        file.truncate(max(at, 1))


def read_back(path: Path, buffers: Sequence[Buffer]) -> None:
    """Copy what the process left in the buffers into the arrays."""
    with path.open("rb") as file:
        for buffer in buffers:
            file.seek(buffer.offset)
            data = file.read(buffer.bytes)
            ctypes.memmove(buffer.start, data, len(data))


def _aligned(at: int) -> int:
    return (at + 63) // 64 * 64
