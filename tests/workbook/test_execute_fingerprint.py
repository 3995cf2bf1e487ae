"""What a notebook's outcome rests on: every file that counts changes its fingerprint, and no other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_lib.workbook import source_notebooks
from course_lib.workbook.execute import fingerprint
from course_lib.workbook.execute.fingerprint import Fingerprints
from course_lib.workbook.execute.reach import Library
from course_lib.workbook.execute.settings import Settings
from course_lib.workbook.expand import expand

REPOSITORY = Path(__file__).resolve().parents[2]

FILES = {
    "__init__.py": """\
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from lib import unused
        def __getattr__(name):
            import importlib
            return importlib.import_module(f"lib.{name}")
        """,
    "errors.py": "",
    "unused.py": "",
    "kernels/__init__.py": "from .op import run",
    "kernels/op.py": "from lib import errors\nrun = 1",
    "kernels/fast.cu": "__global__",
    "kernels/include/deep/warp.cuh": "",
    "kernels/other/__init__.py": "",
    "kernels/other/slow.cu": "",
    "late/__init__.py": "def f():\n    import lib.late.inner",
    "late/inner.py": "",
    "families/__init__.py": "import importlib\nmodels = [importlib.import_module(f'lib.families.{n}') for n in 'ab']",
    "families/a.py": "",
    "families/b.py": "",
    "spawned.py": "import subprocess\nsubprocess.run(['python', '-m', 'lib.worker'])",
    "worker.py": "",
    "weights/net.bin": "",
}


@pytest.fixture
def library(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / "lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(line.removeprefix("        ") for line in text.splitlines()))
    return Library(tmp_path / "lib")


def reached(library, *cells):
    return {path.relative_to(library.folder).as_posix() for path in library.reached(cells)}


ROOT_FILES = {"__init__.py", "weights/net.bin"}
KERNELS = {"kernels/__init__.py", "kernels/op.py", "kernels/fast.cu", "kernels/include/deep/warp.cuh", "errors.py"}


class TestReach:
    @pytest.mark.parametrize(
        ("cell", "files"),
        [
            ("import numpy", set()),
            ("import lib", ROOT_FILES),
            ("from lib import errors", ROOT_FILES | {"errors.py"}),
            ("import lib\nlib.errors.fail()", ROOT_FILES | {"errors.py"}),
            ("from lib.kernels import run", ROOT_FILES | KERNELS),
            ("import lib.kernels as k", ROOT_FILES | KERNELS),
            (
                "from lib.kernels import other",
                ROOT_FILES | KERNELS | {"kernels/other/__init__.py", "kernels/other/slow.cu"},
            ),
            ("from lib import late", ROOT_FILES | {"late/__init__.py", "late/inner.py"}),
            ("from lib import families", ROOT_FILES | {"families/__init__.py", "families/a.py", "families/b.py"}),
            ("from lib import spawned", ROOT_FILES | {"spawned.py", "worker.py"}),
            ("%matplotlib inline\n!ls\nfrom lib import errors", ROOT_FILES | {"errors.py"}),
            ("from library import errors", set()),
        ],
    )
    def test_files(self, library, cell, files):
        assert reached(library, cell) == files

    def test_cells_add_up(self, library):
        assert reached(library, "from lib import errors", "from lib import worker") == ROOT_FILES | {
            "errors.py",
            "worker.py",
        }

    def test_what_is_no_python_may_reach_anything(self, library):
        everything = {name for name in FILES if name.endswith((".py", ".cu", ".cuh", ".bin"))}
        assert reached(library, "if:") == everything

    @pytest.mark.parametrize("name", ["1e_self_supervised", "2e_sparse_kernels"])
    def test_nothing_that_a_notebook_really_loads_is_missed(self, name):
        """The set-up cells are executed, and Python says what they loaded."""
        cells = [cell for cell in source_notebooks(REPOSITORY)[name].cells if cell.kind in ("parameters", "setup")]
        code = "\n".join(cell.source for cell in cells) + (
            "\nimport sys\nprint(*(m.__file__ for n, m in sys.modules.items() if n.partition('.')[0] == 'course_lib'))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True)
        loaded = {Path(path).resolve() for path in done.stdout.splitlines()[-1].split()}
        assert len(loaded) > 10
        assert loaded <= set(Library(REPOSITORY / "course_lib").reached(cell.source for cell in cells))


@pytest.fixture
def course(tmp_path, library):
    for name in ("text/1a/1.py", "text/1a/2.py", "marks/1a/quiz.toml", "text/1b/1.py", "constraints.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("as it was")
    return tmp_path


def notebook(*cells):
    return new_notebook(cells=[new_markdown_cell("# Title", id="t"), *cells])


CELL = new_code_cell("from lib.kernels import run", id="setup")


def fingerprint_of(course, cell=CELL, part="solution", **settings):
    prints = Fingerprints(course, Settings(**settings), course / "lib")
    return prints.of(part, notebook(cell), [course / "text/1a", course / "marks/1a"])


class TestFingerprint:
    @pytest.mark.parametrize(
        ("file", "counts"),
        [
            ("text/1a/1.py", True),
            ("text/1a/3.py", True),  # a new one
            ("marks/1a/quiz.toml", True),
            ("constraints.txt", True),
            ("lib/kernels/op.py", True),
            ("lib/kernels/fast.cu", True),
            ("lib/kernels/include/deep/warp.cuh", True),
            ("lib/errors.py", True),
            ("lib/weights/net.bin", True),
            ("lib/unused.py", False),
            ("lib/kernels/other/slow.cu", False),
            ("text/1b/1.py", False),
            ("text/1a/__pycache__/1.pyc", False),
            ("README.md", False),
        ],
    )
    def test_files_that_count(self, course, file, counts):
        before = fingerprint_of(course)
        (course / file).parent.mkdir(parents=True, exist_ok=True)
        (course / file).write_text("changed")
        if file.endswith("op.py"):
            (course / file).write_text("from lib import errors\nrun = 2")
        assert (fingerprint_of(course) != before) is counts

    @pytest.mark.parametrize("settings", [{"profile": "full"}, {"seed": 1}, {"device": "cpu"}])
    def test_parameters_count(self, course, settings):
        assert fingerprint_of(course) != fingerprint_of(course, **settings)

    @pytest.mark.parametrize("settings", [{"jobs": 7}, {"strict": True}, {"changed": True}])
    def test_how_it_is_run_does_not(self, course, settings):
        assert fingerprint_of(course) == fingerprint_of(course, **settings)

    def test_parts_and_cells_count(self, course):
        values = {
            fingerprint_of(course),
            fingerprint_of(course, part="graded"),
            fingerprint_of(course, cell=new_code_cell(CELL.source + " ", id="setup")),
            fingerprint_of(course, cell=new_code_cell(CELL.source, id="other")),
            fingerprint_of(course, cell=new_code_cell(CELL.source, id="setup", metadata={"tags": ["experiment"]})),
        }
        assert len(values) == 5

    def test_installed_versions_count(self, course, monkeypatch):
        before = fingerprint_of(course)
        monkeypatch.setattr(fingerprint, "installed_versions", lambda: {"torch": "1.0"})
        assert fingerprint_of(course) != before

    def test_a_removed_file_counts(self, course):
        before = fingerprint_of(course)
        (course / "text/1a/2.py").unlink()
        assert fingerprint_of(course) != before


def test_a_notebook_of_this_course_has_one_that_holds():
    """The same notebook, read and built twice."""
    values = set()
    for _ in range(2):
        source = source_notebooks(REPOSITORY)["1a_neural_networks"]
        built = nbformat.reads(nbformat.writes(expand(source)), as_version=4)
        prints = Fingerprints(REPOSITORY, Settings(), REPOSITORY / "course_lib")
        values.add(prints.of("solution", built, [source.folder, source.marking]))
    assert len(values) == 1
