"""What a kernel's declaration says about its parameters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from course_lib.cuda.reading.c_types import Aliases, CType, resolve
from course_lib.cuda.reading.kernel_declarations import KernelDeclaration
from course_lib.cuda.reading.source_text import split_top
from course_lib.errors import CourseError

__all__ = ["NoSuchKernel", "Parameter", "Signature", "read_signature", "split_name"]

IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
QUALIFIERS = re.compile(
    r"\b(?:const|volatile|__restrict__|__restrict|restrict|__grid_constant__|struct|typename|register)\b"
)


class NoSuchKernel(CourseError):
    """The source declares no kernel of the name that was asked for; the message names those that it does."""


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


def read_signature(
    code: str, kernels: Sequence[KernelDeclaration], name: str, options: Sequence[str] = ()
) -> Signature:
    """The signature of kernel `name`, such as "add", "layers::add" or "matmul<float, 16>".

    code     the source without comments and literals; kernels: what it declares.
    options  compiler options; those of the form -DNAME=type take part in resolving types.
    Raises NoSuchKernel if `name` is not among the kernels.
    """
    base, given = split_name(name)
    declaration = next((kernel for kernel in kernels if kernel.name == base.rpartition("::")[2]), None)
    if declaration is None:
        known = ", ".join(dict.fromkeys(kernel.name for kernel in kernels)) or "none"
        raise NoSuchKernel(f"the source has no __global__ function named {base!r}; it declares: {known}")
    aliases = Aliases(code, options).with_template(declaration.template, given)
    pieces = split_top(declaration.parameters) if declaration.parameters.strip() != "void" else []
    return Signature(name, tuple(_parameter(piece, k, aliases) for k, piece in enumerate(pieces)))


def split_name(name: str) -> tuple[str, list[str]]:
    """ "kernel<float, 16>" becomes ("kernel", ["float", "16"])."""
    base, bracket, rest = name.partition("<")
    if not bracket:
        return name.strip(), []
    if not rest.rstrip().endswith(">"):
        raise NoSuchKernel(f"{name!r} opens a template argument list and does not close it")
    return base.strip(), split_top(rest.rstrip()[:-1])


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
