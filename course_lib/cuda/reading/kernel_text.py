"""One kernel of a source: what every compiler is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from course_lib.cuda.reading.signature import Signature, read_signature, split_name
from course_lib.cuda.reading.source import Source, read_source
from course_lib.cuda.reading.waiting import may_wait

__all__ = ["KernelText", "read_kernel"]


@dataclass(frozen=True)
class KernelText:
    """A kernel, as written, and how it is to be compiled.

    name     with template arguments, if any: "scale<float, 16>".
    options  in NVRTC's words.
    """

    source: Source
    name: str
    options: tuple[str, ...] = ()

    @cached_property
    def signature(self) -> Signature:
        """The name and the parameters, as declared. Raises NoSuchKernel."""
        return read_signature(self.source.code, self.source.kernels, self.name, self.options)

    @cached_property
    def may_wait(self) -> bool:
        """False if no thread of it waits for another, as far as the text tells."""
        return may_wait(self.source.code, split_name(self.name)[0].rpartition("::")[2])


def read_kernel(source_or_path: str | Path, name: str, options: Sequence[str] = ()) -> KernelText:
    """The kernel `name` of CUDA C++ text, of a `Path`, or of a string that names an existing .cu or .cuh file."""
    return KernelText(read_source(source_or_path, name, options), name, tuple(options))
