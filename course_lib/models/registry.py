"""Architectures by name, so that a checkpoint can say in text which network it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from torch import nn

from course_lib.models.mlp import MLP

__all__ = ["build", "names"]

# Files by name: some hold a function of their own name, which the package's attribute then is.
_FAMILIES = (
    "alexnet",
    "vgg",
    "resnet",
    "resnext",
    "senet",
    "densenet",
    "squeezenet",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3",
    "shufflenet_v1",
    "shufflenet_v2",
    "vit",
    "swin",
    "efficientvit",
    "flatformer",
    "bert",
    "gpt",
    "t5",
    "recurrent",
    "conv1d",
)


def _makers() -> dict[str, Callable[..., nn.Module]]:
    """A family's functions by name; its classes, which are capitalised, are no architectures yet."""
    files = [import_module(f"course_lib.models.{family}") for family in _FAMILIES]
    return {name: getattr(file, name) for file in files for name in file.__all__ if name.islower()}


_MAKERS: dict[str, Callable[..., nn.Module]] = {"MLP": MLP, **_makers()}


def names() -> tuple[str, ...]:
    """The architectures that `build` knows."""
    return tuple(_MAKERS)


def build(name: str, **arguments: Any) -> nn.Module:
    """A fresh, untrained network: `build("small_resnet", width=8)`.

    Raises ValueError for a name it does not know.
    """
    if name not in _MAKERS:
        raise ValueError(f"there is no model {name!r}; there are {', '.join(_MAKERS)}")
    return _MAKERS[name](**arguments)
