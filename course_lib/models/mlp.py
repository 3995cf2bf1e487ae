"""The multi-layer perceptron: fully connected layers with an activation between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor, nn

from course_lib.models.registry import architecture

__all__ = ["MLP"]


@architecture
class MLP(nn.Module):
    """Fully connected layers of the given sizes; LeNet-300-100 (LeCun et al., 1998) is `MLP([784, 300, 100, 10])`.

    sizes  the number of inputs, of every hidden layer's neurons, and of outputs: two or more whole numbers, all
        at least 1.
    activation  makes the module that stands after every layer but the last.

    Input [N, ...] with sizes[0] values per sample, flattened if need be; output [N, sizes[-1]], no activation.
    Raises ValueError if the sizes are not as above or the input has another number of values.
    """

    def __init__(self, sizes: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU) -> None:
        super().__init__()
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"MLP(sizes) needs at least an input and an output size, all 1 or more, not {sizes}")
        self.sizes = tuple(sizes)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), activation()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        if x.shape[1] != self.sizes[0]:
            raise ValueError(f"this MLP takes {self.sizes[0]} values per sample, not {x.shape[1]}")
        return self.layers(x)
