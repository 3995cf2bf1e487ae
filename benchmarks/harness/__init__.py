"""One harness for every benchmark: correct first, then ours beside every peer in one run.

A script describes what is measured and hands over:

    from benchmarks.harness import Case, Contender, Family, Prediction, Unavailable, run

    family = Family("csr_matmul", checks=checks, cases=cases, contenders=contenders, predictions=())

    def main(arguments: Sequence[str] | None = None) -> None:
        run(family, arguments)

`checks` and `cases` are functions of (device, quick) that return lists of `Case`; `contenders` is a function of
(device, case) that returns a list of `Contender`. Needs numpy and torch; cupy and scipy only where a peer uses them.
"""

from benchmarks.harness.case import Case, Contender, Family, Prediction, Unavailable
from benchmarks.harness.command import run
from course_lib.measure.correctness import WrongResult, relative_error

__all__ = [
    "Case",
    "Contender",
    "Family",
    "Prediction",
    "Unavailable",
    "WrongResult",
    "relative_error",
    "run",
]
