"""Which C and C++ compiler this computer has."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from course_lib.errors import CourseError

__all__ = ["Compiler", "NoCompiler", "find_compiler"]

# The C++ drivers first: they compile both languages and link the C++ library by themselves.
CANDIDATES = ("g++", "clang++", "gcc", "clang", "cc")
PROBE = {
    "c": "#include <math.h>\nint probe(void) { return 0; }\n",
    "c++": "#include <cmath>\nint probe() { return 0; }\n",
}


class NoCompiler(CourseError):
    """No compiler for the language was found; the message says how to get one."""

    def __init__(self, language: str = "c") -> None:
        super().__init__(
            f"No {language.upper()} compiler was found: install g++ or clang with your system's packages, "
            f'or run "{sys.executable} -m pip install ziglang", which needs no administrator.'
        )


@dataclass(frozen=True)
class Compiler:
    """A compiler that has compiled and linked a small program on this computer.

    command  how it is started, such as ("/usr/bin/g++",) or (python, "-m", "ziglang").
    family   "gcc", "clang" or "zig": which flags it takes.
    version  its first line about itself; part of every cache key.
    """

    command: tuple[str, ...]
    family: str
    version: str

    @property
    def major(self) -> int:
        """The major version, such as 12; 0 if the compiler does not say."""
        match = re.search(r"(\d+)\.\d+", self.version)
        return int(match.group(1)) if match else 0

    @property
    def for_apple(self) -> bool:
        """True where linkers take Apple's options and libraries are Mach-O files."""
        return sys.platform == "darwin"

    def driver(self, language: str) -> list[str]:
        """The start of a command line that compiles `language`, "c" or "c++"."""
        if self.family == "zig":
            return [*self.command, "cc" if language == "c" else "c++"]
        return [*self.command]


def find_compiler(language: str = "c") -> Compiler | None:
    """The first compiler that works for `language` ("c" or "c++"), or None.

    Tried in turn: the command in the environment variable COURSE_COMPILER ("zig" names the ziglang wheel), then
    g++, clang++, gcc, clang, cc, then the ziglang wheel.
    """
    if language not in PROBE:
        raise ValueError(f'language is "c" or "c++", not {language!r}')
    return _find(language, os.environ.get("COURSE_COMPILER", ""), os.environ.get("PATH", ""))


@functools.cache
def _find(language: str, wanted: str, path: str) -> Compiler | None:
    commands = [_zig() if wanted == "zig" else tuple(shlex.split(wanted))] if wanted else [*_installed(path), _zig()]
    for command in commands:
        compiler = _identify(command) if command else None
        if compiler and _works(compiler, language):
            return compiler
    return None


def _installed(path: str) -> list[tuple[str, ...]]:
    found = (shutil.which(name, path=path) for name in CANDIDATES)
    return [(name,) for name in found if name]


def _zig() -> tuple[str, ...]:
    return (sys.executable, "-m", "ziglang") if importlib.util.find_spec("ziglang") else ()


def _identify(command: tuple[str, ...]) -> Compiler | None:
    is_zig = command[-1] == "ziglang"
    try:
        ask = [*command, "cc", "--version"] if is_zig else [*command, "--version"]
        answer = subprocess.run(ask, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = answer.stdout.splitlines()
    if answer.returncode or not lines:
        return None
    family = "zig" if is_zig else "clang" if re.search("clang", answer.stdout) else "gcc"
    return Compiler(command, family, lines[0].strip())


def _works(compiler: Compiler, language: str) -> bool:
    """Compile and link nothing much: a driver can be there without its headers or its C++ half."""
    if compiler.family == "zig":  # the wheel carries headers and both languages; its first link would take minutes
        return True
    with tempfile.TemporaryDirectory() as folder:
        command = [*compiler.driver(language), "-x", language, "-fPIC", "-shared", "-o", f"{folder}/probe", "-"]
        try:
            done = subprocess.run(command, input=PROBE[language], capture_output=True, text=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            return False
    return done.returncode == 0
