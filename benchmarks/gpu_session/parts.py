"""What there is to do on a GPU, most important first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["OUTPUT", "Part", "parts"]

OUTPUT = "{output}"  # stands in a command for the file that the part writes
TESTS_SECONDS, BENCHMARK_SECONDS = 120.0, 90.0
LATER = 50  # the place of a benchmark that declares none
ORDER = re.compile(r"^GPU_ORDER\s*(?::\s*int\s*)?=\s*(\d+)", re.MULTILINE)
MARKED = re.compile(r"\bmark\.gpu\b")


@dataclass(frozen=True)
class Part:
    """One process.

    name     "tests csr_matmul", "benchmark csr_matmul": how results and messages call it.
    command  what follows `python3`; OUTPUT in it is replaced by a file that the part writes.
    seconds  the longest it may take.
    needed   a library that is not installed is a failure; else the part is left out and said to be.
    """

    name: str
    kind: Literal["tests", "benchmark"]
    command: tuple[str, ...]
    seconds: float
    needed: bool = True


def parts(root: Path, device: str = "cuda") -> list[Part]:
    """For a device "cpu", a rehearsal: the benchmarks alone.

    First the tests of what every kernel stands on; then, room by room, its tests and its benchmark, in the order of the
    `GPU_ORDER = 10` in benchmarks/NAME.py (50 where it has none), then by name; last the other tests that need a GPU.
    """
    rooms = sorted(_rooms(root), key=lambda room: (_order(root, room.name), room.name))
    marked = [path.relative_to(root) for path in sorted(root.glob("tests/**/test_*.py")) if _is_marked(path)]
    found = _tests("cuda", _inside(marked, Path("tests/cuda")))
    for room in rooms:
        own = _inside(marked, Path("tests", room.parent.name, room.name))
        found += _tests(room.name, _inside(marked, Path("tests/rooms")) + own, "-k", room.name)
        found += _benchmark(root, room.name, device)
    taken = {path for part in found for path in part.command}
    others = [path for path in marked if str(path) not in taken]
    for folder in sorted({path.parent for path in others}):
        found += _tests(folder.name, _inside(others, folder), needed=False)
    return [part for part in found if device == "cuda" or part.kind == "benchmark"]


def _benchmark(root: Path, name: str, device: str) -> list[Part]:
    if not (root / "benchmarks" / f"{name}.py").is_file():
        return []
    command = ("-m", f"benchmarks.{name}", "--quick", "--device", device, "--output", OUTPUT)
    return [Part(f"benchmark {name}", "benchmark", command, BENCHMARK_SECONDS)]


def _tests(name: str, files: list[Path], *more: str, needed: bool = True) -> list[Part]:
    """Single files: others of their folders may import what is not installed."""
    options = ("-m", "pytest", "-m", "gpu", "--tb=short", "-p", "no:cacheprovider", f"--junitxml={OUTPUT}", *more)
    return [Part(f"tests {name}", "tests", (*options, *map(str, files)), TESTS_SECONDS, needed)] if files else []


def _inside(files: list[Path], folder: Path) -> list[Path]:
    return [path for path in files if folder in path.parents]


def _rooms(root: Path) -> set[Path]:
    """The rule of tests/rooms: a folder two levels down with an op.py or a kernel in it."""
    return {path.parent for name in ("op.py", "*.cu") for path in root.glob(f"course_lib/*/*/{name}")}


def _order(root: Path, name: str) -> int:
    path = root / "benchmarks" / f"{name}.py"
    declared = ORDER.search(path.read_text(encoding="utf-8")) if path.is_file() else None
    return int(declared[1]) if declared else LATER


def _is_marked(path: Path) -> bool:
    return MARKED.search(path.read_text(encoding="utf-8")) is not None
