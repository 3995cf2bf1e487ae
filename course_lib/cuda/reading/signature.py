"""What a kernel's declaration says about its parameters, read from the source text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from course_lib.cuda.reading.c_types import Aliases, CType, resolve
from course_lib.cuda.reading.macro_kernels import expand_kernel_macros
from course_lib.cuda.reading.source_text import blank_comments, closing, split_top

__all__ = ["Parameter", "Signature", "kernel_names", "parse"]

IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
# words with parentheses of their own that may stand between __global__ and the kernel's name
DECORATIONS = {"__launch_bounds__", "__attribute__", "__maxnreg__", "__cluster_dims__", "__block_size__", "alignas"}
QUALIFIERS = re.compile(
    r"\b(?:const|volatile|__restrict__|__restrict|restrict|__grid_constant__|struct|typename|register)\b"
)


@dataclass(frozen=True)
class Parameter:
    """One parameter: its name, its text as declared, and what the text means."""

    name: str
    declared: str
    type: CType


@dataclass(frozen=True)
class Signature:
    """A kernel's name as asked for (with template arguments, if any) and its parameters."""

    name: str
    parameters: tuple[Parameter, ...]

    def __str__(self) -> str:
        return f"{self.name}({', '.join(parameter.declared for parameter in self.parameters)})"


def parse(text: str, name: str, options: Sequence[str] = ()) -> Signature:
    """The signature of kernel `name`, such as "add", "layers::add" or "matmul<float, 16>".

    text     the source with its own includes expanded.
    options  compiler options; those of the form -DNAME=type take part in resolving types.
    Raises ValueError, naming the kernels that are there, if `name` is not.
    """
    code = expand_kernel_macros(blank_comments(text))
    base, given = split_name(name)
    for found, template, parameters in _kernels(code):
        if found == base.rpartition("::")[2]:
            aliases = Aliases(blank_comments(text), options).with_template(template, given)
            pieces = split_top(parameters) if parameters.strip() != "void" else []
            return Signature(name, tuple(_parameter(piece, k, aliases) for k, piece in enumerate(pieces)))
    known = ", ".join(kernel_names(text)) or "none"
    raise ValueError(f"the source has no __global__ function named {base!r}; it declares: {known}")


def kernel_names(text: str) -> list[str]:
    """Every __global__ function in the source, in order."""
    return list(dict.fromkeys(name for name, _, _ in _kernels(expand_kernel_macros(blank_comments(text)))))


def split_name(name: str) -> tuple[str, list[str]]:
    """ "kernel<float, 16>" becomes ("kernel", ["float", "16"])."""
    base, bracket, rest = name.partition("<")
    if not bracket:
        return name.strip(), []
    if not rest.rstrip().endswith(">"):
        raise ValueError(f"{name!r} opens a template argument list and does not close it")
    return base.strip(), split_top(rest.rstrip()[:-1])


def _kernels(code: str) -> list[tuple[str, str, str]]:
    """(name, template parameters, parameters) of each declaration that follows a __global__."""
    found = []
    for mark in re.finditer(r"\b__global__\b", code):
        at = mark.end()
        name = ""
        while match := re.compile(r"\s*([A-Za-z_]\w*)\s*(\()?").match(code, at):
            if not match.group(2):
                at = match.end()
            elif match.group(1) in DECORATIONS:
                at = closing(code, match.start(2)) + 1
            else:
                name = match.group(1)
                break
        if name:
            start = match.start(2)
            found.append((name, _template_before(code, mark.start()), code[start + 1 : closing(code, start)]))
    return found


def _template_before(code: str, position: int) -> str:
    """The parameters of `template <...>` in front of the declaration, or ""."""
    start = max(code.rfind(end, 0, position) for end in ";}")
    marks = list(re.finditer(r"\btemplate\s*<", code[start + 1 : position]))
    if not marks:
        return ""
    opening = start + marks[-1].end()
    return code[opening + 1 : closing(code, opening)]


def _parameter(piece: str, position: int, aliases: Aliases) -> Parameter:
    declared = " ".join(piece.partition("=")[0].split())
    bare = QUALIFIERS.sub(" ", declared)
    is_array = "[" in bare
    bare = bare.partition("[")[0]
    words = IDENTIFIER.findall(bare)
    # the last word is the name, unless the parameter has none: `float*`, `unsigned int`
    named = (
        len(words) > 1
        and bare.rstrip().endswith(words[-1])
        and words[-1] not in ("int", "char", "long", "short", "double", "float")
    )
    name = words[-1] if named else ""
    kind = bare.rstrip()[: -len(name)] if named else bare
    stars = kind.count("*") + kind.count("&") + is_array
    base = kind.replace("*", " ").replace("&", " ")
    return Parameter(name or f"argument {position + 1}", declared, resolve(base, stars, aliases))
