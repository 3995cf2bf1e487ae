"""From a kernel's source to a library of machine code for this computer's processor."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from course_lib import native
from course_lib.cuda.reading.kernel_text import KernelText
from course_lib.cuda.reading.source import INCLUDE
from course_lib.cuda.runner.job import Mode
from course_lib.cuda.runner.translation_unit import translation_unit
from course_lib.native.cache import digest

__all__ = ["build_kernel", "build_runtime", "host_compiler"]

HOST = Path(__file__).parent / "host"
# No C++ library at run time, so that zig need not build one; no exceptions, as on the GPU
BARE = ("-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", "-fvisibility=hidden")
# clang for arm64 knows no -march=native
THIS_PROCESSOR = "-mcpu=native" if platform.machine() in ("arm64", "aarch64") else "-march=native"
# Kernels look at one memory through several types (float4 over float): C++ forbids it, CUDA code relies on it
KERNEL = (
    "-w",
    "-O3",
    THIS_PROCESSOR,
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-strict-aliasing",
    "-ffunction-sections",
    "-fdata-sections",
)
# The pointer to the running thread is read on every use of threadIdx: one load, where the loader can arrange it
STATIC_TLS = ("-ftls-model=initial-exec",) if sys.platform == "linux" else ()
DEFINES: dict[Mode, tuple[str, ...]] = {
    "plain": (),
    "checked": ("-DCOURSE_CHECKED",),
    "traced": ("-DCOURSE_CHECKED", "-DCOURSE_TRACED"),
}
UNDEFINED = re.compile(r"host_\w+_in_plain_loop")


def host_compiler() -> native.Compiler:
    """The C++ compiler; NoCompiler, with one clear sentence, if there is none."""
    compiler = native.find_compiler("c++")
    if compiler is None:
        raise native.NoCompiler("c++")
    return compiler


def build_runtime() -> Path:
    """The runner: a library that all kernels of the process share; for Apple an object that is linked into each.

    Shared, because its thread-local pointer is placed where programs have little room (STATIC_TLS above).
    """
    compiler = host_compiler()
    shared = ("-shared", "-pthread", f"-Wl,-soname,{_soname(compiler)}")
    return native.build(
        HOST / "runtime" / "runtime.cpp",
        "c++",
        flags=(*BARE, "-std=c++17", f"-I{HOST}", *STATIC_TLS),
        links=("-c",) if compiler.for_apple else shared,
        suffix=".o" if compiler.for_apple else ".so",
        link_language="c",
        compiler=compiler,
        name="cuda-runtime",
    )


def build_program(kernel: KernelText, mode: Mode) -> Path:
    """A program that runs one launch in a process of its own (host/runtime/isolated.cpp)."""
    compiler = host_compiler()
    runner = native.build(
        HOST / "runtime" / "isolated.cpp",
        "c++",
        flags=(*BARE, "-std=c++17", f"-I{HOST}", *DEFINES[mode]),
        links=("-c",),
        suffix=".o",
        compiler=compiler,
        name="cuda-isolated",
    )
    return _compiled(
        kernel,
        flags=(*BARE, *(KERNEL if mode == "plain" else _watched(compiler)), *_language(kernel.options), *DEFINES[mode]),
        # -g: zig drops line tables from what it links unless it is asked to keep them
        links=("-pthread", "-g", *(["-Wl,-dead_strip"] if compiler.for_apple else ["-Wl,--gc-sections"])),
        link_language="c",
        objects=(runner,),
        suffix="",
        compiler=compiler,
    )


def build_kernel(kernel: KernelText, runtime: Path) -> Path:
    """A library that exports `course_kernel`. Plain loops if the kernel waits for nobody, else fibers."""
    if not kernel.may_wait:
        try:
            return _build(kernel, runtime, "-DCOURSE_PLAIN")
        except native.CompileError as error:
            if not UNDEFINED.search(error.log):
                raise
    return _build(kernel, runtime)


def host_options(options: Sequence[str]) -> list[str]:
    """NVRTC's options in the host compiler's words. Those about the GPU's code generator have no meaning here."""
    kept = []
    standard = "-std=c++17"
    for option in options:
        if match := re.match(r"--?std=(.+)", option):
            standard = f"-std={match.group(1)}"
        elif match := re.match(r"(?:-D|--define-macro=)(.+)", option):
            kept.append(f"-D{match.group(1).strip()}")
        elif match := re.match(r"(?:-U|--undefine-macro=)(.+)", option):
            kept.append(f"-U{match.group(1).strip()}")
        elif match := re.match(r"(?:-I|--include-path=)(.+)", option):
            kept.append(f"-I{match.group(1).strip()}")
        elif option in ("--fmad=false", "-fmad=false"):
            kept.append("-ffp-contract=off")
    return [standard, *kept]


def _build(kernel: KernelText, runtime: Path, *defines: str) -> Path:
    compiler = host_compiler()
    return _compiled(
        kernel,
        flags=(*BARE, *KERNEL, *_language((*defines, *kernel.options))),
        links=("-shared", *_only_what_is_used(compiler)),
        link_language="c",
        objects=(runtime,),
        compiler=compiler,
    )


def _compiled(kernel: KernelText, **how: Any) -> Path:
    try:
        return native.build(translation_unit(kernel), "c++", name=_file_name(kernel.name), **how)
    except native.CompileError as error:
        if not re.search(r"\basm\b", kernel.source.code):
            raise
        raise native.CompileError(
            f"{error}\nThe source holds inline PTX (asm), which only a GPU runs; "
            "course_lib/cuda/include wraps the instructions in functions that run on both.",
            error.log,
        ) from None


def _language(options: Sequence[str]) -> list[str]:
    return [*host_options(options), f"-I{HOST}", f"-I{HOST / 'stand_in'}", f"-I{INCLUDE}"]


def _watched(compiler: native.Compiler) -> list[str]:
    """Flags under which the compiler announces every access. Unoptimised: each stays where the source has it."""
    volatile = {
        "gcc": ["--param", "tsan-distinguish-volatile=1"] if compiler.major >= 11 else [],
        "clang": ["-mllvm", "-tsan-distinguish-volatile=1"],
        "zig": ["-mllvm", "-tsan-distinguish-volatile=1"],
    }
    lines = ["-g1", "-gdwarf-4"]  # zig writes DWARF 4 whatever it is asked for: one form for all
    undefined = ["-fno-sanitize=undefined"] if compiler.family == "zig" else []  # zig's default when not optimising
    quiet = ["-w", "-O0", THIS_PROCESSOR, "-fno-strict-aliasing", "-ffp-contract=off"]
    return [*quiet, *lines, *undefined, "-fsanitize=thread", *volatile[compiler.family]]


def _file_name(kernel: str) -> str:
    return re.sub(r"\W+", "_", kernel)[:40]


def _soname(compiler: native.Compiler) -> str:
    """The name under which a kernel finds the runner that it was linked with, and not another compiler's."""
    files = sorted(file for file in HOST.rglob("*") if file.suffix in (".hpp", ".cpp"))
    key = digest(compiler.version, *compiler.command, *BARE, *(file.read_bytes() for file in files))
    return f"libcourse_cuda_runtime-{key}.so"


def _only_what_is_used(compiler: native.Compiler) -> tuple[str, ...]:
    if compiler.for_apple:
        return ("-Wl,-dead_strip",)
    return ("-Wl,--gc-sections", "-Wl,--no-undefined")
