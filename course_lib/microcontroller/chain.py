"""Putting a network together layer by layer."""

from __future__ import annotations

from course_lib.microcontroller.network import Kind, Layer, Network, Shape

__all__ = ["Chain"]


class Chain:
    """Collects layers, each reading the one before: `Chain((32, 32, 3)).conv(16, 3, stride=2).linear(10).network()`.

    Windows are padded by kernel // 2 unless told otherwise, so stride 1 keeps height and width.
    """

    def __init__(self, input_shape: Shape) -> None:
        self._input_shape = input_shape
        self._layers: list[Layer] = []

    @property
    def last(self) -> int:
        """The number of the newest tensor."""
        return len(self._layers)

    def _append(self, kind: Kind, **settings: object) -> Chain:
        self._layers.append(Layer(kind, **({"inputs": (self.last,)} | settings)))  # type: ignore[arg-type]
        return self

    def conv(self, channels: int, kernel: int = 3, stride: int = 1, relu: bool = True) -> Chain:
        """A dense convolution."""
        settings = {"channels": channels, "kernel": kernel, "stride": stride, "padding": kernel // 2, "relu": relu}
        return self._append("conv", **settings)

    def depthwise(self, kernel: int = 3, stride: int = 1, relu: bool = True) -> Chain:
        """One filter per channel."""
        return self._append("depthwise", kernel=kernel, stride=stride, padding=kernel // 2, relu=relu)

    def pointwise(self, channels: int, relu: bool = True) -> Chain:
        """A 1x1 convolution."""
        return self._append("pointwise", channels=channels, relu=relu)

    def max_pool(self, kernel: int = 2, stride: int = 2) -> Chain:
        """The largest number of each window, without padding."""
        return self._append("max_pool", kernel=kernel, stride=stride)

    def average_pool(self) -> Chain:
        """The mean of each channel over the whole map."""
        return self._append("average_pool")

    def linear(self, channels: int) -> Chain:
        """A dense layer on all numbers of the tensor."""
        return self._append("linear", channels=channels)

    def add(self, tensor: int) -> Chain:
        """Add an earlier tensor, given by its number."""
        return self._append("add", inputs=(tensor, self.last))

    def inverted_bottleneck(self, channels: int, expand: int, kernel: int = 3, stride: int = 1) -> Chain:
        """MobileNetV2's block (Sandler et al., 2018): expand, depthwise, project; plus its input if shapes agree."""
        start, c_in = self.last, self.network().shapes[-1][2]
        if expand != 1:
            self.pointwise(c_in * expand)
        self.depthwise(kernel, stride).pointwise(channels, relu=False)
        return self.add(start) if stride == 1 and channels == c_in else self

    def network(self) -> Network:
        """What has been put together so far."""
        return Network(self._input_shape, tuple(self._layers))
