"""One fault as the watched program reports it, its numbers turned into threads, blocks and source lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from course_lib.cuda.calling.bound_launch import BoundLaunch
from course_lib.cuda.watching.report import Place
from course_lib.cuda.watching.source_lines import SourceLines

__all__ = ["Incident", "place_of", "read_incident"]


@dataclass(frozen=True)
class Incident:
    """A `finding` line of the report: runner/host/runtime/findings.hpp, `report`.

    kind     "out of bounds", "race", ...: the runner's word, not yet the report's.
    where    the memory concerned: "argument", "shared", "dynamic", "variable" or "none".
    name     its name in the source.
    offset   in bytes from its start; for "divergence" a count of threads, for "undefined lane" a lane, and where the
             memory is none of the kernel's an address.
    total    bytes that it has; size: bytes that were touched.
    place    the thread that did it; other: the second party.
    details  "read" or "write", which access came first in a race, what was waited for.
    """

    kind: str
    where: str
    name: str
    offset: int
    total: int
    size: int
    place: Place
    other: Place | None
    details: str


def read_incident(fields: Sequence[str], launch: BoundLaunch, lines: SourceLines) -> Incident:
    """The record's fields, in the order in which the runner writes them. Raises ValueError for another number."""
    kind, where, name, offset, total, size, *where_and_who, details = fields
    block, thread, stack, other_block, other_thread, other_stack = where_and_who
    return Incident(
        kind=kind,
        where=where,
        name=launch.kernel.source.dynamic_name if where == "dynamic" else name,
        offset=int(offset),
        total=int(total),
        size=int(size),
        place=place_of(block, thread, stack, launch, lines),
        other=place_of(other_block, other_thread, other_stack, launch, lines) if int(other_thread) >= 0 else None,
        details=details,
    )


def place_of(block: str, thread: str, stack: str, launch: BoundLaunch, lines: SourceLines) -> Place:
    """The place that a block's number, a thread's number (-1: not known) and a call stack mean."""
    found = lines.find(stack) if stack else None
    file, line, code = found or (None, None, "")
    known = int(thread) >= 0
    return Place(
        block=launch.block_index(int(block)) if known and int(block) >= 0 else None,
        thread=launch.thread_index(int(thread)) if known else None,
        file=file,
        line=line,
        code=code,
    )
