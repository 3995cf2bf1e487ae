"""Sections of an ELF file, by name: enough to find a program's line table."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

__all__ = ["sections"]

COMPRESSED = 0x800


def sections(path: Path) -> dict[str, bytes]:
    """Name: contents of each section; {} if the file is not a 64-bit little-endian ELF file."""
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        return {}
    (table,) = struct.unpack_from("<Q", data, 0x28)
    entry_size, count, names_index = struct.unpack_from("<HHH", data, 0x3A)
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, table + k * entry_size) for k in range(count)]
    names = _contents(data, headers[names_index])
    found = {}
    for header in headers:
        name = names[header[0] : names.index(b"\0", header[0])].decode(errors="replace")
        found[name] = _contents(data, header)
    return found


def _contents(data: bytes, header: tuple[int, ...]) -> bytes:
    _, kind, flags, _, offset, size, *_ = header
    if kind == 8:  # SHT_NOBITS takes no room in the file
        return b""
    contents = data[offset : offset + size]
    if flags & COMPRESSED:
        return zlib.decompress(contents[24:])
    return contents
