"""Loss and accuracy of a classifier on labelled images."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from course_lib.data import Labelled

__all__ = ["Evaluation", "device_of", "evaluate"]


class Evaluation(NamedTuple):
    """loss: mean cross-entropy per image, in nats; accuracy: share of images classified correctly, 0 to 1."""

    loss: float
    accuracy: float


def evaluate(model: nn.Module, labelled: Labelled, batch_size: int = 256) -> Evaluation:
    """Classify all images without learning from them.

    model  maps images [B, C, H, W] to logits [B, classes]; used in evaluation mode, its own mode restored after.
    The images are moved, batch by batch, to where the model is.

    Raises ValueError if there are no images.
    """
    if len(labelled) == 0:
        raise ValueError("evaluate needs at least one image")
    device = device_of(model)
    modes = {module: module.training for module in model.modules()}
    model.eval()
    loss, correct = 0.0, 0
    try:
        with torch.no_grad():
            for images, labels in labelled.batches(batch_size):
                logits = model(images.to(device))
                labels = labels.to(device)
                loss += F.cross_entropy(logits, labels, reduction="sum").item()
                correct += int((logits.argmax(1) == labels).sum())
    finally:
        for module, mode in modes.items():
            module.training = mode
    return Evaluation(loss / len(labelled), correct / len(labelled))


def device_of(model: nn.Module) -> torch.device:
    """Where the model's first parameter or buffer is; the CPU if it has none."""
    for tensor in [*model.parameters(), *model.buffers()]:
        return tensor.device
    return torch.device("cpu")
