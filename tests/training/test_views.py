import pytest
import torch

from course_lib.training import move_at_random, recolour

VIEWS = [move_at_random, recolour]


def random_images(n=16, size=8):
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(9))


@pytest.mark.parametrize("view", VIEWS)
def test_the_generator_decides_and_the_input_stays(view):
    images = random_images()
    before = images.clone()
    first, again, other = (view(images, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert first.shape == images.shape and first.dtype == images.dtype
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(images, before)


def test_without_turn_zoom_and_shift_an_image_stays_or_is_mirrored():
    images = random_images(64)
    moved = move_at_random(images, torch.Generator().manual_seed(0), degrees=0, zoom=1, shift=0)
    same = torch.isclose(moved, images, atol=1e-5).all((1, 2, 3))
    mirrored = torch.isclose(moved, images.flip(3), atol=1e-5).all((1, 2, 3))
    assert (same ^ mirrored).all()
    assert 16 < mirrored.sum() < 48


def test_a_shift_moves_by_at_most_its_share():
    images = torch.zeros(200, 1, 21, 21)
    images[:, :, 10, 10] = 1
    moved = move_at_random(images, torch.Generator().manual_seed(0), degrees=0, zoom=1, shift=0.1)[:, 0]
    weight = moved / moved.sum((1, 2), keepdim=True)
    away = (weight.sum(2) * torch.arange(21.0)).sum(1) - 10
    assert away.abs().max() <= 2.1 + 1e-4 and away.max() > 1.5 and away.min() < -1.5


def test_the_angle_stays_within_its_limits():
    images = torch.zeros(200, 1, 41, 41)
    images[:, :, 20, 36] = 1  # 16 pixels to the right of the middle
    moved = move_at_random(images, torch.Generator().manual_seed(0), degrees=30, zoom=1, shift=0)[:, 0]
    weight = moved / moved.sum((1, 2), keepdim=True)
    down = (weight.sum(2) * torch.arange(41.0)).sum(1) - 20
    across = (weight.sum(1) * torch.arange(41.0)).sum(1) - 20
    angle = torch.rad2deg(torch.atan2(down, across.abs()))
    assert angle.abs().max() < 31 and angle.max() > 25 and angle.min() < -25


def test_an_even_image_stays_even():
    images = torch.full((5, 3, 8, 8), 0.3)
    assert torch.allclose(move_at_random(images, torch.Generator().manual_seed(0)), images, atol=1e-5)


def test_recolouring_keeps_grey_order_of_pixels():
    grey = torch.rand(6, 1, 5, 5, generator=torch.Generator().manual_seed(3)).expand(-1, 3, -1, -1)
    changed = recolour(grey, torch.Generator().manual_seed(1))
    assert torch.equal(changed.flatten(2).argsort(2), grey.flatten(2).argsort(2))


def test_recolouring_stays_within_its_limits():
    white = torch.ones(500, 3, 2, 2)
    changed = recolour(white, torch.Generator().manual_seed(1), contrast=1.5, brightness=0.3)
    assert changed.min() >= 0.5 + 0.5 / 1.5 - 0.3 - 1e-5 and changed.max() <= 0.5 + 0.75 + 0.3 + 1e-5
    unchanged = recolour(white * 0.7, torch.Generator().manual_seed(1), contrast=1, brightness=0)
    assert torch.allclose(unchanged, white * 0.7, atol=1e-6)


@pytest.mark.parametrize(("view", "limits"), [(move_at_random, {"zoom": 0.5}), (recolour, {"contrast": 0.9})])
def test_limits_below_one_are_refused(view, limits):
    with pytest.raises(ValueError, match="at least 1, not 0"):
        view(random_images(), torch.Generator(), **limits)
