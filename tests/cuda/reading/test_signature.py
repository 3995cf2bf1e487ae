"""Kernels' declarations, read from text."""

import pytest

from course_lib.cuda.reading.kernel_text import read_kernel
from course_lib.cuda.reading.signature import NoSuchKernel
from course_lib.cuda.reading.source import read_source


def parse(text, name, options=()):
    return read_kernel(text, name, options).signature


def types(text, name, **options):
    return [(p.name, p.type.kind, p.type.name, p.type.bytes) for p in parse(text, name, **options).parameters]


def test_scalars_and_pointers():
    text = """extern "C" __global__ void __launch_bounds__(256, 2) k(const float* __restrict__ a, unsigned long long n,
        double* const b, bool c, long unsigned int d, const unsigned char e[], float** f, void *g, size_t h,
        int8_t *i)"""
    assert types(text, "k") == [
        ("a", "pointer", "float", 8),
        ("n", "integer", "unsigned long long", 8),
        ("b", "pointer", "double", 8),
        ("c", "integer", "bool", 1),
        ("d", "integer", "unsigned long", 8),
        ("e", "pointer", "unsigned char", 8),
        ("f", "pointer", "", 8),
        ("g", "pointer", "void", 8),
        ("h", "integer", "unsigned long", 8),
        ("i", "pointer", "signed char", 8),
    ]


def test_small_floats_and_vectors():
    text = "__global__ void k(half a, const __half2* b, nv_bfloat16 *c, float4 *d, float4 e, uchar4* f)"
    parameters = parse(text, "k").parameters
    assert [(p.type.kind, p.type.name, p.type.lanes) for p in parameters] == [
        ("float", "half", 1),
        ("pointer", "half", 2),
        ("pointer", "bfloat16", 1),
        ("pointer", "float", 4),
        ("other", "", 1),
        ("pointer", "unsigned char", 4),
    ]
    assert parameters[4].type.bytes == 16


@pytest.mark.parametrize(
    "declaration",
    [
        "__global__ void k(int n)",
        "void __global__ k(int n)",
        "static __global__ void k ( int n )",
        "__global__ static inline void k(int n)",
        "__global__ __launch_bounds__(32 * (1 + 1)) void k(int n)",
        "namespace a { namespace b { __global__ void k(int n) } }",
        "__global__ void\n__launch_bounds__(256)\nk(\n  int n // how many\n)",
        "/* __global__ void k(float x) */ __global__ void k(int n)",
        'const char* s = "__global__ void k(float x)";\n__global__ void k(int n)',
        "__global__ __attribute__((used)) void k(const int n = 3)",
        "#define DECLARE(name, T) __global__ void name(T n)\nDECLARE(k, int)",
        "#define DECLARE(suffix, T) \\\n  __global__ void k##suffix(T n)\nDECLARE(, int) {}\nDECLARE(_float, float) {}",
    ],
)
def test_places_where_a_declaration_may_stand(declaration):
    assert types(declaration + " {}", "k") == [("n", "integer", "int", 4)]


def test_names_that_stand_for_types():
    text = """
    typedef unsigned int uint_t;
    using real = float;
    #define index_t long long
    typedef float* vector;
    template <typename T, class Index = int, int tile = 16>
    __global__ void k(T* a, Index n, real b, uint_t c, index_t d, vector e) {}
    """
    expected = [("integer", "unsigned int"), ("integer", "long long"), ("pointer", "float")]
    for name, first, second in (("k<double>", "double", "int"), ("k<half, long>", "half", "long")):
        found = [(kind, type_name) for _, kind, type_name, _ in types(text, name)]
        assert found == [("pointer", first), ("integer", second), ("float", "float"), *expected]


def test_a_type_given_by_an_option():
    assert types("__global__ void k(DTYPE* x)", "k", options=["-DDTYPE=__half"])[0][2] == "half"


def test_parameters_without_a_name():
    assert [p.type.kind for p in parse("__global__ void k(float*, unsigned int, const int)", "k").parameters] == [
        "pointer",
        "integer",
        "integer",
    ]
    assert parse("__global__ void k(void)", "k").parameters == ()
    assert parse("__global__ void k()", "k").parameters == ()


def test_structs_are_passed_as_bytes():
    text = "struct Shape { int n; };\n__global__ void k(Shape s, struct Shape t, Pair<int, 3> u)"
    assert [p.type.kind for p in parse(text, "k").parameters] == ["other"] * 3
    assert [p.name for p in parse(text, "k").parameters] == ["s", "t", "u"]


def test_a_kernel_that_is_not_there():
    text = "__global__ void first(int n) {}\n__global__ void second() {}\n__device__ void third() {}"
    assert [kernel.name for kernel in read_source(text, "k").kernels] == ["first", "second"]
    with pytest.raises(NoSuchKernel, match="no __global__ function named 'third'; it declares: first, second"):
        parse(text, "third")
    with pytest.raises(NoSuchKernel, match="does not close"):
        parse(text, "first<int")
