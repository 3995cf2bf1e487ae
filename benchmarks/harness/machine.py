"""What a result was measured on: device, driver, versions. No names of computers or people."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from typing import Any

import torch

from course_lib.machine import cpu_name, driver_version, usable_cores

__all__ = ["describe", "device_slug"]

PACKAGES = ("torch", "cupy-cuda13x", "cupy-cuda12x", "numpy", "scipy", "nvidia-cuda-nvrtc")


def describe(device: torch.device) -> dict[str, Any]:
    """The measured device first, then everything that changes a number."""
    facts: dict[str, Any] = {"device": device_name(device), "processor": cpu_name(), "cores": usable_cores()}
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        facts |= {
            "capability": f"{properties.major}.{properties.minor}",
            "multiprocessors": properties.multi_processor_count,
            "memory_bytes": properties.total_memory,
            "l2_bytes": properties.L2_cache_size,
            "driver": driver_version(),
            "cuda": torch.version.cuda,
        }
    else:
        facts["threads"] = torch.get_num_threads()
        facts["load"] = os.getloadavg()[0]  # processes that wanted a core in the minute before
    return facts | {"python": platform.python_version(), "versions": package_versions()}


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name()


def device_slug(device: torch.device) -> str:
    """The device's name for a file name: nvidia-h200, cpu-intel-xeon-processor."""
    name = device_name(device) if device.type == "cuda" else f"cpu {device_name(device)}"
    plain = re.sub(r"\((r|tm)\)|\bcpu @.*|@.*", " ", name.lower()) if device.type == "cpu" else name.lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def package_versions() -> dict[str, str]:
    installed = {}
    for name in PACKAGES:
        try:
            installed[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return installed
