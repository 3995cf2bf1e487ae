"""Random changes of training images that leave their class as it is."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["flip_and_shift"]


def flip_and_shift(images: Tensor, generator: torch.Generator, pixels: int = 2) -> Tensor:
    """Mirror each image left to right with probability 1/2 and move it by up to `pixels` each way; edges are reflected.

    images [N, C, H, W]; returns new images of that shape. The generator is a CPU generator.
    """
    n, _, height, width = images.shape
    mirrored = torch.rand(n, generator=generator) < 0.5
    moves = torch.randint(2 * pixels + 1, (2, n, 1), generator=generator)
    rows = moves[0] + torch.arange(height)
    columns = moves[1] + torch.arange(width)
    columns = torch.where(mirrored[:, None], columns.flip(1), columns)
    padded = F.pad(images, (pixels,) * 4, mode="reflect")
    index = [part.to(images.device) for part in (torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :])]
    return padded.permute(0, 2, 3, 1)[index[0], index[1], index[2]].permute(0, 3, 1, 2).contiguous()
