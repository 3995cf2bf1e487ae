"""Makes torchvision's Python parts importable beside a torch build that its compiled part does not fit.

torchvision's wheel on PyPI is compiled against PyPI's CUDA build of torch. Beside a CPU build of torch its shared
library does not load, and the import then stops with `operator torchvision::nms does not exist`, because
`torchvision/_meta_registrations.py` registers shapes for `nms` and `qnms` whether or not they were loaded.
Data sets, transforms and models need neither. When the library does not load, this file declares
the two operators' signatures first, with no implementation, so that the registration finds them; calling
`torchvision.ops.nms` still fails, with torch's own message. Where the builds match, nothing is declared.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

__all__ = ["install"]

_SIGNATURES = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_declared: list[object] = []  # torch.library.Library withdraws its operators when it is collected


class _BeforeTorchvision(importlib.abc.MetaPathFinder):
    """Runs once, at the first `import torchvision`, then steps aside."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            _declare_missing_operators()
        return None


def install() -> None:
    """Arrange for the guard to run at the first `import torchvision`; costs nothing until then."""
    if "torchvision" not in sys.modules and not any(isinstance(f, _BeforeTorchvision) for f in sys.meta_path):
        sys.meta_path.insert(0, _BeforeTorchvision())


def _declare_missing_operators() -> None:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None or _extension_loads(Path(spec.origin).parent):
        return
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for name, signature in _SIGNATURES.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(signature)
    _declared.append(library)


def _extension_loads(package: Path) -> bool:
    import torch

    extensions = [package / f"_C{suffix}" for suffix in importlib.machinery.EXTENSION_SUFFIXES]
    found = next((path for path in extensions if path.exists()), None)
    if found is None:
        return False
    try:
        torch.ops.load_library(str(found))
    except (ImportError, OSError):
        return False
    return True
