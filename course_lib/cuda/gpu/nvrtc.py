"""From a kernel's source to a cubin, by NVIDIA's runtime compiler. Needs CuPy and NVRTC, no driver and no GPU."""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from course_lib.cuda.gpu.gpu_headers import BUILT_IN, cuda_include_folders
from course_lib.cuda.reading.kernel_text import KernelText
from course_lib.cuda.reading.source import INCLUDE
from course_lib.errors import CourseError
from course_lib.native.cache import cached, digest
from course_lib.native.includes import included_files
from course_lib.native.messages import CompileError

__all__ = ["Cubin", "NoNvrtc", "compile_cubin", "compile_ptx", "version"]


class NoNvrtc(CourseError):
    """NVIDIA's runtime compiler is not installed; the message says what to install."""

    def __init__(self, why: str = "") -> None:
        super().__init__(
            "Compiling for a GPU needs CuPy and NVRTC: pip install cupy-cuda13x nvidia-cuda-nvrtc nvidia-cuda-runtime"
            + (f" ({why})" if why else "")
        )


@dataclass(frozen=True)
class Cubin:
    """Machine code for one architecture.

    path       the file.
    symbol     the kernel's name in it; mangled for a template.
    variables  names in the source: names in the file, of __device__ and __constant__ variables.
    log        what ptxas said about registers, spills and shared memory.
    """

    path: Path
    symbol: str
    variables: dict[str, str]
    log: str


def compile_cubin(kernel: KernelText, arch: str) -> Cubin:
    """Compile for `arch`, such as "sm_80" or "sm_90a". Cached. Raises native.CompileError or NoNvrtc."""
    path, notes = _compile(kernel, f"-arch={arch}", "cubin")
    return Cubin(path, notes["symbol"], notes["variables"], notes["log"])


def compile_ptx(kernel: KernelText, arch: str) -> str:
    """The PTX text for "compute_80" and its like: which instructions a kernel uses, without a disassembler."""
    path, _ = _compile(kernel, f"-arch={arch}", "ptx")
    return path.read_text()


def version() -> tuple[int, int]:
    """NVRTC's version, such as (13, 5)."""
    return _nvrtc().getVersion()


@functools.cache
def _nvrtc() -> Any:
    if importlib.util.find_spec("cupy") is None:
        raise NoNvrtc("CuPy is not installed")
    try:
        from cupy.cuda import nvrtc

        nvrtc.getVersion()  # the library itself is loaded on the first call
    except Exception as error:  # a missing library surfaces as ImportError, RuntimeError or CuPy's own
        raise NoNvrtc(str(error).splitlines()[0] if str(error) else type(error).__name__) from error
    return nvrtc


def _compile(kernel: KernelText, arch: str, kind: Literal["cubin", "ptx"]) -> tuple[Path, dict[str, Any]]:
    compiler = _nvrtc()
    major, minor = compiler.getVersion()
    folders = [INCLUDE, *cuda_include_folders(major)]
    flags = [arch, *_with_defaults(kernel.options), *(f"-I{folder}" for folder in folders), "--ptxas-options=-v"]
    text = kernel.source.numbered
    headers = included_files(kernel.source.text, None, [INCLUDE])
    key = digest(text, *(path.read_bytes() for path in headers), *flags, kernel.name, kind, f"{major}.{minor}")
    stem = f"{re.sub(r'[^A-Za-z0-9]+', '_', kernel.name)[:40]}-{key}"

    def make_notes(folder: Path) -> Path:
        code, notes = _run(compiler, kernel, flags, kind)
        # the code goes in first: whoever sees the notes finds it
        cached(f"{stem}.{kind}", lambda inner: _write(inner / "code", code))
        return _write(folder / "notes", json.dumps(notes).encode())

    notes = cached(f"{stem}.{kind}.json", make_notes)
    path = notes.with_suffix("")
    if not path.exists():  # someone cleared part of the cache
        notes.unlink()
        notes = cached(f"{stem}.{kind}.json", make_notes)
    return path, json.loads(notes.read_text())


def _with_defaults(options: Sequence[str]) -> list[str]:
    standard = [] if any(re.match(r"--?std=", option) for option in options) else ["-std=c++17"]
    return [*standard, *options]


def _run(
    compiler: Any, kernel: KernelText, flags: list[str], kind: Literal["cubin", "ptx"]
) -> tuple[bytes, dict[str, Any]]:
    variables = kernel.source.variable_names
    program = compiler.createProgram(kernel.source.numbered, kernel.source.file, *_built_in())
    try:
        for name in [kernel.name, *(f"&{variable}" for variable in variables)]:
            compiler.addNameExpression(program, name)
        try:
            compiler.compileProgram(program, tuple(flags))
        except compiler.NVRTCError:
            raise CompileError(_tidy(compiler.getProgramLog(program))) from None
        notes = {
            "symbol": compiler.getLoweredName(program, kernel.name),
            "variables": {variable: compiler.getLoweredName(program, f"&{variable}") for variable in variables},
            "log": compiler.getProgramLog(program).rstrip("\0"),
        }
        if kind == "cubin":
            # CuPy cuts the last byte as if it ended a string; a byte too many behind an ELF file does no harm
            return compiler.getCUBIN(program) + b"\0", notes
        code = compiler.getPTX(program)
        return (code.encode() if isinstance(code, str) else code).rstrip(b"\0"), notes
    finally:
        compiler.destroyProgram(program)


def _built_in() -> tuple[list[bytes], list[bytes]]:
    return [text.encode() for text in BUILT_IN.values()], [name.encode() for name in BUILT_IN]


def _tidy(log: str) -> str:
    kept = [
        line
        for line in log.rstrip("\0").splitlines()
        if not re.match(r"\d+ errors? detected|Compilation terminated", line)
    ]
    return "\n".join(kept).strip()


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
