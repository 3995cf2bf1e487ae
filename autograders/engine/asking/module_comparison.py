"""Modules that a student's class makes, beside torchvision's: given the same numbers, then compared by what they do.

Parameters are matched by kind (filters, scales, shifts, running statistics) in the order in which the layers were made,
so that names and nesting are the student's own affair.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from autograders.engine.asking.comparison import close, that
from autograders.engine.asking.inputs import Inputs
from autograders.engine.asking.remote import RemoteObject, as_object

__all__ = ["compare", "lively", "loaded", "made"]

Named = dict[str, list[tuple[str, Tensor]]]


def lively(module: nn.Module, rng: Inputs) -> nn.Module:
    """The module in eval mode, with random filters, scales, shifts and running statistics."""
    for name, tensor in module.state_dict().items():
        if tensor.ndim > 1:
            tensor.copy_(rng.normal(*tensor.shape, std=(2 / tensor[0].numel()) ** 0.5))
        elif name.endswith(("running_var", "weight")):
            tensor.copy_(rng.uniform(*tensor.shape, low=0.5, high=1.5))
        elif tensor.is_floating_point():
            tensor.copy_(rng.normal(*tensor.shape, std=0.5))
    return module.eval()


def made(answer: Any) -> RemoteObject:
    """The module a student's class made; anything else ends the case."""
    return as_object(answer, "The class should make a module.")


def loaded(answer: Any, theirs: nn.Module, hint: str = "") -> RemoteObject:
    """The student's module in eval mode with the numbers of `theirs`. Other parameters end the case."""
    mine = made(answer)
    own, other = _by_kind(mine.state()), _by_kind(theirs.state_dict())
    same = {kind: _shapes(entries) for kind, entries in own.items()} == {
        kind: _shapes(entries) for kind, entries in other.items()
    }
    that(same, f"The module's parameters are not those it should have. {hint}".strip())
    mine.load_state(
        mine.state()
        | {
            name: value.reshape(old.shape)
            for kind in own
            for (name, old), (_, value) in zip(own[kind], other[kind], strict=True)
        }
    )
    mine.method("eval")
    return mine


def compare(
    answer: Any, theirs: nn.Module, x: Tensor, layers: str = "", hint: str = "", training: bool = False
) -> None:
    """Require the student's module and `theirs` to have the same parameters and to do the same to x.

    layers  the hint for other parameters, hint  the one for another result.
    """
    mine = loaded(answer, theirs, layers)
    if training:
        mine.method("train")
    with torch.no_grad():
        expected = theirs.train(training)(x.clone())
    theirs.eval()
    close(mine(x), expected, rtol=1e-3, atol=1e-4, hint=hint)


def _by_kind(state: Mapping[str, Any]) -> Named:
    kinds: Named = {}
    for name, tensor in state.items():
        kind = name.rpartition(".")[2]
        if kind != "num_batches_tracked" and isinstance(tensor, Tensor):
            kinds.setdefault(f"matrix {kind}" if tensor.ndim > 1 else kind, []).append((name, tensor))
    return kinds


def _shapes(entries: list[tuple[str, Tensor]]) -> list[tuple[int, ...]]:
    """A 1x1 filter counts as a matrix: a dense layer may be either."""
    return [tuple(t.shape[:2]) if t.shape[2:] == (1, 1) else tuple(t.shape) for _, t in entries]
