"""Which names a piece of a stranger's code defines and which it needs. The code is parsed, never run."""

from __future__ import annotations

import ast
import builtins
import re
import symtable
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["AMBIENT_NAMES", "Names", "compiles", "names_of", "parse"]

# what IPython puts beside the builtins
AMBIENT_NAMES = frozenset(dir(builtins)) | {
    "display",
    "get_ipython",
    "In",
    "Out",
    "exit",
    "quit",
    "__file__",
    "__name__",
}

_LONGEST = 64 * 1024  # characters; the parser takes some hundred times as many bytes
_DEEPEST = 60  # open brackets: CPython refuses 200, and takes long over some that are not closed
_COMMAND = re.compile(r"^([ \t]*)[%!?][^\n]*", re.MULTILINE)
_STAR = re.compile(r"^from[ \t]+[\w.]+[ \t]+import[ \t]*\*", re.MULTILINE)
_FAILURES = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError, SystemError)


@dataclass(frozen=True)
class Names:
    """Names of one piece of code.

    defined    bound at the top level.
    callables  those of them that a `def` or `class` binds.
    needed     global names that are used and that the piece does not bind.
    star       whether a `from x import *` may bind more.
    """

    defined: frozenset[str] = frozenset()
    callables: frozenset[str] = frozenset()
    needed: frozenset[str] = frozenset()
    star: bool = False


@lru_cache(maxsize=256)
def compiles(source: str) -> bool:
    """Whether Python can parse `source`, lines of IPython's own commands left out."""
    return parse(source) is not None


def parse(source: str) -> ast.Module | None:
    """The syntax tree, or None for what is not Python, too long or nested too deep. Never raises."""
    plain = _plain(source)
    return None if plain is None else _parse(plain)


@lru_cache(maxsize=256)
def names_of(source: str) -> Names:
    """Names of one cell; none at all if it cannot be parsed. Never raises."""
    plain = _plain(source)
    if plain is None:
        return Names()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            top = symtable.symtable(plain, "<cell>", "exec")
    except _FAILURES:
        return Names()
    defined = {symbol.get_name() for symbol in top.get_symbols() if _binds(symbol)}
    needed: set[str] = set()
    for table in _tables(top):
        for symbol in table.get_symbols():
            if table is not top and symbol.is_declared_global() and symbol.is_assigned():
                defined.add(symbol.get_name())
            if symbol.is_referenced() and (table is top or symbol.is_global()):
                needed.add(symbol.get_name())
    callables = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_namespace()}
    star = _STAR.search(plain) is not None
    return Names(frozenset(defined), frozenset(callables), frozenset(needed - defined), star)


def _binds(symbol: symtable.Symbol) -> bool:
    return symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()


def _tables(top: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    waiting = [top]
    while waiting:
        table = waiting.pop()
        yield table
        waiting += table.get_children()


def _plain(source: str) -> str | None:
    """Python that the standard parser takes: the source itself, or with IPython's commands replaced by `pass`."""
    if len(source) > _LONGEST or _depth(source) > _DEEPEST:
        return None
    if _parse(source) is not None:
        return source
    plain = _COMMAND.sub(r"\1pass", source)
    return plain if plain != source and _parse(plain) is not None else None


def _parse(source: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as an invalid escape in a student's string
            return ast.parse(source)
    except _FAILURES:
        return None


def _depth(source: str) -> int:
    """Most brackets open at once. Those in strings count too: the bound is far above honest code."""
    depth = deepest = 0
    for bracket in re.findall(r"[()\[\]{}]", source):
        depth = depth + 1 if bracket in "([{" else max(depth - 1, 0)
        deepest = max(deepest, depth)
    return deepest
