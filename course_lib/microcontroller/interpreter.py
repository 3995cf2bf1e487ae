"""What an int8 network computes, layer by layer in NumPy: the plain definition that generated C must equal."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from course_lib.microcontroller.fixed_point import scale_down
from course_lib.microcontroller.int8_network import Int8Layer, Int8Network
from course_lib.microcontroller.network import Layer

__all__ = ["interpret", "interpret_all"]


def interpret(network: Int8Network, images: np.ndarray) -> np.ndarray:
    """The network's output, int8 [N, classes], for images int8 [N, H, W, C]."""
    return interpret_all(network, images)[-1].reshape(len(images), -1)


def interpret_all(network: Int8Network, images: np.ndarray) -> list[np.ndarray]:
    """All tensors, int8 [N, H, W, C], entry 0 the images."""
    expected = network.network.input_shape
    if images.dtype != np.int8 or images.shape[1:] != expected:
        raise ValueError(f"images are int8 [N, {', '.join(map(str, expected))}], not {images.dtype} {images.shape}")
    made = [images]
    for layer, constants in zip(network.network.layers, network.layers, strict=True):
        inputs = [made[tensor] for tensor in layer.inputs]
        made.append(_run(layer, constants, inputs))
    return made


def _run(layer: Layer, constants: Int8Layer, inputs: list[np.ndarray]) -> np.ndarray:
    if layer.kind == "max_pool":
        return _windows(inputs[0], layer, -128).max((4, 5))
    sums = _sums(layer, constants, inputs)
    scaled = _add(sums, constants) if layer.kind == "add" else scale_down(sums, constants.multiplier, constants.shift)
    return (scaled + constants.zero).clip(constants.low, 127).astype(np.int8)


def _sums(layer: Layer, constants: Int8Layer, inputs: list[np.ndarray]) -> np.ndarray:
    """The int32 sums [N, H, W, C_out] before they are scaled; for "add" the two inputs [2, N, H, W, C]."""
    values = [each.astype(np.float64) - zero for each, zero in zip(inputs, constants.zeros, strict=True)]
    if layer.kind == "add":
        return np.stack(values)
    if layer.kind == "average_pool":
        return values[0].sum((1, 2), keepdims=True)
    assert constants.weight is not None and constants.bias is not None
    weight = constants.weight.astype(np.float64)  # sums of whole numbers below 2^53 are exact in float64
    if layer.kind == "linear":
        return (values[0].reshape(len(values[0]), -1) @ weight.T + constants.bias)[:, None, None]
    windows = _windows(values[0], layer, 0)  # [N, H, W, C, K, K]
    if layer.kind == "depthwise":
        return np.einsum("nhwcuv,cuv->nhwc", windows, weight) + constants.bias
    return np.tensordot(windows, weight, ((4, 5, 3), (1, 2, 3))) + constants.bias


def _windows(values: np.ndarray, layer: Layer, outside: int) -> np.ndarray:
    pad = (layer.padding, layer.padding)
    padded = np.pad(values, ((0, 0), pad, pad, (0, 0)), constant_values=outside)
    windows = sliding_window_view(padded, (layer.kernel, layer.kernel), (1, 2))
    return windows[:, :: layer.stride, :: layer.stride]


def _add(values: np.ndarray, constants: Int8Layer) -> np.ndarray:
    first, second = constants.multiplier.astype(np.int64)
    shift = constants.shift.astype(np.int64)
    total = values[0].astype(np.int64) * first + values[1].astype(np.int64) * second
    return (total + (np.int64(1) << (shift - 1))) >> shift
