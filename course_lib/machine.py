"""Facts about this computer that need no library: cores, processor, instruction sets, memory, NVIDIA driver."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

__all__ = [
    "cache_bytes",
    "cpu_flags",
    "cpu_name",
    "driver_version",
    "memory_bytes",
    "run",
    "usable_cores",
    "vector_units",
]

_PROC = Path("/proc")
_SYS = Path("/sys")

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


def usable_cores() -> int:
    """Cores that this process may use, which containers and batch systems set below the machine's.

    The smaller of the cores it may be scheduled on and the processor time that its control group allows, rounded up.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *(math.ceil(quota) for quota in _cpu_quotas())]))


def _cpu_quotas() -> Iterator[float]:
    """Cores' worth of time that this process's control groups allow, theirs and those of all groups around them."""
    try:
        lines = (_PROC / "self/cgroup").read_text().splitlines()
    except OSError:  # no Linux
        return
    for line in lines:
        number, controllers, group = line.split(":", 2)
        if number != "0" and "cpu" not in controllers.split(","):
            continue
        # version 2 has one tree; version 1 one for each controller, here cpu's. In a container the group may be named
        # as the host sees it, and its files then stand at the root of the tree.
        tree = _SYS / "fs/cgroup" if number == "0" else _SYS / "fs/cgroup/cpu"
        here = PurePosixPath(group.lstrip("/"))
        for place in {here, *here.parents}:
            quota = _cpu_max(tree / place) if number == "0" else _cfs_quota(tree / place)
            if quota:
                yield quota


def _cpu_max(group: Path) -> float | None:
    """Version 2: `200000 100000` is 2 cores; `max 100000` is no limit."""
    try:
        quota, period = (group / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else int(quota) / int(period)


def _cfs_quota(group: Path) -> float | None:
    """Version 1: quota and period in files of their own; -1 is no limit."""
    try:
        quota, period = (int((group / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
    except (OSError, ValueError):
        return None
    return quota / period if quota > 0 else None


@functools.lru_cache(maxsize=1)
def cpu_name() -> str:
    """The processor as its maker calls it, such as `AMD EPYC` or `Apple M2`; else its architecture."""
    name = _cpuinfo("model name")
    if not name and sys.platform == "linux":  # ARM: the kernel gives numbers, lscpu knows their names
        listed = re.search(r"^\s*Model name:\s*(.+)$", run("env", "LC_ALL=C", "lscpu").stdout, re.MULTILINE)
        name = listed[1].strip() if listed else ""
    if not name and sys.platform == "darwin":
        name = run("sysctl", "-n", "machdep.cpu.brand_string").stdout.strip()
    return name or platform.processor() or platform.machine()


def cpu_flags() -> str:
    """What Linux lists as the first core's instruction sets, such as "fpu sse2 avx2"; empty elsewhere."""
    return _cpuinfo("flags") or _cpuinfo("Features")


def vector_units() -> list[str]:
    """Instruction sets that matter for int8 and sparse products, such as ["AVX2", "AVX-512 VNNI"]."""
    flags = set(cpu_flags().split())
    if flags:
        return list(dict.fromkeys(label for flag, label in _LINUX.items() if flag in flags))
    if sys.platform == "darwin":
        found = [label for name, label in _MAC.items() if run("sysctl", "-n", name).stdout.strip() == "1"]
        return found or ["NEON"] * (platform.machine() == "arm64")
    return []


def _cpuinfo(field: str) -> str:
    try:
        text = (_PROC / "cpuinfo").read_text(errors="replace")
    except OSError:
        return ""
    found = re.search(rf"^{field}\s*:(.*)$", text, re.MULTILINE)
    return found[1].strip() if found else ""


@functools.lru_cache(maxsize=1)
def cache_bytes() -> int:
    """The last caches before memory of the cores that this process may use, in bytes; 32 MiB where unknown."""
    last: dict[str, int] = {}  # by the cores that share one, which stand in its folder
    for core in os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ():
        levels = sorted((_SYS / f"devices/system/cpu/cpu{core}/cache").glob("index*"))
        with contextlib.suppress(OSError, ValueError, IndexError):
            last[(levels[-1] / "shared_cpu_list").read_text()] = _kibibytes((levels[-1] / "size").read_text()) << 10
    if not last and sys.platform == "darwin":
        stated = run("sysctl", "-n", "hw.perflevel0.l2cachesize").stdout.strip()
        return int(stated) if stated.isdigit() else 32 << 20
    return sum(last.values()) or 32 << 20


def _kibibytes(size: str) -> int:
    return int(size.strip().removesuffix("K"))


def memory_bytes() -> int | None:
    """Physical memory; None where the system does not say."""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def driver_version() -> str | None:
    """The NVIDIA driver's version, such as "580.65.06"; None if there is none."""
    loaded = _PROC / "driver/nvidia/version"
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
