"""A network that reads a digit from a 32x32 grey image, small enough for the smallest boards."""

from __future__ import annotations

from course_lib.microcontroller.chain import Chain
from course_lib.microcontroller.network import Network

__all__ = ["describe_digit_reader"]


def describe_digit_reader() -> Network:
    """Of MobileNet's kind, with the memory profile of its large relatives: the first maps are the largest by far."""
    chain = Chain((32, 32, 1)).conv(16, 3).depthwise(3)
    chain.depthwise(3, stride=2).pointwise(24)
    chain.depthwise(3, stride=2).pointwise(32)
    chain.inverted_bottleneck(32, expand=2)
    return chain.depthwise(3, stride=2).pointwise(64).average_pool().linear(10).network()
