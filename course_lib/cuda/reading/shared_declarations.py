"""The `__shared__` declarations of a source."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from course_lib.cuda.reading.source_text import split_top

__all__ = ["Declarator", "SharedDeclaration", "dynamic_name", "find_shared"]

MARK = re.compile(r"\b__shared__\b")
DECLARATOR = re.compile(r"([A-Za-z_]\w*)\s*((?:\[[^\]]*\]\s*)*)$")
DYNAMIC = re.compile(
    r"\bextern\b[^;{}]*?\b__shared__\b[^;{}]*?(\w+)\s*\[\s*\]|\b__shared__\s+extern\b[^;{}]*?(\w+)\s*\[\s*\]"
)


class Declarator(NamedTuple):
    """One variable of a declaration: `float a[4], *b` is ("float ", "a", "[4]") and ("*", "b", "")."""

    before: str
    name: str
    after: str


class SharedDeclaration(NamedTuple):
    """One declaration, without `__shared__`, `extern` and `static`.

    start, stop  its offsets in the source; the semicolon is inside.
    """

    start: int
    stop: int
    is_dynamic: bool
    declarators: tuple[Declarator, ...]


def find_shared(code: str) -> tuple[SharedDeclaration, ...]:
    """The declarations, in order. `code` has no comments, literals or preprocessor lines.

    Those inside macros, and those of a form that is not understood, are left out.
    """
    return tuple(_declarations(code))


def dynamic_name(code: str) -> str:
    """What the source calls its dynamic shared memory, if it has one name for it; else "dynamic shared memory"."""
    names = {first or second for first, second in DYNAMIC.findall(code)}
    return names.pop() if len(names) == 1 else "dynamic shared memory"


def _declarations(code: str) -> Iterator[SharedDeclaration]:
    done = 0
    for mark in MARK.finditer(code):
        if mark.start() < done:
            continue
        start = max(done, *(code.rfind(end, done, mark.start()) + 1 for end in ";{}:"))
        end = _semicolon(code, mark.end())
        declarators = _declarators(code[start:end]) if end > 0 else ()
        if declarators:
            is_dynamic = re.search(r"\bextern\b", code[start:end]) is not None
            yield SharedDeclaration(start, end + 1, is_dynamic, declarators)
            done = end + 1


def _semicolon(code: str, start: int) -> int:
    depth = 0
    for k in range(start, len(code)):
        if code[k] in "([{":
            depth += 1
        elif code[k] in ")]}":
            depth -= 1
        elif code[k] == ";" and depth == 0:
            return k
    return -1


def _declarators(declaration: str) -> tuple[Declarator, ...]:
    words = re.sub(r"\b(?:__shared__|extern|static)\b", " ", declaration).split()
    found = []
    for declarator in split_top(" ".join(words)):
        name = DECLARATOR.search(declarator)
        if name is None:
            return ()
        found.append(Declarator(declarator[: name.start(1)], name.group(1), declarator[name.end(1) :]))
    return tuple(found)
