"""SqueezeNet (Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", 2016).

The fire module is an argument: block(inputs, squeeze, expand1x1, expand3x3) makes a module from [N, inputs, H, W] to
[N, expand1x1 + expand3x3, H, W]; the default is torchvision's, and parameters carry torchvision's names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from course_lib.models.initialisation import initialise
from course_lib.models.registry import architecture
from course_lib.models.torchvision_blocks import torchvision_fire

__all__ = ["SqueezeNet", "small_squeezenet", "squeezenet1_0", "squeezenet1_1"]

Fire = Callable[[int, int, int, int], nn.Module]


class SqueezeNet(nn.Module):
    """A convolution, stages of fire modules with 3x3 max pooling of stride 2 before each stage, and a 1x1 classifier.

    stem    the first convolution; it outputs `channels` channels.
    stages  for each stage, what its fire modules squeeze to; each expands to 4 times as many by 1x1 and as many again
        by 3x3 filters (table 1).
    block   makes a fire module; see above.
    norm    norm(channels) makes what stands before the first rectifier and after each fire module; None for nothing.
    head    the layers after the classifier's convolution, before global average pooling.

    Input [N, in_channels, H, W] float; output logits [N, num_classes].
    """

    def __init__(
        self,
        stem: nn.Conv2d,
        stages: Sequence[Sequence[int]],
        num_classes: int,
        block: Fire,
        head: Sequence[nn.Module],
        norm: Callable[[int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        channels = stem.out_channels
        layers: list[nn.Module] = [stem, *_made(norm, channels), nn.ReLU(inplace=True)]
        for stage in stages:
            layers.append(nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True))
            for squeeze in stage:
                layers.append(block(channels, squeeze, 4 * squeeze, 4 * squeeze))
                channels = 8 * squeeze
                layers += _made(norm, channels)
        self.features = nn.Sequential(*layers)
        convolution = nn.Conv2d(channels, num_classes, kernel_size=1)
        self.classifier = nn.Sequential(nn.Dropout(), convolution, *head, nn.AdaptiveAvgPool2d(1))
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x)).flatten(1)


def _made(norm: Callable[[int], nn.Module] | None, channels: int) -> list[nn.Module]:
    return [] if norm is None else [norm(channels)]


@architecture
def squeezenet1_0(num_classes: int = 1000, *, block: Fire = torchvision_fire) -> SqueezeNet:
    """SqueezeNet 1.0, the paper's: 1,248,424 parameters, 0.819 GMAC for one image [3, 224, 224]; H, W at least 21."""
    stem = nn.Conv2d(3, 96, kernel_size=7, stride=2)
    return SqueezeNet(stem, ((16, 16, 32), (32, 48, 48, 64), (64,)), num_classes, block, [nn.ReLU(inplace=True)])


@architecture
def squeezenet1_1(num_classes: int = 1000, *, block: Fire = torchvision_fire) -> SqueezeNet:
    """SqueezeNet 1.1, the authors' cheaper one: 1,235,496 parameters, 0.349 GMAC at [3, 224, 224]; H, W at least 17."""
    stem = nn.Conv2d(3, 64, kernel_size=3, stride=2)
    return SqueezeNet(stem, ((16, 16), (32, 32), (48, 48, 64, 64)), num_classes, block, [nn.ReLU(inplace=True)])


@architecture
def small_squeezenet(
    num_classes: int = 10, in_channels: int = 3, width: int = 16, *, block: Fire = torchvision_fire
) -> SqueezeNet:
    """For small pictures: 32,890 parameters, 1.00 MMAC for one image [3, 32, 32].

    A 3x3 convolution of stride 2 with 2 * `width` channels, then two stages of two fire modules that squeeze to
    `width` / 2 and `width` channels. Unlike SqueezeNet it normalises batches, without which it learns for many minutes,
    and has no rectifier on the logits, since a class whose logit is 0 everywhere learns no more. `width` is even, else
    ValueError; H and W are at least 7.
    """
    if width % 2:
        raise ValueError(f"small_squeezenet's width must be even, not {width}")
    stem = nn.Conv2d(in_channels, 2 * width, kernel_size=3, stride=2, padding=1)
    return SqueezeNet(stem, ((width // 2, width // 2), (width, width)), num_classes, block, [], nn.BatchNorm2d)
