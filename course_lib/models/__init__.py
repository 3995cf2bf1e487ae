"""Network architectures, one family per file.

MLP(sizes)                              fully connected layers
resnet18, resnet34, resnet50            ResNets for ImageNet, with torchvision's parameter names
resnet20, 32, 44, 56, 110               ResNets for CIFAR-10
small_resnet                            the small ResNet the labs train on `shapes`
build(name, **arguments)                any of them by name, as checkpoints do
"""

from course_lib.models.mlp import MLP
from course_lib.models.registry import build, names
from course_lib.models.resnet import (
    ResNet,
    resnet18,
    resnet20,
    resnet32,
    resnet34,
    resnet44,
    resnet50,
    resnet56,
    resnet110,
    small_resnet,
)

__all__ = [
    "MLP",
    "ResNet",
    "build",
    "names",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet34",
    "resnet44",
    "resnet50",
    "resnet56",
    "resnet110",
    "small_resnet",
]
