"""Compile C and C++ with the compiler this computer has, and load the result.

    from course_lib import native

    library = native.compile_c("int twice(int x) { return 2 * x; }")
    library.twice(21)

Compiled files are kept in a per-user cache, so the same source is compiled once.
"""

from course_lib.native.cache import cache_folder
from course_lib.native.compilation import build, compile_c, compile_cpp
from course_lib.native.compiler import Compiler, NoCompiler, find_compiler
from course_lib.native.messages import CompileError

__all__ = [
    "CompileError",
    "Compiler",
    "NoCompiler",
    "build",
    "cache_folder",
    "compile_c",
    "compile_cpp",
    "find_compiler",
]
