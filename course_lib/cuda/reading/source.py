"""A kernel's source: where it comes from, what it is called in messages, its includes in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from course_lib.cuda.reading.source_text import expand_includes

__all__ = ["INCLUDE", "Source", "read_source"]

INCLUDE = Path(__file__).parents[1] / "include"


@dataclass(frozen=True)
class Source:
    """CUDA C++ text.

    text   with the source's own quoted includes expanded, and #line markers where they begin and end.
    file   the name that messages show: a path, or `<kernel>.cu` for text.
    """

    text: str
    file: str

    @property
    def numbered(self) -> str:
        """The text behind a #line marker, so that a compiler's messages name the real file and line."""
        return f'#line 1 "{self.file}"\n{self.text}'


def read_source(source_or_path: str | Path, kernel: str, options: Sequence[str] = ()) -> Source:
    """Text, a `Path`, or a string that names an existing .cu or .cuh file."""
    search = [Path(option[2:].strip()) for option in options if option.startswith("-I")]
    if isinstance(source_or_path, Path) or source_or_path.endswith((".cu", ".cuh")):
        path = Path(source_or_path).resolve()
        if not path.is_file():
            raise FileNotFoundError(f"no CUDA source at {path}")
        return Source(expand_includes(path.read_text(), str(path), path.parent, search), str(path))
    file = f"{kernel.partition('<')[0].rpartition('::')[2]}.cu"
    return Source(expand_includes(source_or_path, file, None, search), file)
