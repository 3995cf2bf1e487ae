"""A Python as it stands on a machine that is lent for minutes: a few libraries, nothing of Jupyter, nothing of ours."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement

__all__ = ["make_bare_python"]

LIBRARIES = ("numpy", "torch", "cupy-cuda13x", "scipy", "pytest", "hypothesis", "triton")


def make_bare_python(folder: Path) -> Path:
    """An environment with LIBRARIES and what they need, linked from the present one; returns its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    [site] = folder.glob("lib/python*/site-packages")
    for distribution in _with_requirements(LIBRARIES):
        for top in {file.parts[0] for file in distribution.files or [] if file.parts[0] not in ("..", "__pycache__")}:
            source, link = Path(distribution.locate_file(top)), site / top
            if source.exists() and not link.exists():
                link.symlink_to(source.resolve())
    return folder / "bin" / "python"


def _with_requirements(names: tuple[str, ...]) -> list[importlib.metadata.Distribution]:
    found: dict[str, importlib.metadata.Distribution] = {}
    todo = list(names)
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # triton, where torch computes on the CPU alone
        needed = [Requirement(each) for each in found[name].requires or []]
        todo += [each.name for each in needed if each.marker is None or each.marker.evaluate({"extra": ""})]
    return list(found.values())
