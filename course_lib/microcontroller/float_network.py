"""A network description as a module that trains in float."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.microcontroller.network import WEIGHTED, Layer, Network

__all__ = ["FloatNetwork"]


class FloatNetwork(nn.Module):
    """Runs a `Network` on images float [N, C, H, W] and returns logits [N, classes].

    Convolutions are followed by batch normalisation, which `to_int8` folds into them. Entry i of `operators` belongs
    to layer i; layers without weights have `nn.Identity()` there.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.operators = nn.ModuleList(_operator(network, number) for number in range(len(network.layers)))

    def forward(self, images: Tensor) -> Tensor:
        return self.tensors(images)[-1].flatten(1)

    def tensors(self, images: Tensor) -> list[Tensor]:
        """All tensors of the network, [N, C, H, W], entry 0 the images."""
        made = [images]
        for layer, operator in zip(self.network.layers, self.operators, strict=True):
            result = _apply(layer, operator, [made[tensor] for tensor in layer.inputs])
            made.append(F.relu(result) if layer.relu else result)
        return made


def _operator(network: Network, number: int) -> nn.Module:
    layer, (_, _, c_in), (_, _, c_out) = network.layers[number], network.in_shape(number), network.shapes[number + 1]
    if layer.kind == "linear":
        return nn.Linear(network.weight_shape(number)[1], c_out)
    if layer.kind not in WEIGHTED:
        return nn.Identity()
    groups = c_in if layer.kind == "depthwise" else 1
    conv = nn.Conv2d(c_in, c_out, layer.kernel, layer.stride, layer.padding, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out))


def _apply(layer: Layer, operator: nn.Module, inputs: list[Tensor]) -> Tensor:
    if layer.kind == "add":
        return inputs[0] + inputs[1]
    if layer.kind == "max_pool":
        return F.max_pool2d(inputs[0], layer.kernel, layer.stride, layer.padding)
    if layer.kind == "average_pool":
        return inputs[0].mean((2, 3), keepdim=True)
    if layer.kind == "linear":
        return operator(inputs[0].permute(0, 2, 3, 1).flatten(1))[:, :, None, None]  # the order of int8 memory, HWC
    return operator(inputs[0])


def folded(operator: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias of a layer, in double precision, batch normalisation included."""
    if isinstance(operator, nn.Linear):
        return operator.weight.detach().double(), operator.bias.detach().double()
    assert isinstance(operator, nn.Sequential)
    conv, norm = operator[0], operator[1]
    assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None and norm.running_var is not None
    factor = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach().double()
    shift = norm.bias.detach().double() - norm.running_mean.double() * factor
    return conv.weight.detach().double() * factor[:, None, None, None], shift
