"""C types as they stand in a kernel's declaration: which array or number belongs to each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from course_lib.cuda.reading.source_text import split_top

__all__ = ["Aliases", "CType", "resolve"]

# canonical name: (kind, bytes, signed)
SCALARS = {
    "bool": ("integer", 1, False),
    "char": ("integer", 1, True),
    "signed char": ("integer", 1, True),
    "unsigned char": ("integer", 1, False),
    "short": ("integer", 2, True),
    "unsigned short": ("integer", 2, False),
    "int": ("integer", 4, True),
    "unsigned int": ("integer", 4, False),
    "long": ("integer", 8, True),
    "unsigned long": ("integer", 8, False),
    "long long": ("integer", 8, True),
    "unsigned long long": ("integer", 8, False),
    "float": ("float", 4, True),
    "double": ("float", 8, True),
    "half": ("float", 2, True),
    "bfloat16": ("float", 2, True),
}
NAMES = {
    "__half": "half",
    "__nv_bfloat16": "bfloat16",
    "nv_bfloat16": "bfloat16",
    "int8_t": "signed char",
    "uint8_t": "unsigned char",
    "int16_t": "short",
    "uint16_t": "unsigned short",
    "int32_t": "int",
    "uint32_t": "unsigned int",
    "int64_t": "long long",
    "uint64_t": "unsigned long long",
    "size_t": "unsigned long",
    "ssize_t": "long",
    "ptrdiff_t": "long",
    "intptr_t": "long",
    "uintptr_t": "unsigned long",
    "uint": "unsigned int",
    "unsigned": "unsigned int",
    "signed": "int",
}
VECTOR = re.compile(r"(u?(?:char|short|int|long|longlong)|float|double)([1234])$")
VECTOR_ELEMENT = {
    "char": "signed char",
    "uchar": "unsigned char",
    "ushort": "unsigned short",
    "uint": "unsigned int",
    "ulong": "unsigned long",
    "longlong": "long long",
    "ulonglong": "unsigned long long",
}


@dataclass(frozen=True)
class CType:
    """A parameter's type.

    kind     "pointer", "integer", "float", or "other": a struct, or a name that the text does not explain.
    name     canonical name of the scalar, or of what the pointer points to; "" if unknown.
    bytes    size of a scalar; 8 for a pointer; 0 if unknown.
    lanes    for a pointer to a vector type such as float4: how many elements `name` it holds; else 1.
    """

    kind: str
    name: str
    bytes: int
    signed: bool = False
    lanes: int = 1


class Aliases:
    """Names that the source gives to types: typedef, using, #define, -D options and template arguments."""

    def __init__(self, code: str, options: Sequence[str] = ()) -> None:
        self.names: dict[str, str] = {}
        for name, meaning in re.findall(r"\busing\s+(\w+)\s*=\s*([^;{]+);", code):
            self.names[name] = meaning
        for meaning, name in re.findall(r"\btypedef\s+([^;{()\[]+?)\s*\b(\w+)\s*;", code):
            self.names[name] = meaning
        for name, meaning in re.findall(
            r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+([\w \t:<>]+?)[ \t]*$", code, re.MULTILINE
        ):
            self.names[name] = meaning
        for option in options:
            if match := re.match(r"(?:-D|--define-macro=)\s*(\w+)=(.+)", option):
                self.names[match.group(1)] = match.group(2)

    def with_template(self, parameters: str, given: Sequence[str]) -> Aliases:
        """The same names plus a kernel's template parameters, bound to the arguments given or their defaults."""
        for k, piece in enumerate(split_top(parameters)):
            declaration, _, default = piece.partition("=")
            if words := re.findall(r"\w+", declaration):
                meaning = given[k] if k < len(given) else default
                if meaning.strip():
                    self.names[words[-1]] = meaning.strip()
        return self


def resolve(text: str, stars: int, aliases: Aliases) -> CType:
    """The type that `text` names, behind `stars` asterisks."""
    name, stars = _canonical(text, stars, aliases)
    lanes = 1
    if match := VECTOR.match(name):
        name, lanes = VECTOR_ELEMENT.get(match.group(1), match.group(1)), int(match.group(2))
    elif name in ("half2", "__half2"):
        name, lanes = "half", 2
    elif name in ("__nv_bfloat162", "nv_bfloat162"):
        name, lanes = "bfloat16", 2
    known = SCALARS.get(name)
    if stars:
        return CType("pointer", name if stars == 1 and (known or name == "void") else "", 8, lanes=lanes)
    if known is None or lanes > 1:
        return CType("other", "", (known[1] if known else 0) * lanes)
    return CType(known[0], name, known[1], known[2])


def _canonical(text: str, stars: int, aliases: Aliases) -> tuple[str, int]:
    for _ in range(16):
        words = re.sub(r"\b(?:const|volatile|typename|struct)\b|std::", " ", text).split()
        name = _integer(words) or NAMES.get(" ".join(words)) or " ".join(words)
        if name in SCALARS or name not in aliases.names:
            return name, stars
        text = aliases.names[name]
        stars += text.count("*")
        text = text.replace("*", " ")
    return "", stars


def _integer(words: list[str]) -> str:
    """`long unsigned int` and its like, in the one order used above; "" for anything else."""
    if not words or not set(words) <= {"unsigned", "signed", "int", "long", "short", "char"}:
        return ""
    base = "char" if "char" in words else "short" if "short" in words else "long " * words.count("long") or "int"
    base = base.strip()
    if base == "char":
        return "unsigned char" if "unsigned" in words else "signed char" if "signed" in words else "char"
    return f"unsigned {base}" if "unsigned" in words else base
