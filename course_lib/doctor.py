"""`course doctor`: what this computer has for the course, what it lacks, and what each lack means for whom."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import platform
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from course_lib import machine

__all__ = ["Finding", "as_json", "examine", "is_usable", "show"]

State = Literal["ok", "missing", "required"]


@dataclass(frozen=True)
class Finding:
    """One thing looked for.

    state    "ok"; "missing": the course works without it; "required": the course does not.
    detail   what was found, or what stands in the way.
    meaning  for a lack: what a student or staff cannot do, and what to do about it.
    """

    name: str
    state: State
    detail: str
    meaning: str = ""


def examine() -> list[Finding]:
    """Look at everything; takes a few seconds, since libraries are really imported."""
    return [look() for look in _LOOKS]


def is_usable(findings: Sequence[Finding]) -> bool:
    return all(finding.state != "required" for finding in findings)


def as_json(findings: Sequence[Finding]) -> str:
    return json.dumps({"usable": is_usable(findings), "findings": [asdict(finding) for finding in findings]}, indent=2)


def show(findings: Sequence[Finding]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("", "", "", show_header=False, box=None, padding=(0, 2, 0, 0))
    signs = {"ok": "[green]ok[/]", "missing": "[yellow]none[/]", "required": "[red]NEEDED[/]"}
    for finding in findings:
        meaning = f"\n[yellow]{escape(finding.meaning)}[/]" if finding.meaning else ""
        table.add_row(signs[finding.state], finding.name, f"{escape(finding.detail)}{meaning}")
    console = Console()
    console.print(table)
    lacks = [finding.name for finding in findings if finding.state == "required"]
    console.print()
    console.print(
        f"[red]The course cannot run here without: {', '.join(lacks)}.[/]" if lacks else "Every lab runs here."
    )


def _python() -> Finding:
    # an older Python does not get here: pip refuses to install the course into it
    return Finding("Python", "ok", f"{platform.python_version()}, {sys.executable}")


def _library(name: str, need: str, *, module: str | None = None) -> Callable[[], Finding]:
    """A look for one package that the labs need; it is imported, since an installed one may still not load."""

    def look() -> Finding:
        try:
            importlib.import_module(module or name)
        except Exception as error:  # a broken installation raises anything
            return Finding(name, "required", _reason(error), f"{need} Run `make lab`, which installs it.")
        return Finding(name, "ok", _version(name))

    return look


def _jupyter() -> Finding:
    """Not imported: they are large, and versions tell whether they are there."""
    needed = ("jupyterlab", "ipykernel", "ipywidgets", "nbgrader", "papermill", "jupytext")
    absent = [name for name in needed if not _version(name)]
    if absent:
        meaning = "Notebooks cannot be opened or executed. Run `make lab`, which installs it."
        return Finding("Jupyter", "required", f"no {', '.join(absent)}", meaning)
    return Finding("Jupyter", "ok", ", ".join(f"{name} {_version(name)}" for name in needed))


def _processor() -> Finding:
    cores = machine.usable_cores()
    name = f"{machine.cpu_name()}, {cores} core{'s' if cores > 1 else ''}"
    memory = machine.memory_bytes()
    return Finding("processor", "ok", f"{name}, {memory / 2**30:.0f} GiB memory" if memory else name)


def _vector_units() -> Finding:
    units = machine.vector_units()
    if units:
        return Finding("vector units", "ok", ", ".join(units))
    meaning = "Labs on int8 and sparse products still run; what they gain in time will differ from the text."
    return Finding("vector units", "missing", "none recognised", meaning)


def _compiler() -> Finding:
    from course_lib import native

    compiler = native.find_compiler("c++")
    if compiler:
        return Finding("C++ compiler", "ok", f"{' '.join(compiler.command)}: {compiler.version}")
    meaning = "Students: labs that compile C or CUDA sources for the CPU stop there. Run `pip install ziglang`."
    return Finding("C++ compiler", "missing", "no g++, clang++ or ziglang", meaning)


def _gpu() -> Finding:
    try:
        import torch
    except Exception as error:
        return Finding("GPU", "missing", _reason(error), "Not examined: that takes torch.")
    driver = machine.driver_version()
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return Finding("GPU", "ok", f"{', '.join(names)}, driver {driver or 'unknown'}, CUDA {torch.version.cuda}")
    if driver:
        detail = f"driver {driver}, but torch {torch.__version__} does not use it"
        meaning = "Labs run on the CPU. For a torch that uses the GPU: `rm -r .venv`, then `make lab TORCH_INDEX=`."
        return Finding("GPU", "missing", detail, meaning)
    meaning = "Every lab runs without one; what trains for minutes on a GPU (profile full) takes hours."
    return Finding("GPU", "missing", "no NVIDIA driver", meaning)


def _cupy() -> Finding:
    meaning = "CUDA sources cannot run on a GPU; the labs run them on the CPU. Run `pip install -e .[gpu]`."
    try:
        import cupy
        from cupy.cuda import nvrtc

        major, minor = nvrtc.getVersion()
    except Exception as error:  # absent, or libraries it loads are
        return Finding("CuPy", "missing", _reason(error), meaning)
    return Finding("CuPy", "ok", f"{cupy.__version__}, NVRTC {major}.{minor}")


def _sandbox() -> Finding:
    meaning = "Students: nothing. Staff: submissions cannot be graded safely. Install bubblewrap (Linux)."
    command = shutil.which("bwrap")
    if not command:
        return Finding("sandbox", "missing", "no bubblewrap", meaning)
    trial = machine.run(command, "--ro-bind", "/", "/", "--unshare-all", "--die-with-parent", "true")
    if trial.returncode:
        return Finding("sandbox", "missing", f"bubblewrap does not work: {trial.stderr.strip()}", meaning)
    return Finding("sandbox", "ok", f"{machine.run(command, '--version').stdout.strip()}, works")


def _grading() -> Finding:
    absent = [name for name in ("distributed", "cryptography") if not _version(name)]
    if absent:
        meaning = "Students: nothing. Staff: `course grade` needs it. Run `pip install -e .[staff] -c constraints.txt`."
        return Finding("grading", "missing", f"no {', '.join(absent)}", meaning)
    return Finding("grading", "ok", f"dask.distributed {_version('distributed')}")


def _chromium() -> Finding:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    command = next(filter(None, map(shutil.which, names)), None)
    if not command:
        meaning = "Students: nothing. Staff: tests that drive a browser are skipped. Install chromium."
        return Finding("Chromium", "missing", "not found", meaning)
    return Finding("Chromium", "ok", machine.run(command, "--version").stdout.strip() or command)


_LOOKS: tuple[Callable[[], Finding], ...] = (
    _python,
    _library("torch", "Every lab needs it."),
    _library("torchvision", "It reads CIFAR-10 and holds published models."),
    _library("scikit-learn", "It ships the digit scans.", module="sklearn"),
    _library("matplotlib", "It draws every figure."),
    _jupyter,
    _processor,
    _vector_units,
    _compiler,
    _gpu,
    _cupy,
    _sandbox,
    _grading,
    _chromium,
)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
