"""Files of a zip from an LMS or from a student: read in memory, in bounded steps, nothing written to disk."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

from autograders.engine.intake.limits import IntakeLimits
from autograders.engine.intake.listing import ListedFile, RefusedFile, is_noise
from course_lib.handin.limits import MIB, size_text

__all__ = ["RefusedZip", "list_zip"]

_END, _LOCATOR, _ENTRY = b"PK\5\6", b"PK\6\7", 46  # end record, zip64 locator, smallest entry of the directory
_ENCRYPTED, _UTF8 = 0x1, 0x800
_READ = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others cannot be decompressed in steps of a known size
_FAILURES = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError,
    RuntimeError, struct.error, KeyError, IndexError, OverflowError, MemoryError, UnicodeError, AttributeError,
)  # fmt: skip


class RefusedZip(Exception):
    """The archive as a whole cannot be used; the message is a clause that follows its name."""


def list_zip(file: BinaryIO, limits: IntakeLimits, *, most: int) -> Iterator[ListedFile]:
    """The files in a zip, in the order of its directory; `file` has to stay open while they are read.

    most  entries it may have.

    Raises RefusedZip for what is no zip, is damaged or has more entries.
    """
    try:
        _refuse_large_directory(file, most)
        archive = zipfile.ZipFile(file)
        entries = archive.infolist()
    except _FAILURES as error:
        raise RefusedZip("is not a zip that can be read: it is damaged, or another kind of archive") from error
    if len(entries) > most:
        raise RefusedZip(f"has more than {most:,} entries")
    return _files(archive, entries, limits)


def _refuse_large_directory(file: BinaryIO, most: int) -> None:
    """`zipfile` reads the whole directory at once, whatever number of entries the zip says it has."""
    size = file.seek(0, 2)
    file.seek(max(size - 65_557 - 20, 0))
    tail = file.read()
    end = tail.rfind(_END)
    if end < 0 or len(tail) < end + 22:
        raise RefusedZip("is not a zip that can be read: it is damaged, or another kind of archive")
    directory = struct.unpack_from("<L", tail, end + 12)[0]
    if tail[max(end - 20, 0) : end].startswith(_LOCATOR):
        [offset] = struct.unpack_from("<Q", tail, end - 12)
        if offset > size - 56:
            raise RefusedZip("is not a zip that can be read: it is damaged, or another kind of archive")
        file.seek(offset + 40)
        directory = max(directory if directory != 0xFFFFFFFF else 0, struct.unpack("<Q", file.read(8))[0])
    file.seek(0)
    # names and comments make an entry several times its smallest size
    if directory > most * 8 * _ENTRY + 65_536:
        raise RefusedZip(f"has more than {most:,} entries")


def _files(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], limits: IntakeLimits) -> Iterator[ListedFile]:
    for entry in entries:
        name = _name(entry)
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        safe = tuple(part for part in parts if part != "..") or ("unnamed",)
        if entry.is_dir() or name.endswith("/") or not parts or is_noise(safe):
            continue
        refusal = _refusal(entry, name, parts, limits)
        yield ListedFile(safe, partial(_read, archive, entry), refusal)


def _name(entry: zipfile.ZipInfo) -> str:
    """Windows writes backslashes; macOS writes UTF-8 and does not say so."""
    name = entry.filename
    if not entry.flag_bits & _UTF8:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            name = entry.filename
    return name.replace("\\", "/")


def _refusal(entry: zipfile.ZipInfo, name: str, parts: tuple[str, ...], limits: IntakeLimits) -> str:
    mode = entry.external_attr >> 16
    if ".." in parts or name.startswith("/") or (len(name) > 1 and name[1] == ":"):
        return "has a path that leaves its folder"
    if len(parts) > limits.depth:
        return "lies too many folders deep"
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "is a link" if stat.S_ISLNK(mode) else "is not a regular file"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if entry.compress_type not in _READ:
        return "is compressed in a way that is not read here; make the zip with your system's own command"
    if entry.file_size > limits.file_bytes:
        return f"has {size_text(entry.file_size)}; at most {size_text(limits.file_bytes)} are read"
    if entry.file_size >= MIB and entry.file_size > limits.zip_ratio * max(entry.compress_size, 1):
        return "is compressed far more than a notebook can be"
    return ""


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limits: IntakeLimits) -> bytes:
    """Decompress at most as much as the directory promises: `zipfile` stops there, and checks the CRC."""
    try:
        with archive.open(entry) as member:
            raw = member.read(limits.file_bytes + 1)
    except _FAILURES as error:
        raise RefusedFile("is damaged in its zip") from error
    if len(raw) > limits.file_bytes:
        raise RefusedFile(f"has more than {size_text(limits.file_bytes)}")
    return raw
