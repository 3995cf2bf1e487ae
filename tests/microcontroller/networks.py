"""Networks of many kinds, with random numbers, for the tests."""

import numpy as np
import torch

from course_lib import microcontroller as mcu


def rounded(network, seed=0, images=3):
    """An int8 network with random weights and statistics, and random images int8 [N, H, W, C]."""
    torch.manual_seed(seed)
    height, width, channels = network.input_shape
    model = mcu.FloatNetwork(network)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.3, 2)
            torch.nn.init.normal_(module.weight, 1, 0.3)
            torch.nn.init.normal_(module.bias, 0, 0.5)
    pictures = torch.randn(max(images, 8), channels, height, width)
    small = mcu.to_int8(model, pictures)
    return small, small.image_to_int8(pictures[:images].numpy()), model, pictures[:images]


def with_everything():
    """Every kind of layer, odd sizes, strides, a shortcut inside the first layers and one behind them."""
    chain = mcu.Chain((13, 11, 3)).conv(6, 3)
    chain.inverted_bottleneck(6, expand=2)
    chain.conv(7, 5, stride=2).depthwise(5).max_pool(2, 1)
    chain.inverted_bottleneck(7, expand=3, kernel=3).depthwise(3, stride=2).pointwise(5)
    return chain.average_pool().linear(4).network()


def flat_end():
    """A dense layer on a whole map."""
    return mcu.Chain((6, 5, 2)).depthwise(3).pointwise(3, relu=False).linear(7).network()


def conv_of_even_window():
    """A window of 2 without padding, and one of 4 with more padding on one side than it needs."""
    first = mcu.Layer("conv", (0,), 5, kernel=2, stride=2, relu=True)
    second = mcu.Layer("depthwise", (1,), kernel=4, padding=2)
    return mcu.Network((9, 10, 2), (first, second))


NETWORKS = {"everything": with_everything, "flat end": flat_end, "even window": conv_of_even_window}


def real(network, tensor, levels):
    """The real numbers that int8 levels of one tensor stand for."""
    return (levels.astype(np.float64) - network.zeros[tensor]) * network.scales[tensor]
