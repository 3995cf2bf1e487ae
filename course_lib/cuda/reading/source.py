"""A kernel's source: where it comes from, what it is called in messages, and what it declares, read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from course_lib.cuda.reading.device_variables import VariableDeclaration, find_variables
from course_lib.cuda.reading.kernel_declarations import KernelDeclaration, find_kernels
from course_lib.cuda.reading.shared_declarations import SharedDeclaration, dynamic_name, find_shared
from course_lib.cuda.reading.source_text import blank_comments, blank_directives, expand_includes
from course_lib.errors import CourseError

__all__ = ["INCLUDE", "Source", "read_source"]

INCLUDE = Path(__file__).parents[1] / "include"


@dataclass(frozen=True)
class Source:
    """CUDA C++ text.

    text   with the source's own quoted includes expanded, and #line markers where they begin and end.
    file   the name that messages show: a path, or `<kernel>.cu` for text.

    What it declares is found when first asked for and kept.
    """

    text: str
    file: str

    @property
    def numbered(self) -> str:
        """The text behind a #line marker, so that a compiler's messages name the real file and line."""
        return f'#line 1 "{self.file}"\n{self.text}'

    @cached_property
    def code(self) -> str:
        """The text with comments and the contents of literals blanked: every offset stays."""
        return blank_comments(self.text)

    @cached_property
    def statements(self) -> str:
        """`code` with preprocessor lines blanked as well."""
        return blank_directives(self.code)

    @cached_property
    def kernels(self) -> tuple[KernelDeclaration, ...]:
        """The kernels that the source declares, in order."""
        return find_kernels(self.code)

    @cached_property
    def variables(self) -> tuple[VariableDeclaration, ...]:
        """Its `__device__` and `__constant__` declarations at namespace scope."""
        return find_variables(self.statements)

    @cached_property
    def variable_names(self) -> tuple[str, ...]:
        """What these declare, with namespaces, each name once."""
        return tuple(dict.fromkeys(name for declaration in self.variables for name in declaration.names))

    @cached_property
    def shared(self) -> tuple[SharedDeclaration, ...]:
        """Its `__shared__` declarations."""
        return find_shared(self.statements)

    @cached_property
    def dynamic_name(self) -> str:
        """What it calls its dynamic shared memory, if it has one name for it; else "dynamic shared memory"."""
        return dynamic_name(self.code)


def read_source(source_or_path: str | Path, kernel: str, options: Sequence[str] = ()) -> Source:
    """Text, a `Path`, or a string that names an existing .cu or .cuh file. Text is called after the kernel.

    options  those of the form -IFOLDER say where included files are searched.
    Raises CourseError for a file that is not there.
    """
    search = [Path(option[2:].strip()) for option in options if option.startswith("-I")]
    if isinstance(source_or_path, Path) or source_or_path.endswith((".cu", ".cuh")):
        path = Path(source_or_path).resolve()
        if not path.is_file():
            raise CourseError(f"no CUDA source at {path}")
        return Source(expand_includes(path.read_text(), str(path), path.parent, search), str(path))
    file = f"{kernel.partition('<')[0].rpartition('::')[2]}.cu"
    return Source(expand_includes(source_or_path, file, None, search), file)
