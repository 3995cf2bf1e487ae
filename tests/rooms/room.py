"""The rooms of operations that lie on disk, and what each of them lacks."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from course_lib.cuda.gpu.expectations import ARCHITECTURES, Expectation, expectations
from course_lib.operation import Operation
from tests.rooms.problem import Problem

__all__ = ["Room", "find_rooms"]

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "op.py": "the function to call, its checks and its torch operation",
    "launch.py": "the launch geometry of its kernels",
    "reference.py": "the plain definition in torch",
}


@dataclass(frozen=True)
class Room:
    """`course_lib/FAMILY/NAME` under `root`, with its problems and its benchmark in the trees beside course_lib."""

    root: Path
    family: str
    name: str

    def __str__(self) -> str:
        return self.name

    @property
    def folder(self) -> Path:
        return self.root / "course_lib" / self.family / self.name

    @property
    def kernel_files(self) -> list[Path]:
        return sorted(self.folder.glob("*.cu"))

    @property
    def module(self) -> ModuleType:
        return importlib.import_module(f"course_lib.{self.family}.{self.name}.op")

    @property
    def operation(self) -> Operation:
        return self.module.OPERATION

    @property
    def function(self) -> Callable[..., Any]:
        return getattr(self.module, self.name)

    @property
    def versions(self) -> list[int]:
        """The numbers of the kernels; none where the room is too broken to say."""
        try:
            return list(self.operation.versions)
        except (ImportError, AttributeError):
            return []

    @property
    def problems(self) -> list[Problem]:
        return importlib.import_module(f"tests.{self.family}.{self.name}.problems").problems()

    @property
    def benchmark(self) -> ModuleType:
        return importlib.import_module(f"benchmarks.{self.name}")

    @property
    def promises(self) -> list[tuple[Expectation, str]]:
        """Each `// expect` line of its kernels with each architecture that the line is for."""
        lines = [line for file in self.kernel_files for line in expectations(file)]
        return [(line, architecture) for line in lines for architecture in line.architectures]

    def missing(self) -> list[str]:
        """A sentence for each part that is not there."""
        absent = [
            f"{self.folder.name}/{file} is missing: {what}." for file, what in FILES.items() if not self._has(file)
        ]
        if not self.kernel_files:
            absent.append(f"{self.name} has no kernel: at least one .cu file.")
        absent += [sentence for file in self.kernel_files for sentence in _unpromised(file)]
        absent += self._beside(f"tests/{self.family}/{self.name}/problems.py", "its problems and their oracle")
        absent += self._beside(f"benchmarks/{self.name}.py", "its peers, timed in one run with it")
        return absent or self._undeclared()

    def _has(self, file: str) -> bool:
        return (self.folder / file).is_file()

    def _beside(self, path: str, what: str) -> list[str]:
        return [] if (self.root / path).is_file() else [f"{path} is missing: {what}."]

    def _undeclared(self) -> list[str]:
        """What op.py does not say; asked once all files are there, so that it can be imported."""
        where = f"{self.name}/op.py"
        operation = getattr(self.module, "OPERATION", None)
        if not isinstance(operation, Operation) or operation.name != self.name:
            return [f"{where} has no OPERATION = Operation({self.name!r}, ...)."]
        said = []
        if not hasattr(self.module, self.name):
            said.append(f"{where} has no function {self.name}.")
        if sorted(operation.versions) != list(range(1, len(operation.versions) + 1)) or not operation.versions:
            said.append(f"{where}: versions are numbered 1, 2, ... without a gap, not {list(operation.versions)}.")
        if self._has("cpu.cpp") == bool(operation.no_cpu):
            said.append(
                f"{self.name} has either cpu.cpp or, in {where}, no_cpu with the reason; not both, not neither."
            )
        return said


def find_rooms(root: Path = ROOT) -> list[Room]:
    """Every folder of course_lib, two levels down, with an op.py or a kernel in it."""
    found = {path.parent for name in ("op.py", "*.cu") for path in root.glob(f"course_lib/*/*/{name}")}
    return [Room(root, folder.parent.name, folder.name) for folder in sorted(found)]


def rooms_from_elsewhere() -> list[Room]:
    """Those of the tree that $COURSE_ROOMS_FROM names, laid out as this one: they join the families that are here."""
    named = os.environ.get("COURSE_ROOMS_FROM")
    if not named:
        return []
    root = Path(named).resolve()
    sys.path.append(str(root))  # `benchmarks` has no __init__: its parts on the path are one package
    rooms = find_rooms(root)
    for family in {room.family for room in rooms}:
        for tree in ("course_lib", "tests"):
            importlib.import_module(f"{tree}.{family}").__path__.append(str(root / tree / family))
    return rooms


def _unpromised(file: Path) -> list[str]:
    """A kernel promises what it takes on every generation; one whose name ends in _sm90 on that chip alone."""
    chip = re.search(r"_sm(\d+)$", file.stem)
    wanted = {f"sm_{chip[1]}a"} if chip else set(ARCHITECTURES)
    met = {architecture for line in expectations(file) for architecture in line.architectures}
    lacking = ", ".join(sorted(wanted - met))
    return [f"{file.parent.name}/{file.name} has no `// expect` line for {lacking}."] if lacking else []
