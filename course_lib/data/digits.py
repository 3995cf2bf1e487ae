"""Handwritten digits: the real 8x8 scans that scikit-learn ships (Alpaydin and Kaynak, UCI, 1998)."""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from course_lib.data.labelled import Labelled, Splits
from course_lib.data.stream import Stream

__all__ = ["digits"]

TEST_SHARE = 0.2
_INK_LEVELS = 16  # each stored value counts the inked pixels of a 4x4 cell of the original 32x32 scan


def digits(seed: int = 0) -> Splits:
    """1,797 scans of handwritten digits, images float32 [N, 1, 8, 8], 0 for paper and 1 for full ink.

    seed  chooses which fifth of every class is kept for testing, and the order. The same seed gives the same
        bits on every machine.

    Returns 1,438 images to train on and 359 to test on; label i is the digit i.
    """
    scans, labels = _scans()
    stream = Stream(seed)
    order = stream.permutation(len(labels))
    in_test = np.zeros(len(labels), dtype=bool)
    for digit in range(10):
        members = order[labels[order] == digit]
        in_test[members[: round(TEST_SHARE * len(members))]] = True

    # a fresh order: in the old one, classes whose test share was full early would lead the training images
    order = stream.permutation(len(labels))
    images = scans.astype(np.float32)[:, None] / np.float32(_INK_LEVELS)
    classes = tuple(str(digit) for digit in range(10))

    def part(chosen: np.ndarray) -> Labelled:
        return Labelled(torch.from_numpy(images[chosen]), torch.from_numpy(labels[chosen]), classes)

    return Splits(train=part(order[~in_test[order]]), test=part(order[in_test[order]]))


def _scans() -> tuple[np.ndarray, np.ndarray]:
    """Ink levels uint8 [N, 8, 8] and labels int64 [N], read from scikit-learn's file: importing it takes a second."""
    place = find_spec("sklearn")
    if place is None or place.origin is None:
        raise ModuleNotFoundError("the digits come with scikit-learn, which is not installed: pip install scikit-learn")
    file = Path(place.origin).parent / "datasets" / "data" / "digits.csv.gz"
    with gzip.open(file, "rt", encoding="ascii") as lines:
        rows = np.array([line.split(",") for line in lines], dtype=np.uint8)
    return rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(np.int64)
