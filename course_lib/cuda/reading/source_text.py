"""Reading CUDA C++ as text: comments out of the way, brackets matched, included files in place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["blank_comments", "blank_directives", "closing", "expand_includes", "split_top"]

SKIPPED = re.compile(
    r"""//(?:\\\n|[^\n])*            # to the end of the line
      | /\*.*?\*/
      | "(?:\\.|[^"\\\n])*"
      | (?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])*'   # not the separator in 1'000
    """,
    re.VERBOSE | re.DOTALL,
)
DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"[^\n]*$', re.MULTILINE)
OPENING, CLOSING = "([{<", ")]}>"


def blank_comments(text: str) -> str:
    """The same text with comments and the contents of literals replaced by spaces: every offset stays."""

    def blank(match: re.Match[str]) -> str:
        kept = re.sub(r"[^\n]", " ", match.group())
        quote = match.group()[0]
        return quote + kept[1:-1] + quote if quote in "\"'" else kept

    return SKIPPED.sub(blank, text)


def blank_directives(code: str) -> str:
    """The same code with preprocessor lines, macro definitions among them, replaced by spaces: every offset stays."""
    return DIRECTIVE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), code)


def closing(text: str, start: int) -> int:
    """The offset of the bracket that closes the one at `start`, or -1. `text` has no comments or literals."""
    opener = text[start]
    closer = CLOSING[OPENING.index(opener)]
    depth = 0
    for k in range(start, len(text)):
        if text[k] == opener:
            depth += 1
        elif text[k] == closer:
            depth -= 1
            if depth == 0:
                return k
    return -1


def split_top(text: str, *, keep_empty: bool = False) -> list[str]:
    """Split at commas that stand outside all brackets, angle brackets of templates included."""
    pieces, depth, start = [], 0, 0
    for k, character in enumerate(text):
        if character in OPENING:
            depth += 1
        elif character in CLOSING and text[k - 1 : k + 1] != "->":
            depth -= 1
        elif character == "," and depth == 0:
            pieces.append(text[start:k])
            start = k + 1
    pieces.append(text[start:])
    return [piece.strip() for piece in pieces if keep_empty or piece.strip()]


def expand_includes(text: str, name: str, folder: Path | None, search: Sequence[Path] = ()) -> str:
    """Replace `#include "file"` by the file, when it lies beside the source or in `search`, with #line markers.

    Files elsewhere (system headers, the instruction wrappers) keep their #include. A file with #pragma once comes once.
    """
    once: set[Path] = set()

    def expand(text: str, name: str, folder: Path | None, depth: int) -> str:
        def replace(match: re.Match[str]) -> str:
            file = _find(match.group(1), folder, search)
            if file is None or depth > 64:
                return match.group()
            inner = file.read_text()
            if re.search(r"^[ \t]*#[ \t]*pragma[ \t]+once", inner, re.MULTILINE):
                if file in once:
                    return ""
                once.add(file)
            line = text.count("\n", 0, match.start()) + 2
            body = expand(inner, str(file), file.parent, depth + 1)
            return f'#line 1 "{file}"\n{body}\n#line {line} "{name}"'

        return INCLUDE.sub(replace, text)

    return expand(text, name, folder, 0)


def _find(included: str, folder: Path | None, search: Sequence[Path]) -> Path | None:
    places: Iterator[Path] = ((place / included) for place in [*([folder] if folder else []), *search])
    return next((file.resolve() for file in places if file.is_file()), None)
