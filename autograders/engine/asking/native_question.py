"""Questions about native code: a CUDA kernel that the student wrote as text in a cell.

    @native_question("scale_kernel", kernel="scale", seconds=90)
    def scale_kernel(kernel, reference, rng, case):
        x = rng.normal(100)
        with case("a last block that is not full"):
            [out] = kernel.launch((4,), (32,), (torch.zeros(100), x, 100), outputs=(0,))
            close(out, 2 * x)
        with case("no access outside the arrays, no race"):
            kernel.no_faults((4,), (32,), (torch.zeros(100), x, 100))

The student's own process gives the text and nothing else: a notebook may have replaced `cuda.check` there. A second
sandbox, in which none of the notebook's cells has run, compiles the text and runs it with the host runner, each launch
in a process of its own below the one that answers (`inside/native_jobs.py`). Arrays come back as data and are compared
here, with an oracle of this side.

What native code can still do: it shares a process with the runner that watches it, so it can forge a report of faults
or traffic about itself, and a user with the process that takes the time, so an attack on that could forge it. It cannot
know expected values; the arrays have to be right, and no more than the cases about faults and speed can be won so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import torch

from autograders.engine.asking import comparison
from autograders.engine.asking.inputs import Inputs
from autograders.engine.asking.question import Cases, Question, place_of, register
from autograders.engine.asking.reference import Reference
from autograders.engine.asking.remote import Student
from autograders.engine.student_fault import StudentFault, Unanswerable
from autograders.engine.verdict import Verdict
from course_lib.cuda.written_kernel import is_unwritten

__all__ = ["NativeKernel", "native_question"]

LONGEST_SOURCE = 100_000  # characters
PATIENCE = 2  # launches that may run into their limit before the rest is not tried
STATUS = {
    "compile error": (Verdict.ERROR, "Your kernel does not compile: the visible check shows the compiler's message."),
    "no kernel": (Verdict.WRONG, "The text holds no kernel of the name that was given."),
    "arguments": (Verdict.WRONG, "The kernel's parameters are not those that were given."),
    "time limit": (Verdict.TIMEOUT, "Your kernel did not come to its end."),
    "crash": (Verdict.DIED, "Your kernel crashed."),
    "unreadable": (Verdict.ERROR, "The watched run left a report that cannot be read."),
    "stopped": (Verdict.WRONG, "Your kernel stopped early: threads wait for each other, or the launch is refused."),
}
FAULTS = {
    "out-of-bounds read", "out-of-bounds write", "misaligned access", "invalid pointer", "race", "barrier divergence",
    "uninitialised shared memory", "undefined lane", "order dependence", "deadlock", "time limit", "crash",
    "stack overflow", "stopped",
}  # fmt: skip


def native_question(
    exercise: str, *, kernel: str = "", seconds: float = 90.0, launch_seconds: float = 5.0
) -> Callable[[Callable[..., None]], Question]:
    """Make a function `(kernel, reference, rng, case)` the hidden question of an exercise whose answer is CUDA C++.

    exercise  also the name of the variable that holds the text.
    kernel    name of the `__global__` function; the exercise's by default.
    seconds   wall time for all of it, compiling included; launch_seconds for one launch of the kernel.
    """

    def decorate(function: Callable[..., None]) -> Question:
        def asked(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
            with NativeKernel(student, exercise, kernel or exercise, seconds, launch_seconds) as native:
                function(native, reference, rng, case)

        return register(Question(exercise, asked, seconds, place=place_of(function), native=True))

    return decorate


class NativeKernel:
    """`kernel` of a native question. Every method raises StudentFault for what the student's code did wrong.

    grid, block  tuples of one to three numbers; args are tensors and numbers, tensors are copied.
    """

    def __init__(self, student: Student, variable: str, name: str, seconds: float, launch_seconds: float) -> None:
        self._student, self._variable, self._name = student, variable, name
        self._seconds, self._launch_seconds = seconds, launch_seconds
        self._stack = ExitStack()
        self._fetched: str | StudentFault | None = None
        self._process: Student | None = None
        self._slow = 0
        self._refused: StudentFault | None = None

    def __enter__(self) -> NativeKernel:
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.close()

    @property
    def source(self) -> str:
        """The student's text. Raises StudentFault if there is none; asks once."""
        if self._fetched is None:
            try:
                self._fetched = _text(self._student.value(self._variable))
            except StudentFault as fault:
                self._fetched = fault
        if isinstance(self._fetched, StudentFault):
            raise self._fetched
        return self._fetched

    def launch(
        self,
        grid: Sequence[int],
        block: Sequence[int],
        args: Sequence[Any],
        outputs: Sequence[int],
        shared_mem: int = 0,
    ) -> list[torch.Tensor]:
        """Launch once; what the kernel left in the tensors numbered in `outputs`, of the dtypes and shapes sent."""
        reply = self._job("cuda_launch", grid, block, args, shared_mem, outputs=list(outputs))
        arrays = reply.get("arrays")
        if not isinstance(arrays, list) or len(arrays) != len(outputs):
            raise _malformed()
        if not all(_alike(array, args[place]) for array, place in zip(arrays, outputs, strict=True)):
            raise _malformed()
        return arrays

    def no_faults(
        self, grid: Sequence[int], block: Sequence[int], args: Sequence[Any], shared_mem: int = 0, hint: str = ""
    ) -> None:
        """Require that a watched run finds no access outside the arrays, no race, no barrier that some miss."""
        reply = self._job("cuda_check", grid, block, args, shared_mem)
        findings = reply.get("findings")
        if not isinstance(findings, list) or not all(isinstance(kind, str) and kind in FAULTS for kind in findings):
            raise _malformed()
        if findings == ["time limit"]:
            raise self._late()
        comparison.that(not findings, f"Found in a watched run: {', '.join(findings)}. {hint}".strip())

    def traffic(
        self, array: str, grid: Sequence[int], block: Sequence[int], args: Sequence[Any], shared_mem: int = 0
    ) -> tuple[int, int, int]:
        """(reads, warp instructions that read, 32-byte sectors they ask for) of the parameter called `array`."""
        reply = self._job("cuda_traffic", grid, block, args, shared_mem, array=array)
        return _count(reply, "accesses"), _count(reply, "requests"), _count(reply, "sectors")

    def faster_than(
        self,
        plain: str,
        factor: float,
        grid: Sequence[int],
        block: Sequence[int],
        args: Sequence[Any],
        shared_mem: int = 0,
        *,
        repeats: int = 4,
        hint: str = "",
    ) -> None:
        """Require the launch to take less than 1 / factor of the processor time of `plain`, a source of ours with a
        kernel of the same name and parameters. Both run in turn on the same data, two to `repeats` times, and the
        fastest run of each counts, so that another program's work on this machine neither costs nor gives marks.
        """
        ours, theirs = [], []
        for _ in range(repeats):
            ours.append(self._timed(self._job("cuda_seconds", grid, block, args, shared_mem, source=plain)))
            theirs.append(self._timed(self._job("cuda_seconds", grid, block, args, shared_mem)))
            if len(ours) > 1 and min(theirs) * factor < min(ours):
                comparison.that(True, "")
                return
        raise StudentFault(Verdict.WRONG, f"The kernel does too much work. {hint}".strip())

    def _timed(self, reply: dict[str, Any]) -> float:
        seconds = reply.get("seconds")
        if not isinstance(seconds, float) or not math.isfinite(seconds) or seconds <= 0:
            raise _malformed()
        return seconds

    def _job(
        self, job: str, grid: Sequence[int], block: Sequence[int], args: Sequence[Any], shared_mem: int, **more: Any
    ) -> dict[str, Any]:
        if self._refused:
            raise self._refused
        request = {
            "job": job, "source": self.source, "name": self._name, "grid": tuple(grid), "block": tuple(block),
            "args": list(args), "shared_mem": shared_mem, "seconds": self._launch_seconds,
        }  # fmt: skip
        reply = self._ask(request | more)
        status = reply.get("status")
        if status == "done":
            return reply
        if status == "time limit":
            raise self._late()
        if not isinstance(status, str) or status not in STATUS:
            raise _malformed()
        fault = StudentFault(*STATUS[status])
        if status in ("compile error", "no kernel", "arguments"):  # nothing else will come of it
            self._refused = fault
        raise fault

    def _late(self) -> StudentFault:
        fault = StudentFault(*STATUS["time limit"])
        self._slow += 1
        if self._slow == PATIENCE:
            self._refused = fault
        return fault

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._process is None:
            self._process = self._stack.enter_context(self._student.clean_process(self._seconds))
            _share_runner(self._process)
        return _job(self._process, request)


