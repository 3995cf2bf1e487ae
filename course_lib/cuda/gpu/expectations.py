"""What a .cu file says of itself, for a test to hold it to: lines of the form

    // expect kernel="matmul<64, 64>" arch=80+ registers<=128 spills=0 shared=32768 ptx="mma.sync.aligned.m16n8k16"

kernel     which kernel, with template arguments.
arch       75+ (that and all later ones tested), 80, 90a ...; several with commas.
registers  at most so many per thread.
spills     at most so many bytes; 0 where the key is left out.
shared     exactly so many bytes of static shared memory.
ptx        an instruction that must be in the PTX; may be given more than once.
options    an NVRTC option; may be given more than once.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from course_lib.cuda.gpu.resources import Resources
from course_lib.errors import CourseError

__all__ = ["ARCHITECTURES", "Expectation", "expectations"]

ARCHITECTURES = ("sm_75", "sm_80", "sm_89", "sm_90")
LINE = re.compile(r"^[ \t]*//[ \t]*expect[ \t]+(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Expectation:
    """One line: a kernel, the architectures it is for, and limits that the compiler's report has to keep."""

    path: Path
    kernel: str
    architectures: tuple[str, ...]
    registers: int | None = None
    spills: int = 0
    shared: int | None = None
    ptx: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def problems(self, found: Resources) -> list[str]:
        """What in the compiler's report is not as expected; empty if all is."""
        wrong = []
        if self.registers is not None and found.registers > self.registers:
            wrong.append(f"{found.registers} registers, expected at most {self.registers}")
        if found.spill_stores > self.spills:
            wrong.append(f"spills {found.spill_stores} bytes, expected at most {self.spills}")
        if self.shared is not None and found.shared != self.shared:
            wrong.append(f"{found.shared} bytes of shared memory, expected {self.shared}")
        wrong += [f"no instruction {name}" for name in self.ptx if not found.uses(name)]
        return [f"{self.path.name}: {self.kernel} on {found.arch}: {problem}" for problem in wrong]


def expectations(path: Path) -> list[Expectation]:
    """Every expectation in the file. Raises CourseError for a line that is not understood."""
    return [_parse(path, line) for line in LINE.findall(path.read_text())]


def _parse(path: Path, line: str) -> Expectation:
    values: dict[str, list[str]] = {}
    for word in shlex.split(line):
        match = re.fullmatch(r"(kernel|arch|registers|spills|shared|ptx|options)<?=(.+)", word)
        if match is None:
            raise CourseError(f"{path}: cannot read `{word}` in `// expect {line}`")
        values.setdefault(match.group(1), []).append(match.group(2))
    if "kernel" not in values:
        raise CourseError(f"{path}: `// expect {line}` names no kernel")

    def number(key: str) -> int | None:
        return int(values[key][0]) if key in values else None

    return Expectation(
        path=path,
        kernel=values["kernel"][0],
        architectures=_architectures(values.get("arch", ["75+"])[0]),
        registers=number("registers"),
        spills=number("spills") or 0,
        shared=number("shared"),
        ptx=tuple(values.get("ptx", ())),
        options=tuple(values.get("options", ())),
    )


def _architectures(text: str) -> tuple[str, ...]:
    names: list[str] = []
    for part in text.split(","):
        if part.endswith("+"):
            names += [name for name in ARCHITECTURES if int(name[3:]) >= int(part[:-1])]
        else:
            names.append(f"sm_{part}")
    return tuple(names)
