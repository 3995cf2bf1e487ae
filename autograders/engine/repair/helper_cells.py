"""Cells of the student's own that an answer cannot run without: a helper function, an import."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from autograders.engine.repair.python_names import AMBIENT_NAMES, Names, compiles, names_of, parse

__all__ = ["Helper", "OwnCode", "added_code", "find_helpers", "own_code_names", "own_statements"]

_LARGEST_TOTAL = 512 * 1024  # characters of own code that are parsed for one notebook: seconds
_MOST_COPIES = 12  # of one cell of ours; more are no honest notebook
_LARGEST_ALTERED = 128 * 1024  # characters of those copies, which are parsed more than once: seconds


@dataclass(frozen=True)
class Helper:
    """Code to run besides the answers.

    source  the student's cell, whole, or the statements that the student added to a cell of ours.
    before  id of the first answer cell that stood below it; "" when none did: run it after all answers.
    """

    source: str
    before: str


@dataclass(frozen=True)
class OwnCode:
    """Code of the student's own, at a place in the submitted file."""

    position: int
    source: str


def own_code_names(own: Iterable[OwnCode]) -> list[tuple[OwnCode, Names]]:
    """Parse own cells in the order of the file until they have cost enough; the rest binds nothing."""
    parsed, total = [], 0
    for code in sorted(own, key=lambda code: code.position):
        total += len(code.source)
        if total > _LARGEST_TOTAL:
            break
        parsed.append((code, names_of(code.source)))
    return parsed


def find_helpers(
    own: Iterable[OwnCode], answers: Mapping[str, tuple[int, str]], provided: frozenset[str]
) -> list[tuple[Helper, str]]:
    """Own code that binds a name which an answer needs and nothing else binds, and what that code needs in turn.

    answers   answer id -> (position in the file, source).
    provided  names that our own graded cells bind.

    Returns (helper, a name it was taken for) in the order of the file. Of several pieces that bind a name, the last
    one above the place that needs it is taken, else the first one below.
    """
    bound = provided | AMBIENT_NAMES
    bound = bound.union(*(names_of(source).defined for _, source in answers.values()))
    missing = [
        (position, name) for position, source in answers.values() for name in sorted(names_of(source).needed - bound)
    ]
    taken = _closure(own_code_names(own), missing, bound) if missing else {}
    places = sorted((position, identifier) for identifier, (position, source) in answers.items() if source)
    ordered = sorted(taken.items(), key=lambda item: item[0].position)
    return [(Helper(code.source, _first_below(places, code.position)), name) for code, name in ordered]


def _closure(
    own: list[tuple[OwnCode, Names]], missing: list[tuple[int, str]], bound: frozenset[str]
) -> dict[OwnCode, str]:
    needs = {code: names.needed for code, names in own}
    stars = [code for code, names in own if names.star]
    binding: dict[str, list[OwnCode]] = {}
    for code, names in own:
        for name in names.defined:
            binding.setdefault(name, []).append(code)
    taken: dict[OwnCode, str] = {}
    while missing:
        position, name = missing.pop()
        nearest = _nearest(binding.get(name) or stars, position)
        if nearest is not None and nearest not in taken:
            taken[nearest] = name
            missing += [(nearest.position, other) for other in sorted(needs[nearest] - bound)]
    return taken


def _nearest(codes: list[OwnCode], position: int) -> OwnCode | None:
    above = [code for code in codes if code.position < position]
    return above[-1] if above else next(iter(codes), None)


def _first_below(places: list[tuple[int, str]], position: int) -> str:
    return next((identifier for place, identifier in places if place > position), "")


def added_code(altered: Iterable[tuple[str, list[OwnCode]]]) -> tuple[list[OwnCode], int]:
    """What the student wrote into cells of ours, and how many copies were not looked at because there are too many.

    altered  for each cell of ours its text and the altered copies of it in the order of the file; the last ones count.
    """
    added, total, left_out = [], 0, 0
    for ours, copies in altered:
        left_out += len(copies[:-_MOST_COPIES])
        for copy in copies[-_MOST_COPIES:]:
            if total + len(copy.source) > _LARGEST_ALTERED:
                left_out += 1
                continue
            total += len(copy.source)
            added.append(OwnCode(copy.position, own_statements(copy.source, ours)))
    return added, left_out


def own_statements(altered: str, ours: str) -> str:
    """Definitions and imports that a student wrote into a cell of ours, one below another; "" if there are none."""
    tree, original = parse(altered), parse(ours)
    if tree is None or original is None:
        return ""
    try:
        known = {ast.dump(node) for node in original.body}
        new = [node for node in tree.body if isinstance(node, _KEPT) and ast.dump(node) not in known]
    except RecursionError:  # a sum of thousands of terms is a tree as deep
        return ""
    lines = altered.split("\n")
    added = "\n".join("\n".join(lines[_first_line(node) - 1 : node.end_lineno]) for node in new)
    return added if compiles(added) else ""


_KEPT = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)


def _first_line(node: ast.stmt) -> int:
    """Decorators stand above the line that the syntax tree gives."""
    return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
