"""From addresses in a checked program to lines of the author's source."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

from course_lib.cuda.reading.source import Source
from course_lib.cuda.watching.line_table import LineTable, read_line_table

__all__ = ["SourceLines"]

MARKER = re.compile(r'#line (\d+) "(.+)"')


class SourceLines:
    """Finds the innermost line of a call stack that the author wrote: not one of our headers' or the runner's."""

    def __init__(self, source: Source, program: Path) -> None:
        self._source = source
        self._program = program

    def find(self, stack: str) -> tuple[str, int, str] | None:
        """(file, line, text) for a stack written as hexadecimal return addresses, innermost first."""
        for address in stack.split(","):
            # a return address is the instruction after the call
            place = self._table.find(int(address, 16) - 1) if address else None
            if place and (known := self._known(place[0])):
                return known, place[1], self._text[known].get(place[1], "")
        return None

    @cached_property
    def _table(self) -> LineTable:
        return read_line_table(self._program)

    @cached_property
    def _text(self) -> dict[str, dict[int, str]]:
        """File: its lines by number."""
        found: dict[str, dict[int, str]] = {}
        file, number = self._source.file, 1
        for line in self._source.text.splitlines():
            marker = MARKER.fullmatch(line)
            if marker:
                number, file = int(marker.group(1)), marker.group(2)
            else:
                found.setdefault(file, {})[number] = line.strip()
                number += 1
        return found

    def _known(self, file: str) -> str | None:
        if file in self._text:
            return file
        # compilers write relative names with their working folder in front, or without
        return next((name for name in self._text if not name.startswith("/") and Path(file).name == name), None)
