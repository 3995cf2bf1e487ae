"""From a network and a way to run it to the buffers it needs."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from course_lib.microcontroller.arrange import Arrangement, arrange
from course_lib.microcontroller.buffers import Buffer, in_use
from course_lib.microcontroller.network import Network
from course_lib.microcontroller.patches import PatchStage

__all__ = ["Schedule"]


@dataclass(frozen=True)
class Schedule:
    """How a network is run, one step for each layer, and what memory that takes.

    in_place      depthwise layers write over their input with one padded channel of scratch (MCUNet, Lin et al., 2020),
                  additions over one of their inputs, where nothing else reads that input.
    patches       the first layers run patch by patch; their steps are repeated for every patch.
    im2col        convolutions copy two windows at a time into scratch.
    stream_image  the image is read from elsewhere, such as a camera's buffer, and takes no part of the arena.

    buffers   all pieces of memory; `holder[t]` is the number of the buffer of tensor t, None for a streamed image,
              and `scratch[i]` that of layer i's scratch, None if it needs none.
    """

    network: Network
    in_place: bool = True
    patches: PatchStage | None = None
    im2col: bool = False
    stream_image: bool = False
    buffers: tuple[Buffer, ...] = field(init=False)
    holder: tuple[int | None, ...] = field(init=False)
    scratch: tuple[int | None, ...] = field(init=False)

    def __post_init__(self) -> None:
        if self.patches is not None and self.patches.network is not self.network:
            raise ValueError("the patch stage belongs to another network than the schedule")
        buffers: list[Buffer] = []
        holder: list[int | None] = []
        for tensor in range(len(self.network.shapes)):
            holder.append(self._place_tensor(tensor, buffers, holder))
        scratch: list[int | None] = []
        for number in range(len(self.network.layers)):
            size = self._scratch_bytes(number)
            scratch.append(len(buffers) if size else None)
            if size:
                buffers.append(Buffer(f"scratch of layer {number}", number, (size,)))
        for name, value in (("buffers", buffers), ("holder", holder), ("scratch", scratch)):
            object.__setattr__(self, name, tuple(value))

    @property
    def stage_end(self) -> int:
        """Layers that run patch by patch; 0 without patches."""
        return self.patches.end if self.patches else 0

    def runs_in_place(self, number: int) -> bool:
        """Whether a layer writes its output over its (last) input."""
        layer = self.network.layers[number]
        overwritten = layer.inputs[-1]
        if not self.in_place or layer.kind not in ("depthwise", "add") or len(set(layer.inputs)) < len(layer.inputs):
            return False
        if self.network.readers(overwritten) != [number] or (overwritten == 0 and (self.stream_image or self.patches)):
            return False
        if layer.kind == "add" and number < self.stage_end:
            return False  # the windows of tiles differ in size
        return number + 1 != self.stage_end and self.network.sizes[number + 1] <= self.network.sizes[overwritten]

    def bytes_per_step(self) -> np.ndarray:
        """Bytes in use while each layer runs, int64 [layers]."""
        return in_use(self.buffers, len(self.network.layers))

    def peak(self) -> int:
        """Bytes in use at the busiest step."""
        return int(self.bytes_per_step().max(initial=0))

    def arrange(self) -> Arrangement:
        """Give every buffer its place in the arena."""
        return arrange(self.buffers)

    def tensor_bytes(self, tensor: int) -> int:
        """Bytes kept of a tensor at a time: all of it, or the largest tile of it."""
        if self.patches and 0 < tensor < self.patches.end:
            channels = self.network.shapes[tensor][2]
            return channels * max(windows[tensor].pixels for windows in self.patches.windows)
        return self.network.sizes[tensor]

    def _lifetime(self, tensor: int) -> tuple[int, int]:
        final = len(self.network.layers) - 1
        first = max(tensor - 1, 0)
        last = final if tensor == final + 1 else max(self.network.readers(tensor), default=first)
        if tensor == 0 and self.patches:  # every patch reads the image anew, and writes a part of the stage's output
            last = max(last, self.patches.end - 1)
        return (0 if self.patches and tensor == self.patches.end else first), last

    def _place_tensor(self, tensor: int, buffers: list[Buffer], holder: list[int | None]) -> int | None:
        if tensor == 0 and self.stream_image:
            return None
        first, last = self._lifetime(tensor)
        if tensor and self.runs_in_place(tensor - 1):
            shared = holder[self.network.layers[tensor - 1].inputs[-1]]
            assert shared is not None
            buffers[shared] = buffers[shared].then(tensor, self.tensor_bytes(tensor), last)
            return shared
        buffers.append(Buffer.steady(f"tensor {tensor}", self.tensor_bytes(tensor), first, last))
        return len(buffers) - 1

    def _scratch_bytes(self, number: int) -> int:
        layer = self.network.layers[number]
        if layer.kind == "conv" and self.im2col and layer.kernel > 1:
            return 2 * layer.kernel**2 * self.network.in_shape(number)[2]
        if layer.kind != "depthwise" or not self.runs_in_place(number):
            return 0
        height, width, _ = self.network.shapes[number + 1]
        sides = [(height, width)]
        if number < self.stage_end:
            assert self.patches is not None
            tiles = [windows[number + 1] for windows in self.patches.windows]
            sides = [(tile.height, tile.width) for tile in tiles]
        reach = layer.kernel - layer.stride
        return max((layer.stride * rows + reach) * (layer.stride * columns + reach) for rows, columns in sides)
