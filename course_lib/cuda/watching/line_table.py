"""Which source line an address of machine code belongs to: reads DWARF line tables, versions 2 to 5.

DWARF Debugging Information Format, version 5, section 6.2.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from pathlib import Path

from course_lib.cuda.watching.elf import sections

__all__ = ["LineTable", "read_line_table"]


@dataclass
class LineTable:
    """Rows (first address, file, line), sorted by address; each holds until the next one begins."""

    addresses: list[int] = field(default_factory=list)
    places: list[tuple[str, int]] = field(default_factory=list)

    def find(self, address: int) -> tuple[str, int] | None:
        """(file, line) of the code at `address`, or None."""
        at = bisect.bisect_right(self.addresses, address) - 1
        if at < 0 or not self.places[at][0]:
            return None
        return self.places[at]


def read_line_table(program: Path) -> LineTable:
    """The line table of an ELF program; an empty one if it has none."""
    found = sections(program)
    data = found.get(".debug_line", b"")
    strings = {0x1F: found.get(".debug_line_str", b""), 0x0E: found.get(".debug_str", b"")}
    rows: list[tuple[int, str, int]] = []
    at = 0
    while at + 4 <= len(data):
        length = int.from_bytes(data[at : at + 4], "little")
        rows += _Unit(data, at + 4, at + 4 + length, strings).rows()
        at += 4 + length
    rows.sort(key=lambda row: row[0])
    return LineTable([row[0] for row in rows], [(row[1], row[2]) for row in rows])


class _Unit:
    """The line number program of one compiled file."""

    def __init__(self, data: bytes, start: int, end: int, strings: dict[int, bytes]) -> None:
        self.data, self.at, self.end, self.strings = data, start, end, strings
        self.version = self._number(2)
        if self.version >= 5:
            self._number(2)  # sizes of an address and of a segment selector
        header = self._number(4)
        self.program = self.at + header
        self.min_length = self._number(1)
        if self.version >= 4:
            self._number(1)  # operations per instruction: 1 on every processor we know
        self._number(1)
        self.line_base = int.from_bytes(self._take(1), "little", signed=True)
        self.line_range = self._number(1)
        self.opcode_base = self._number(1)
        self.operand_counts = [0, *self._take(self.opcode_base - 1)]
        self.files = self._files_v5() if self.version >= 5 else self._files_v4()

    def rows(self) -> list[tuple[int, str, int]]:
        """Every row of the table; the end of a piece of code is a row without a file."""
        self.at = self.program
        rows: list[tuple[int, str, int]] = []
        address, file, line = 0, 1, 1
        while self.at < self.end:
            opcode = self._number(1)
            if opcode >= self.opcode_base:
                advance = opcode - self.opcode_base
                address += advance // self.line_range * self.min_length
                line += self.line_base + advance % self.line_range
                rows.append((address, self._name(file), line))
            elif opcode == 0:
                size = self._leb()
                stop, kind = self.at + size, self._number(1)
                if kind == 1:
                    rows.append((address, "", 0))
                    address, file, line = 0, 1, 1
                elif kind == 2:
                    address = self._number(size - 1)
                self.at = stop
            elif opcode == 1:
                rows.append((address, self._name(file), line))
            elif opcode == 2:
                address += self._leb() * self.min_length
            elif opcode == 3:
                line += self._signed_leb()
            elif opcode == 4:
                file = self._leb()
            elif opcode == 8:
                address += (255 - self.opcode_base) // self.line_range * self.min_length
            elif opcode == 9:
                address += self._number(2)
            else:
                for _ in range(self.operand_counts[opcode]):
                    self._leb()
        return rows

    def _name(self, file: int) -> str:
        return self.files[file] if 0 <= file < len(self.files) else ""

    def _files_v4(self) -> list[str]:
        folders = [""]
        while name := self._string():
            folders.append(name)
        files = [""]
        while name := self._string():
            folder = self._leb()
            self._leb()
            self._leb()
            files.append(f"{folders[folder]}/{name}" if folder and not name.startswith("/") else name)
        return files

    def _files_v5(self) -> list[str]:
        folders = [entry[0] for entry in self._entries()]
        files = []
        for name, folder in self._entries():
            files.append(f"{folders[folder]}/{name}" if folder and not name.startswith("/") else name)
        return files

    def _entries(self) -> list[tuple[str, int]]:
        formats = [(self._leb(), self._leb()) for _ in range(self._number(1))]
        entries = []
        for _ in range(self._leb()):
            name, folder = "", 0
            for content, form in formats:
                value = self._form(form)
                if content == 1:
                    name = str(value)
                elif content == 2:
                    folder = int(value)
            entries.append((name, folder))
        return entries

    def _form(self, form: int) -> str | int:
        if form == 0x08:
            return self._string()
        if form in (0x0E, 0x1F):  # an offset into a section of strings
            start = self._number(4)
            text = self.strings[form]
            return text[start : text.index(b"\0", start)].decode(errors="replace")
        if form == 0x0B:
            return self._number(1)
        if form == 0x05:
            return self._number(2)
        if form == 0x0F:
            return self._leb()
        if form == 0x1E:  # a checksum of the file
            self._take(16)
            return 0
        raise ValueError(f"line table form {form:#x} is not one that version 5 allows for names")

    def _take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]

    def _number(self, count: int) -> int:
        return int.from_bytes(self._take(count), "little")

    def _string(self) -> str:
        end = self.data.index(b"\0", self.at)
        text = self.data[self.at : end].decode(errors="replace")
        self.at = end + 1
        return text

    def _leb(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self._number(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def _signed_leb(self) -> int:
        start = self.at
        value = self._leb()
        bits = 7 * (self.at - start)
        return value - (1 << bits) if value >> (bits - 1) & 1 else value
