import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib.data import Labelled


def numbered(n):
    """n images whose pixels and label all hold the image's number."""
    numbers = torch.arange(n)
    return Labelled(numbers.float()[:, None, None, None].expand(n, 1, 2, 3).clone(), numbers, ("a", "b"))


@given(st.integers(0, 20), st.integers(1, 25))
def test_batches_in_stored_order(n, batch_size):
    batches = list(numbered(n).batches(batch_size))
    assert (
        torch.cat([labels for _, labels in batches]).tolist() == list(range(n)) if n else not sum(map(len, batches[0]))
    )
    assert all(len(labels) == batch_size for _, labels in batches[:-1])


@given(st.integers(1, 20), st.integers(1, 25), st.integers(0, 5))
def test_shuffled_batches_keep_image_and_label_together_and_miss_none(n, batch_size, seed):
    seen = []
    for images, labels in numbered(n).batches(batch_size, torch.Generator().manual_seed(seed)):
        assert torch.equal(images[:, 0, 1, 2], labels.float())
        seen += labels.tolist()
    assert sorted(seen) == list(range(n))


def test_the_generator_decides_the_order():
    def order(seed):
        return [labels.tolist() for _, labels in numbered(50).batches(7, torch.Generator().manual_seed(seed))]

    assert order(1) == order(1) != order(2)


def test_one_generator_gives_a_new_order_each_time():
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.cat([y for _, y in numbered(50).batches(50, generator)]) for _ in range(2))
    assert not torch.equal(first, second)


def test_take_is_the_first_and_never_more_than_there_are():
    assert numbered(5).take(2).labels.tolist() == [0, 1]
    assert len(numbered(5).take(9)) == 5
    assert len(numbered(5).take(0)) == 0
    with pytest.raises(ValueError, match="n of 0 or more, not -1"):
        numbered(5).take(-1)


def test_to_moves_both_and_keeps_the_names():
    moved = numbered(3).to("meta")
    assert moved.images.device.type == moved.labels.device.type == "meta"
    assert moved.classes == ("a", "b")


def test_says_what_it_is():
    assert repr(numbered(1234)) == "1,234 images of 1x2x3, 2 classes, on cpu"


def test_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        numbered(2).labels = torch.zeros(2)


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (torch.zeros(2, 3, 3), torch.zeros(2).long(), r"float32 \[N, C, H, W\], not torch.float32 \[2, 3, 3\]"),
        (torch.zeros(2, 1, 3, 3).byte(), torch.zeros(2).long(), "not torch.uint8"),
        (torch.zeros(2, 1, 3, 3), torch.zeros(3).long(), "each of 2 images"),
        (torch.zeros(2, 1, 3, 3), torch.zeros(2), "int64 label"),
    ],
)
def test_parts_that_do_not_belong_together(images, labels, words):
    with pytest.raises(ValueError, match=words):
        Labelled(images, labels, ("a",))


def test_batch_size_below_one():
    with pytest.raises(ValueError, match="at least 1 image per batch, not 0"):
        next(numbered(3).batches(0))
