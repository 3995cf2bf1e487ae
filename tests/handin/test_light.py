"""The room is opened on every student's machine: it needs little."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import course_lib.handin


def test_it_loads_neither_torch_nor_jupyter_nor_the_sources():
    rooms = [f"course_lib.handin.{room.name}" for room in pkgutil.iter_modules(course_lib.handin.__path__)]
    heavy = ("torch", "numpy", "nbformat", "nbgrader", "jsonschema", "IPython", "matplotlib", "course_lib.workbook")
    code = f"import sys, {', '.join(rooms)}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert len(rooms) > 8 and done.stdout.strip() == "[]"
