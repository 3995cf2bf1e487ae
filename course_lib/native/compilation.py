"""From source text to a shared library, through the cache."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Sequence
from pathlib import Path

from course_lib import machine
from course_lib.native.cache import cached, digest
from course_lib.native.compiler import Compiler, NoCompiler, find_compiler
from course_lib.native.includes import included_files
from course_lib.native.messages import CompileError, tidy

__all__ = ["build", "compile_c", "compile_cpp"]

SUFFIX = {"c": ".c", "c++": ".cpp"}
SECONDS = 900  # a first C++ link by zig builds its standard library


def compile_c(source: str | Path, *, flags: Sequence[str] = ()) -> ctypes.CDLL:
    """Compile C and load it: `compile_c("float half(float x) { return x / 2; }").half`.

    source  the text, or a `Path` to a file.
    flags   added to -O2 -fPIC -shared, such as ("-O3", "-march=native").

    As with any `ctypes` library, set `argtypes` and `restype` before calling a function that takes or returns
    anything but int. Raises CompileError with the compiler's message, or NoCompiler.
    """
    return ctypes.CDLL(str(build(source, "c", flags=flags)))


def compile_cpp(source: str | Path, *, flags: Sequence[str] = ()) -> ctypes.CDLL:
    """The same for C++; functions to be called from Python are declared `extern "C"`."""
    return ctypes.CDLL(str(build(source, "c++", flags=flags)))


def build(
    source: str | Path,
    language: str = "c",
    *,
    flags: Sequence[str] = (),
    links: Sequence[str] = ("-shared",),
    link_language: str | None = None,
    objects: Sequence[Path] = (),
    suffix: str = ".so",
    compiler: Compiler | None = None,
    name: str = "source",
) -> Path:
    """Compile one source and link it with `objects`; returns the cached file.

    source    the text, or a `Path`; a text is called `name` + .c or .cpp in messages.
    flags     for compiling, after -O2 -fPIC; those that matter are part of the cache key, as are the compiler's
              version, the files that the source includes with quotes, and the processor for -march=native.
    links     for linking, "-shared" for a library; () for a program; ("-c",) stops at an object file.
    link_language  "c" leaves the C++ library out of a C++ program that does not need it.
    suffix    of the cached file.
    """
    compiler = compiler or find_compiler(language)
    if compiler is None:
        raise NoCompiler(language)
    text = source.read_text() if isinstance(source, Path) else source
    folders = [Path(flag[2:]) for flag in flags if flag.startswith("-I")]
    headers = included_files(text, source.parent if isinstance(source, Path) else None, folders)
    native = f"{machine.cpu_name()} {machine.cpu_flags()}" if any("native" in flag for flag in flags) else ""
    parts: list[str | bytes] = [
        text,
        *(path.read_bytes() for path in headers),
        *(path.read_bytes() for path in objects),
    ]
    key = digest(
        *parts,
        language,
        compiler.version,
        *compiler.command,
        "\n".join([*flags, "|", *links, link_language or ""]),
        native,
    )

    def make(folder: Path) -> Path:
        file = source if isinstance(source, Path) else folder / f"{name}{SUFFIX[language]}"
        if file is not source:
            file.write_text(text)
        compiled = folder / "compiled.o"
        how = ["-x", language, "-O2", "-fPIC", *flags]
        _run([*compiler.driver(language), *how, "-c", _shown(file, folder), "-o", compiled.name], folder)
        if "-c" in links:
            return compiled
        parts = [compiled.name, *map(str, objects), *links, "-lm", "-o", "linked"]
        _run([*compiler.driver(link_language or language), *parts], folder)
        return folder / "linked"

    return cached(f"{name}-{key}{suffix}", make)


def _shown(file: Path, folder: Path) -> str:
    """Name a file in the build folder without the folder, so that messages say `source.c:3`."""
    return file.name if file.parent == folder else str(file.resolve())


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise CompileError(f"the compiler did not finish within {SECONDS} s: {' '.join(command)}") from None
    if done.returncode:
        raise CompileError(tidy(done.stderr + done.stdout, folder), done.stderr)
