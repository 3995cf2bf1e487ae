"""Which part of every tensor one patch of the output needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from course_lib.microcontroller.network import Layer, Network

__all__ = ["PatchStage", "Window", "split_evenly"]


@dataclass(frozen=True)
class Window:
    """A rectangle of a map: rows top to bottom - 1, columns left to right - 1, all inside the map."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def pixels(self) -> int:
        return self.height * self.width

    def around(self, other: Window) -> Window:
        """The smallest window that holds both."""
        low, high = min, max
        return Window(
            low(self.top, other.top),
            high(self.bottom, other.bottom),
            low(self.left, other.left),
            high(self.right, other.right),
        )


@dataclass(frozen=True)
class PatchStage:
    """The first layers of a network run patch by patch (MCUNetV2, Lin et al., 2021, section 3.1).

    end     how many layers belong to the stage; the output of layer end - 1 is made in patches.
    grid    patches downwards and to the right.
    windows  for each patch, row by row, the window of each tensor 0..end that it needs.

    Raises ValueError if the stage cannot be cut so.
    """

    network: Network
    end: int
    grid: tuple[int, int]
    windows: tuple[list[Window], ...] = field(init=False)

    def __post_init__(self) -> None:
        layers = self.network.layers
        if not 1 <= self.end <= len(layers):
            raise ValueError(f"the patch stage ends after 1 to {len(layers)} layers, not {self.end}")
        whole = [number for number in range(self.end) if not layers[number].windowed]
        if whole:
            raise ValueError(f"layer {whole[0]} ({layers[whole[0]].kind}) needs the whole map: end the stage before it")
        for tensor in range(self.end):
            later = [number for number in self.network.readers(tensor) if number >= self.end]
            if later and tensor:
                raise ValueError(f"tensor {tensor} is read by layer {later[0]}, outside the stage of {self.end} layers")
        height, width, _ = self.network.shapes[self.end]
        if not (1 <= self.grid[0] <= height and 1 <= self.grid[1] <= width):
            raise ValueError(
                f"an output of {height} x {width} cannot be cut into {self.grid[0]} x {self.grid[1]} patches"
            )
        patches = [
            self._needed(Window(top, bottom, left, right))
            for top, bottom in split_evenly(height, self.grid[0])
            for left, right in split_evenly(width, self.grid[1])
        ]
        object.__setattr__(self, "windows", tuple(patches))

    @property
    def rows(self) -> list[list[tuple[int, int]]]:
        """For each row of patches, the rows (first, last + 1) that it needs of each tensor 0..end."""
        return [[(window.top, window.bottom) for window in patch] for patch in self.windows[:: self.grid[1]]]

    @property
    def columns(self) -> list[list[tuple[int, int]]]:
        """For each column of patches, the columns (first, last + 1) that it needs of each tensor 0..end."""
        return [[(window.left, window.right) for window in patch] for patch in self.windows[: self.grid[1]]]

    def _needed(self, patch: Window) -> list[Window]:
        needed: list[Window | None] = [None] * self.end + [patch]
        for number in reversed(range(self.end)):
            layer, made = self.network.layers[number], needed[number + 1]
            if made is None:
                raise ValueError(f"no layer of the stage reads the output of layer {number}")
            for tensor in layer.inputs:
                read = _read_by(layer, made, self.network.shapes[tensor][:2])
                known = needed[tensor]
                needed[tensor] = read if known is None else known.around(read)
        return [window for window in needed if window is not None]

    def macs(self) -> int:
        """Multiply-accumulates of the stage, those that neighbouring patches repeat included."""
        return sum(
            windows[number + 1].pixels * self.network.macs_per_pixel(number)
            for windows in self.windows
            for number in range(self.end)
        )

    @property
    def overhead(self) -> float:
        """Share by which the patches add to the stage's multiply-accumulates."""
        return self.macs() / sum(self.network.macs(number) for number in range(self.end)) - 1

    @property
    def network_overhead(self) -> float:
        """Share by which the patches add to the whole network's multiply-accumulates."""
        added = self.macs() - sum(self.network.macs(number) for number in range(self.end))
        return added / self.network.macs()

    def largest_input(self) -> tuple[int, int]:
        """Height and width of the largest part of the image that a patch reads."""
        first = [windows[0] for windows in self.windows]
        return max(window.height for window in first), max(window.width for window in first)


def split_evenly(length: int, parts: int) -> list[tuple[int, int]]:
    """`parts` ranges (start, stop) that cover 0..length; the first ones are longer by one where it does not divide."""
    edges = [(-(-length * part // parts)) for part in range(parts + 1)]
    return list(pairwise(edges))


def _read_by(layer: Layer, made: Window, size: tuple[int, ...]) -> Window:
    """The part of the input, of `size` pixels, that the layer reads for the window `made` of its output."""
    step, before, after = layer.stride, layer.padding, layer.kernel - 1 - layer.padding
    return Window(
        max(0, step * made.top - before),
        min(size[0], step * (made.bottom - 1) + after + 1),
        max(0, step * made.left - before),
        min(size[1], step * (made.right - 1) + after + 1),
    )
