"""What a network for a microcontroller consists of, without its numbers: layers, shapes, MACs, bytes of weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

__all__ = ["Kind", "Layer", "Network", "Shape"]

Kind = Literal["conv", "depthwise", "pointwise", "max_pool", "average_pool", "linear", "add"]
Shape = tuple[int, int, int]  # height, width, channels

WEIGHTED = ("conv", "depthwise", "pointwise", "linear")
_WINDOWED = ("conv", "depthwise", "pointwise", "max_pool")
_BYTES_PER_CHANNEL = 4 + 4 + 1  # int32 bias, int32 multiplier, int8 shift


@dataclass(frozen=True)
class Layer:
    """One operation.

    kind      "conv" sums over channels; "depthwise" has one filter per channel; "pointwise" is a conv with kernel 1;
              "average_pool" takes the mean over the whole map; "add" adds two tensors of one shape.
    inputs    numbers of the tensors it reads: 0 is the network's input, layer i (from 0) makes tensor i + 1.
    channels  of the output; None keeps the input's (depthwise, pooling, add).
    kernel, stride, padding  of a window, the same downwards and to the right.
    relu      whether negative results become 0.
    """

    kind: Kind
    inputs: tuple[int, ...]
    channels: int | None = None
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    relu: bool = False

    @property
    def windowed(self) -> bool:
        """Whether an output pixel depends on a window of the input, so that a tile can be computed alone."""
        return self.kind in _WINDOWED or self.kind == "add"


@dataclass(frozen=True)
class Network:
    """Layers in the order in which they run. Every tensor is int8, one byte for each number.

    input_shape  (height, width, channels).
    shapes       of all tensors: entry 0 is the input's, entry i + 1 that of layer i's output.

    Raises ValueError for a layer that cannot work on its input.
    """

    input_shape: Shape
    layers: tuple[Layer, ...]
    shapes: tuple[Shape, ...] = field(init=False)

    def __post_init__(self) -> None:
        shapes = [self.input_shape]
        for number, layer in enumerate(self.layers):
            if not layer.inputs or not all(0 <= tensor <= number for tensor in layer.inputs):
                raise ValueError(f"layer {number} ({layer.kind}) reads {layer.inputs}: it may read tensors 0..{number}")
            shapes.append(_output_shape(number, layer, [shapes[tensor] for tensor in layer.inputs]))
        object.__setattr__(self, "shapes", tuple(shapes))

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Bytes of every tensor."""
        return tuple(math.prod(shape) for shape in self.shapes)

    def weight_shape(self, number: int) -> tuple[int, ...]:
        """Shape of a layer's weight: [C_out, K, K, C_in], depthwise [C, K, K]; () for a layer without one."""
        layer, c_in, c_out = self.layers[number], self.in_shape(number)[2], self.shapes[number + 1][2]
        if layer.kind == "depthwise":
            return (c_out, layer.kernel, layer.kernel)
        if layer.kind == "linear":
            return (c_out, math.prod(self.in_shape(number)))
        return (c_out, layer.kernel, layer.kernel, c_in) if layer.kind in WEIGHTED else ()

    def in_shape(self, number: int) -> Shape:
        """Shape of a layer's first input."""
        return self.shapes[self.layers[number].inputs[0]]

    def macs_per_pixel(self, number: int) -> int:
        """Multiply-accumulates for one output pixel of a layer, all its channels."""
        shape = self.weight_shape(number)
        return math.prod(shape) if shape else 0

    def macs(self, number: int | None = None) -> int:
        """Multiply-accumulates of one layer, or of all."""
        if number is None:
            return sum(self.macs(each) for each in range(len(self.layers)))
        height, width, _ = self.shapes[number + 1]
        return height * width * self.macs_per_pixel(number)

    def flash_bytes(self, number: int | None = None) -> int:
        """Bytes of one layer's constants (weights, and bias, multiplier and shift of each channel), or of all."""
        if number is None:
            return sum(self.flash_bytes(each) for each in range(len(self.layers)))
        shape = self.weight_shape(number)
        return math.prod(shape) + _BYTES_PER_CHANNEL * shape[0] if shape else 0

    def readers(self, tensor: int) -> list[int]:
        """Numbers of the layers that read a tensor."""
        return [number for number, layer in enumerate(self.layers) if tensor in layer.inputs]


def _output_shape(number: int, layer: Layer, shapes: Sequence[Shape]) -> Shape:
    height, width, c_in = shapes[0]
    channels = layer.channels or c_in
    if layer.kind == "add":
        if len(shapes) != 2 or shapes[0] != shapes[1]:
            raise ValueError(f"layer {number} (add) takes two tensors of one shape, not {list(shapes)}")
        return shapes[0]
    if layer.kind in ("depthwise", "max_pool", "average_pool") and channels != c_in:
        raise ValueError(f"layer {number} ({layer.kind}) keeps its {c_in} channels and cannot make {channels}")
    if layer.kind in ("average_pool", "linear"):
        return (1, 1, channels)
    sides = [(side + 2 * layer.padding - layer.kernel) // layer.stride + 1 for side in (height, width)]
    if min(sides) < 1 or layer.padding >= layer.kernel:
        raise ValueError(
            f"layer {number} ({layer.kind}): a window of {layer.kernel} with padding {layer.padding} does not fit "
            f"{height} x {width} pixels, or could lie outside them"
        )
    return (sides[0], sides[1], channels)
