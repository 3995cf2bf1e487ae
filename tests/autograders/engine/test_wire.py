"""The wire format: what goes in comes out exactly, and bytes from a stranger raise one kind of exception alone."""

from __future__ import annotations

import contextlib
import json
import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autograders.engine.isolation.inside import student_process as inside
from autograders.engine.isolation.inside import wire
from autograders.engine.isolation.limits import Limits
from tests.examples import examples

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


@examples(200)
@given(PLAIN)
def test_plain_values_come_back_equal_and_of_their_type(value):
    back = wire.loads(wire.dumps(value))
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("name", wire.DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0, 2), (2, 3, 5)])
def test_tensors_come_back_bit_for_bit(name, shape):
    dtype = getattr(torch, name)
    count = int(torch.Size(shape).numel())
    tensor = torch.randint(0, 2, (count,)).to(dtype).reshape(shape)
    back = wire.loads(wire.dumps({"x": [tensor]}))["x"][0]
    assert back.dtype == dtype and back.shape == tensor.shape and torch.equal(back, tensor)


@pytest.mark.parametrize("name", [name for name in wire.DTYPES if name != "bfloat16"])
def test_arrays_come_back_bit_for_bit(name):
    array = np.arange(12).reshape(3, 4).astype(name)
    for given_array in (array, array.T, array[::2, ::-1], np.asfortranarray(array)):
        back = wire.loads(wire.dumps(given_array))
        assert back.dtype == array.dtype and np.array_equal(back, given_array)


def test_tensors_that_are_views_conjugates_or_leaves_are_sent_as_their_values():
    x = torch.arange(12.0, requires_grad=True).reshape(3, 4)
    for tensor in (x.T, x[:, ::2], x.expand(2, 3, 4), torch.complex(x, x).conj()):
        assert torch.equal(wire.loads(wire.dumps(tensor)), tensor.detach())


def test_special_values_sets_dtypes_and_seeds():
    value = wire.loads(wire.dumps([float("nan"), float("inf"), {1, 2}, torch.int8, wire.Seeded(5)]))
    assert value[0] != value[0] and value[1] == float("inf") and value[2] == {1, 2} and value[3] is torch.int8
    assert torch.equal(torch.rand(3, generator=value[4]), torch.rand(3, generator=torch.Generator().manual_seed(5)))


def test_what_is_no_data_is_kept_or_refused():
    kept = []

    def keep(value):
        kept.append(value)
        return wire.Handle(0, type(value).__name__)

    assert wire.loads(wire.dumps((object(), 1), keep)) == (wire.Handle(0, "object"), 1)
    with pytest.raises(TypeError, match="object cannot be sent"):
        wire.dumps(object())
    with pytest.raises(TypeError, match="deep"):
        nest = []
        for _ in range(100):
            nest = [nest]
        wire.dumps(nest)


