"""Starting weights for networks with rectifiers."""

from __future__ import annotations

from torch import nn

__all__ = ["initialise"]


def initialise(model: nn.Module) -> None:
    """Draw weights anew, in place: He et al. (2015), "Delving deep into rectifiers", equation 10.

    Convolutions: normal with variance 2 / (numbers that one output number reads). Linear layers: normal with variance
    1 / inputs. Their biases: 0. Other layers keep what they have.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, module.in_features**-0.5)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
