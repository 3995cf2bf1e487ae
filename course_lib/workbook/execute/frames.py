"""Reads the frames out of an IPython traceback, the only account of an error that a notebook keeps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Frame", "frames", "plain"]

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# Source lines below a frame's head start with their line number, so only heads can match.
_IN_CELL = re.compile(r"\s*(?:Cell|Input) In ?\[(?P<cell>\d+)\](?:, line (?P<line>\d+)|:(?P<colon>\d+))?")
_IN_FILE = re.compile(r"\s*File (?P<file>\S.*?):(?P<line>\d+)\b")


@dataclass(frozen=True)
class Frame:
    """Where a call stood: in a cell, by its execution count, or in a file."""

    cell: int | None
    file: str | None
    line: int | None


def plain(text: str) -> str:
    """The text without terminal colours."""
    return _COLOUR.sub("", text)


def frames(traceback: Sequence[str]) -> list[Frame]:
    """The frames, outermost first; for chained exceptions those of the last one come last."""
    # the last entry is the exception's own text, which may look like anything
    entries = traceback[:-1] if len(traceback) > 1 else traceback
    lines = (line for entry in entries for line in plain(entry).splitlines())
    return [frame for line in lines if (frame := _frame(line))]


def _frame(line: str) -> Frame | None:
    if match := _IN_CELL.match(line):
        number = match["line"] or match["colon"]
        return Frame(int(match["cell"]), None, int(number) if number else None)
    if match := _IN_FILE.match(line):
        return Frame(None, match["file"], int(match["line"]))
    return None
