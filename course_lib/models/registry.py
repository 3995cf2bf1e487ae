"""Architectures by name, so that a checkpoint can say in text which network it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from torch import nn

__all__ = ["architecture", "build", "names"]

_MAKERS: dict[str, Callable[..., nn.Module]] = {}

Maker = TypeVar("Maker", bound=Callable[..., nn.Module])


def architecture(make: Maker) -> Maker:
    """Decorates a function, or a class, that makes a network, so that `build` knows it by its name."""
    if make.__name__ in _MAKERS:
        raise ValueError(f"two architectures are called {make.__name__}")
    _MAKERS[make.__name__] = make
    return make


def names() -> tuple[str, ...]:
    """The architectures that `build` knows."""
    return tuple(sorted(_MAKERS))


def build(name: str, **arguments: Any) -> nn.Module:
    """A fresh, untrained network: `build("small_resnet", width=8)`.

    Raises ValueError for a name it does not know.
    """
    if name not in _MAKERS:
        raise ValueError(f"there is no model {name!r}; there are {', '.join(names())}")
    return _MAKERS[name](**arguments)
