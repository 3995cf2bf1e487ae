"""The stream against exact values, plain Python arithmetic and the distributions it promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from course_lib.data.stream import Stream

# PCG64 and SeedSequence as NumPy 2.4 gave them; NEP 19 promises that they stay
FIRST_WORDS = [11749869230777074271, 4976686463289251617, 755828109848996024, 304881062738325533]


def test_words_are_the_bit_generators_own():
    assert Stream(0).words(4).tolist() == FIRST_WORDS


def test_keys_give_other_streams_and_the_same_key_the_same():
    draws = {key: tuple(Stream(7, *key).words(3).tolist()) for key in [(), (0,), (1,), (0, 0), (0, 1), (1, 0)]}
    assert len(set(draws.values())) == len(draws)
    assert draws[(0, 1)] == tuple(Stream(7, 0, 1).words(3).tolist())


@given(st.integers(1, 2**31), st.integers(0, 1000))
def test_integers_by_pythons_whole_numbers(n, seed):
    words = Stream(seed).words(5).tolist()
    assert Stream(seed).integers(n, 5).tolist() == [((word >> 32) * n) >> 32 for word in words]


@given(st.integers(0, 1000))
def test_uniform_by_pythons_fractions(seed):
    words = Stream(seed).words(5).tolist()
    found = Stream(seed).uniform(0.0, 1.0, 5)
    assert found.dtype == np.float32
    assert found.tolist() == [(word >> 40) / 2**24 for word in words]


@given(st.integers(0, 1000), st.integers(1, 7))
def test_bell_by_adding_bytes_one_by_one(seed, count):
    octets = b"".join(word.to_bytes(8, "little") for word in Stream(seed).words(4).tolist())
    sums = [sum(octets[4 * i : 4 * i + 4]) for i in range(count)]
    expected = [(total - 510) / (4 * (256**2 - 1) / 12) ** 0.5 for total in sums]
    np.testing.assert_allclose(Stream(seed).bell(count), expected, rtol=1e-6)


def test_bell_is_nearly_normal():
    draws = Stream(3).bell(200, 500)
    assert draws.shape == (200, 500)
    assert draws.dtype == np.float32
    assert abs(draws.mean()) < 0.01
    assert abs(draws.std() - 1) < 0.01
    # Irwin-Hall of four differs from the normal by at most 0.012 in its distribution function
    assert stats.kstest(draws.ravel(), "norm").statistic < 0.015


def test_uniform_fills_its_range():
    draws = Stream(4).uniform(-2.0, 3.0, 20000)
    assert draws.min() >= -2 and draws.max() < 3
    assert stats.kstest(draws, stats.uniform(-2, 5).cdf).pvalue > 0.001


@given(st.integers(0, 50), st.integers(0, 20))
def test_permutation_holds_every_number_once(n, seed):
    assert sorted(Stream(seed).permutation(n).tolist()) == list(range(n))


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="from 0 up, not -1"):
        Stream(-1)
