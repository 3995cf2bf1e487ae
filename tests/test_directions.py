"""Data flows one way, course_lib <- notebooks <- autograders, and importing the library stays cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = sorted((ROOT / "course_lib").rglob("*.py"))


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def offenders(folder, *forbidden):
    return [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in LIBRARY
        if path.is_relative_to(ROOT / "course_lib" / folder)
        for module in imported_modules(path)
        if any(module == name or module.startswith(f"{name}.") for name in forbidden)
    ]


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("", ("autograders", "solutions", "labs", "tests")),
        ("cuda", ("course_lib.sparse", "course_lib.quantized", "course_lib.models", "course_lib.workbook")),
        ("models", ("course_lib.cuda", "course_lib.sparse", "course_lib.quantized", "course_lib.training")),
        ("data", ("course_lib.models", "course_lib.training", "course_lib.workbook")),
        ("measure", ("course_lib.models", "course_lib.training", "course_lib.workbook")),
        ("native", ("course_lib.cuda", "course_lib.workbook")),
        ("handin", ("course_lib.workbook", "course_lib.cuda", "course_lib.models", "nbformat", "numpy", "torch")),
    ],
)
def test_directions(folder, forbidden):
    assert offenders(folder, *forbidden) == []


def test_notebooks_import_no_grader():
    for path in (ROOT / "solutions").rglob("*.py"):
        assert "autograders" not in path.read_text(encoding="utf-8")


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_import_loads_none_of_the_heavy_libraries():
    heavy = "('torch', 'cupy', 'matplotlib', 'IPython', 'sklearn', 'torchvision', 'ipywidgets')"
    code = f"import sys, course_lib; print([name for name in {heavy} if name in sys.modules])"
    assert run_python(code).strip() == "[]"


def test_import_costs_a_fraction_of_importing_torch():
    code = """
import time
start = time.perf_counter(); import course_lib
ours = time.perf_counter() - start
start = time.perf_counter(); import torch
print(ours / (time.perf_counter() - start))
"""
    assert float(run_python(code)) < 0.3
