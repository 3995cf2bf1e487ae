"""Zips as bytes: refused or listed, never extracted, and never more in memory than promised."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograders.engine.intake.limits import IntakeLimits
from autograders.engine.intake.listing import RefusedFile
from autograders.engine.intake.zips import RefusedZip, list_zip
from tests.autograders.engine.test_intake_fuzz import zipped


def listed(data, most=100):
    return list(list_zip(io.BytesIO(data), IntakeLimits(), most=most))


def test_names_and_bytes():
    files = listed(zipped([("a/b.txt", "1"), ("ä\\c.txt", "2"), ("d/", ""), ("./e.txt", "3")]))
    assert [file.parts for file in files] == [("a", "b.txt"), ("ä", "c.txt"), ("e.txt",)]
    assert [file.read(IntakeLimits()) for file in files] == [b"1", b"2", b"3"]


def test_names_in_utf8_without_the_flag():
    data = zipped([("aa.txt", "1")]).replace(b"aa.txt", "ä.txt".encode())
    assert [file.parts for file in listed(data)] == [("ä.txt",)]


def test_a_changed_byte_is_noticed():
    data = bytearray(zipped([("a.txt", "hello, hello")]))
    data[40] ^= 1
    [file] = listed(bytes(data))
    with pytest.raises(RefusedFile, match="damaged"):
        file.read(IntakeLimits())


def test_a_zip64_directory_of_any_claimed_size_is_refused():
    data = zipped([("a.txt", "1")])
    end = data.rfind(b"PK\5\6")
    record = struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, 2**40, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    with pytest.raises(RefusedZip, match="more than 100 entries"):
        listed(data[:end] + record + locator + data[end:])


def test_honest_zip64_is_read():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive, archive.open("a.txt", "w", force_zip64=True) as member:
        member.write(b"1")
    assert [file.read(IntakeLimits()) for file in listed(data.getvalue())] == [b"1"]


def test_entries_are_counted():
    data = zipped([(f"{number}.txt", "") for number in range(11)])
    assert len(listed(data, most=11)) == 11
    with pytest.raises(RefusedZip, match="more than 10 entries"):
        listed(data, most=10)


@given(st.binary(max_size=400))
def test_any_bytes(data):
    try:
        files = listed(b"PK\3\4" + data + b"PK\5\6" + data[:18].ljust(18, b"\0"))
    except RefusedZip:
        return
    for file in files:
        assert ".." not in file.parts
