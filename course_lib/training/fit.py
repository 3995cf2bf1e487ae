"""The training loop of all labs: plain gradient descent on mini-batches."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from course_lib.data import Labelled
from course_lib.training.evaluate import device_of, evaluate
from course_lib.training.history import History

__all__ = ["fit"]

Loss = Callable[[Tensor, Tensor], Tensor]
Augment = Callable[[Tensor, torch.Generator], Tensor]
Step = Callable[[nn.Module, Tensor, Tensor], tuple[Tensor, Tensor]]


def fit(
    model: nn.Module,
    train: Labelled,
    test: Labelled | None = None,
    *,
    epochs: int,
    optimizer: torch.optim.Optimizer | None = None,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None,
    batch_size: int = 64,
    loss: Loss = F.cross_entropy,
    augment: Augment | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: bool = True,
    step: Step | None = None,
) -> History:
    """Train `model` in place and return what happened in each epoch; the model is left in evaluation mode.

    optimizer  holds the model's parameters; None takes torch.optim.Adam with learning rate 1e-3.
    scheduler  changes the optimizer's learning rate; its `step()` is called after every batch.
    loss       loss(logits [B, classes], labels int64 [B]) -> scalar, the mean over the batch.
    augment    augment(images [B, C, H, W], generator) -> images: a random change of every training batch, drawn from
        the CPU generator it is given.
    seed       decides the order of the images, the augmentation and the model's own random layers.
    device     moves the model there first; None leaves it where it is. The images follow it.
    progress   shows a progress bar.
    step       replaces the call of the model and of the loss: step(model, images, labels) -> (scalar loss, logits). For
        losses that need more than logits and labels, such as distillation. To act after each update, as
        masked weights need, use the optimizer's `register_step_post_hook`.

    Raises ValueError if there are no images, the numbers are below their least value, or the optimizer holds none of
    the model's parameters.
    """
    if len(train) == 0 or epochs < 0 or batch_size < 1:
        raise ValueError(
            "fit needs images, epochs of 0 or more and batch_size of 1 or more, "
            f"not {len(train)} images, epochs={epochs}, batch_size={batch_size}"
        )
    device = device_of(model) if device is None else torch.device(device)
    model.to(device)
    train = train.to(device)
    optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=1e-3)
    held = {parameter for group in optimizer.param_groups for parameter in group["params"]}
    if step is None and held.isdisjoint(model.parameters()):
        raise ValueError("fit: the optimizer holds none of the model's parameters; make it from model.parameters()")
    generator = torch.Generator().manual_seed(seed)
    history = History()

    def plain_step(model: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        logits = model(images)
        return loss(logits, labels), logits

    def learn(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """One step of the optimizer; the batch's summed loss and number of correct images."""
        if augment is not None:
            images = augment(images, generator)
        optimizer.zero_grad()
        batch_loss, logits = (step or plain_step)(model, images, labels)
        batch_loss.backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        return batch_loss.detach() * len(labels), (logits.detach().argmax(1) == labels).sum()

    steps = epochs * math.ceil(len(train) / batch_size)
    with _own_randomness(seed, device), tqdm(total=steps, disable=not progress, leave=False, mininterval=0.5) as bar:
        for epoch in range(epochs):
            bar.set_description(f"epoch {epoch + 1} of {epochs}")
            started = time.perf_counter()
            model.train()
            losses, correct = [], []  # left on the device, so that a GPU is not waited for after every batch
            for images, labels in train.batches(batch_size, generator):
                batch_loss, batch_correct = learn(images, labels)
                losses.append(batch_loss)
                correct.append(batch_correct)
                bar.update()
            history.train_loss.append(torch.stack(losses).sum().item() / len(train))
            history.train_accuracy.append(torch.stack(correct).sum().item() / len(train))
            history.seconds.append(time.perf_counter() - started)
            history.learning_rate.append(float(optimizer.param_groups[0]["lr"]))
            if test is not None:
                measured = evaluate(model, test)
                history.test_loss.append(measured.loss)
                history.test_accuracy.append(measured.accuracy)
            bar.set_postfix_str(f"{100 * (history.test_accuracy or history.train_accuracy)[-1]:.1f}% correct")
    model.eval()
    return history


@contextmanager
def _own_randomness(seed: int, device: torch.device) -> Iterator[None]:
    """Dropout and the like draw from torch's own streams: seed these, and give the caller's back after."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield
