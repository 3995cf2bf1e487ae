"""Names from folders and LMS files -> names that are safe as a file name everywhere, without two students colliding."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

__all__ = ["safe_name", "safe_names"]

_LONGEST = 80  # UTF-8 bytes: leaves room for suffixes below the 255 that file systems take
_UNSAFE = re.compile(r"[^\w.@-]+")
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # names that Windows keeps for itself


def safe_names(raw_names: Iterable[str]) -> dict[str, str]:
    """Raw name -> safe name, for all students of a run at once.

    Where two would be equal to a file system that ignores case, each gets six signs of its raw name's hash: the same
    student has the same name in every run, whatever the order. A name that was safe as it stood keeps it if it is the
    only such one.
    """
    plain = {raw: safe_name(raw) for raw in dict.fromkeys(raw_names)}
    counts = Counter(_folded(name) for name in plain.values())
    kept = Counter(_folded(name) for raw, name in plain.items() if raw == name)
    names: dict[str, str] = {}
    for raw, name in plain.items():
        alone = counts[_folded(name)] == 1 or (raw == name and kept[_folded(name)] == 1)
        names[raw] = name if alone else f"{name}-{_digest(raw)}"
    return names


def safe_name(raw: str) -> str:
    """One path component of letters, digits and `_ . @ -`, at most 80 bytes, that begins with a letter or digit."""
    text = unicodedata.normalize("NFKC", raw.encode("utf-8", "replace").decode("utf-8"))
    text = "".join(sign for sign in text if sign.isspace() or unicodedata.category(sign)[0] != "C")
    text = re.sub(r"\.{2,}", ".", _UNSAFE.sub("_", text.strip()))
    text = text.lstrip("._-@").rstrip("._")
    if not text or _DEVICES.fullmatch(text):
        return f"student-{text}{_digest(raw)}"
    if len(text.encode()) <= _LONGEST:
        return text
    start = text.encode()[: _LONGEST - 7].decode("utf-8", "ignore").rstrip("._-")
    return f"{start}-{_digest(raw)}"


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name.casefold())


def _digest(raw: str) -> str:
    return hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()[:6]
