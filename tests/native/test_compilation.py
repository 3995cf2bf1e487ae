"""Compiling, loading, and the cache of compiled files."""

import ctypes
import multiprocessing
import os
import subprocess
import sys

import pytest

from course_lib import native
from course_lib.native import compilation
from course_lib.native.cache import cached, digest

pytestmark = pytest.mark.skipif(native.find_compiler("c++") is None, reason="no C++ compiler")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def commands(monkeypatch):
    """The compiler's command lines, as they are run."""
    ran = []
    really = compilation._run
    monkeypatch.setattr(compilation, "_run", lambda command, folder: ran.append(command) or really(command, folder))
    return ran


def test_c():
    library = native.compile_c(
        "#include <math.h>\nfloat root(float x) { return sqrtf(x); }\nint twice(int x) { return 2 * x; }"
    )
    library.root.argtypes, library.root.restype = [ctypes.c_float], ctypes.c_float
    assert library.root(2.25) == 1.5
    assert library.twice(21) == 42


def test_cpp_with_its_library():
    library = native.compile_cpp(
        '#include <algorithm>\n#include <vector>\nextern "C" int most(int n) { std::vector<int> v(n); '
        "for (int i = 0; i < n; ++i) v[i] = i * 7 % n; return *std::max_element(v.begin(), v.end()); }"
    )
    assert library.most(10) == 9


def test_flags():
    assert native.compile_c("int f(void) { return VALUE; }", flags=("-DVALUE=5",)).f() == 5
    assert native.compile_c("int f(void) { return VALUE; }", flags=("-DVALUE=6", "-O3", "-march=native")).f() == 6


def test_a_file_with_its_headers(tmp_path):
    (tmp_path / "value.h").write_text("#define VALUE 3\n")
    (tmp_path / "f.c").write_text('#include "value.h"\nint f(void) { return VALUE; }\n')
    assert native.compile_c(tmp_path / "f.c").f() == 3
    (tmp_path / "value.h").write_text("#define VALUE 4\n")
    assert native.compile_c(tmp_path / "f.c").f() == 4


def test_errors_have_the_source_line_numbers(tmp_path):
    with pytest.raises(native.CompileError) as error:
        native.compile_c("int f(int x)\n{\n    return y;\n}\n")
    assert "source.c:3:12: error:" in str(error.value)
    assert "/cache/" not in str(error.value)
    (tmp_path / "named.cpp").write_text("\n\nint f() { return 1 }\n")
    with pytest.raises(native.CompileError, match=r"named.cpp:3:\d+: error"):
        native.compile_cpp(tmp_path / "named.cpp")


def test_many_errors_are_cut():
    with pytest.raises(native.CompileError) as error:
        native.compile_c("".join(f"int f{k}(void) {{ return a{k}; }}\n" for k in range(60)))
    assert len(str(error.value).splitlines()) <= 41
    assert "more lines" in str(error.value)
    assert len(error.value.log.splitlines()) > 60


def test_the_same_source_is_compiled_once(commands, cache):
    source = "int f(void) { return 1; }"
    native.compile_c(source)
    first = len(commands)
    native.compile_c(source)
    assert len(commands) == first
    native.compile_c(source, flags=("-O3",))
    native.compile_c(source + "\n")
    native.compile_cpp('extern "C" ' + source)
    assert len(commands) == 4 * first
    assert len(list(cache.glob("*.so"))) == 4
    assert not list(cache.glob("build-*"))


def test_a_failed_compilation_leaves_nothing(cache):
    with pytest.raises(native.CompileError):
        native.compile_c("int f(void) { return ")
    assert not list(cache.iterdir())


def compile_and_call(number):
    return native.compile_c("int f(void) { return 77; }").f() + number


def test_processes_at_the_same_time(cache):
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert pool.map(compile_and_call, range(8)) == [77 + k for k in range(8)]
    assert len(list(cache.glob("*.so"))) == 1


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "mine"))
    assert native.cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("COURSE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert native.cache_folder() == tmp_path / "xdg" / "small-fast-networks"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert native.cache_folder() == tmp_path / "home" / ".cache" / "small-fast-networks"


def test_a_folder_that_cannot_be_written_is_replaced(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "file" / "inside"))
    assert native.compile_c("int f(void) { return 8; }").f() == 8


def test_digests_tell_lists_of_parts_apart():
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("ab") != digest("ab", "")
    assert digest("ab", b"c") == digest(b"ab", "c")


def test_a_file_appears_whole_or_not_at_all(cache):
    def fail(folder):
        (folder / "half").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached("name", fail)
    assert not list(cache.iterdir())


def test_objects_and_programs(tmp_path):
    part = native.build("int part(void) { return 40; }", "c", links=("-c",), suffix=".o", name="part")
    program = native.build(
        "int part(void); int main(void) { return part() + 2; }", "c", links=(), objects=(part,), suffix="", name="whole"
    )
    assert subprocess.run([program]).returncode == 42


def test_importing_is_quick_and_needs_no_torch():
    code = "import sys; from course_lib import native; sys.exit('torch' in sys.modules or 'cupy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": "."}).returncode == 0
