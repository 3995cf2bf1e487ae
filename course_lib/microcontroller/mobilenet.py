"""MobileNetV2 as a description for planning: the network whose memory MCUNetV2 analyses."""

from __future__ import annotations

from course_lib.microcontroller.chain import Chain
from course_lib.microcontroller.network import Network

__all__ = ["describe_mobilenet_v2"]

_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def describe_mobilenet_v2(
    resolution: int = 224, width: float = 1.0, classes: int = 1000, *, redistribute: bool = False
) -> Network:
    """MobileNetV2 (Sandler et al., 2018, table 2).

    redistribute  the receptive field moves out of the early blocks (MCUNetV2, Lin et al., 2021, section 3.2): the
        depthwise layers of stride 1 on the two largest maps get kernel 1, two on later maps get 7 for it.
    """
    small, large = ({1, 3}, {6, 9}) if redistribute else (set(), set())  # numbers of blocks, from 1
    chain = Chain((resolution, resolution, 3)).conv(_channels(32 * width), 3, stride=2)
    block = 0
    for expand, channels, repeats, stride in _STAGES:
        for repeat in range(repeats):
            block += 1
            kernel = 1 if block in small else 7 if block in large else 3
            chain.inverted_bottleneck(_channels(channels * width), expand, kernel, stride if repeat == 0 else 1)
    return chain.pointwise(max(1280, _channels(1280 * width))).average_pool().linear(classes).network()


def _channels(wanted: float) -> int:
    """The multiple of 8 nearest to `wanted`, never more than 10% below it, as the paper's code rounds."""
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded
