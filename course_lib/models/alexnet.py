"""AlexNet (Krizhevsky et al., "ImageNet classification with deep convolutional neural networks", 2012).

alexnet is the network that torchvision calls so, of Krizhevsky's later "One weird trick for parallelizing
convolutional neural networks" (2014), with its parameter names. alexnet_2012 is the original, whose convolutions in
two groups had one group on each of two GPUs.
"""

from __future__ import annotations

from torch import Tensor, nn

from course_lib.models.initialisation import initialise
from course_lib.models.registry import architecture

__all__ = ["AlexNet", "alexnet", "alexnet_2012", "small_alexnet"]


class AlexNet(nn.Module):
    """Convolutional layers, pooling to `grid` x `grid` places, three linear layers with dropout.

    features  the convolutional layers; they output `channels` channels.
    hidden    neurons of each of the two hidden layers.
    dropout   the share of their inputs that training leaves out.

    Input [N, in_channels, H, W] float, as large as the features need; output logits [N, num_classes].
    """

    def __init__(
        self, features: nn.Sequential, channels: int, grid: int, hidden: int, num_classes: int, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d(grid)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(channels * grid**2, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def _normalised(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def _convolution(inputs: int, outputs: int, kernel: int, groups: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups), nn.ReLU(inplace=True)]


def _overlapping_pool() -> nn.Module:
    return nn.MaxPool2d(kernel_size=3, stride=2)


@architecture
def alexnet(num_classes: int = 1000) -> AlexNet:
    """AlexNet of 2014: 61,100,840 parameters, 0.714 GMAC for one image [3, 224, 224]; H and W at least 63."""
    features = nn.Sequential(
        *(nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2), nn.ReLU(inplace=True), _overlapping_pool()),
        *(*_convolution(64, 192, 5), _overlapping_pool()),
        *_convolution(192, 384, 3),
        *_convolution(384, 256, 3),
        *(*_convolution(256, 256, 3), _overlapping_pool()),
    )
    return AlexNet(features, 256, 6, 4096, num_classes)


@architecture
def alexnet_2012(num_classes: int = 1000) -> AlexNet:
    """AlexNet of 2012: 60,965,224 parameters, 0.724 GMAC for one image [3, 227, 227]; H and W at least 67."""
    features = nn.Sequential(
        *(nn.Conv2d(3, 96, kernel_size=11, stride=4), nn.ReLU(inplace=True), _response_norm(), _overlapping_pool()),
        *(*_convolution(96, 256, 5, groups=2), _response_norm(), _overlapping_pool()),
        *_convolution(256, 384, 3),
        *_convolution(384, 384, 3, groups=2),
        *(*_convolution(384, 256, 3, groups=2), _overlapping_pool()),
    )
    return AlexNet(features, 256, 6, 4096, num_classes)


def _response_norm() -> nn.Module:
    """Section 3.3. torch divides alpha by the number of channels in the sum; the paper does not."""
    return nn.LocalResponseNorm(size=5, alpha=5 * 1e-4, beta=0.75, k=2)


@architecture
def small_alexnet(num_classes: int = 10, in_channels: int = 3, width: int = 16) -> AlexNet:
    """For small pictures: 358,394 parameters, 7.41 MMAC for one image [3, 32, 32].

    Five convolutions with 1, 3, 6, 4 and 4 times `width` channels, the first 5x5 with stride 2; pooling after the first
    and the last; two hidden layers of 16 * `width` neurons. As in AlexNet, the linear layers have most parameters and
    the convolutions most products; unlike it, this one normalises batches and drops out a tenth, to learn in minutes.
    Its linear layers want learning rates of 2e-3 or less. H and W are at least 13.
    """
    features = nn.Sequential(
        *(*_normalised(in_channels, width, 5, stride=2), _overlapping_pool()),
        *_normalised(width, 3 * width, 3),
        *_normalised(3 * width, 6 * width, 3),
        *_normalised(6 * width, 4 * width, 3),
        *(*_normalised(4 * width, 4 * width, 3), _overlapping_pool()),
    )
    model = AlexNet(features, 4 * width, 3, 16 * width, num_classes, dropout=0.1)
    initialise(model)
    return model
