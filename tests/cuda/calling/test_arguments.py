"""What a kernel accepts, and what it says to the rest."""

import ctypes

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.cuda.calling.arguments import Binder
from course_lib.cuda.calling.errors import ArgumentError
from course_lib.cuda.reading.kernel_text import read_kernel

torch = pytest.importorskip("torch")


def bound(declaration, *arguments):
    return Binder(read_kernel(f"__global__ void k({declaration})", "k").signature)(arguments)


def refusal(declaration, *arguments):
    with pytest.raises(ArgumentError) as error:
        bound(declaration, *arguments)
    return str(error.value)


def test_the_number_of_arguments():
    message = refusal("float* x, int n", np.zeros(3, np.float32))
    assert "k takes 2 arguments, 1 arrived" in message
    assert "k(float* x, int n)" in message
    assert "a float32 numpy array of shape (3,)" in message


def test_one_argument_without_a_tuple():
    with pytest.raises(ArgumentError, match=r"written \(x,\)"):
        Binder(read_kernel("__global__ void k(float* x)", "k").signature)(np.zeros(3, np.float32))


@pytest.mark.parametrize(
    ("declaration", "value", "said"),
    [
        (
            "float* x",
            np.zeros(2),
            "a float64 numpy array of shape (2,) arrived. It points to float; pass an array of dtype float32",
        ),
        ("float* x", torch.zeros(2, 3, dtype=torch.half), "a float16 tensor of shape (2, 3) arrived"),
        ("const half* x", np.zeros(2, np.float32), "dtype float16"),
        ("int* x", torch.zeros(2), "dtype int32 or uint32"),
        ("float* x", 3.0, "3.0 (float) arrived. A pointer takes a tensor or an array"),
        ("float* x", [1.0, 2.0], "a list arrived"),
        ("int n", 2.5, "2.5 (float) arrived. Pass a whole number"),
        ("int n", np.zeros(2, np.int32), "Pass a number"),
        ("int n", torch.tensor(3), "Pass a number: value.item()"),
        ("int n", 2**31, "int holds -2147483648 to 2147483647"),
        ("unsigned n", -1, "unsigned int holds 0 to 4294967295"),
        ("bool b", 2, "bool holds 0 to 1"),
        ("float a", "1", "'1' (str) arrived"),
        ("float a", None, "None arrived"),
        ("Shape s", 3, "Pass its bytes"),
    ],
)
def test_mismatches_say_what_arrived_and_what_is_declared(declaration, value, said):
    message = refusal(declaration, value)
    assert message.startswith(f"argument 1 of k is declared `{declaration}`, but ")
    assert said in message


@pytest.mark.parametrize(
    ("declaration", "value"),
    [
        ("float* x", np.zeros((2, 3), np.float32)),
        ("float4* x", torch.zeros(8)),
        ("float2* x", np.zeros(2, np.complex64)),
        ("uint4* x", torch.zeros(8, dtype=torch.half)),
        ("half2* x", torch.zeros(8, dtype=torch.half)),
        ("__nv_bfloat16* x", torch.zeros(8, dtype=torch.bfloat16)),
        ("unsigned* x", torch.zeros(2, dtype=torch.int32)),
        ("unsigned char* x", torch.zeros(2, dtype=torch.bool)),
        ("signed char* x", np.zeros(2, np.int8)),
        ("long long* x", torch.zeros(2, dtype=torch.int64)),
        ("void* x", np.zeros(2, np.float64)),
        ("float* x", None),
        ("int n", np.int64(3)),
        ("int n", True),
        ("float a", 3),
        ("float a", np.float64(0.1)),
    ],
)
def test_what_fits(declaration, value):
    assert len(bound(declaration, value)) == 1


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_arrive_as_they_are(value):
    assert int.from_bytes(bound("long long n", value)[0].data, "little", signed=True) == value
    low = value & 0xFFFF
    assert int.from_bytes(bound("unsigned short n", low)[0].data, "little") == low


@given(st.floats(width=32))
def test_floats_arrive_rounded_as_numpy_rounds(value):
    assert bound("float a", value)[0].data == np.float32(value).tobytes()
    assert bound("double a", value)[0].data == np.float64(value).tobytes()
    with np.errstate(over="ignore"):
        assert bound("half a", value)[0].data == np.float16(value).tobytes()


@given(st.floats(width=32, allow_nan=False))
def test_bfloat16_scalars_round_as_torch_does(value):
    wanted = torch.tensor([value], dtype=torch.float32).bfloat16().view(torch.int16).numpy().tobytes()
    assert bound("nv_bfloat16 a", value)[0].data == wanted


def test_a_view_passes_its_first_element_and_its_reach():
    base = np.arange(100, dtype=np.float32)
    (argument,) = bound("float* x", base[10:50:2])
    assert argument.array.address == base.ctypes.data + 40
    assert argument.array.bytes == (19 * 2 + 1) * 4
    tensor = torch.arange(12.0).reshape(3, 4).t()
    assert bound("float* x", tensor)[0].array.bytes == 48
    assert bound("float* x", tensor[:0])[0].array.bytes == 0


def test_arrays_that_have_no_plain_memory():
    with pytest.raises(ArgumentError, match="negative stride"):
        bound("float* x", np.zeros(4, np.float32)[::-1])
    with pytest.raises(ArgumentError, match="dense tensors"):
        bound("float* x", torch.eye(3).to_sparse())
    with pytest.raises(ArgumentError, match="not on meta"):
        bound("float* x", torch.zeros(3, device="meta"))


def test_structures_pass_as_bytes():
    class Pair(ctypes.Structure):
        _fields_ = (("a", ctypes.c_int), ("b", ctypes.c_float))

    assert bound("Pair p", Pair(1, 2.0))[0].data == bytes(Pair(1, 2.0))
    assert bound("Pair p", np.array((1, 2.0), "i4,f4")[()])[0].data == bytes(Pair(1, 2.0))
    assert "takes 16 bytes, 4 arrived" in refusal("float4 v", b"abcd")
