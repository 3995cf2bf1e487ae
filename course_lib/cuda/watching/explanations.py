"""From the records that a checked run leaves to findings in words."""

from __future__ import annotations

from collections.abc import Sequence

from course_lib.cuda.calling.arguments import Bound
from course_lib.cuda.runner.isolated import Outcome, died_in_words, unflatten
from course_lib.cuda.watching.report import Finding, Place
from course_lib.cuda.watching.source_lines import SourceLines

__all__ = ["explain"]

Size = tuple[int, int, int]
# in this order in a report: a crash explains what follows it, a race explains results that differ
ORDER = (
    "crash",
    "stack overflow",
    "time limit",
    "invalid pointer",
    "out-of-bounds write",
    "out-of-bounds read",
    "misaligned access",
    "barrier divergence",
    "deadlock",
    "stopped",
    "uninitialised shared memory",
    "race",
    "undefined lane",
    "order dependence",
)
ITEM = {"float": 4, "double": 8, "half": 2, "bfloat16": 2, "int": 4, "unsigned int": 4, "short": 2, "unsigned short": 2}


def explain(
    outcome: Outcome,
    bound: Sequence[Bound],
    lines: SourceLines | None,
    grid: Size,
    block: Size,
    shared_mem: int,
    dynamic: str,
    seconds: float,
) -> tuple[list[Finding], list[Finding]]:
    """(findings, notes) of one check. `dynamic` is the source's name for its dynamic shared memory."""
    words = _Words(bound, lines, grid, block, shared_mem, dynamic)
    findings: list[Finding] = []
    doubtful: list[Finding] = []
    for kind, *fields in outcome.records:
        if kind == "finding":
            finding = words.finding(fields)
            (doubtful if fields[0] in ("uninitialised", "undefined lane") else findings).append(finding)
        elif kind == "pass" and int(fields[0]):
            findings += words.stopped(fields[1], findings)
    matters = outcome.first("doubt")
    notes: list[Finding] = []
    # without the second run (the first one did not end well) the doubt stands
    (notes if matters and matters[0] == "0" else findings).extend(doubtful)
    differs = outcome.first("differs")
    if differs and not findings:
        (notes if differs[3] == "1" else findings).append(words.order(differs))
    if not outcome.finished:
        findings.append(words.died(outcome, seconds))
    racing = {finding.array for finding in findings if finding.kind == "race"}
    # read too early rather than never written: the race says it better
    findings = [f for f in findings if not (f.kind == "uninitialised shared memory" and f.array in racing)]
    findings = _merged(findings)
    findings.sort(key=lambda finding: ORDER.index(finding.kind))
    return findings, _merged(notes)


def _merged(findings: list[Finding]) -> list[Finding]:
    """One finding for each kind, array and pair of lines: other threads at the same lines say nothing new."""
    seen: dict[tuple, Finding] = {}
    for finding in findings:
        pair = sorted([finding.line or 0, (finding.other.line or 0) if finding.other else 0])
        seen.setdefault((finding.kind, finding.array, *pair), finding)
    return list(seen.values())


