"""When two answers are the same program: comments, docstrings and annotations aside."""

from __future__ import annotations

import ast
import re

__all__ = ["program", "same_program"]


def same_program(one: str, other: str) -> bool:
    return program(one) == program(other)


def program(source: str) -> str:
    """A cell's code in a normal form. Comments of C and CUDA sources that it holds as text are left out too."""
    return ast.unparse(_Bare().visit(ast.parse(source)))


class _Bare(ast.NodeTransformer):
    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self._without_docstring(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._without_docstring(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        return node if node.value is None else ast.Assign([node.target], node.value, lineno=node.lineno)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str) and "\n" in node.value:
            lines = (re.sub(r"//.*", "", line).rstrip() for line in node.value.split("\n"))
            node.value = "\n".join(line for line in lines if line)
        return node

    def _without_docstring(self, node: ast.FunctionDef | ast.ClassDef) -> ast.AST:
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        self.generic_visit(node)
        return node
