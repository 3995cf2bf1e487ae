"""Where a source declares kernels: behind `__global__`, also in the text of a macro that is used.

#define KERNEL(T) __global__ void scale_##T(T* x) {...}
KERNEL(float)
"""

from __future__ import annotations

import re
from typing import NamedTuple

from course_lib.cuda.reading.source_text import closing, split_top

__all__ = ["KernelDeclaration", "find_kernels"]

MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)\(([^)]*)\)((?:\\\n|[^\n])*)", re.MULTILINE)
MARK = re.compile(r"\b__global__\b")
WORD = re.compile(r"\s*([A-Za-z_]\w*)\s*(\()?")
# words with parentheses of their own that may stand between __global__ and the kernel's name
DECORATIONS = {"__launch_bounds__", "__attribute__", "__maxnreg__", "__cluster_dims__", "__block_size__", "alignas"}


class KernelDeclaration(NamedTuple):
    """A kernel's name without namespaces, and what stands in its `template <...>` (or "") and its parentheses."""

    name: str
    template: str
    parameters: str


def find_kernels(code: str) -> tuple[KernelDeclaration, ...]:
    """Every kernel that the code declares, in order. `code` has no comments or literals."""
    expanded = _expand_kernel_macros(code)
    found = (_declared(expanded, mark) for mark in MARK.finditer(expanded))
    return tuple(declaration for declaration in found if declaration)


def _declared(code: str, mark: re.Match[str]) -> KernelDeclaration | None:
    at = mark.end()
    while match := WORD.match(code, at):
        if not match.group(2):
            at = match.end()
        elif match.group(1) in DECORATIONS:
            at = closing(code, match.start(2)) + 1
        else:
            start = match.start(2)
            parameters = code[start + 1 : closing(code, start)]
            return KernelDeclaration(match.group(1), _template_before(code, mark.start()), parameters)
    return None


def _template_before(code: str, position: int) -> str:
    """The parameters of `template <...>` in front of the declaration, or ""."""
    start = max(code.rfind(end, 0, position) for end in ";}")
    marks = list(re.finditer(r"\btemplate\s*<", code[start + 1 : position]))
    if not marks:
        return ""
    opening = start + marks[-1].end()
    return code[opening + 1 : closing(code, opening)]


def _expand_kernel_macros(code: str) -> str:
    """The code without its macro definitions, and each use of a macro that holds a __global__ written out after it.

    Enough to read signatures from: no nested macros, no stringification.
    """
    macros = {name: (parameters, body.replace("\\\n", " ")) for name, parameters, body in MACRO.findall(code)}
    rest = MACRO.sub("", code)
    kernels = {name: macro for name, macro in macros.items() if MARK.search(macro[1])}
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