class _Words:
    def __init__(
        self, bound: Sequence[Bound], lines: SourceLines | None, grid: Size, block: Size, shared_mem: int, dynamic: str
    ) -> None:
        self.arrays = {argument.parameter.name: argument.array for argument in bound if argument.array is not None}
        self.lines, self.grid, self.block, self.shared_mem = lines, grid, block, shared_mem
        self.dynamic = dynamic

    def place(self, block: str, thread: str, stack: str) -> Place:
        found = self.lines.find(stack) if self.lines and stack else None
        known = int(thread) >= 0
        return Place(
            block=unflatten(int(block), self.grid) if known and int(block) >= 0 else None,
            thread=unflatten(int(thread), self.block) if known else None,
            file=found[0] if found else None,
            line=found[1] if found else None,
            code=found[2] if found else "",
        )

    def finding(self, fields: list[str]) -> Finding:
        (
            kind,
            where,
            name,
            offset,
            total,
            size,
            block,
            thread,
            stack,
            other_block,
            other_thread,
            other_stack,
            details,
        ) = fields
        name = self.dynamic if where == "dynamic" else name
        place = self.place(block, thread, stack)
        other = self.place(other_block, other_thread, other_stack) if int(other_thread) >= 0 else None
        at, whole, touched = int(offset), int(total), int(size)
        if kind == "out of bounds":
            return self.out_of_bounds(where, name, at, whole, touched, place, details)
        if kind == "race":
            return self.race(where, name, at, whole, touched, place, other or Place(), details)
        if kind == "in flight":
            what = self.element(where, name, at, whole, touched)
            message = (
                f"{place}\nreads {what[1]} while the cp.async that fills it is still on its way; wait for it first."
            )
            return Finding("race", message, name, what[0], place, other)
        if kind == "uninitialised":
            what = self.element(where, name, at, whole, touched)
            return Finding(
                "uninitialised shared memory",
                f"{place}\nreads {what[1]}, which no thread of the block has written.",
                name,
                what[0],
                place,
            )
        if kind == "misaligned":
            what = self.element(where, name, at, whole, touched)
            message = (
                f"{place}\n{details}s {touched} bytes at {what[1]}, at an address that is not a multiple of {touched}."
            )
            return Finding("misaligned access", message, name, what[0], place)
        if kind == "divergence":
            return self.divergence(at, place, other or Place(), details)
        if kind == "undefined lane":
            what = f"takes the value of lane {at % 32}, which does not take part: the value is undefined."
            message = f"{place}\n{details} {what}"
            return Finding("undefined lane", message, place=place)
        return self.pointer(kind, at, touched, place, other, details)

    def element(self, where: str, name: str, offset: int, total: int, size: int) -> tuple[int, str]:
        """(index, description) of what lies at a byte offset."""
        array = self.arrays.get(name)
        if array is not None and array.itemsize:
            return offset // array.itemsize, f"{name}[{offset // array.itemsize}]"
        step = size if size and offset % size == 0 else 1
        unit = (
            f"{name}[{offset // step}]"
            if step == size and total > size
            else f"byte {offset} of {name}"
            if total > size
            else name
        )
        return offset // step, unit

    def out_of_bounds(
        self, where: str, name: str, offset: int, total: int, size: int, place: Place, verb: str
    ) -> Finding:
        array = self.arrays.get(name)
        step = array.itemsize if array is not None else size or 1
        index = offset // step
        if where == "dynamic" and total == 0:
            what = f"{name}, extern __shared__ memory, of which the launch gave none (shared_mem=0)"
        elif where == "dynamic":
            what = f"byte {offset} of {name}, which has the {total} bytes that the launch gave (shared_mem={total})"
        elif array is not None and "," not in name:
            what = (
                f"{name}[{index}]; {name} has {total // step} elements, 0 to {total // step - 1}"
                if total
                else f"{name}[{index}]; {name} is empty"
            )
        elif where == "shared":
            what = f"byte {offset} of {name}, a shared variable of {total} bytes (element {index} of {total // step})"
        else:
            what = f"byte {offset} of {name}, which has {total} bytes"
        return Finding(f"out-of-bounds {verb}", f"{place}\n{verb}s {what}.", name, index, place)

    def race(
        self, where: str, name: str, offset: int, total: int, size: int, place: Place, other: Place, details: str
    ) -> Finding:
        index, what = self.element(where, name, offset, total, size)
        first, second = {
            "write-read": ("writes", "reads"),
            "read-write": ("reads", "writes"),
            "write-write": ("writes", "writes"),
        }[details]
        if place.block == other.block:
            same_warp = _linear(place.thread, self.block) // 32 == _linear(other.thread, self.block) // 32
            remedy = (
                "no __syncthreads() (or, within a warp, __syncwarp()) between them"
                if same_warp
                else "no __syncthreads() between them"
            )
        else:
            remedy = "blocks run in any order, and no atomic orders these two"
        message = f"{other}\n{first} {what}, and\n{place}\n{second} it: {remedy}."
        return Finding("race", message, name, index, place, other)

    def divergence(self, returned: int, place: Place, other: Place, details: str) -> Finding:
        if details == "returned":
            threads = self.block[0] * self.block[1] * self.block[2]
            rest = (
                f"{returned} of the block's {threads} threads, {_who(other)} for one, have returned and never reach it."
            )
        elif details == "other barrier":
            rest = f"{other}\nwaits at another one. All threads of a block must reach the same barrier."
        elif details == "warp function":
            rest = f"{other}\nwaits for its warp there: neither can go on."
        else:
            return Finding("deadlock", f"{place}\nwaits for lanes of its warp that never come.", place=place)
        return Finding("barrier divergence", f"{place}\nwaits at a barrier, but {rest}", place=place, other=other)

    def pointer(self, kind: str, address: int, size: int, place: Place, other: Place | None, verb: str) -> Finding:
        if kind == "foreign local":
            message = f"{place}\n{verb}s a local variable of {_who(other or Place())}: threads cannot see each other's."
        elif kind == "null":
            message = f"{place}\n{verb}s through a null pointer."
        else:
            message = f"{place}\n{verb}s {size} bytes at {address:#x}, which belongs to none of the arrays."
        return Finding("invalid pointer", message, place=place)

    def stopped(self, message: str, found: Sequence[Finding]) -> list[Finding]:
        """A run that ended early; nothing to add if a finding explains it."""
        if any(finding.kind != "race" for finding in found):
            return []
        waits = "wait for each other" in message
        return [Finding("deadlock" if waits else "stopped", f"{message}.")]

    def order(self, fields: list[str]) -> Finding:
        order, name, offset, atomics = fields
        array = self.arrays.get(name)
        index = int(offset) // array.itemsize if array is not None else None
        what = f"{name}[{index}]" if index is not None else name
        message = f"{what} is different when threads and blocks run in {order} order"
        if atomics == "1":
            message += ": the order of atomics decides it"
        return Finding("order dependence", f"{message}.", name, index)

    def died(self, outcome: Outcome, seconds: float) -> Finding:
        died = outcome.first("died")
        place = self.place(died[3], died[4], died[5]) if died else Place()
        kind = "time limit" if outcome.timed_out else "stack overflow" if died and int(died[2]) else "crash"
        text = died_in_words(outcome, self.grid, self.block, seconds)
        line = f"\nat line {place.line}: {place.code}" if place.line is not None else ""
        return Finding(kind, f"the kernel {text}{line}", place=place)


def _who(place: Place) -> str:
    return f"thread {place.thread}" if place.thread is not None else "another thread"


def _linear(index: Size | None, size: Size) -> int:
    return index[0] + size[0] * (index[1] + size[1] * index[2]) if index else 0
