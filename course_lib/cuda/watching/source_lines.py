"""From addresses in a checked program to lines of the author's source."""

from __future__ import annotations

import re
from pathlib import Path

from course_lib.cuda.reading.source import Source
from course_lib.cuda.watching.line_table import read_line_table

__all__ = ["SourceLines"]

MARKER = re.compile(r'#line (\d+) "(.+)"')


class SourceLines:
    """Finds the innermost line of a call stack that the author wrote: not one of our headers' or the runner's."""

    def __init__(self, source: Source, program: Path) -> None:
        self._table = read_line_table(program)
        self._text: dict[str, dict[int, str]] = {}
        file, number = source.file, 1
        for line in source.text.splitlines():
            marker = MARKER.fullmatch(line)
            if marker:
                number, file = int(marker.group(1)), marker.group(2)
            else:
                self._text.setdefault(file, {})[number] = line.strip()
                number += 1

    def find(self, stack: str) -> tuple[str, int, str] | None:
        """(file, line, text) for a stack written as hexadecimal return addresses, innermost first."""
        for address in stack.split(","):
            # a return address is the instruction after the call
            place = self._table.find(int(address, 16) - 1) if address else None
            if place and (known := self._known(place[0])):
                return known, place[1], self._text[known].get(place[1], "")
        return None

    def _known(self, file: str) -> str | None:
        if file in self._text:
            return file
        # compilers write relative names with their working folder in front, or without
        return next((name for name in self._text if not name.startswith("/") and Path(file).name == name), None)
