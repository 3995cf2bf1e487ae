"""Sources as text: comments, brackets, includes, and what they declare."""

import pytest

from course_lib.cuda.reading.kernel_text import KernelText
from course_lib.cuda.reading.source import Source, read_source
from course_lib.cuda.reading.source_text import blank_comments, closing, split_top
from course_lib.errors import CourseError


def source(text):
    return Source(text, "k.cu")


def test_comments_and_literals_become_spaces_of_the_same_length():
    text = "a /* { \n } */ b // c {\n\"d // e\" 'f' 1'000'000 '\\'' g"
    blanked = blank_comments(text)
    assert len(blanked) == len(text)
    assert blanked.count("\n") == text.count("\n")
    assert "{" not in blanked
    assert "1'000'000" in blanked
    assert blanked.split()[0] == "a"
    assert blanked.endswith("g")
    assert "e" not in blanked


def test_brackets_and_commas():
    assert closing("f(a(b)[c], {d})x", 1) == 14
    assert closing("f(a", 1) == -1
    assert split_top("std::pair<int, float> a, f(b, c), {d, e}, g") == [
        "std::pair<int, float> a",
        "f(b, c)",
        "{d, e}",
        "g",
    ]


def test_includes_come_in_place_and_keep_their_own_lines(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "deep.cuh").write_text("#pragma once\n#define DEEP 1\n")
    (tmp_path / "a.cuh").write_text('#pragma once\n#include "inner/deep.cuh"\n__device__ int f();\n')
    (tmp_path / "k.cu").write_text(
        '#include "a.cuh"\n#include "a.cuh"\n#include "inner/deep.cuh"\n#include "mma.cuh"\n#include <x.h>\nlast\n'
    )
    source = read_source(str(tmp_path / "k.cu"), "k")
    assert source.text.count("#define DEEP") == 1
    assert source.text.count("int f()") == 1
    assert '#include "mma.cuh"' in source.text  # the project's own wrappers stay with the compiler
    place, number, seen = source.file, 1, {}
    for line in source.text.splitlines():
        if line.startswith("#line"):
            number, place = int(line.split()[1]), line.split('"')[1]
        else:
            seen[line] = (place.rpartition("/")[2], number)
            number += 1
    assert seen["__device__ int f();"] == ("a.cuh", 3)
    assert seen["#define DEEP 1"] == ("deep.cuh", 2)
    assert seen["last"] == ("k.cu", 6)


def test_a_source_that_is_not_there(tmp_path):
    with pytest.raises(CourseError, match="no CUDA source at"):
        read_source(tmp_path / "none.cu", "k")


def test_the_name_of_dynamic_shared_memory():
    assert source("extern __shared__ float tile[];").dynamic_name == "tile"
    assert source("extern __shared__ __align__(16) unsigned char raw[ ];").dynamic_name == "raw"
    assert source("extern __shared__ float a[]; extern __shared__ float b[];").dynamic_name == "dynamic shared memory"
    assert source("__shared__ float a[4];").dynamic_name == "dynamic shared memory"


def test_device_variables():
    text = """
    __constant__ float a[3] = {1, 2, 3}, b;
    __device__ unsigned int c = 0;
    __device__ float f(float x) { __shared__ float no; static __device__ int inside; return x; }
    namespace one { namespace { __device__ int hidden; } __constant__ const int d[2][2] = {{1, 2}, {3, 4}}; }
    extern "C" { __device__ __align__(8) double e; }
    extern __device__ int elsewhere;
    #define M __device__ int macro;
    // __device__ int comment;
    __device__ int declared(int);
    template <typename T> __device__ T generic;
    struct S { __device__ int method() { return 1; } };
    __device__ int g;
    """
    assert source(text).variable_names == ("a", "b", "c", "one::hidden", "one::d", "e", "g")
    assert [each.is_const for each in source(text).variables] == [False, False, False, True, False, False]


def test_who_waits():
    text = """
    #define SYNC() __syncthreads()
    __device__ float warp_sum(float v) { return v + __shfl_xor_sync(~0u, v, 1); }
    __device__ float twice(float v) { return 2 * v; }
    __device__ float both(float v) { if (v > 0) { v = warp_sum(v); } return v; }
    __global__ void plain(float* x) { for (int i = 0; i < 3; ++i) x[i] = twice(x[i]); /* __syncthreads(); */ }
    __global__ void direct(float* x) { __syncthreads(); }
    __global__ void through_a_function(float* x) { x[0] = both(x[0]); }
    __global__ void through_a_macro(float* x) { SYNC(); }
    template <int n> __global__ void group(float* x) { tile.sync(); }
    """
    names = ("plain", "direct", "through_a_function", "through_a_macro", "group")
    waits = {name: KernelText(source(text), name).may_wait for name in names}
    assert waits == {"plain": False, "direct": True, "through_a_function": True, "through_a_macro": True, "group": True}
    assert not KernelText(source("__global__ void k(float* x) { x[0] = 1; }"), "k").may_wait
