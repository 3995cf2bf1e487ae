"""Arrangements against brute force over all offsets, and against what must always hold."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.microcontroller.arrange import arrange
from course_lib.microcontroller.buffers import Buffer, in_use
from course_lib.microcontroller.mobilenet import describe_mobilenet_v2
from course_lib.microcontroller.schedule import Schedule
from tests.examples import examples


@st.composite
def buffers(draw, most=7, steps=5, size=5):
    found = []
    for number in range(draw(st.integers(0, most))):
        first = draw(st.integers(0, steps - 1))
        length = draw(st.integers(1, steps - first))
        sizes = sorted(draw(st.lists(st.integers(1, size), min_size=length, max_size=length)), reverse=True)
        found.append(Buffer(str(number), first, tuple(sizes)))
    return found


def bytes_of(buffer, offset):
    """Every (step, byte) that a buffer occupies."""
    return {(buffer.first + i, offset + byte) for i, size in enumerate(buffer.sizes) for byte in range(size)}


def smallest(found):
    """The least arena size by trying all offsets."""
    bound = max([0, *(sum(b.sizes[t - b.first] for b in found if b.first <= t <= b.last) for t in range(10))])
    for size in itertools.count(bound):
        if fits(found, size):
            return size
    return None


def fits(found, size, taken=frozenset()):
    if not found:
        return True
    buffer, *rest = found
    for offset in range(size - max(buffer.sizes) + 1):
        mine = bytes_of(buffer, offset)
        if not mine & taken and fits(rest, size, taken | mine):
            return True
    return False


@examples(60)
@given(buffers(most=5, steps=4, size=4))
def test_as_small_as_brute_force(found):
    arrangement = arrange(found)
    assert arrangement.proven
    assert arrangement.size == smallest(found)


@examples(100)
@given(buffers(most=14, steps=8, size=9), st.integers(1, 300))
def test_never_overlaps_and_stays_between_the_bounds(found, nodes):
    arrangement = arrange(found, most_nodes=nodes)
    assert len(arrangement.offsets) == len(found)
    places = [bytes_of(buffer, offset) for buffer, offset in zip(found, arrangement.offsets, strict=True)]
    assert sum(map(len, places)) == len(set().union(*places))
    ends = [offset + max(buffer.sizes) for buffer, offset in zip(found, arrangement.offsets, strict=True)]
    assert arrangement.size >= max(ends, default=0) or not any(max(b.sizes) for b in found)
    assert in_use(found, 8).max() <= arrangement.size <= sum(max(buffer.sizes) for buffer in found)


def test_a_bound_that_cannot_be_met_is_proven():
    # at every step 4 bytes are in use, yet they cannot be placed in 4 (brute force agrees)
    found = [
        Buffer.steady(*each)
        for each in (
            ("a", 1, 0, 2),
            ("b", 2, 0, 0),
            ("c", 1, 0, 1),
            ("d", 2, 2, 3),
            ("e", 1, 1, 3),
            ("f", 1, 1, 1),
            ("g", 1, 3, 3),
        )
    ]
    arrangement = arrange(found)
    assert arrangement.proven
    assert arrangement.size == smallest(found)


@pytest.mark.parametrize("in_place", [False, True])
def test_mobilenet_v2_meets_its_bound(in_place):
    schedule = Schedule(describe_mobilenet_v2(), in_place=in_place)
    arrangement = schedule.arrange()
    assert arrangement.proven
    assert arrangement.size == schedule.peak()


def test_buffers_are_checked():
    for first, sizes in ((-1, (3,)), (0, ()), (0, (2, 0))):
        with pytest.raises(ValueError, match="buffer x"):
            Buffer("x", first, sizes)


def test_a_shrinking_buffer_frees_its_end():
    buffer = Buffer.steady("tensor 1", 10, 0, 2).then(2, 4, 5)
    assert buffer.sizes == (10, 10, 10, 4, 4, 4)
    assert in_use([buffer, Buffer.steady("y", 1, 1, 3)], 6).tolist() == [10, 11, 11, 5, 4, 4]
    assert arrange([buffer, Buffer.steady("y", 6, 4, 5)]).size == 10
    assert np.all(in_use([], 3) == 0)