def message(header, blob=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(4, "little") + text + blob


MALFORMED = {
    "nothing": b"",
    "no length": b"\1\0",
    "a length beyond the message": b"\xff\xff\0\0{}",
    "a header over the cap": (2**31).to_bytes(4, "little") + b"{}",
    "no JSON": message(b"{nope"),
    "no UTF-8": message(b'"\xff"'),
    "two tags": message({"set": [], "tuple": []}),
    "no tag": message({}),
    "an unknown tag": message({"exec": "1"}),
    "an attribute as tag": message({"read": []}),
    "left over bytes": message(1, b"x"),
    "an unhashable key": message({"dict": [[[1], 2]]}),
    "a pair of three": message({"dict": [[1, 2, 3]]}),
    "a set that is a number": message({"set": 5}),
    "an unhashable element": message({"set": [[1]]}),
    "a mapping over the cap": message({"dict": [[number, 0] for number in range(10_001)]}),
    "bytes of a length that is text": message({"bytes": "abc"}, b"abc"),
    "bytes that are not there": message({"bytes": 7}),
    "bytes beyond the blobs": message({"bytes": 9}, bytes(4)),
    "bytes of a negative length": message([{"bytes": 1}, {"bytes": -1}, {"bytes": 1}], b"x"),
    "bytes of a boolean length": message({"bytes": True}, b"x"),
    "bytes of a fraction": message({"bytes": 1.0}, b"x"),
    "bytes of an absurd length": message({"bytes": 2**80}, b"x"),
    "bytes handed out twice": message([{"bytes": 4}, {"bytes": 4}], bytes(4)),
    "an object dtype": message({"array": ["object", [1], 8]}, bytes(8)),
    "a dtype that is a list": message({"tensor": [["float32"], [1], 4]}, bytes(4)),
    "a shape that is too large": message({"tensor": ["float32", [2**40, 2**40], 4]}, bytes(4)),
    "a negative size": message({"tensor": ["uint8", [-1], 1]}, bytes(1)),
    "a negative length": message({"tensor": ["uint8", [0], -1]}, bytes(1)),
    "numbers that do not fill the shape": message({"tensor": ["float32", [2], 4]}, bytes(4)),
    "a length beyond the blobs": message({"tensor": ["uint8", [9], 9]}, bytes(4)),
    "too many dimensions": message({"tensor": ["uint8", [1] * 17, 1]}, bytes(1)),
    "a truth value of 2": message({"tensor": ["bool", [1], 1]}, b"\2"),
    "a boolean size": message({"tensor": ["uint8", [True], 1]}, bytes(1)),
    "an endless integer": message(b"1" * 100_000),
    "deep lists": message(b"[" * 100_000 + b"]" * 100_000),
    "deep within the cap": message(b"[" * 60 + b"]" * 60),
    "a handle of strings": message({"handle": ["0", "x"]}),
    "a handle of one": message({"handle": [0]}),
    "a seed below 0": message({"generator": -1}),
    "a seed that is a fraction": message({"generator": 0.5}),
    "a dtype that is none": message({"dtype": "Tensor"}),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_messages_are_named_as_such(name):
    with pytest.raises(wire.MalformedMessage):
        wire.loads(MALFORMED[name])


def test_thousands_of_damaged_messages_raise_nothing_else():
    """Flipped, cut, repeated and inserted bytes of real messages: a value or MalformedMessage, nothing in between."""
    chance = random.Random(7)
    real = [
        wire.dumps({"value": torch.randn(3, 4)}),
        wire.dumps({"error": ["ValueError"], "message": "x" * 50, "traceback": ""}),
        wire.dumps((1, [2.5, None], {"a": {1, 2}}, np.ones(3), b"bytes", wire.Seeded(3))),
    ]
    decoded = refused = 0
    for _ in range(6_000):
        damaged = bytearray(chance.choice(real))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(damaged))
            kind = chance.randrange(4)
            if kind == 0:
                damaged[at] ^= 1 << chance.randrange(8)
            elif kind == 1:
                del damaged[at : at + chance.randint(1, 9)]
            elif kind == 2:
                damaged[at:at] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 9)))
            else:
                damaged[at:at] = damaged[at : at + 20]
            if not damaged:
                break
        try:
            wire.loads(bytes(damaged))
            decoded += 1
        except wire.MalformedMessage:
            refused += 1
    assert refused > 3_000 and decoded + refused == 6_000


@examples(500)
@given(st.binary(max_size=200))
def test_any_bytes(data):
    with contextlib.suppress(wire.MalformedMessage):
        wire.loads(data)


@pytest.mark.parametrize("size", [0, 1, 600_000, 4_000_000])
def test_bytes_of_any_size_come_back_between_tensors(size):
    data = random.Random(5).randbytes(size)
    first, back, last = wire.loads(wire.dumps([torch.arange(3), data, np.ones(2)]))
    assert back == data and first.tolist() == [0, 1, 2] and last.tolist() == [1, 1]


def test_figures_at_their_limits_reach_the_grader_and_larger_ones_are_named():
    shown, limits = inside.Collected(), Limits()
    shown.kept = inside.Kept(limits.images, limits.image, limits.shown)
    for size in (limits.image + 1, *[limits.image] * (limits.images + 3)):
        shown.publish({"image/png": b"\x89PNG\r\n".ljust(size, b"x")})
    images, texts = shown.take()
    reply = wire.dumps({"value": {"images": images, "text": "\n".join(texts)}})
    back = wire.loads(reply)["value"]
    assert [len(image) for image in back["images"]] == [limits.image] * limits.images
    assert "1,000,001 bytes was left out" in back["text"] and back["text"].count("Only the first 4 figures") == 1
    assert len(reply) < limits.reply / 2  # so that no sum of figures makes a reply too large
