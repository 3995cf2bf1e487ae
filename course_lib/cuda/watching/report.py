"""What a check found, in words a student can act on."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Finding", "Place", "Report"]

Index = tuple[int, int, int]


@dataclass(frozen=True)
class Place:
    """A thread, and the source line it was at. Parts that are not known are None."""

    block: Index | None = None
    thread: Index | None = None
    file: str | None = None
    line: int | None = None
    code: str = ""

    def __str__(self) -> str:
        who = f"thread {self.thread} of block {self.block}" if self.thread is not None else ""
        where = f"line {self.line}: {self.code}" if self.line is not None else ""
        return ", ".join(part for part in (who, where) if part)


@dataclass(frozen=True)
class Finding:
    """One fault.

    kind     "out-of-bounds read", "out-of-bounds write", "misaligned access", "invalid pointer", "race",
             "barrier divergence", "uninitialised shared memory", "undefined lane", "order dependence", "deadlock",
             "time limit", "crash", "stack overflow" or "stopped".
    message  the whole story in one or two sentences.
    array    the argument or shared variable concerned, or "".
    index    which element of it, or None.
    place    the thread that did it; other: the second party of a race or a divergence.
    """

    kind: str
    message: str
    array: str = ""
    index: int | None = None
    place: Place = field(default_factory=Place)
    other: Place | None = None

    @property
    def thread(self) -> Index | None:
        """threadIdx of the thread that did it."""
        return self.place.thread

    @property
    def block(self) -> Index | None:
        """blockIdx of that thread."""
        return self.place.block

    @property
    def line(self) -> int | None:
        """The source line it was at."""
        return self.place.line

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


@dataclass(frozen=True)
class Report:
    """The result of `check`.

    ok        nothing was found.
    findings  faults, worst first.
    notes     what is odd and made no difference to the result: not held against the kernel.
    printed   what the kernel printed in the first run.
    seconds   how long the runs took, without compiling.
    """

    kernel: str
    findings: tuple[Finding, ...] = ()
    notes: tuple[Finding, ...] = ()
    printed: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """True if no fault was found."""
        return not self.findings

    @property
    def message(self) -> str:
        """The first finding in words, or that there is none."""
        return str(self.findings[0]) if self.findings else f"{self.kernel}: no fault found"

    def kinds(self) -> set[str]:
        """The kinds of the findings."""
        return {finding.kind for finding in self.findings}

    def __str__(self) -> str:
        if self.ok:
            lines = [f"{self.kernel}: no fault found."]
        else:
            count = len(self.findings)
            lines = [f"{self.kernel}: {count} fault{'s' if count > 1 else ''} found."]
            lines += [f"  {k}. {_indented(finding)}" for k, finding in enumerate(self.findings, 1)]
        lines += [f"  Note: {_indented(note)}" for note in self.notes]
        return "\n".join(lines)


def _indented(finding: Finding) -> str:
    return str(finding).replace("\n", "\n     ")
