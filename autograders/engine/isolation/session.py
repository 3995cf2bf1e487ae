"""One student's notebook in a sandbox: its cells run once, questions follow, and a dead process is replaced.

A cell that kills, hangs or floods its process is run once and left out when the process is made anew, so that it costs
its own question and no other. The next process is forked in the same sandbox, which first removes all that is left of
the dead one (`inside/zygote.py`): that takes a hundredth of the time of another sandbox.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from autograders.engine.isolation.sandbox import Sandbox
from autograders.engine.isolation.student_process import StudentProcess, kept_size, shortened
from autograders.engine.isolation.supply import SandboxSupply
from autograders.engine.student_fault import StudentFault, Unanswerable
from autograders.engine.verdict import CellRun, Verdict

__all__ = ["RunnableCell", "SandboxSlot", "Session"]

TIME_IS_UP = "The time for the whole submission was used up before this."


@dataclass(frozen=True)
class RunnableCell:
    """Source to run.

    ours     a set-up cell of the course, which must not fail.
    figures  whether its figures are kept; nobody looks at those of a helper cell.
    """

    id: str
    source: str
    ours: bool = False
    figures: bool = True


@dataclass
class _Starts:
    """Sandboxes that one submission has had, in all its slots, and how many of them start free of charge."""

    free: int
    count: int = 0


class SandboxSlot:
    """The sandbox that a submission's processes share, one at a time; a fresh one where a process has spoilt it.

    free_starts  so many starts are free, so that honest answers that use up the memory cost no time; those after them
                 are charged, so that a submission which ends its sandboxes on purpose ends, and there are
                 `charged_starts` of them at most.
    """

    def __init__(self, supply: SandboxSupply, seconds: float, *, free_starts: int = 1) -> None:
        self.supply = supply
        self.deadline = time.monotonic() + seconds
        self._starts = _Starts(free_starts)
        self._sandbox: Sandbox | None = None
        self._beside: SandboxSlot | None = None

    @property
    def seconds_left(self) -> float:
        if self._sandbox is None and self._starts.count >= self._starts.free + self.supply.limits.charged_starts:
            return 0.0
        return self.deadline - time.monotonic()

    def beside(self) -> SandboxSlot:
        """The slot for a further sandbox at the same time, within the time and the starts that this one has left."""
        if self._beside is None:
            self._beside = SandboxSlot(self.supply, 0.0)
            self._beside._starts = self._starts
        self._beside.deadline = time.monotonic() + max(self.seconds_left, 0.1)
        return self._beside

    def fork(self) -> StudentProcess | None:
        """None when no time is left. Raises Unanswerable when the grader cannot have a sandbox."""
        for _ in range(2):
            if self._sandbox is None:
                if self.seconds_left <= 0:
                    return None
                self._sandbox = self._take()
            with contextlib.suppress(StudentFault):  # another notebook of this student may have killed it
                return StudentProcess(self._sandbox)
            self._drop()
        raise Unanswerable("two sandboxes in a row ended before a process was forked")

    def clear(self) -> None:
        """After a process was lost: keep the sandbox if the next one finds nothing there of what it did.

        What an unsafe one left running would run on; a group that has once run out of memory would say so for ever.
        """
        if self._sandbox and (self._sandbox.unsafe or self._sandbox.ran_out_of_memory):
            self._drop()

    def discard(self) -> None:
        """End what runs here and beside it."""
        self._drop()
        if self._beside:
            self._beside.discard()

    def _drop(self) -> None:
        if self._sandbox:
            self._sandbox.close()
            self._sandbox = None

    def _take(self) -> Sandbox:
        started = time.monotonic()
        sandbox = self.supply.take()
        self._starts.count += 1
        if self._starts.count <= self._starts.free:
            self.deadline += time.monotonic() - started  # waiting for us is not the student's time
        return sandbox


class Session:
    """The process of one notebook. `ask` makes it an Asker for `remote.Student`."""

    def __init__(self, slot: SandboxSlot, cells: list[RunnableCell]) -> None:
        self.slot, self.cells = slot, cells
        self.runs: dict[str, CellRun] = {}
        self._deadly: set[str] = set()
        self._process: StudentProcess | None = None
        self._limits = slot.supply.limits
        self._room = self._limits.kept

    def run_cells(self) -> None:
        """Run every cell; afterwards `runs` holds what became of each. Raises Unanswerable if a cell of ours fails."""
        while self._process is None:
            if self.slot.seconds_left <= 0:
                self._give_up()
                return
            self._start()

    def allow(self, seconds: float) -> None:
        """Make sure of a process and give what is asked next this much time, within the submission's."""
        self.run_cells()
        if self._process:
            self._process.allow(min(seconds, self.slot.seconds_left))

    def ask(self, request: bytes) -> bytes:
        with self._alive() as process:
            return process.ask(request)

    @contextlib.contextmanager
    def clean_process(self, seconds: float) -> Iterator[Session]:
        """A process in another sandbox that has run no cell, one at a time; `seconds` of wall time for its answers."""
        slot = self.slot.beside()
        other, until = Session(slot, []), slot.deadline
        try:
            other.allow(seconds)
            yield other
        finally:
            self.slot.deadline += slot.deadline - until  # waiting for our sandbox is not the student's time
            other.drop_process()

    def drop_process(self) -> None:
        """End the process; what is asked next, if anything, gets a fresh one."""
        if self._process:
            self._process.close()
            self._process = None

    @contextlib.contextmanager
    def _alive(self) -> Iterator[StudentProcess]:
        if self._process is None:
            raise StudentFault(Verdict.TIMEOUT, TIME_IS_UP, ends_process=True)
        try:
            yield self._process
        except StudentFault as fault:
            if fault.ends_process:
                self._lose_process()
            raise

    def _start(self) -> None:
        process = self.slot.fork()
        if process is None:
            return
        for cell in self.cells:
            if cell.id in self._deadly:
                continue
            process.allow(min(self._limits.setup if cell.ours else self._limits.cell, max(self.slot.seconds_left, 0.1)))
            try:
                run = process.execute(cell.source, cell.id)
            except StudentFault as fault:
                process.close()
                self.slot.clear()
                self._note_death(cell, fault)
                return
            if cell.ours and run.verdict is not Verdict.RIGHT:
                process.close()
                raise Unanswerable(f"the course's own cell {cell.id!r} failed: {run.error.strip()[-300:]}")
            self._keep(cell, run)
        self._process = process

    def _keep(self, cell: RunnableCell, run: CellRun) -> None:
        """The first run of each cell, within what may be kept of one notebook."""
        if cell.id in self.runs:
            return
        run = shortened(run if cell.figures else replace(run, images=()), max(self._room, 0))
        self._room -= kept_size(run)
        self.runs[cell.id] = run

    def _note_death(self, cell: RunnableCell, fault: StudentFault) -> None:
        if cell.ours and self.slot.seconds_left <= 0:
            return  # not the cell's fault: the student's earlier work has used the time up
        if cell.ours:
            raise Unanswerable(f"the course's own cell {cell.id!r}: {fault.message}")
        self._deadly.add(cell.id)
        self.runs[cell.id] = CellRun(cell.id, fault.verdict, error=fault.message)

    def _lose_process(self) -> None:
        self.drop_process()
        self.slot.clear()

    def _give_up(self) -> None:
        for cell in self.cells:
            if not cell.ours:
                self.runs.setdefault(cell.id, CellRun(cell.id, Verdict.TIMEOUT, error=TIME_IS_UP))
