"""The command line: find the parts, go through them until the time is up, keep what came out."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu_session import summary as told
from benchmarks.gpu_session.parts import Part, parts
from benchmarks.gpu_session.results import Session
from benchmarks.gpu_session.running import run_part

__all__ = ["main", "work_through"]

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
LEAST_SECONDS = 15.0  # what is left of the time must be worth starting Python and torch
MACHINE = """
import json, sys, torch
from benchmarks.harness.machine import describe, device_slug
if sys.argv[1] == "cuda" and not torch.cuda.is_available():
    sys.exit("torch finds no NVIDIA GPU")
device = torch.device(sys.argv[1])
print(json.dumps({**describe(device), "slug": device_slug(device)}))
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 all passed, 1 something failed, 3 parts are left for want of time."""
    chosen = _parse(arguments)
    listed = [part for part in parts(ROOT, chosen.device) if not chosen.only or chosen.only in part.name]
    if not listed:
        print(f"gpu: no part has {chosen.only!r} in its name; --dry-run lists them")
        return told.FAILED
    if chosen.dry_run:
        for number, part in enumerate(listed, 1):
            print(f"{number:2} {part.name}, at most {part.seconds:.0f} s: python3 {' '.join(part.command)}")
        return told.DONE
    machine = _machine(chosen.device)
    if machine is None:
        return told.FAILED
    session = Session(chosen.out or RESULTS / f"session-{machine['slug']}", chosen.copy_to)
    session.begin(machine)
    if chosen.again:
        session.forget([part.name for part in listed])
    try:
        work_through(session, listed, 60 * chosen.minutes, ROOT)
    except KeyboardInterrupt:
        print("\ninterrupted; `make gpu` goes on from here")
    text = told.summary(session, listed)
    session.save(text)
    print(f"\n{text}\nResults are in {session.folder}")
    return told.exit_code(session, listed)


def work_through(session: Session, listed: Sequence[Part], seconds: float, root: Path) -> None:
    """Run what has not passed yet, while the time lasts; the session is saved after every part."""
    deadline = time.monotonic() + seconds
    todo = told.pending(session, listed)
    print(f"{len(listed)} parts, {len(listed) - len(todo)} of them done before; {seconds / 60:.3g} minutes", flush=True)
    for number, part in enumerate(todo, 1):
        left = deadline - time.monotonic()
        if left < min(LEAST_SECONDS, seconds / 4):
            break
        print(f"{number}/{len(todo)} {part.name} ... ", end="", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            outcome = run_part(part, root, Path(folder), min(part.seconds, left))
        print(f"{outcome.status}, {outcome.seconds:.0f} s: {outcome.said}", flush=True)
        family = part.name.rpartition(" ")[2]
        if outcome.document is not None:
            session.keep(family, outcome.document)
        if outcome.status == "cut" and left < part.seconds:
            session.save()
            break  # the session's time was up, not the part's: it has not been tried
        session.parts[part.name] = {
            "status": outcome.status,
            "seconds": round(outcome.seconds, 1),
            "said": outcome.said,
            "commit": _commit(root),
        }
        session.failures.pop(part.name, None)
        if outcome.failures:
            session.failures[part.name] = outcome.failures
        session.save()


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make gpu", description="Tests and quick benchmarks on a GPU, in minutes.")
    parser.add_argument("--dry-run", action="store_true", help="list the parts and run none")
    parser.add_argument("--minutes", type=float, default=8.0, help="for everything together (8)")
    parser.add_argument("--only", default="", help="parts whose name contains this")
    parser.add_argument("--again", action="store_true", help="also what has passed before")
    parser.add_argument("--out", type=Path, help="the folder for results (benchmarks/results/session-DEVICE)")
    parser.add_argument("--copy-to", type=Path, help="a second folder that gets the same files after every part")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: rehearse with the benchmarks")
    return parser.parse_args(arguments)


def _machine(device: str) -> dict[str, Any] | None:
    """In a process of its own: this one holds no GPU memory, and needs no torch."""
    command = [sys.executable, "-c", MACHINE, device]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode == 0:
        return json.loads(run.stdout.splitlines()[-1])
    last = run.stderr.strip().splitlines()[-1:] or ["Python ended without a word"]
    print(f"gpu: {last[0]}. `make gpu ARGS=--dry-run` lists what a GPU would be used for.")
    return None


def _commit(root: Path) -> str:
    if shutil.which("git") is None:
        return "unknown"
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return run.stdout.strip() or "unknown"
