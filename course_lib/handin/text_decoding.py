"""Bytes that should be UTF-8 -> text, for files that editors saved in another encoding."""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass

__all__ = ["Decoded", "decode", "replace_unpaired"]

_BYTE_ORDER_MARKS = (
    codecs.BOM_UTF8,
    codecs.BOM_UTF32_LE,
    codecs.BOM_UTF32_BE,
    codecs.BOM_UTF16_LE,
    codecs.BOM_UTF16_BE,
)
_UTF8_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_UNPAIRED = re.compile("[\ud800-\udfff\0]")


@dataclass(frozen=True)
class Decoded:
    """text  what the bytes say; bytes that are no text stand in it as lone surrogates.
    repair   a sentence about the encoding, or "".
    """

    text: str
    repair: str = ""


def decode(raw: bytes) -> Decoded:
    """Decode a JSON file. Never fails.

    UTF-8, UTF-16 and UTF-32 with or without a byte order mark are told apart by where their zero bytes stand, as RFC
    4627 section 3 describes; bytes that are no UTF-8 anywhere are Windows-1252 or Latin-1. A file that mixes UTF-8
    with other bytes is damaged: it stays UTF-8, and only the damaged places are lost.
    """
    marked = raw.startswith(_BYTE_ORDER_MARKS)
    encoding = json.detect_encoding(raw)
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        return _decode_other(raw) if encoding.startswith("utf-8") else _decode_damaged(raw, encoding)
    if encoding not in ("utf-8", "utf-8-sig"):
        return Decoded(text.removeprefix("\ufeff"), f"The file was saved in {encoding.upper()} and was read as such.")
    return Decoded(text, "The file began with a byte order mark, which was left out." if marked else "")


def _decode_other(raw: bytes) -> Decoded:
    if _UTF8_SEQUENCE.search(raw):
        return _decode_damaged(raw, "utf-8-sig")
    try:
        return Decoded(raw.decode("cp1252"), "The file was saved in Windows-1252 and was read as such.")
    except UnicodeDecodeError:
        return Decoded(raw.decode("latin-1"), "The file was saved in Latin-1 and was read as such.")


def _decode_damaged(raw: bytes, encoding: str) -> Decoded:
    sentence = "Some bytes of the file are not UTF-8; where they stand in an answer, the sign \ufffd stands for them."
    if encoding.startswith("utf-8"):
        return Decoded(raw.decode(encoding, "surrogateescape"), sentence)
    return Decoded(raw.decode(encoding, "replace"), sentence.replace("UTF-8", encoding.upper()))


def replace_unpaired(text: str) -> str:
    """Put U+FFFD for lone surrogates and zero bytes: no file, database or compiler takes those."""
    return _UNPAIRED.sub("\ufffd", text)
