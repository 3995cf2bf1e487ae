"""Random views of an image for self-supervised learning: changes that a useful representation should not notice."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["move_at_random", "recolour"]


def move_at_random(
    images: Tensor, generator: torch.Generator, degrees: float = 30.0, zoom: float = 1.25, shift: float = 0.075
) -> Tensor:
    """Turn, zoom, shift and, half of the time, mirror each image; what was outside is filled by reflection.

    images   float [N, C, H, W]; returns new images of that shape, interpolated bilinearly.
    degrees  the angle is drawn from -degrees to degrees.
    zoom     the enlargement is drawn from 1 / zoom to zoom, evenly in its logarithm; at least 1.
    shift    the move is drawn from -shift to shift of the image's width and of its height.
    The generator is a CPU generator.

    Raises ValueError for a zoom below 1.
    """
    if zoom < 1:
        raise ValueError(f"move_at_random draws the enlargement from 1 / zoom to zoom; zoom is at least 1, not {zoom}")
    draws = torch.rand(5, len(images), generator=generator) * 2 - 1
    angle, scale = draws[0] * math.radians(degrees), torch.exp(draws[1] * math.log(zoom))
    mirror = torch.where(draws[2] < 0, -1.0, 1.0)
    cosine, sine = angle.cos() / scale, angle.sin() / scale
    rows = [torch.stack([cosine * mirror, -sine, 2 * shift * draws[3]], 1)]
    rows.append(torch.stack([sine * mirror, cosine, 2 * shift * draws[4]], 1))
    # from a place in the view to the place in the image that it shows, in units of half a side
    where = torch.stack(rows, 1).to(images)
    grid = F.affine_grid(where, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def recolour(images: Tensor, generator: torch.Generator, contrast: float = 1.5, brightness: float = 0.3) -> Tensor:
    """Mix the colour channels of each image at random, then change each channel's contrast and brightness.

    images      float [N, C, H, W]; returns new images of that shape, whose values may leave 0 to 1 a little.
    contrast    each channel's distance from 0.5 is multiplied by a number from 1 / contrast to contrast; at least 1.
    brightness  what is added to a channel is drawn from -brightness to brightness.
    The generator is a CPU generator. Each new channel is a weighted mean of the old ones, so light stays lighter than
    dark: a colour is lost, an outline is not.

    Raises ValueError for a contrast below 1.
    """
    if contrast < 1:
        raise ValueError(
            f"recolour draws the gain from 1 / contrast to contrast; contrast is at least 1, not {contrast}"
        )
    n, channels = images.shape[:2]
    mix = torch.rand(n, channels, channels, generator=generator)
    mix = (mix / mix.sum(2, keepdim=True)).to(images)
    gain, offset = (torch.rand(2, n, channels, 1, 1, generator=generator) * 2 - 1).to(images)
    mixed = torch.einsum("nij,njhw->nihw", mix, images)
    return (mixed - 0.5) * torch.exp(gain * math.log(contrast)) + 0.5 + brightness * offset
