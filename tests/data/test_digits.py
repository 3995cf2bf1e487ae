import hashlib

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from course_lib import data


@pytest.fixture(scope="module")
def splits():
    return data.digits()


def sorted_scans(images):
    return sorted(map(bytes, images.reshape(len(images), -1).astype(np.uint8)))


def test_shapes_and_units(splits):
    assert splits.train.images.shape == (1438, 1, 8, 8)
    assert splits.test.images.shape == (359, 1, 8, 8)
    assert splits.train.classes == tuple("0123456789")
    for part in (splits.train, splits.test):
        assert part.images.dtype == torch.float32
        assert part.images.min() == 0 and part.images.max() == 1


def test_the_two_parts_are_all_real_scans_once(splits):
    """Also that each scan kept its own label: label by label, the same scans as in scikit-learn's file."""
    source = load_digits()
    for digit in range(10):
        ours = torch.cat([part.images[part.labels == digit] for part in (splits.train, splits.test)]).numpy() * 16
        assert sorted_scans(ours) == sorted_scans(source.images[source.target == digit])


def test_every_class_gives_the_same_share_to_the_test(splits):
    train, test = (torch.bincount(part.labels, minlength=10) for part in (splits.train, splits.test))
    assert ((test / (train + test) - 0.2).abs() < 0.003).all()


def test_order_is_mixed(splits):
    assert len(set(splits.train.labels[:30].tolist())) >= 8


def test_bits_for_a_seed(splits):
    digest = hashlib.sha256()
    for part in (splits.train, splits.test):
        digest.update(part.images.numpy().tobytes())
        digest.update(part.labels.numpy().tobytes())
    assert digest.hexdigest() == "0e89cacc45df5b296c0ed2229f7cb85cfb6e2635a3a7e5a65bb471cf7fdf77b5"


def test_another_seed_keeps_other_scans(splits):
    other = data.digits(seed=1)
    assert len(other.test) == len(splits.test)
    assert sorted_scans(other.test.images.numpy() * 16) != sorted_scans(splits.test.images.numpy() * 16)
