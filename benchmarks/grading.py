"""Submissions graded a minute: `course grade` beside stock `nbgrader autograde`, the same honest class in one run.

    course bench grading                (or python -m benchmarks.grading; --quick: a small class)

Stock nbgrader executes every cell of a submission, visible checks included, in a kernel on this machine, with the
rights of whoever runs it; `course grade` runs the answers in a sandbox and asks the hidden questions. Both get the
course's solutions, experiments left out. Then `course grade` gets a mixed class: solutions, stubs, partial, wrong,
damaged and hostile ones. Claims: at least five times the submissions a minute on 2 cores, the mixed class included, and
a grading process whose memory does not grow with the class.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.harness.machine import describe, device_slug
from benchmarks.harness.result import RESULTS, save
from course_lib.course_root import course_root
from course_lib.workbook import source_notebooks
from course_lib.workbook.release import write_sources

LAB = "lab1_cnn_basics"
AT_LEAST = 5.0
STOCK_CONFIG = """
import os, sys
from pathlib import Path
from course_lib.workbook.nbgrader_settings import nbgrader_settings
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
c = get_config()
c.merge(nbgrader_settings(Path(%(root)r), source=Path(%(source)r)))
"""


@dataclass
class Timing:
    """One command's wall time and the largest memory (bytes) of its own process and of all its processes together."""

    seconds: float
    own_memory: int
    memory: int


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a line for each, and save them all."""
    cpu = torch.device("cpu")
    parser = argparse.ArgumentParser(prog="benchmarks.grading", description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=RESULTS / f"grading-{device_slug(cpu)}.json")
    parser.add_argument("--quick", action="store_true", help="a class of a few: minutes instead of half an hour")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args(arguments)
    stock_count, honest_count, mixed_count = (1, 4, 8) if options.quick else (3, 20, 100)
    machine = describe(cpu)
    print(f"{machine['device']}, {machine['cores']} cores, load {machine['load']:.1f} before the start")
    with tempfile.TemporaryDirectory(prefix="course-bench-") as folder:
        place = Path(folder)
        write_sources(source_notebooks(course_root()).values(), place / "source")
        rows = [
            row("stock nbgrader, honest class", stock_count, time_stock(place, stock_count)),
            row("course grade, honest class", honest_count, time_ours(place, honest_count, options.jobs)),
            row("course grade, mixed class", mixed_count, time_mixed(place, mixed_count, options.jobs)),
        ]
    stock = rows[0]["per_minute"]
    for entry in rows[1:]:
        entry["ratio_to_stock"] = entry["per_minute"] / stock
        verdict = entry["ratio_to_stock"] >= AT_LEAST
        print(f"{entry['name']}: {entry['ratio_to_stock']:.1f} times stock; at least {AT_LEAST:g}: {verdict}")
    small, large = rows[1]["own_memory"], rows[2]["own_memory"]
    print(f"own memory with {honest_count} submissions {small / 1e6:.0f} MB, with {mixed_count} {large / 1e6:.0f} MB")
    document = {"family": "grading", "machine": machine, "jobs": options.jobs, "rows": rows}
    print(f"saved as {save(document, options.output)}")


def row(name: str, count: int, timing: Timing) -> dict[str, Any]:
    rate = 60 * count / timing.seconds
    print(
        f"{name}: {count} submissions in {timing.seconds:.0f} s, {rate:.1f} a minute, "
        f"{timing.own_memory / 1e6:.0f} MB in its own process, {timing.memory / 1e6:.0f} MB in all",
        flush=True,
    )
    return {"name": name, "submissions": count, "per_minute": rate, **vars(timing)}


def time_stock(place: Path, count: int) -> Timing:
    """nbgrader with its default steps; the release before it does not count."""
    root = place / "stock"
    honest_class(place, root / "submitted", count, folder=LAB)
    (root / "nbgrader_config.py").write_text(STOCK_CONFIG % {"root": str(root), "source": str(place / "source")})
    command = [sys.executable, "-m", "nbgrader"]
    environment = os.environ | {"JUPYTER_CONFIG_DIR": str(root / "jupyter")}
    subprocess.run([*command, "generate_assignment", LAB], cwd=root, env=environment, check=True, capture_output=True)
    return timed([*command, "autograde", LAB], cwd=root, environment=environment)


def time_ours(place: Path, count: int, jobs: int) -> Timing:
    from autograders.authoring.synthetic_class import Expected

    honest_class(place, place / "honest", count)
    workspace = place / "honest_workspace"
    timing = timed(grade_command(place / "honest", workspace, jobs), cwd=course_root())
    whole = Expected("solution", automatic_points())
    require_marks(workspace, {path.name: whole for path in (place / "honest").iterdir()})
    return timing


def automatic_points() -> float:
    """What exercises and quizzes of the lab are worth together."""
    notebooks = [notebook for notebook in source_notebooks(course_root()).values() if notebook.lab == LAB]
    return sum(float(cell.points or 0) for book in notebooks for cell in book.text.of_kind("check", "quiz"))


def time_mixed(place: Path, count: int, jobs: int) -> Timing:
    from autograders.authoring.synthetic_class import make_class

    expected = make_class(place / "mixed", count, 0, course_root(), LAB)
    workspace = place / "mixed_workspace"
    timing = timed(grade_command(place / "mixed" / "submissions", workspace, jobs), cwd=course_root())
    require_marks(workspace, {entry.names["folder"]: entry for entry in expected.values()})
    return timing


def require_marks(workspace: Path, expected: dict[str, Any]) -> None:
    """Raises RuntimeError unless everybody has evidence, and the score that their work is worth."""
    from autograders.engine.records.evidence import from_json
    from autograders.engine.records.workspace import Workspace

    place = Workspace(workspace, LAB)
    for student, entry in expected.items():
        score = from_json(place.evidence(student).read_bytes()).score
        if not entry.allows(score):
            raise RuntimeError(f"{student} ({entry.kind}: {entry.what}) got {score:g}, which is not what it is worth")


def honest_class(place: Path, submissions: Path, count: int, folder: str = "") -> None:
    for number in range(count):
        shutil.copytree(place / "source" / LAB, submissions / f"student{number:03d}" / folder, dirs_exist_ok=True)


def grade_command(submissions: Path, workspace: Path, jobs: int) -> list[str]:
    words = ["grade", LAB, str(submissions), "--workspace", str(workspace), "--jobs", str(jobs), "--seed", "0"]
    return [sys.executable, "-m", "autograders.command", *words]


def timed(command: list[str], *, cwd: Path, environment: dict[str, str] | None = None) -> Timing:
    """Run a command to its end; raises RuntimeError with its last words if it fails."""
    environment = (environment or dict(os.environ)) | {"OMP_NUM_THREADS": "1"}
    started = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=said, stderr=subprocess.STDOUT)
        watch = MemoryWatch(process.pid)
        watch.start()
        code = process.wait()
        seconds = time.monotonic() - started
        watch.stop.set()
        watch.join()
        said.seek(0)
        if code not in (0, 1):  # 1: submissions that a person must look at
            raise RuntimeError(f"{' '.join(command)} ended with {code}: {said.read()[-2000:].decode(errors='replace')}")
    return Timing(seconds, watch.own, watch.all)


class MemoryWatch(threading.Thread):
    """Samples the resident memory of a process and of its descendants twice a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.own, self.all = pid, 0, 0
        self.stop = threading.Event()

    def run(self) -> None:
        import psutil

        while not self.stop.wait(0.5):
            try:
                process = psutil.Process(self.pid)
                own = process.memory_info().rss
                others = sum(memory_of(child) for child in process.children(recursive=True))
            except psutil.NoSuchProcess:
                return
            self.own, self.all = max(self.own, own), max(self.all, own + others)


def memory_of(process: Any) -> int:
    """Proportional share where it can be read, as forked kernels share pages; else what is resident."""
    import psutil

    try:
        return process.memory_full_info().pss
    except psutil.AccessDenied:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0


if __name__ == "__main__":
    main()
