"""A command that looks at one side of the course, and what came of running it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from io import RawIOBase
from pathlib import Path

__all__ = ["Outcome", "Step", "run_steps"]

STOPPING_SECONDS = 15.0


@dataclass(frozen=True)
class Step:
    """
    name     one word.
    what     what it looks at, for people.
    command  words of the command line; environment  variables that it gets beside those that there are.
    reports  files that it writes, relative to the course's root; old ones are removed first.
    """

    name: str
    what: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    reports: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """
    code     the command's exit code; seconds  from start to end.
    log      the file with what it printed, on both streams.
    """

    step: Step
    code: int
    seconds: float
    log: Path

    @property
    def ok(self) -> bool:
        return self.code == 0


def run_steps(root: Path, steps: Iterable[Step], logs: Path) -> list[Outcome]:
    """Run every step in the course's folder, also after one has failed; each is heard here and written to its log.

    An interrupt ends the step that goes on and all processes of its own.
    """
    logs.mkdir(parents=True, exist_ok=True)
    return [_run(root, step, logs / f"{step.name}.txt") for step in steps]


def _run(root: Path, step: Step, log: Path) -> Outcome:
    for report in step.reports:
        (root / report).unlink(missing_ok=True)
    print(f"== {step.name}: {step.what}", flush=True)
    started = time.monotonic()
    with log.open("wb", buffering=0) as file:  # to be followed while the step runs
        code = _heard(step, root, file)
    return Outcome(step, code, time.monotonic() - started, log)


def _heard(step: Step, root: Path, log: RawIOBase) -> int:
    """The command's exit code, when it is over; 127 if it could not be started."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", **step.environment}
    try:
        process = subprocess.Popen(
            step.command, cwd=root, env=environment, process_group=0,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except OSError as error:
        _say(f"{step.command[0]} cannot be started: {error.strerror}\n".encode(), log)
        return 127
    with process:
        assert process.stdout is not None, "it was asked for"
        try:
            while chunk := os.read(process.stdout.fileno(), 1 << 16):
                _say(chunk, log)
        except KeyboardInterrupt:
            _stop(process)
            raise
    return process.returncode


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Interrupts the command and what it has started, which form a group; ends those that do not stop by themselves."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOPPING_SECONDS)
        os.killpg(process.pid, signal.SIGTERM)


def _say(words: bytes, log: RawIOBase) -> None:
    log.write(words)
    sys.stdout.buffer.write(words)
    sys.stdout.flush()