def _job(process: Student, request: dict[str, Any]) -> dict[str, Any]:
    try:
        reply = process.job(request)
    except StudentFault as fault:
        if (
            fault.kinds
        ):  # no Python of the student's runs there: it was the job that failed, for want of a compiler, say
            raise Unanswerable(f"a native job failed with {fault.kinds[0]}") from None
        raise
    if not isinstance(reply, dict):
        raise _malformed()
    return reply


# a kernel that does nothing, to have the runners compiled
NOTHING = ("__global__ void nothing() {}", "nothing")
_runner: dict[str, torch.Tensor] = {}


def _share_runner(process: Student) -> None:
    """Give a fresh sandbox the compiled runners; the first one of this grader makes them, before it sees an answer."""
    if _runner:
        _job(process, {"job": "accept_files", "files": dict(_runner)})
        return
    reply = _job(process, {"job": "runner_files", "sources": [NOTHING]})
    files = reply.get("files")
    if isinstance(files, dict) and all(isinstance(data, torch.Tensor) for data in files.values()):
        _runner.update(files)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise StudentFault(Verdict.WRONG, "The answer is no text with CUDA C++ in it.")
    if len(value) > LONGEST_SOURCE:
        raise StudentFault(Verdict.WRONG, "The text is longer than any kernel needs to be.")
    if is_unwritten(value):
        raise StudentFault(Verdict.MISSING, "Not written yet.")
    return value


def _count(reply: dict[str, Any], key: str) -> int:
    value = reply.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _malformed()
    return value


def _alike(array: Any, sent: Any) -> bool:
    return isinstance(array, torch.Tensor) and array.dtype == sent.dtype and array.shape == sent.shape


def _malformed() -> StudentFault:
    return StudentFault(Verdict.ERROR, "The run brought back what no run brings back.")
