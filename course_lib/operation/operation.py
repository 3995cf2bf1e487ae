"""An operation's own account of itself, and the choice among the four ways to run it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from course_lib import cuda
from course_lib.dtypes import dtype_name
from course_lib.errors import CourseError
from course_lib.operation.explanation import Explanation

__all__ = ["Operation", "Version", "Way"]


class Version(NamedTuple):
    """One of an operation's kernels: its name, and the compute capability that a GPU needs for it."""

    name: str
    needs: tuple[int, int] = (0, 0)


class Way(NamedTuple):
    """How one call runs: see Explanation for the names. `version` is 0 where no kernel runs."""

    name: str
    version: int
    reason: str


@dataclass(frozen=True)
class Operation:
    """What a room says of itself; `tests/rooms` holds it to that.

    name      of the function, of its folder and of the torch operation.
    versions  the kernels by number from 1, naive to fast.
    dtypes    that the kernels compute with; the definition takes all others that the operation accepts.
    no_cpu    why the room has no cpu.cpp yet, as the end of "because ..."; empty where it has one.
    on_cpu    what runs on a CPU in its place: "reference", or "torch" where torch has a faster way.
    """

    name: str
    versions: Mapping[int, Version]
    dtypes: tuple[torch.dtype, ...]
    no_cpu: str = ""
    on_cpu: Literal["reference", "torch"] = "reference"

    def check_version(self, version: int | None, dtype: torch.dtype) -> None:
        """Raises CourseError for a version that does not exist or does not compute with `dtype`."""
        if version is None or (version == 0 and version is not False):
            return
        if version not in self.versions or isinstance(version, bool):
            offered = ", ".join(f"{number} ({each.name})" for number, each in self.versions.items())
            raise CourseError(
                f"{self.name}: version is {version!r}; it is 0 (the definition), {offered}, or None to choose."
            )
        if dtype not in self.dtypes:
            raise CourseError(
                f"{self.name}: the kernels compute with {', '.join(map(dtype_name, self.dtypes))}, not with "
                f"{dtype_name(dtype)}. Leave version out, and the definition computes it."
            )

    def way(self, tensor: Tensor, version: int | None) -> Way:
        """The way for a call: `tensor` is the operand whose device and dtype decide where no version is asked for."""
        if version is not None:
            reason = f"version {version} was asked for"
            where = cuda.backend_of(tensor) or ("cuda" if tensor.is_cuda else "host")
            return Way(where, version, reason) if version else Way("reference", 0, reason)
        on_cpu = tensor.device.type == "cpu"
        if tensor.dtype not in self.dtypes:
            reason = f"the kernels do not compute with {dtype_name(tensor.dtype)}"
            return Way(self.on_cpu if on_cpu else "reference", 0, reason)
        chosen = cuda.chosen_version(tensor, {number: each.needs for number, each in self.versions.items()})
        if chosen is not None:
            return self._kernel(tensor, chosen)
        if not on_cpu:
            return Way("reference", 0, f"no kernel can be launched on {tensor.device}; `course doctor` says what lacks")
        reason = "the tensors lie in the computer's memory"
        return Way(self.on_cpu, 0, f"{reason}, and {self.no_cpu}") if self.no_cpu else Way("cpu", 0, reason)

    def explain(self, tensor: Tensor, version: int | None, launch: Callable[[int], cuda.Launch]) -> Explanation:
        """The way, in words; `launch` makes the launch of a kernel from its number."""
        way = self.way(tensor, version)
        return Explanation(self.name, *way, launch(way.version) if way.version else None)

    def _kernel(self, tensor: Tensor, version: int) -> Way:
        if cuda.backend_of(tensor) == "host":
            return Way("host", version, 'cuda.use("host") asks for kernels, and it is the newest')
        capability = cuda.capability_of(tensor)
        gpu = f"this GPU ({capability[0]}.{capability[1]})" if capability else "the GPU"
        newest = version == max(self.versions)
        return Way("cuda", version, f"it is the newest, and {gpu} runs it" if newest else f"it is the newest for {gpu}")
