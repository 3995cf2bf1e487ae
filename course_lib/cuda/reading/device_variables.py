"""The `__device__` and `__constant__` variables of a source."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from course_lib.cuda.reading.source_text import closing, split_top

__all__ = ["VariableDeclaration", "find_variables"]

MARK = re.compile(r"\b(?:__device__|__constant__|__managed__)\b")
SCOPE = re.compile(r'(?:\bnamespace(?:\s+(\w+))?|\bextern\s*"\s*")\s*\{')
AFTER_BRACE = re.compile(r"[^;{}]*;")
DECLARATOR = re.compile(r"([A-Za-z_]\w*)\s*(?:\[[^\]]*\]\s*)*$")
ALIGNMENT = re.compile(r"(?:__align__|alignas)\s*\([^)]*\)")


class VariableDeclaration(NamedTuple):
    """One declaration.

    names     what it declares, with namespaces: ("layer::weights", "layer::bias").
    position  offset in the source behind `__device__` and its like, where the type begins.
    """

    names: tuple[str, ...]
    position: int
    is_const: bool


def find_variables(code: str) -> tuple[VariableDeclaration, ...]:
    """The variables declared at namespace scope. `code` has no comments, literals or preprocessor lines."""
    return tuple(_in_scope(code, 0, len(code), ""))


def _in_scope(code: str, at: int, stop: int, prefix: str) -> Iterator[VariableDeclaration]:
    while at < stop:
        scope = SCOPE.search(code, at, stop)
        brace, semicolon = code.find("{", at, stop), code.find(";", at, stop)
        if scope and scope.end() - 1 == brace and not 0 <= semicolon < scope.start():
            end = closing(code, brace)
            if end < 0:
                return
            inner = prefix + (f"{scope.group(1)}::" if scope.group(1) else "")
            yield from _in_scope(code, brace + 1, end, inner)
            at = end + 1
        elif brace >= 0 and not 0 <= semicolon < brace:
            end = closing(code, brace)
            if end < 0:
                return
            after = AFTER_BRACE.match(code, end + 1)
            if after and ")" not in ALIGNMENT.sub("", code[at:brace]):  # `= {1, 2};`, not a function's body
                yield from _declared(code, at, after.end() - 1, prefix)
                at = after.end()
            else:
                at = end + 1
        elif semicolon >= 0:
            yield from _declared(code, at, semicolon, prefix)
            at = semicolon + 1
        else:
            return


def _declared(code: str, start: int, stop: int, prefix: str) -> Iterator[VariableDeclaration]:
    statement = code[start:stop]
    mark = MARK.search(statement)
    if not mark or re.search(r"\b(?:extern|__shared__|template|using|typedef)\b", statement):
        return
    names = []
    for declarator in split_top(ALIGNMENT.sub("", statement[mark.end() :])):
        match = DECLARATOR.search(declarator.partition("=")[0])
        if match is None:  # a function, or a form that is not understood
            return
        names.append(prefix + match.group(1))
    is_const = re.search(r"\b(?:const|constexpr)\b", statement.partition("=")[0]) is not None
    if names:
        yield VariableDeclaration(tuple(names), start + mark.end(), is_const)
