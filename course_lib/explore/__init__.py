"""Explorables: views with sliders, one function per file. Arrays and numbers go in, an ipywidgets box comes out.

`explore.optimizer_paths()` imports its file, matplotlib and ipywidgets only when it is first used.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_VIEWS = {  # function -> the file that defines it
    "attention_maps": "attention_maps",
    "grow_receptive_field": "receptive_field",
    "move_filter": "filters",
    "optimizer_paths": "optimizer_paths",
    "patch_memory": "patch_memory",
    "tradeoffs": "tradeoffs",
    "tune_temperature": "temperature",
}
__all__ = sorted(_VIEWS)


class _Views(ModuleType):
    """Importing a submodule binds the module to its name here; where the view has that name, the view is bound."""

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, ModuleType) and _VIEWS.get(name) == name:
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Views


def __getattr__(name: str) -> Any:
    if name in _VIEWS:
        return getattr(importlib.import_module(f"{__name__}.{_VIEWS[name]}"), name)
    raise AttributeError(f"course_lib.explore has no view {name!r}; it offers {', '.join(__all__)}")


def __dir__() -> list[str]:
    return list(__all__)
