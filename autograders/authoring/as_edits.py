"""Writes what is given in full as an edit: of the solution, or of another answer."""

from __future__ import annotations

import difflib

from autograders.authoring.edits import Change, Edit
from autograders.authoring.statements import statements

__all__ = ["edit_between", "in_the_words_of"]


def in_the_words_of(base: str, source: str) -> str:
    """The program `source` in the lines of `base` wherever both say the same, with its docstrings and annotations."""
    old, new = statements(base), statements(source)
    base_lines, source_lines = base.split("\n"), source.split("\n")
    matcher = difflib.SequenceMatcher(None, [one.says for one in old], [one.says for one in new], autojunk=False)
    result: list[str] = []
    done = 0
    for tag, start, stop, new_start, new_stop in matcher.get_opcodes():
        if tag == "equal":
            result += base_lines[done : old[stop - 1].end]
            done = old[stop - 1].end
            continue
        theirs = new[new_start:new_stop]
        if stop > start:
            result += base_lines[done : old[start].lines[0]]
            keeps_docstring = bool(theirs) and theirs[-1].may_have_docstring
            done = old[stop - 1].lines[1] if keeps_docstring else old[stop - 1].end
        if theirs:
            result += source_lines[theirs[0].lines[0] : theirs[-1].lines[1]]
    return "\n".join([*result, *base_lines[done:]])


def edit_between(base: str, result: str) -> Edit:
    """The edit that makes `result` of `base`, with no more lines around a change than find its place."""
    old, new = ([line.rstrip() for line in text.split("\n")] for text in (base, result))
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    groups: list[_Group] = []
    for tag, start, stop, new_start, new_stop in matcher.get_opcodes():
        if tag == "equal":
            continue
        low, high = _found_once(old, start, stop)
        if groups and low <= groups[-1].high + 1:  # a line between two changes costs no more than an empty one
            groups[-1].high = max(high, groups[-1].high)
        else:
            groups.append(_Group(low, high))
        groups[-1].pieces.append((start, stop, new[new_start:new_stop]))
    return Edit(tuple(group.change(old) for group in groups))


class _Group:
    """Changes that become one: the lines `low` to `high` of the base, with pieces of it replaced."""

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high
        self.pieces: list[tuple[int, int, list[str]]] = []

    def change(self, old: list[str]) -> Change:
        lines: list[tuple[str, str]] = []
        done = self.low
        for start, stop, new in self.pieces:
            lines += [(" ", line) for line in old[done:start]]
            lines += [("-", line) for line in old[start:stop]]
            lines += [("+", line) for line in new]
            done = stop
        return Change((*lines, *((" ", line) for line in old[done : self.high])))


def _found_once(old: list[str], low: int, high: int) -> tuple[int, int]:
    """The lines from `low` to `high`, with as many above, or else below, as make them unique."""
    while low == high or _count(old, old[low:high]) > 1:
        if low > 0 and (old[low - 1] or high == len(old)):
            low -= 1
        else:
            high += 1
    return low, high


def _count(lines: list[str], wanted: list[str]) -> int:
    return sum(lines[start : start + len(wanted)] == wanted for start in range(len(lines) - len(wanted) + 1))
