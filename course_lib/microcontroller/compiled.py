"""Generated C, compiled for this computer: run it, and measure which bytes of the arena it touches."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

import numpy as np

from course_lib import native
from course_lib.microcontroller.generate import GeneratedC

__all__ = ["CompiledNetwork"]

_GUARD = 65_536  # bytes beyond the arena that are watched too
_PAINTS = (0x5A, -0x5B)  # a byte that happens to be written with one paint's value differs from the other


class CompiledNetwork:
    """Calls a generated program.

    flags  for the compiler after -O2; `("-fno-tree-vectorize",)` runs the loops as they are written, as a processor
           without vector instructions would.

    Raises native.NoCompiler where there is no compiler.
    """

    def __init__(self, program: GeneratedC, *, flags: Sequence[str] = ()) -> None:
        self.program = program
        self._run = native.compile_c(program.source, flags=flags).run
        self._run.argtypes = [ctypes.c_void_p] * 3
        self._run.restype = None
        self._arena = np.zeros(program.arrangement.size, np.int8)
        self._result = np.zeros(program.network.network.sizes[-1], np.int8)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """The output, int8 [classes], of one image int8 [H, W, C]."""
        self.prepared(image)()
        return self._result.copy()

    def prepared(self, image: np.ndarray) -> Callable[[], None]:
        """A call without arguments that runs one image, int8 [H, W, C]: for timing."""
        stored = self._stored(image)
        addresses = [each.ctypes.data for each in (self._arena, stored, self._result)]

        def call(_keep: np.ndarray = stored) -> None:
            self._run(*addresses)

        return call

    def high_water_mark(self, image: np.ndarray) -> int:
        """How many bytes of the arena a run really touches, from its first to the last byte written.

        The arena and what lies behind it are painted before the run, and looked for unpainted bytes after it, as the
        stack of a microcontroller is measured.
        """
        stored, highest = self._stored(image), 0
        for paint in _PAINTS:
            arena = np.full(len(self._arena) + _GUARD, paint, np.int8)
            self._run(arena.ctypes.data, stored.ctypes.data, self._result.ctypes.data)
            written = np.flatnonzero(arena != paint)
            highest = max(highest, int(written[-1]) + 1 if len(written) else 0)
        return highest

    def _stored(self, image: np.ndarray) -> np.ndarray:
        expected = self.program.network.network.input_shape
        if image.dtype != np.int8 or image.shape != expected:
            raise ValueError(f"an image is int8 {list(expected)}, not {image.dtype} {list(image.shape)}")
        return np.ascontiguousarray(image.transpose(2, 0, 1) if self.program.layout == "CHW" else image)
