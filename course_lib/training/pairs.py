"""Training on pairs of views: the loop that contrastive methods share. The loss is the caller's."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from course_lib.training.evaluate import device_of

__all__ = ["fit_pairs"]

View = Callable[[Tensor, torch.Generator], Tensor]
PairLoss = Callable[[Tensor, Tensor], Tensor]


def fit_pairs(
    model: nn.Module,
    images: Tensor,
    view: View,
    loss: PairLoss,
    *,
    epochs: int,
    batch_size: int = 128,
    learning_rate: float = 1e-2,
    weight_decay: float = 1e-2,
    seed: int = 0,
    progress: bool = True,
) -> list[float]:
    """Train `model` in place on two random views of every image; return the mean loss of each epoch.

    model   maps images [B, C, H, W] to embeddings [B, D]; left in evaluation mode.
    images  float [N, C, H, W]; no labels are used. The images left over after the last full batch of an epoch are
        skipped, because the number of images in a batch is part of a contrastive loss.
    view    view(images, generator) -> images: a random change, drawn from the CPU generator it is given.
    loss    loss(first [B, D], second [B, D]) -> scalar; row i of both comes from the same image.
    learning_rate  the highest rate of AdamW; it rises over the first fifth of the steps, then falls to nearly 0.

    Raises ValueError if there is not even one full batch.
    """
    if batch_size < 1 or len(images) < batch_size or epochs < 1:
        raise ValueError(
            "fit_pairs needs epochs of 1 or more and at least one full batch, "
            f"not epochs={epochs}, {len(images)} images, batch_size={batch_size}"
        )
    device = device_of(model)
    images = images.to(device)
    generator = torch.Generator().manual_seed(seed)
    batches = len(images) // batch_size
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=weight_decay, fused=True)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=epochs * batches, pct_start=0.2
    )
    means = []
    model.train()
    with tqdm(total=epochs * batches, disable=not progress, leave=False, mininterval=0.5) as bar:
        for _ in range(epochs):
            order = torch.randperm(len(images), generator=generator)[: batches * batch_size].to(device)
            losses = []
            for chosen in order.split(batch_size):
                both = torch.cat([view(images[chosen], generator) for _ in range(2)])
                batch_loss = loss(*model(both).chunk(2))
                optimizer.zero_grad()
                batch_loss.backward()
                optimizer.step()
                scheduler.step()
                losses.append(batch_loss.detach())
                bar.update()
            means.append(torch.stack(losses).mean().item())
    model.eval()
    return means
