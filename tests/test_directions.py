"""Data flows one way, course_lib <- notebooks <- autograders, and importing the library stays cheap."""

from __future__ import annotations

import ast
import graphlib
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from course_lib.course_root import places

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
        (
            "cuda",
            (
                "course_lib.operation",
                "course_lib.sparse",
                "course_lib.quantized",
                "course_lib.models",
                "course_lib.workbook",
            ),
        ),
        ("models", ("course_lib.cuda", "course_lib.sparse", "course_lib.quantized", "course_lib.training")),
        ("operation", ("course_lib.sparse", "course_lib.quantized", "course_lib.models", "course_lib.workbook")),
        ("data", ("course_lib.models", "course_lib.training", "course_lib.workbook")),
        ("measure", ("course_lib.models", "course_lib.training", "course_lib.workbook")),
        ("native", ("course_lib.cuda", "course_lib.workbook")),
        ("handin", ("course_lib.workbook", "course_lib.cuda", "course_lib.models", "nbformat", "numpy", "torch")),
    ],
)
def test_directions(folder, forbidden):
    assert offenders(folder, *forbidden) == []


# what each room of course_lib/cuda may know; the files beside the rooms (kernel.py, launch.py ...) know all of them
CUDA_ROOMS = {
    "reading": set(),
    "calling": {"reading"},
    "runner": {"reading", "calling"},
    "gpu": {"reading", "calling"},
    "watching": {"reading", "calling", "runner", "gpu"},
}


@pytest.mark.parametrize("room", CUDA_ROOMS)
def test_rooms_of_cuda(room):
    inside = ROOT / "course_lib" / "cuda"
    assert {path.name for path in inside.iterdir() if (path / "__init__.py").exists()} == set(CUDA_ROOMS)
    allowed = tuple(f"course_lib.cuda.{name}" for name in {room} | CUDA_ROOMS[room])
    above = [
        f"{path.name} imports {module}"
        for path in (inside / room).rglob("*.py")
        for module in imported_modules(path)
        if module.startswith("course_lib.cuda") and not module.startswith(allowed)
    ]
    assert above == []


def import_graph(root, package):
    """Module: modules of the package that it imports, wherever the import stands: at the top, in a function, for types.

    An import that a function puts off, or that only annotations need, still ties two files together for who reads them.
    """
    files = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for path in (root / package).rglob("*.py")
    }
    return {name: imported_from(path, files) - {name} for name, path in files.items()}


def imported_from(path, files):
    """`from course_lib import cuda` imports course_lib.cuda; `from course_lib import record` what __init__ defines."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            found.update(name if name in files else node.module for name in submodules)
    return found & set(files)


def circle(graph):
    """Modules that import each other in a ring, or []."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def test_no_import_circle():
    assert circle(import_graph(ROOT, "course_lib")) == []


def test_a_circle_is_found(tmp_path):
    package = tmp_path / "package"
    (package / "room").mkdir(parents=True)
    (package / "__init__.py").write_text("from package.a import f")
    (package / "room" / "__init__.py").write_text("from package.room.c import g")
    (package / "a.py").write_text("from package import room\ndef f(): return room.g")
    (package / "room" / "c.py").write_text("import package.b")
    (package / "b.py").write_text("def later():\n    from package.room.d import h")
    (package / "room" / "d.py").write_text("")
    assert circle(import_graph(tmp_path, "package")) == []
    (package / "room" / "d.py").write_text("from package import a")
    assert set(circle(import_graph(tmp_path, "package"))) == {
        f"package.{x}" for x in ("a", "b", "room", "room.c", "room.d")
    }


TREES = places(ROOT).text.name, places(ROOT).marking.name


def naming(folder, *words):
    """Lines of Python files that name a folder: the word as a module, a path, or a string of its own."""
    named = re.compile(rf"""\b({"|".join(words)})(/|\.\w)|["'](?:{"|".join(words)})["']""")
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if named.search(line)
    ]


def test_notebooks_name_no_grader():
    assert naming(TREES[0], TREES[1]) == []


def test_the_library_names_neither_the_text_nor_the_graders():
    assert naming("course_lib", *TREES) == []


def test_naming_finds_what_it_should():
    """The graders' own files name both: the search above can fail."""
    assert any("autograders/authoring/course_maker.py" in line for line in naming("autograders", TREES[0]))
    assert any("import" in line for line in naming("autograders", TREES[1]))


def test_notebooks_import_public_names_alone():
    line = re.compile(r"^from (course_lib[\w.]*) import (.+)$", re.MULTILINE)
    imports = [found for path in (ROOT / "solutions").rglob("*.py") for found in line.findall(path.read_text("utf-8"))]
    assert len(imports) > 5
    for module, names in imports:
        public = importlib.import_module(module).__all__
        assert {name.split(" as ")[0].strip() for name in names.split(",")} <= {*public}, f"{module}: {names}"


def test_every_public_name_of_cuda_is_there():
    for name in importlib.import_module("course_lib.cuda").__all__:
        assert getattr(importlib.import_module("course_lib.cuda"), name) is not None


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_import_loads_none_of_the_heavy_libraries():
    heavy = "('torch', 'cupy', 'matplotlib', 'IPython', 'sklearn', 'torchvision', 'ipywidgets')"
    code = f"import sys, course_lib; print([name for name in {heavy} if name in sys.modules])"
    assert run_python(code).strip() == "[]"


def test_import_costs_a_fraction_of_importing_torch():
    code = """
from time import process_time  # what other programs do meanwhile does not count
start = process_time(); import course_lib
ours = process_time() - start
start = process_time(); import torch
print(ours / (process_time() - start))
"""
    assert float(run_python(code)) < 0.3
