"""Which files a source includes: their contents are part of what it compiles to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

__all__ = ["included_files"]

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.MULTILINE)


def included_files(text: str, folder: Path | None, search: Sequence[Path] = ()) -> list[Path]:
    """Every file that `text` includes, directly or not, and that lies in `folder` or a folder of `search`.

    System headers are left out: they change with the compiler, whose version stands in the key beside this.
    Includes in branches that the preprocessor skips are counted too, which costs a compilation, never a stale result.
    """
    found: dict[Path, None] = {}
    waiting = [(text, folder)]
    while waiting:
        current, beside = waiting.pop()
        for quoted, angled in INCLUDE.findall(current):
            places = [*([beside] if quoted and beside else []), *search]
            file = next(
                (place / (quoted or angled) for place in places if (place / (quoted or angled)).is_file()), None
            )
            if file is not None and file.resolve() not in found:
                found[file.resolve()] = None
                waiting.append((file.read_text(errors="replace"), file.parent))
    return list(found)
