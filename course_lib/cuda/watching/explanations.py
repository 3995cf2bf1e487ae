"""From the records that a watched run leaves to findings in words, worst first."""

from __future__ import annotations

from collections.abc import Sequence

from course_lib.cuda.calling.bound_launch import BoundLaunch
from course_lib.cuda.runner.process import Outcome, died_in_words
from course_lib.cuda.watching.incident import place_of, read_incident
from course_lib.cuda.watching.report import Finding, Place
from course_lib.cuda.watching.source_lines import SourceLines
from course_lib.cuda.watching.wording import array_called, in_words

__all__ = ["explain"]

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
# incidents that count only if the result depends on what was read
DOUBTFUL = ("uninitialised", "undefined lane")


def explain(outcome: Outcome, launch: BoundLaunch, lines: SourceLines) -> tuple[list[Finding], list[Finding]]:
    """(findings, notes) of one watched run."""
    findings: list[Finding] = []
    doubtful: list[Finding] = []
    for kind, *fields in outcome.records:
        if kind == "finding":
            finding = in_words(read_incident(fields, launch, lines), launch)
            (doubtful if fields[0] in DOUBTFUL else findings).append(finding)
        elif kind == "pass" and int(fields[0]):
            findings += _stopped(fields[1], findings)
    matters = outcome.first("doubt")
    notes: list[Finding] = []
    # without the second run (the first one did not end well) the doubt stands
    (notes if matters and matters[0] == "0" else findings).extend(doubtful)
    differs = outcome.first("differs")
    if differs and not findings:
        (notes if differs[3] == "1" else findings).append(_order(differs, launch))
    if not outcome.finished:
        findings.append(_died(outcome, launch, lines))
    racing = {finding.array for finding in findings if finding.kind == "race"}
    # read too early rather than never written: the race says it better
    findings = [f for f in findings if not (f.kind == "uninitialised shared memory" and f.array in racing)]
    return sorted(_merged(findings), key=lambda finding: ORDER.index(finding.kind)), _merged(notes)


def _merged(findings: list[Finding]) -> list[Finding]:
    """One finding for each kind, array and pair of lines: other threads at the same lines say nothing new."""
    seen: dict[tuple[str, str, int, int], Finding] = {}
    for finding in findings:
        here, there = sorted([finding.line or 0, (finding.other.line or 0) if finding.other else 0])
        seen.setdefault((finding.kind, finding.array, here, there), finding)
    return list(seen.values())


def _stopped(message: str, found: Sequence[Finding]) -> list[Finding]:
    """A run that ended early; nothing to add if a finding explains it."""
    if any(finding.kind != "race" for finding in found):
        return []
    waits = "wait for each other" in message
    return [Finding("deadlock" if waits else "stopped", f"{message}.")]


def _order(fields: Sequence[str], launch: BoundLaunch) -> Finding:
    order, name, offset, atomics = fields
    array = array_called(name, launch)
    index = int(offset) // array.itemsize if array is not None else None
    what = f"{name}[{index}]" if index is not None else name
    message = f"{what} is different when threads and blocks run in {order} order"
    if atomics == "1":
        message += ": the order of atomics decides it"
    return Finding("order dependence", f"{message}.", name, index)


def _died(outcome: Outcome, launch: BoundLaunch, lines: SourceLines) -> Finding:
    died = outcome.first("died")
    place = place_of(died[3], died[4], died[5], launch, lines) if died else Place()
    kind = "time limit" if outcome.timed_out else "stack overflow" if died and int(died[2]) else "crash"
    line = f"\nat line {place.line}: {place.code}" if place.line is not None else ""
    return Finding(kind, f"the kernel {died_in_words(outcome, launch)}{line}", place=place)
