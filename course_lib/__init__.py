"""What the course's notebooks stand on: data, models, training, measuring, checking.

Importing this package is quick and needs no GPU, compiler or network: its rooms are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from course_lib import torchvision_guard
from course_lib.recording import record

if TYPE_CHECKING:
    from course_lib import (
        checking,
        cuda,
        data,
        explore,
        measure,
        microcontroller,
        models,
        native,
        notebook,
        progress,
        quantized,
        sparse,
        training,
    )
    from course_lib.checking import quiz

__all__ = [
    "checking",
    "cuda",
    "data",
    "explore",
    "measure",
    "microcontroller",
    "models",
    "native",
    "notebook",
    "progress",
    "quantized",
    "quiz",
    "record",
    "sparse",
    "training",
]
__version__ = "0.1.0"

_PLACES = {"quiz": "checking.quiz"}  # written into the generated check of every quiz
_ROOMS = {name: _PLACES.get(name, name) for name in __all__ if name != "record"}

torchvision_guard.install()


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"course_lib.{_ROOMS[name]}")
    raise AttributeError(f"module 'course_lib' has no attribute {name!r}; it offers {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
