"""How fast one layer of a model computes, and how fast the machine would let it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LayerRate"]


@dataclass(frozen=True)
class LayerRate:
    """One layer in one call of the model.

    kind      such as "Conv2d 3x3", "Conv2d 3x3 depthwise", "Linear".
    bytes     its input, its weights and its output, each number moved once: the least that any machine must move.
    seconds   the best of the runs.
    """

    name: str
    kind: str
    macs: int
    bytes: int
    seconds: float
    attainable: float

    @property
    def intensity(self) -> float:
        """MACs per byte."""
        return self.macs / self.bytes

    @property
    def achieved(self) -> float:
        """MAC/s."""
        return self.macs / self.seconds

    @property
    def efficiency(self) -> float:
        """Achieved of attainable; above 1 where caches serve faster than the memory behind them."""
        return self.achieved / self.attainable
