"""From a trained float network to whole numbers: fold, look at ranges, round."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from course_lib.microcontroller.fixed_point import fixed_point
from course_lib.microcontroller.float_network import FloatNetwork, folded
from course_lib.microcontroller.int8_network import Int8Layer, Int8Network

__all__ = ["to_int8"]

_LEAST_RANGE = 1e-6


@torch.no_grad()
def to_int8(model: FloatNetwork, images: Tensor) -> Int8Network:
    """Round a trained network to int8 (Jacob et al., 2018): weights per output channel, tensors by their range.

    images  float [N, C, H, W], some training images: the smallest and largest number that each tensor takes on them
            decide its scale.
    """
    model = model.eval()
    tensors = model.tensors(images)
    scales, zeros = map(list, zip(*(_scale_and_zero(tensor) for tensor in tensors), strict=True))
    network = model.network
    for number, layer in enumerate(network.layers):
        if layer.kind == "max_pool":  # copies numbers, so it keeps their scale
            scales[number + 1], zeros[number + 1] = scales[layer.inputs[0]], zeros[layer.inputs[0]]
    layers = tuple(
        _int8_layer(model, number, scales, zeros, operator) for number, operator in enumerate(model.operators)
    )
    return Int8Network(network, layers, tuple(scales), tuple(zeros))


def _scale_and_zero(tensor: Tensor) -> tuple[float, int]:
    """A scale and a zero point for which 0, the smallest and the largest number all lie within -128..127."""
    low, high = min(tensor.min().item(), 0.0), max(tensor.max().item(), 0.0)
    scale = max(high - low, _LEAST_RANGE) / 255
    return scale, round(-128 - low / scale)


def _int8_layer(
    model: FloatNetwork, number: int, scales: list[float], zeros: list[int], operator: nn.Module
) -> Int8Layer:
    layer, out_scale, zero = model.network.layers[number], scales[number + 1], zeros[number + 1]
    in_scales = np.array([scales[tensor] for tensor in layer.inputs])
    in_zeros = tuple(zeros[tensor] for tensor in layer.inputs)
    low = zero if layer.relu else -128
    if layer.kind == "add":
        multiplier, shift = _common_shift(in_scales / out_scale)
        return Int8Layer(None, None, multiplier, shift, in_zeros, zero, low)
    if layer.kind in ("max_pool", "average_pool"):
        height, width, channels = model.network.in_shape(number)
        pixels = height * width if layer.kind == "average_pool" else 1
        multiplier, shift = fixed_point(np.full(channels, in_scales[0] / out_scale / pixels))
        return Int8Layer(None, None, multiplier, shift, in_zeros, zero, low)
    weight, bias = folded(operator)
    weight_scale = (weight.flatten(1).abs().amax(1) / 127).clamp(min=_LEAST_RANGE).numpy()
    shaped = weight.numpy() / weight_scale.reshape(-1, *[1] * (weight.ndim - 1))
    if weight.ndim == 4:
        shaped = shaped[:, 0] if layer.kind == "depthwise" else shaped.transpose(0, 2, 3, 1)
    bias_levels = np.rint(bias.numpy() / (in_scales[0] * weight_scale))
    if np.abs(bias_levels).max(initial=0) > 2**30:
        raise ValueError(f"layer {number} ({layer.kind}): a bias does not fit 32 bits; its weights are all but 0")
    multiplier, shift = fixed_point(in_scales[0] * weight_scale / out_scale)
    levels = np.rint(shaped).astype(np.int8)
    return Int8Layer(levels, bias_levels.astype(np.int32), multiplier, shift, in_zeros, zero, low)


def _common_shift(factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Multipliers of the two inputs of an addition over one power of two."""
    _, shift = fixed_point(factors.max(keepdims=True))
    return np.rint(factors * 2.0 ** shift.astype(np.float64)).astype(np.int64).clip(max=2**31 - 1).astype(
        np.int32
    ), shift
