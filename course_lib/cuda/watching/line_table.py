"""Which source line an address of machine code belongs to: a program's DWARF line tables, read by pyelftools."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from course_lib.errors import CourseError

if TYPE_CHECKING:
    from elftools.dwarf.lineprogram import LineProgram

__all__ = ["LineTable", "read_line_table"]

ELF = b"\x7fELF"


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
    """The line table of an ELF program; an empty one if it has none or is no ELF program, as on Apple's systems.

    Raises CourseError if pyelftools is not installed.
    """
    with program.open("rb") as file:
        if file.read(len(ELF)) != ELF:
            return LineTable()
        try:
            from elftools.elf.elffile import ELFFile
        except ImportError:
            raise CourseError("Naming a kernel's source lines takes pyelftools: pip install pyelftools") from None
        elf = ELFFile(file)
        if not elf.has_dwarf_info():
            return LineTable()
        dwarf = elf.get_dwarf_info(follow_links=False)
        programs = (dwarf.line_program_for_CU(unit) for unit in dwarf.iter_CUs())
        rows = sorted((row for each in programs if each for row in _rows(each)), key=lambda row: row[0])
    return LineTable([row[0] for row in rows], [row[1:] for row in rows])


def _rows(program: LineProgram) -> Iterator[tuple[int, str, int]]:
    """(address, file, line); where a piece of code ends, a row without a file."""
    names = _file_names(program)
    for entry in program.get_entries():
        state = entry.state
        if state is not None:
            name = "" if state.end_sequence else names.get(state.file, "")
            yield state.address, name, state.line


def _file_names(program: LineProgram) -> dict[int, str]:
    """Number in the table: path. Before DWARF 5 they begin at 1, and folder 0, the compiler's own, has no entry."""
    first = 0 if program["version"] >= 5 else 1
    folders = dict(enumerate(program["include_directory"], first))
    return {
        number: str(PurePosixPath(_text(folders.get(file.dir_index, b"")), _text(file.name)))
        for number, file in enumerate(program["file_entry"], first)
    }


def _text(name: bytes) -> str:
    return name.decode(errors="replace")
