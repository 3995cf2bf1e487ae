"""Finds exercises whose answer also stands in `course_lib`, where a student would read it.

Two signs: a function of the same name, and the same statements under any variable names. Statements are compared as
syntax trees in which every name bound by the code is replaced by the order of its first appearance.
"""

from __future__ import annotations

import ast
import functools
import re
import textwrap
from pathlib import Path

from course_lib.workbook.markers import solution_region

__all__ = ["answers_in_library"]

_LEAST_NODES = 25  # shorter runs of code, such as `return x @ w`, stand in any library


def answers_in_library(exercise_source: str, library: Path) -> list[str]:
    """Places in `library` (a folder of Python files) that hold the answer of one exercise, as `file: function`."""
    names = {node.name for node in _parse(exercise_source).body if isinstance(node, ast.FunctionDef)}
    answer = _solution_statements(exercise_source)
    shape = _anonymous(answer)
    skeletons = tuple(_skeleton(statement) for statement in answer)
    found = []
    for path, function in _functions(library):
        same_name = function.name in names and not function.name.startswith("_")
        if same_name or (shape and _holds(function, skeletons, shape)):
            found.append(f"{path.relative_to(library.parent)}: {function.name}")
    return sorted(set(found))


def _solution_statements(source: str) -> list[ast.stmt]:
    region = textwrap.dedent(solution_region(source))
    body = _parse(f"def answer():\n{textwrap.indent(region, '    ') or '    pass'}\n").body[0]
    assert isinstance(body, ast.FunctionDef)
    return _without_docstring(body.body)


def _parse(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError:
        return ast.Module(body=[ast.parse("def answer():\n    pass").body[0]], type_ignores=[])


@functools.lru_cache(maxsize=8)
def _functions(library: Path) -> tuple[tuple[Path, ast.FunctionDef], ...]:
    return tuple(
        (path, node)
        for path in sorted(library.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    )


def _holds(function: ast.FunctionDef, skeletons: tuple[str, ...], shape: tuple[int, str]) -> bool:
    """Skeletons are compared first: numbering the names in every window of the library takes minutes."""
    for statements, own_skeletons in _blocks(function):
        for start in range(len(statements) - len(skeletons) + 1):
            window = slice(start, start + len(skeletons))
            if own_skeletons[window] == skeletons and _anonymous(statements[window]) == shape:
                return True
    return False


@functools.cache
def _blocks(function: ast.FunctionDef) -> tuple[tuple[list[ast.stmt], tuple[str, ...]], ...]:
    """Every list of statements in a function, with the skeletons of its statements."""
    bodies = [
        _without_docstring(body)
        for node in ast.walk(function)
        for body in (getattr(node, "body", None), getattr(node, "orelse", None))
        if isinstance(body, list)
    ]
    return tuple((body, tuple(_skeleton(statement) for statement in body)) for body in bodies)


def _skeleton(statement: ast.stmt) -> str:
    """The statement's tree without the names in it."""
    return re.sub(r"Name\(id='[^']*'", "Name(", ast.dump(statement))


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    is_text = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return body[1:] if is_text else body


def _anonymous(statements: list[ast.stmt]) -> tuple[int, str] | None:
    """Number of statements and their tree with names numbered in order; None if there is too little to compare."""
    if sum(1 for statement in statements for _ in ast.walk(statement)) < _LEAST_NODES:
        return None
    numbers: dict[str, str] = {}

    class Anonymise(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.Name:
            return ast.Name(numbers.setdefault(node.id, f"n{len(numbers)}"), node.ctx)

    copies = [Anonymise().visit(ast.parse(ast.unparse(statement)).body[0]) for statement in statements]
    return len(statements), "\n".join(ast.dump(copy) for copy in copies)
