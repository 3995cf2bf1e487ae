"""Random numbers that are the same bits on every machine and with every NumPy.

NumPy promises that a bit generator's raw output never changes (NEP 19), but not what `Generator` makes of it, and
`sin`, `exp` or a normal draw may differ in the last bit between processors. So everything here is made from
raw 64-bit words by whole-number arithmetic and by single IEEE operations, which are exact everywhere.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["Stream"]

_EVEN_BYTES = np.uint64(0x00FF00FF00FF00FF)
_EVEN_SHORTS = np.uint64(0x0000FFFF0000FFFF)
_DEVIATION = np.float32(math.sqrt(4 * (256**2 - 1) / 12))  # of the sum of four uniform bytes


class Stream:
    """One independent sequence of random numbers for each (seed, key...), all of them whole numbers from 0."""

    def __init__(self, seed: int, *key: int) -> None:
        if seed < 0:
            raise ValueError(f"a seed is a whole number from 0 up, not {seed}")
        self._bits = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key))

    def words(self, *shape: int) -> NDArray[np.uint64]:
        """Uniform 64-bit words."""
        return self._bits.random_raw(int(np.prod(shape))).reshape(shape)

    def uniform(self, low: float, high: float, *shape: int) -> NDArray[np.float32]:
        """Uniform float32 in [low, high), on a grid of 2**24 steps."""
        steps = (self.words(*shape) >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)
        return np.float32(low) + np.float32(high - low) * steps

    def integers(self, n: int, *shape: int) -> NDArray[np.int64]:
        """Uniform whole numbers from 0 to n - 1, for n up to 2**31."""
        return (((self.words(*shape) >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32)).astype(np.int64)

    def permutation(self, n: int) -> NDArray[np.int64]:
        """The numbers from 0 to n - 1 in random order."""
        return np.argsort(self.words(n), kind="stable")

    def bell(self, *shape: int) -> NDArray[np.float32]:
        """Nearly normal float32 numbers with mean 0 and standard deviation 1, within +-3.5.

        The sum of four uniform bytes (Irwin-Hall), because it needs no logarithm.
        """
        count = int(np.prod(shape))
        words = self.words((count + 1) // 2)
        # bytes are added inside the words: four pairs of 8 bits, then two pairs of 16 bits
        pairs = (words & _EVEN_BYTES) + ((words >> np.uint64(8)) & _EVEN_BYTES)
        totals = (pairs & _EVEN_SHORTS) + ((pairs >> np.uint64(16)) & _EVEN_SHORTS)
        sums = totals.astype("<u8", copy=False).view("<u4")[:count].astype(np.float32)
        return ((sums - 510) / _DEVIATION).reshape(shape)
