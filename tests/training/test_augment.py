import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib.training import flip_and_shift


def every_outcome(image, pixels):
    """All pictures that mirroring and shifting can make of one image [C, H, W], pixel by pixel."""
    _, height, width = image.shape

    def reflected(index, size):
        index = abs(index)
        return index if index < size else 2 * (size - 1) - index

    for mirror in (False, True):
        for down in range(-pixels, pixels + 1):
            for right in range(-pixels, pixels + 1):
                made = torch.empty_like(image)
                for row in range(height):
                    for column in range(width):
                        source = width - 1 - column if mirror else column
                        made[:, row, column] = image[:, reflected(row + down, height), reflected(source + right, width)]
                yield (mirror, down, right), made


@given(st.integers(0, 100), st.integers(0, 2), st.integers(3, 5), st.integers(3, 5))
def test_every_result_is_one_of_the_possible(seed, pixels, height, width):
    images = torch.rand(3, 2, height, width, generator=torch.Generator().manual_seed(seed))
    results = flip_and_shift(images, torch.Generator().manual_seed(seed), pixels)
    assert results.shape == images.shape
    for image, result in zip(images, results, strict=True):
        assert any(torch.equal(result, made) for _, made in every_outcome(image, pixels))


def test_outcomes_are_equally_likely():
    image = torch.rand(1, 4, 4)
    outcomes = dict(every_outcome(image, 1))
    results = flip_and_shift(image.expand(3600, 1, 4, 4), torch.Generator().manual_seed(0), pixels=1)
    counts = [int((results == made).all((1, 2, 3)).sum()) for made in outcomes.values()]
    assert sum(counts) == 3600
    assert len(counts) == 18 and all(140 < count < 260 for count in counts)


def test_the_generator_decides_and_the_input_stays():
    images = torch.rand(8, 3, 6, 6)
    before = images.clone()
    first, again, other = (flip_and_shift(images, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(images, before)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_same_on_the_gpu():
    images = torch.rand(8, 3, 6, 6)
    here, there = (flip_and_shift(x, torch.Generator().manual_seed(0)) for x in (images, images.cuda()))
    assert torch.equal(here, there.cpu())
