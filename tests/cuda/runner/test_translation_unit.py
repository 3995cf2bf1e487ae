"""The rewriting of CUDA C++ that the host compiler needs."""

import pytest

from course_lib.cuda.reading.source import Source
from course_lib.cuda.runner.translation_unit import rewritten


def source(text):
    return Source(text, "k.cu")


@pytest.mark.parametrize(
    ("declaration", "written"),
    [
        ("__shared__ float a[4];", "typedef float a_type[4]; COURSE_SHARED(a_type, a);"),
        ("extern __shared__ float s[];", "typedef float s_type[]; COURSE_DYNAMIC_SHARED(s_type, s);"),
        ("static __shared__ volatile int n;", "typedef volatile int n_type; COURSE_SHARED(n_type, n);"),
        (
            "__shared__ T a[N][N + 1], *p;",
            "typedef T a_type[N][N + 1], *p_type; COURSE_SHARED(a_type, a); COURSE_SHARED(p_type, p);",
        ),
        ("__shared__ alignas(16) half x[2];", "typedef __align__(16) half x_type[2]; COURSE_SHARED(x_type, x);"),
        ("__shared__ Foo<int, 3>::T x;", "typedef Foo<int, 3>::T x_type; COURSE_SHARED(x_type, x);"),
    ],
)
def test_shared_declarations(declaration, written):
    assert rewritten(source(f"{{ {declaration} }}")).split() == f"{{ {written} }}".split()


def test_rewriting_keeps_line_numbers():
    text = "void f() {\n  __shared__ float\n    a[4],\n    b;\n  int after;\n}\n"
    assert rewritten(source(text)).count("\n") == text.count("\n")
    assert rewritten(source(text)).splitlines()[4].strip() == "int after;"


def test_what_is_no_declaration_stays():
    for text in ("// __shared__ float a[4];\n", '"__shared__ int x;"', "#define S __shared__ float s[4];\n"):
        assert rewritten(source(text)) == text


def test_device_variables():
    text = """
    __constant__ float a[3] = {1, 2, 3}, b;
    __device__ unsigned int c = 0;
    __device__ float f(float x) { __shared__ float no; return x; }
    namespace one { namespace { __device__ int hidden; } __constant__ const int d[2][2] = {{1, 2}, {3, 4}}; }
    extern "C" { __device__ __align__(8) double e; }
    __device__ int g;
    """
    marked = rewritten(source(text.replace("__shared__ float no;", "")))
    assert marked.count("COURSE_VARIABLE") == 5
    assert marked.count("COURSE_CONSTANT") == 1
    assert "__constant__ COURSE_CONSTANT  const int d" in marked
    without = marked.replace(" COURSE_VARIABLE ", "").replace(" COURSE_CONSTANT ", "")
    assert without == text.replace("__shared__ float no;", "")
    # both kinds of edits in one text, each where it belongs
    both = rewritten(source(text))
    assert both == marked.replace("(float x) { ", "(float x) { typedef float no_type; COURSE_SHARED(no_type, no);")
