"""From a kernel's source to a library of machine code for this computer's processor."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from course_lib import native
from course_lib.cuda.reading.collectives import may_wait
from course_lib.cuda.reading.device_variables import device_variables, mark_variables
from course_lib.cuda.reading.shared_declarations import rewrite_shared
from course_lib.cuda.reading.source import INCLUDE, Source
from course_lib.cuda.reading.source_text import blank_comments
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


def build_program(source: Source, kernel: str, options: Sequence[str], *, checked: bool, traced: bool = False) -> Path:
    """A program that runs one launch in a process of its own (host/runtime/isolated.cpp), with or without checks.

    traced  with checks, and every access written down (host/runtime/trace.hpp).
    """
    compiler = host_compiler()
    checked = checked or traced
    mode = (*(["-DCOURSE_CHECKED"] if checked else []), *(["-DCOURSE_TRACED"] if traced else []))
    runner = native.build(
        HOST / "runtime" / "isolated.cpp",
        "c++",
        flags=(*BARE, "-std=c++17", f"-I{HOST}", *mode),
        links=("-c",),
        suffix=".o",
        compiler=compiler,
        name="cuda-isolated",
    )
    return _compiled(
        translation_unit(source, kernel),
        flags=(*BARE, *(_watched(compiler) if checked else KERNEL), *_language(options), *mode),
        # -g: zig drops line tables from what it links unless it is asked to keep them
        links=("-pthread", "-g", *(["-Wl,-dead_strip"] if compiler.for_apple else ["-Wl,--gc-sections"])),
        link_language="c",
        objects=(runner,),
        suffix="",
        compiler=compiler,
        name=_file_name(kernel),
    )


def build_kernel(source: Source, kernel: str, options: Sequence[str], runtime: Path) -> Path:
    """A library that exports `course_kernel`. Plain loops if the kernel waits for nobody, else fibers."""
    text = translation_unit(source, kernel)
    if not may_wait(source.text, kernel.partition("<")[0].rpartition("::")[2]):
        try:
            return _build(text, kernel, ("-DCOURSE_PLAIN", *options), runtime)
        except native.CompileError as error:
            if not UNDEFINED.search(error.log):
                raise
    return _build(text, kernel, options, runtime)


def translation_unit(source: Source, kernel: str) -> str:
    """The C++ that is compiled: our header, the rewritten source, and the table that the runner reads."""
    variables = "".join(f'{{"{name}", (void*)&{name}, sizeof({name})}}, ' for name in device_variables(source.text))
    rewritten = mark_variables(rewrite_shared(source.text))
    return f"""#include "cuda_host.hpp"
#line 1 "{source.file}"
{rewritten}
#line 1 "the entry of {kernel}"
using course_entry = host::Entry<&{kernel}>;
static const host::Global course_globals[] = {{{variables}{{nullptr, nullptr, 0}}}};
COURSE_EXPORT host::SharedUse course_shared_use;
host::SharedUse course_shared_use = {{0, 0}};
COURSE_EXPORT const host::Kernel course_kernel;
const host::Kernel course_kernel = {{
    course_entry::thread, course_entry::block, course_entry::parameters, course_entry::count,
    course_globals, sizeof(course_globals) / sizeof(course_globals[0]) - 1}};
"""


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


def _build(text: str, kernel: str, options: Sequence[str], runtime: Path) -> Path:
    compiler = host_compiler()
    return _compiled(
        text,
        flags=(*BARE, *KERNEL, *_language(options)),
        links=("-shared", *_only_what_is_used(compiler)),
        link_language="c",
        objects=(runtime,),
        compiler=compiler,
        name=_file_name(kernel),
    )


def _compiled(text: str, **how: Any) -> Path:
    try:
        return native.build(text, "c++", **how)
    except native.CompileError as error:
        if not re.search(r"\basm\b", blank_comments(text)):
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
    lines = ["-g1", "-gdwarf-4"]  # an old, simple form of the line table: line_table.py reads it
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
