"""The ziglang wheel as the compiler, where there is no other."""

import ctypes
import importlib.util

import pytest

from course_lib import native

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="the ziglang wheel is not installed"),
    pytest.mark.slow,  # the first use builds parts of zig's own library
]


@pytest.fixture(autouse=True)
def only_zig(monkeypatch):
    monkeypatch.setenv("COURSE_COMPILER", "zig")


def test_c():
    assert native.find_compiler().family == "zig"
    library = native.compile_c("#include <math.h>\ndouble f(double x) { return exp(x); }")
    library.f.argtypes, library.f.restype = [ctypes.c_double], ctypes.c_double
    assert abs(library.f(1.0) - 2.718281828459045) < 1e-12


def test_errors():
    with pytest.raises(native.CompileError, match=r"source.c:2:\d+: error"):
        native.compile_c("int f(void)\n{ return x; }")
