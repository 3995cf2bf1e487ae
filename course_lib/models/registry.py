"""Architectures by name, so that a checkpoint can say in text which network it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from course_lib.models import mlp, resnet

__all__ = ["build", "names"]

_MAKERS: dict[str, Callable[..., nn.Module]] = {
    "MLP": mlp.MLP,
    **{name: getattr(resnet, name) for name in resnet.__all__ if name != "ResNet"},
}


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
