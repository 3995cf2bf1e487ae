"""A command that looks at one side of the course, and what came of running it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

__all__ = ["Outcome", "Step", "run_steps"]


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
    """Run every step in the course's folder, also after one has failed; each is heard here and written to its log."""
    logs.mkdir(parents=True, exist_ok=True)
    return [_run(root, step, logs / f"{step.name}.txt") for step in steps]


def _run(root: Path, step: Step, log: Path) -> Outcome:
    for report in step.reports:
        (root / report).unlink(missing_ok=True)
    print(f"== {step.name}: {step.what}", flush=True)
    started = time.monotonic()
    with log.open("wb") as file:
        code = _heard(step, root, file)
    return Outcome(step, code, time.monotonic() - started, log)


def _heard(step: Step, root: Path, log: BinaryIO) -> int:
    """The command's exit code, when it is over; 127 if it could not be started."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", **step.environment}
    try:
        process = subprocess.Popen(
            step.command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except OSError as error:
        _say(f"{step.command[0]} cannot be started: {error.strerror}\n".encode(), log)
        return 127
    with process:
        assert process.stdout is not None, "it was asked for"
        while chunk := os.read(process.stdout.fileno(), 1 << 16):
            _say(chunk, log)
    return process.returncode


def _say(words: bytes, log: BinaryIO) -> None:
    log.write(words)
    sys.stdout.buffer.write(words)
    sys.stdout.flush()
