"""A launch written to a file for a process of its own: host/runtime/job.hpp in Python."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from course_lib.cuda.calling.arguments import Bound
from course_lib.cuda.calling.bound_launch import BoundLaunch

__all__ = ["Buffer", "Mode", "RunSettings", "group", "read_back", "write_job"]

# "plain": as fast as may be. "checked": every access is watched. "traced": watched, and every access written down
Mode = Literal["plain", "checked", "traced"]
HEADER = struct.Struct("<I3I3IIiIIIIIII")
ARGUMENT = struct.Struct("<iIQ")
BUFFER = struct.Struct("<QQI60s")
VARIABLE = struct.Struct("<QQ112s")


@dataclass(frozen=True)
class RunSettings:
    """How a process of its own runs a launch.

    seconds  for all of it.
    workers  OS threads, of a plain run.
    orders   how many orders of threads and blocks a watched run tries; seed of the random ones among them.
    """

    mode: Mode
    seconds: float
    workers: int = 1
    orders: int = 1
    seed: int = 1


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


def group(arguments: Sequence[Bound]) -> list[Buffer]:
    """The buffers that the array arguments make up."""
    arrays = [(each.array.address, each.array.bytes, k) for k, each in enumerate(arguments) if each.array]
    buffers: list[Buffer] = []
    for start, size, position in sorted(arrays):
        last = buffers[-1] if buffers else None
        if last and size and last.bytes and start < last.start + last.bytes:
            last.arguments.append(position)
            last.bytes = max(last.bytes, start + size - last.start)
        else:
            buffers.append(Buffer([position], start, size))
    for buffer in buffers:
        buffer.name = ", ".join(arguments[k].parameter.name for k in sorted(buffer.arguments))
    return buffers


def write_job(path: Path, launch: BoundLaunch, variables: Mapping[str, bytes], settings: RunSettings) -> list[Buffer]:
    """Write the job file; returns the buffers in it, for `read_back`."""
    buffers = group(launch.arguments)
    values = [argument.data for argument in launch.arguments]
    counts = len(values), len(buffers), len(variables)
    descriptions = zip((ARGUMENT, BUFFER, VARIABLE), counts, strict=True)
    places = _Places(HEADER.size + sum(each.size * count for each, count in descriptions))
    value_places = [places.take(len(value)) for value in values]
    variable_places = [places.take(len(value)) for value in variables.values()]
    for buffer in buffers:
        buffer.offset = places.take(buffer.bytes)
    with path.open("wb") as file:
        milliseconds = int(settings.seconds * 1000)
        how = launch.shared_mem, settings.workers, settings.seed, settings.orders, milliseconds
        file.write(HEADER.pack(int(settings.mode != "plain"), *launch.grid, *launch.block, *how, *counts, 0))
        file.writelines(_argument_entries(launch.arguments, buffers, value_places))
        for buffer in buffers:
            file.write(BUFFER.pack(buffer.offset, buffer.bytes, buffer.start % 64, buffer.name.encode()[:59]))
        for (name, value), place in zip(variables.items(), variable_places, strict=True):
            file.write(VARIABLE.pack(place, len(value), name.encode()[:111]))
        _write_at(file, zip([*value_places, *variable_places], [*values, *variables.values()], strict=True))
        _write_at(file, ((buffer.offset, ctypes.string_at(buffer.start, buffer.bytes)) for buffer in buffers))
        file.truncate(max(places.end, 1))
    return buffers


def read_back(path: Path, buffers: Sequence[Buffer]) -> None:
    """Copy what the process left in the buffers into the arrays."""
    with path.open("rb") as file:
        for buffer in buffers:
            file.seek(buffer.offset)
            data = file.read(buffer.bytes)
            ctypes.memmove(buffer.start, data, len(data))


class _Places:
    """Hands out places in the file, one behind the other."""

    def __init__(self, start: int) -> None:
        self.end = start

    def take(self, count: int) -> int:
        place = (self.end + 63) // 64 * 64
        self.end = place + count
        return place


def _argument_entries(arguments: Sequence[Bound], buffers: Sequence[Buffer], places: Sequence[int]) -> Iterator[bytes]:
    owner = {position: k for k, buffer in enumerate(buffers) for position in buffer.arguments}
    for k, (argument, place) in enumerate(zip(arguments, places, strict=True)):
        if argument.array is not None:
            yield ARGUMENT.pack(owner[k], 8, argument.array.address - buffers[owner[k]].start)
        else:
            yield ARGUMENT.pack(-1, len(argument.data), place)


def _write_at(file: BinaryIO, pieces: Iterator[tuple[int, bytes]]) -> None:
    for place, data in pieces:
        file.seek(place)
        file.write(data)
