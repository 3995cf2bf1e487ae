"""How much a submission may use: the one place that says so."""

from __future__ import annotations

from dataclasses import asdict, dataclass

__all__ = ["Limits"]

MB = 1_000_000


@dataclass(frozen=True)
class Limits:
    """Caps on one sandbox and on what comes out of it. Seconds are wall time unless they say CPU.

    memory, tmp, file     bytes: resident memory of all processes together, the writable /tmp, one file in it.
    processes             processes and threads at a time.
    cpu_seconds           CPU time of one process.
    start, setup, cell    a sandbox's start; the locked set-up cell; one cell of the student's.
    question              all cases of one question; a question may set its own.
    submission            everything of one submission; what is unanswered by then earns nothing.
    charged_starts        sandboxes beside those that a lab's exercises and quizzes may cost honest work, on the
                          submission's own time: for submissions that die on purpose, which this ends where a start is
                          too quick for `submission` to.
    reply                 bytes of one answer.
    output                bytes printed by one notebook before it is stopped; `shown` of them per cell are kept.
    images                figures kept of one cell, each of at most `image` bytes.
    kept                  bytes of figures and text kept of one notebook: all of a class passes through one process.
    """

    memory: int = 2_000 * MB
    tmp: int = 256 * MB
    file: int = 128 * MB
    processes: int = 128
    cpu_seconds: int = 240
    start: float = 90.0
    setup: float = 90.0
    cell: float = 20.0
    question: float = 30.0
    submission: float = 300.0
    charged_starts: int = 130
    reply: int = 64 * MB
    output: int = 8 * MB
    shown: int = 20_000
    images: int = 4
    image: int = 1 * MB
    kept: int = 8 * MB

    def as_dict(self) -> dict[str, float]:
        return asdict(self)
