"""Finding a compiler, and saying so when there is none."""

import stat

import pytest

from course_lib import native
from course_lib.native import compiler


@pytest.fixture
def empty_path(tmp_path, monkeypatch):
    """A PATH with nothing in it, and no ziglang wheel."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("COURSE_COMPILER", raising=False)
    monkeypatch.setattr(compiler, "_zig", lambda: ())
    compiler._find.cache_clear()
    yield tmp_path
    compiler._find.cache_clear()


def pretend(folder, name, says, works):
    script = folder / name
    script.write_text(f'#!/bin/sh\ncase "$*" in *--version*) echo "{says}";; *) exit {0 if works else 1};; esac\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script


def test_no_compiler_is_one_clear_sentence(empty_path):
    assert native.find_compiler() is None
    assert native.find_compiler("c++") is None
    with pytest.raises(native.NoCompiler) as error:
        native.compile_c("int f(void) { return 1; }")
    assert str(error.value).startswith("No C compiler was found: install g++ or clang")
    assert "pip install ziglang" in str(error.value)


def test_a_compiler_that_does_not_work_is_passed_over(empty_path):
    pretend(empty_path, "g++", "g++ (Broken) 12.2.0", works=False)
    good = pretend(empty_path, "clang++", "Debian clang version 14.0.6", works=True)
    found = native.find_compiler("c++")
    assert (found.command, found.family, found.major) == ((str(good),), "clang", 14)


def test_gcc_comes_before_clang(empty_path):
    pretend(empty_path, "clang++", "clang version 17.0.1", works=True)
    pretend(empty_path, "g++", "g++ (GCC) 13.1.0", works=True)
    assert native.find_compiler().family == "gcc"
    assert native.find_compiler().major == 13


def test_the_environment_chooses(empty_path, monkeypatch):
    pretend(empty_path, "g++", "g++ (GCC) 13.1.0", works=True)
    mine = pretend(empty_path, "mine", "clang version 18.1.0", works=True)
    monkeypatch.setenv("COURSE_COMPILER", f"{mine} -fcolor-diagnostics")
    assert native.find_compiler().command == (str(mine), "-fcolor-diagnostics")
    monkeypatch.setenv("COURSE_COMPILER", str(empty_path / "absent"))
    assert native.find_compiler() is None


def test_languages():
    with pytest.raises(ValueError, match='"c" or "c\\+\\+"'):
        native.find_compiler("fortran")


@pytest.mark.skipif(native.find_compiler("c++") is None, reason="no compiler")
def test_the_compiler_of_this_computer():
    found = native.find_compiler("c++")
    assert found.family in ("gcc", "clang", "zig")
    assert found.version
    assert found.driver("c++")[0]
