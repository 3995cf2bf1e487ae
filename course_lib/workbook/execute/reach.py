"""Which files of the library a piece of code stands on, found by reading imports; nothing is imported for it.

It errs on the side of too many files: an import inside a function counts, and so does the name of a module in a
string. A package that imports by computed names is reached with all its files.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

__all__ = ["Library"]


class Library:
    """The files of one Python package.

    folder  the package's own folder; its name is the package's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, folder.name
        self._imports: dict[str, list[str]] = {}

    def reached(self, sources: Iterable[str]) -> list[Path]:
        """The package's modules that code imports, those that these import, and the data files beside them; sorted.

        sources  Python code, or a notebook's cell; code that is no Python is taken to import everything.
        """
        waiting = [name for source in sources for name in self._named_by_cell(source)]
        found: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                if name not in self._imports:
                    self._imports[name] = self._named_by_module(name)
                waiting += self._imports[name]
        folders = {self._modules[name].parent for name in found}
        return sorted({*(self._modules[name] for name in found), *(file for at in folders for file in _data(at))})

    @cached_property
    def _modules(self) -> dict[str, Path]:
        """Every module by its dotted name."""
        return {self._dotted(path): path for path in self.folder.rglob("*.py")}

    def _dotted(self, path: Path) -> str:
        parts = path.relative_to(self.folder.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def _named_by_cell(self, source: str) -> list[str]:
        code = "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines())
        try:
            tree = ast.parse(code)
        except SyntaxError:
            return list(self._modules)
        return self._known(_names(tree, package=""))

    def _named_by_module(self, name: str) -> list[str]:
        path = self._modules[name]
        tree = ast.parse(path.read_bytes())
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        named = self._known(_names(tree, package))
        # the library's root computes the names of rooms, and whoever needs a room names it
        if package != self.name and _imports_by_computed_name(tree):
            named += [other for other in self._modules if other.startswith(f"{package}.")]
        return named

    def _known(self, names: Iterable[str]) -> list[str]:
        """Those names that are modules of this package, and the packages around each."""
        known = []
        for name in names:
            parts = name.split(".")
            if parts[0] == self.name:
                prefixes = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
                known += [prefix for prefix in prefixes if prefix in self._modules]
        return known


def _names(tree: ast.AST, package: str) -> Iterator[str]:
    """Dotted names that may be modules."""
    for node in _walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(node, package)
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute):
            yield _chain(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _walk(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but for those that only a type checker reads."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)


def _origin(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [node.module])])


def _chain(node: ast.Attribute) -> str:
    """`a.b.c` of an attribute of an attribute of a name; empty for an attribute of anything else."""
    inner = node.value
    start = inner.id if isinstance(inner, ast.Name) else _chain(inner) if isinstance(inner, ast.Attribute) else ""
    return f"{start}.{node.attr}" if start else ""


def _imports_by_computed_name(tree: ast.AST) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("import_module", "__import__"):
            name = node.args[0] if node.args else None
            if not (isinstance(name, ast.Constant) and isinstance(name.value, str)):
                return True
    return False


def _data(folder: Path) -> Iterator[Path]:
    """What is no Python in a folder, and in the folders below it that hold none: kernels, headers, weights."""
    for path in folder.iterdir():
        if path.name.startswith((".", "__pycache__")):
            continue
        if path.is_file() and path.suffix != ".py":
            yield path
        elif path.is_dir() and not any(path.rglob("*.py")):
            yield from (file for file in path.rglob("*") if file.is_file())
