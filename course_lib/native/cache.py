"""Files compiled once are kept under the user's cache folder, named by a digest of all they were made from."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

__all__ = ["cache_folder", "cached", "digest"]


def cache_folder() -> Path:
    """The folder for compiled files: $COURSE_CACHE, else the user's cache folder (XDG) / small-fast-networks."""
    chosen = os.environ.get("COURSE_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path("~/.cache").expanduser()) / "small-fast-networks"


def digest(*parts: str | bytes) -> str:
    """A hexadecimal digest that no two different lists of parts share."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()[:32]


def cached(name: str, make: Callable[[Path], Path]) -> Path:
    """The cached file `name`; if absent, `make(empty folder)` returns a file that becomes it.

    Safe when several processes ask at once: the file appears whole, by one rename, and the last one wins.
    """
    target = _usable_folder() / name
    if target.exists():
        return target
    with tempfile.TemporaryDirectory(prefix="build-", dir=target.parent) as build:
        made = make(Path(build))
        made.replace(target)
    return target


def _usable_folder() -> Path:
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        # a read-only home: compile into a folder of this user's own, for this boot
        fallback = Path(tempfile.gettempdir()) / f"small-fast-networks-{os.getuid()}"
        fallback.mkdir(mode=0o700, exist_ok=True)
        if fallback.stat().st_uid != os.getuid():
            raise PermissionError(
                f"{fallback} belongs to another user; set COURSE_CACHE to a folder of yours"
            ) from None
        return fallback
