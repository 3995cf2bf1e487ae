"""Images with their class labels, as plain tensors in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Labelled", "Splits"]


@dataclass(frozen=True, eq=False, repr=False)
class Labelled:
    """N images and what each shows.

    images   float32 [N, C, H, W], brightness from 0 (none) to 1 (full).
    labels   int64 [N], each an index into `classes`.
    classes  the names of the classes.

    Raises ValueError if the parts do not belong together.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.dtype != torch.float32:
            arrived = f"{self.images.dtype} {list(self.images.shape)}"
            raise ValueError(f"Labelled takes images as float32 [N, C, H, W], not {arrived}")
        if self.labels.ndim != 1 or self.labels.dtype != torch.int64 or len(self.labels) != len(self.images):
            arrived = f"{self.labels.dtype} {list(self.labels.shape)}"
            raise ValueError(f"Labelled takes one int64 label for each of {len(self.images)} images, not {arrived}")

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        shape = "x".join(str(side) for side in self.images.shape[1:])
        return f"{len(self):,} images of {shape}, {len(self.classes)} classes, on {self.images.device}"

    def to(self, device: torch.device | str) -> Labelled:
        """The same images and labels on `device`; nothing is copied if they are there already."""
        return Labelled(self.images.to(device), self.labels.to(device), self.classes)

    def take(self, n: int) -> Labelled:
        """The first `n` images, or all of them if there are fewer."""
        if n < 0:
            raise ValueError(f"take(n) needs n of 0 or more, not {n}")
        return Labelled(self.images[:n], self.labels[:n], self.classes)

    def batches(self, batch_size: int, generator: torch.Generator | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Go through all images once as (images [B, C, H, W], labels [B]); the last batch may be smaller.

        generator  a CPU generator that shuffles the order; None keeps the stored order.
        """
        if batch_size < 1:
            raise ValueError(f"batches(batch_size) needs at least 1 image per batch, not {batch_size}")
        if generator is None:
            yield from zip(self.images.split(batch_size), self.labels.split(batch_size), strict=True)
            return
        # drawn on the CPU, so that the order is the same on every device
        order = torch.randperm(len(self), generator=generator).to(self.labels.device)
        for chosen in order.split(batch_size):
            yield self.images[chosen], self.labels[chosen]


@dataclass(frozen=True)
class Splits:
    """Images to learn from and other images, never seen in training, to measure with."""

    train: Labelled
    test: Labelled
