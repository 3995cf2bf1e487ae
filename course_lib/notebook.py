"""The first line of every notebook: seeds, device, figure style, and a line that says what it runs on."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from course_lib import machine

__all__ = ["Notebook", "start"]

PROFILES = ("fast", "full")


@dataclass(frozen=True)
class Notebook:
    """The settings one notebook runs under.

    device  where models and data go.
    fast    True for `profile="fast"`: minutes of training become seconds, CPU is enough.
    seed    start of every random stream in the notebook.
    hardware  one line that names the processor, for captions of measured figures.
    """

    name: str
    device: torch.device
    fast: bool
    seed: int
    hardware: str

    def pick(self, *, fast: Any, full: Any) -> Any:
        """The setting that belongs to the profile: `epochs = nb.pick(fast=3, full=100)`."""
        return fast if self.fast else full

    def generator(self, offset: int = 0) -> torch.Generator:
        """A fresh CPU generator, the same stream in every run for one `offset`."""
        return torch.Generator().manual_seed(self.seed + offset)


def start(name: str, *, profile: Literal["fast", "full"] = "fast", device: str = "auto", seed: int = 0) -> Notebook:
    """Seed every generator, choose the device, set the figure style and print what this machine is.

    device  "auto" takes a GPU if torch sees one; otherwise any name that `torch.device` takes.

    Raises ValueError if the profile or the device is not one that can be had.
    """
    if profile not in PROFILES:
        raise ValueError(f'profile is "fast" or "full", not {profile!r}')
    chosen = _device(device)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries that students call draw from the old global stream
    torch.manual_seed(seed)
    _figure_style()
    hardware = describe_hardware(chosen)
    print(f"{name}, profile {profile}, on {hardware}, torch {torch.__version__}")
    return Notebook(name, chosen, profile == "fast", seed, hardware)


def describe_hardware(device: torch.device | str = "cpu") -> str:
    """The processor's name and size, such as `Intel Xeon ..., 2 cores` or `NVIDIA H200`."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cores = machine.usable_cores()
    return f"{machine.cpu_name()}, {cores} core{'s' if cores > 1 else ''}"


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f'device is "auto", "cpu" or "cuda", not {name!r}') from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f'device="{name}" was asked for, but torch sees no GPU here; use device="auto"')
    try:
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, ImportError, AssertionError) as error:  # what torch raises for other absent hardware
        raise ValueError(f'device="{name}" was asked for, but it cannot be used here; use device="auto"') from error
    return device


def _figure_style() -> None:
    """Small files, readable on screen and on paper; colours that colour-blind readers can tell apart."""
    import matplotlib as mpl
    from cycler import cycler  # comes with matplotlib

    mpl.rcParams.update(
        {
            "figure.figsize": (6.4, 3.6),
            "figure.dpi": 90,
            "figure.constrained_layout.use": True,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "grid.color": "0.9",
            "axes.titlesize": 11,
            "axes.titlelocation": "left",
            "font.size": 10,
            "legend.frameon": False,
            "image.cmap": "gray",
            "axes.prop_cycle": cycler(
                color=["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
            ),
        }
    )
