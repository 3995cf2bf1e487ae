"""The `__device__` and `__constant__` variables of a source."""

from __future__ import annotations

import re
from collections.abc import Iterator

from course_lib.cuda.reading.source_text import blank_comments, closing, split_top

__all__ = ["device_variables", "mark_variables"]

DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)
MARK = re.compile(r"\b(?:__device__|__constant__|__managed__)\b")
SCOPE = re.compile(r'(?:\bnamespace(?:\s+(\w+))?|\bextern\s*"\s*")\s*\{')
AFTER_BRACE = re.compile(r"[^;{}]*;")
DECLARATOR = re.compile(r"([A-Za-z_]\w*)\s*(?:\[[^\]]*\]\s*)*$")
ALIGNMENT = re.compile(r"(?:__align__|alignas)\s*\([^)]*\)")


def device_variables(text: str) -> list[str]:
    """Qualified names of the variables declared at namespace scope, in order."""
    return list(dict.fromkeys(name for names, _, _ in _declarations(text) for name in names))


def mark_variables(text: str) -> str:
    """The source with COURSE_VARIABLE (COURSE_CONSTANT for const ones) before each such declaration's type."""
    for _, position, is_const in reversed(list(_declarations(text))):
        text = f"{text[:position]} {'COURSE_CONSTANT' if is_const else 'COURSE_VARIABLE'} {text[position:]}"
    return text


def _declarations(text: str) -> Iterator[tuple[list[str], int, bool]]:
    """(names, offset behind __device__, whether const) of each declaration."""
    code = DIRECTIVE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), blank_comments(text))
    yield from _in_scope(code, 0, len(code), "")


def _in_scope(code: str, at: int, stop: int, prefix: str) -> Iterator[tuple[list[str], int, bool]]:
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


def _declared(code: str, start: int, stop: int, prefix: str) -> Iterator[tuple[list[str], int, bool]]:
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
        yield names, start + mark.end(), is_const
