"""Sandboxes made ahead: while one submission is graded, the next one's imports are already being done."""

from __future__ import annotations

import contextlib
from collections import deque

from autograders.engine.isolation.limits import Limits
from autograders.engine.isolation.sandbox import Sandbox
from autograders.engine.student_fault import Unanswerable

__all__ = ["SandboxSupply"]

ATTEMPTS = 3


class SandboxSupply:
    """Hands out sandboxes that nobody has used. Use as a context manager.

    ahead  how many are started before they are asked for.
    """

    def __init__(self, limits: Limits, *, unsafe: bool = False, ahead: int = 1) -> None:
        self.limits, self.unsafe, self.ahead = limits, unsafe, ahead
        self._waiting: deque[Sandbox] = deque()

    def __enter__(self) -> SandboxSupply:
        return self

    def __exit__(self, *failure: object) -> None:
        while self._waiting:
            self._waiting.popleft().close()

    def start(self) -> None:
        """Begin to make what is kept ahead. Returns at once."""
        while len(self._waiting) < self.ahead:
            self._waiting.append(Sandbox(self.limits, unsafe=self.unsafe))

    def take(self) -> Sandbox:
        """A sandbox ready to fork processes; the caller closes it. Raises Unanswerable if none comes up."""
        for attempt in range(ATTEMPTS):
            sandbox = self._waiting.popleft() if self._waiting else Sandbox(self.limits, unsafe=self.unsafe)
            with contextlib.suppress(Unanswerable) if attempt + 1 < ATTEMPTS else contextlib.nullcontext():
                sandbox.wait()
                self._start_behind(sandbox)
                return sandbox
        raise AssertionError("unreachable: the last attempt raises")

    def _start_behind(self, taken: Sandbox) -> None:
        """Begin the next one. Nobody else closes `taken` if that fails."""
        try:
            self.start()
        except BaseException:
            taken.close()
            raise
