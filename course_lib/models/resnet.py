"""Residual networks (He et al., "Deep residual learning for image recognition", 2016).

resnet18 to 152 are the ImageNet family; their parameters carry torchvision's names, so its weights can be loaded.
resnet20 to 110 are the CIFAR-10 family (section 4.2, shortcuts of option A). small_resnet is the course's own.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor, nn

from course_lib.models.registry import architecture
from course_lib.models.residual_blocks import Bottleneck, PaddedShortcut, expansion
from course_lib.models.torchvision_blocks import torchvision_basic_block, torchvision_projection

__all__ = [
    "ResNet",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet34",
    "resnet44",
    "resnet50",
    "resnet56",
    "resnet101",
    "resnet110",
    "resnet152",
    "small_resnet",
]

Block = Callable[..., nn.Module]
Shortcut = Callable[[int, int, int], nn.Module]


class ResNet(nn.Module):
    """A stem, stages of residual blocks, global average pooling and a linear classifier.

    stem    the layers before the first block, by name; they output `channels` channels.
    block   block(inputs, width, stride, shortcut) makes a block from [N, inputs, H, W] to
        [N, expansion * width, H/stride, W/stride]; expansion is its attribute of that name, 1 if it has none.
        `shortcut` is None or the module that stands beside it; the block adds and applies the last activation.
    depths  how many blocks each stage has.
    widths  the `width` of each stage's blocks; every stage but the first halves height and width.
    shortcut  shortcut(inputs, outputs, stride) makes what stands beside a block whose output has another shape than
        its input.

    Input [N, in_channels, H, W] float, any H and W; output logits [N, num_classes].
    """

    def __init__(
        self,
        stem: OrderedDict[str, nn.Module],
        channels: int,
        block: Block,
        depths: Sequence[int],
        widths: Sequence[int],
        num_classes: int,
        shortcut: Shortcut = torchvision_projection,
    ) -> None:
        super().__init__()
        self._stem = tuple(stem)
        self._stages = tuple(f"layer{number}" for number in range(1, len(depths) + 1))
        for name, layer in stem.items():
            self.add_module(name, layer)
        for index, (name, depth, width) in enumerate(zip(self._stages, depths, widths, strict=True)):
            stride = 1 if index == 0 else 2
            self.add_module(name, _stage(block, channels, width, depth, stride, shortcut))
            channels = width * expansion(block)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def features(self, x: Tensor) -> Tensor:
        """The last stage's output [N, channels, H', W'], before pooling."""
        for name in self._stem + self._stages:
            x = self.get_submodule(name)(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.avgpool(self.features(x)).flatten(1))


def _stage(block: Block, inputs: int, width: int, depth: int, stride: int, shortcut: Shortcut) -> nn.Sequential:
    outputs = width * expansion(block)
    same_shape = stride == 1 and inputs == outputs
    first = block(inputs, width, stride, None if same_shape else shortcut(inputs, outputs, stride))
    return nn.Sequential(first, *(block(outputs, width, 1, None) for _ in range(depth - 1)))


def imagenet_resnet(block: Block, depths: Sequence[int], num_classes: int) -> ResNet:
    """The ImageNet family's stem and stages (table 1) with any block: 64, 128, 256 and 512 times its expansion."""
    stem = OrderedDict(
        conv1=nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False),
        bn1=nn.BatchNorm2d(64),
        relu=nn.ReLU(inplace=True),
        maxpool=nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
    )
    return ResNet(stem, 64, block, depths, (64, 128, 256, 512), num_classes)


def _cifar(depth: int, num_classes: int) -> ResNet:
    blocks = (depth - 2) // 6  # the paper's n: 6n + 2 layers with weights
    stem = OrderedDict(
        conv1=nn.Conv2d(3, 16, kernel_size=3, padding=1, bias=False),
        bn1=nn.BatchNorm2d(16),
        relu=nn.ReLU(inplace=True),
    )
    return ResNet(stem, 16, torchvision_basic_block, (blocks,) * 3, (16, 32, 64), num_classes, PaddedShortcut)


