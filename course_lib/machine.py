"""Facts about this computer that need no library: instruction sets, memory, NVIDIA driver."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["driver_version", "memory_bytes", "run", "vector_units"]

# the names that Linux gives to instruction sets, and those that people know
_LINUX = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX-VNNI",
    "amx_int8": "AMX",
    "neon": "NEON",
    "asimd": "NEON",
    "asimddp": "NEON dot product",
}
_MAC = {"hw.optional.avx2_0": "AVX2", "hw.optional.neon": "NEON", "hw.optional.arm.FEAT_DotProd": "NEON dot product"}


def vector_units() -> list[str]:
    """Instruction sets that matter for int8 and sparse products, such as ["AVX2", "AVX-512 VNNI"]."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        listed = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo.read_text(errors="replace"), re.MULTILINE)
        flags = set(listed[1].split()) if listed else set()
        return list(dict.fromkeys(label for flag, label in _LINUX.items() if flag in flags))
    if sys.platform == "darwin":
        found = [label for name, label in _MAC.items() if run("sysctl", "-n", name).stdout.strip() == "1"]
        return found or ["NEON"] * (platform.machine() == "arm64")
    return []


def memory_bytes() -> int | None:
    """Physical memory; None where the system does not say."""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def driver_version() -> str | None:
    """The NVIDIA driver's version, such as "580.65.06"; None if there is none."""
    loaded = Path("/proc/driver/nvidia/version")
    if loaded.exists():
        match = re.search(r"\b\d+\.\d+(?:\.\d+)?\b", loaded.read_text(errors="replace"))
        return match[0] if match else None
    command = shutil.which("nvidia-smi")
    if command is None:
        return None
    asked = run(command, "--query-gpu=driver_version", "--format=csv,noheader")
    return asked.stdout.partition("\n")[0].strip() or None if asked.returncode == 0 else None


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command that answers at once; one that is absent or hangs has returncode 1 and says so in `stderr`."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))
