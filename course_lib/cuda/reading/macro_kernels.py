"""Kernels that a source writes through a macro: `#define KERNEL(T) __global__ void scale_##T(T* x) {...}`."""

from __future__ import annotations

import re

from course_lib.cuda.reading.source_text import closing, split_top

__all__ = ["expand_kernel_macros"]

MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)\(([^)]*)\)((?:\\\n|[^\n])*)", re.MULTILINE)


def expand_kernel_macros(code: str) -> str:
    """The code without its macro definitions, and each use of a macro that holds a __global__ written out after it.

    Enough to read signatures from: no nested macros, no stringification. `code` has no comments or literals.
    """
    macros = {name: (parameters, body.replace("\\\n", " ")) for name, parameters, body in MACRO.findall(code)}
    rest = MACRO.sub("", code)
    kernels = {name: macro for name, macro in macros.items() if re.search(r"\b__global__\b", macro[1])}
    if not kernels:
        return rest
    written = []
    for use in re.finditer(rf"\b({'|'.join(kernels)})\s*\(", rest):
        end = closing(rest, use.end() - 1)
        parameters, body = kernels[use.group(1)]
        written.append(_substitute(body, split_top(parameters), split_top(rest[use.end() : end], keep_empty=True)))
    return "\n".join([rest, *written])


def _substitute(body: str, parameters: list[str], values: list[str]) -> str:
    for parameter, value in zip(parameters, values, strict=False):
        body = re.sub(rf"\b{re.escape(parameter)}\b", value, body.replace("##", " ## "))
    return re.sub(r"\s*##\s*", "", body)