@architecture
def resnet18(num_classes: int = 1000) -> ResNet:
    """ImageNet ResNet-18: 11,689,512 parameters, 1.814 GMAC for one image [3, 224, 224]."""
    return imagenet_resnet(torchvision_basic_block, (2, 2, 2, 2), num_classes)


@architecture
def resnet34(num_classes: int = 1000) -> ResNet:
    """ImageNet ResNet-34: 21,797,672 parameters, 3.664 GMAC for one image [3, 224, 224]."""
    return imagenet_resnet(torchvision_basic_block, (3, 4, 6, 3), num_classes)


@architecture
def resnet50(num_classes: int = 1000, early_stride: bool = False) -> ResNet:
    """ImageNet ResNet-50: 25,557,032 parameters, 4.089 GMAC for one image [3, 224, 224].

    early_stride  as in the paper, 3.858 GMAC; otherwise as in torchvision. See Bottleneck.
    """
    return imagenet_resnet(partial(Bottleneck, early_stride=early_stride), (3, 4, 6, 3), num_classes)


@architecture
def resnet101(num_classes: int = 1000, early_stride: bool = False) -> ResNet:
    """ImageNet ResNet-101: 44,549,160 parameters, 7.801 GMAC for one image [3, 224, 224]; early_stride as above."""
    return imagenet_resnet(partial(Bottleneck, early_stride=early_stride), (3, 4, 23, 3), num_classes)


@architecture
def resnet152(num_classes: int = 1000, early_stride: bool = False) -> ResNet:
    """ImageNet ResNet-152: 60,192,808 parameters, 11.514 GMAC for one image [3, 224, 224]; early_stride as above."""
    return imagenet_resnet(partial(Bottleneck, early_stride=early_stride), (3, 8, 36, 3), num_classes)


@architecture
def resnet20(num_classes: int = 10) -> ResNet:
    """CIFAR-10 ResNet-20: 269,722 parameters, 40.6 MMAC for one image [3, 32, 32]."""
    return _cifar(20, num_classes)


@architecture
def resnet32(num_classes: int = 10) -> ResNet:
    """CIFAR-10 ResNet-32: 464,154 parameters."""
    return _cifar(32, num_classes)


@architecture
def resnet44(num_classes: int = 10) -> ResNet:
    """CIFAR-10 ResNet-44: 658,586 parameters."""
    return _cifar(44, num_classes)


@architecture
def resnet56(num_classes: int = 10) -> ResNet:
    """CIFAR-10 ResNet-56: 853,018 parameters."""
    return _cifar(56, num_classes)


@architecture
def resnet110(num_classes: int = 10) -> ResNet:
    """CIFAR-10 ResNet-110: 1,727,962 parameters."""
    return _cifar(110, num_classes)


@architecture
def small_resnet(
    num_classes: int = 10,
    in_channels: int = 3,
    width: int = 16,
    *,
    block: Block = torchvision_basic_block,
    shortcut: Shortcut = torchvision_projection,
) -> ResNet:
    """The network the labs make smaller: 78,810 parameters, 3.32 MMAC for one image [3, 32, 32].

    A 5x5 convolution of stride 2, then three stages of one block with `width`, 2 and 4 times `width` channels (times
    the block's expansion). Halving the picture at once makes it quick enough to train on a laptop's processor in a
    minute.

    block, shortcut  as ResNet takes them: block(inputs, width, stride, shortcut), shortcut(inputs, outputs, stride).
    """
    stem = small_stem(in_channels, width)
    return ResNet(stem, width, block, (1, 1, 1), (width, 2 * width, 4 * width), num_classes, shortcut)


def small_stem(in_channels: int, width: int) -> OrderedDict[str, nn.Module]:
    """The first layers of the small residual networks: [N, in_channels, H, W] to [N, width, H/2, W/2]."""
    return OrderedDict(
        conv1=nn.Conv2d(in_channels, width, kernel_size=5, stride=2, padding=2, bias=False),
        bn1=nn.BatchNorm2d(width),
        relu=nn.ReLU(inplace=True),
    )
