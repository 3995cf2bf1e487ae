"""The statements of a cell: what each says in a normal form, and the lines it stands on."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, replace

from autograders.authoring.programs import program

__all__ = ["Statement", "statements"]

_NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
# what makes a program of a statement, or of a head such as `for x in y:` or `else:`
_WHOLE = ("{}", "{}\n pass", "if 0: pass\n{}\n pass", "try: pass\n{}\n pass")


@dataclass(frozen=True)
class Statement:
    """A simple statement, or the head of a compound one.

    says   its indentation and its normal form: equal for equal code, whatever comments and annotations stand there.
    lines  index of its first line in the cell, and of the line after its last.
    end    `lines[1]`, or the index after the docstring that follows a head.
    """

    says: tuple[int, str]
    lines: tuple[int, int]
    end: int

    @property
    def may_have_docstring(self) -> bool:
        return self.says[1].startswith(("def ", "class "))


def statements(source: str) -> list[Statement]:
    """The statements of a cell in order; of a cell that holds a C or CUDA source as text, its lines."""
    if any(_is_long_text(node) for node in ast.parse(source).body):
        return list(_lines_of_code(source))
    found: list[Statement] = []
    for statement, is_text in _logical_lines(source):
        if is_text and found and found[-1].may_have_docstring:
            found[-1] = replace(found[-1], end=statement.end)
        else:
            found.append(statement)
    return found


def _is_long_text(node: ast.stmt) -> bool:
    value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str) and "\n" in value.value


def _lines_of_code(source: str) -> Iterator[Statement]:
    for number, line in enumerate(source.split("\n")):
        code = re.sub(r"//.*", "", line).rstrip()
        if code:
            yield Statement((0, code), (number, number + 1), number + 1)


def _logical_lines(source: str) -> Iterator[tuple[Statement, bool]]:
    """Each statement, and whether it begins with a string."""
    lines = source.split("\n")
    first: tokenize.TokenInfo | None = None
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in _NO_CODE:
            continue
        first = first or token
        if token.type == tokenize.NEWLINE:
            start, indent, end = first.start[0] - 1, first.start[1], token.end[0]
            text = "\n".join(lines[start:end])[indent:]
            yield Statement((indent, _normal(text)), (start, end), end), first.type == tokenize.STRING
            first = None


def _normal(text: str) -> str:
    for whole in _WHOLE:
        try:
            return program(whole.replace("{}", text))
        except SyntaxError:
            continue
    return " ".join(text.split())
