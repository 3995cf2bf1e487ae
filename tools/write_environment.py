"""Writes environment.yml: the direct dependencies of pyproject.toml at the versions of constraints.txt."""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PYTHON = "3.11"
HEAD = f"""\
# For conda users: conda env create --file environment.yml, then conda activate small-fast-networks and course lab.
# Written by `make lock` from pyproject.toml and constraints.txt.
name: small-fast-networks
channels:
  - conda-forge
dependencies:
  - python={PYTHON}
  - pip
  - pip:
      # on Linux without an NVIDIA GPU, this line saves gigabytes:
      # - --extra-index-url https://download.pytorch.org/whl/cpu
      - --constraint constraints.txt
      - --editable .
"""


def main() -> None:
    root = Path(__file__).resolve().parents[1]
    locked = _locked(root / "constraints.txt")
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [canonicalize_name(Requirement(entry).name) for entry in project["dependencies"]]
    pins = "".join(f"      - {name}=={locked[name]}\n" for name in names)
    (root / "environment.yml").write_text(HEAD + pins, encoding="utf-8")


def _locked(path: Path) -> dict[str, str]:
    """Package -> version, as the lock has it for Linux and PYTHON."""
    here = {"python_version": PYTHON, "python_full_version": f"{PYTHON}.9", "sys_platform": "linux", "os_name": "posix"}
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    entries = [Requirement(line) for line in lines]
    return {
        canonicalize_name(entry.name): next(iter(entry.specifier)).version
        for entry in entries
        if entry.marker is None or entry.marker.evaluate(here)
    }


if __name__ == "__main__":
    main()
