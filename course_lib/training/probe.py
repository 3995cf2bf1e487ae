"""What a representation is worth: the accuracy of a linear classifier on features that stay as they are."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.training.evaluate import device_of

__all__ = ["features_of", "linear_probe"]


def features_of(encoder: nn.Module, images: Tensor, batch_size: int = 500) -> Tensor:
    """The encoder's outputs [N, D] in evaluation mode, on the CPU, without gradients; its own modes come back after.

    encoder  maps images [B, C, H, W] to features [B, D]; the images are moved to where it is, batch by batch.
    """
    modes = {module: module.training for module in encoder.modules()}
    device = device_of(encoder)
    encoder.eval()
    try:
        with torch.no_grad():
            return torch.cat([encoder(batch.to(device)).cpu() for batch in images.split(batch_size)])
    finally:
        for module, mode in modes.items():
            module.training = mode


def linear_probe(
    features: Tensor, labels: Tensor, test_features: Tensor, test_labels: Tensor, penalty: float = 0.01
) -> float:
    """Fit a linear classifier to the features and return its share of correct test images, 0 to 1.

    features, test_features  float [N, D] and [M, D]; each column is brought to mean 0 and variance 1, both with the
        numbers of `features`.
    labels, test_labels      int64 [N] and [M], from 0; a class that `labels` lacks cannot be found.
    penalty  of the mean loss: half of it times the squared length of the weights (L2) is added.

    Multinomial logistic regression, solved by L-BFGS from 0, so no seed and no learning rate come in.

    Raises ValueError if features and labels do not belong together.
    """
    if features.ndim != 2 or len(features) != len(labels) or len(test_features) != len(test_labels) or not len(labels):
        raise ValueError(
            "linear_probe takes features [N, D] with one label each, not "
            f"{list(features.shape)} with {len(labels)} labels and {list(test_features.shape)} with {len(test_labels)}"
        )
    features, test_features = features.detach().float(), test_features.detach().float()
    mean, deviation = features.mean(0), features.std(0, correction=0)
    known, asked = ((part - mean) / deviation.where(deviation > 0, 1) for part in (features, test_features))
    shrink = max(1.0, penalty) ** -0.5  # so that a strong penalty curves the loss no more than the data do
    weight = torch.zeros(int(labels.max()) + 1, features.shape[1], device=features.device, requires_grad=True)
    bias = torch.zeros(len(weight), device=features.device, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

    def scores(inputs: Tensor) -> Tensor:
        return inputs @ (shrink * weight).T + bias

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.cross_entropy(scores(known), labels) + penalty / 2 * (shrink * weight).square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    with torch.no_grad():
        return (scores(asked).argmax(1) == test_labels).float().mean().item()
