"""1c: batch normalisation and its folding. Oracles: torch's batch_norm and conv2d."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from autograders.engine.asking.comparison import close, parts, unchanged
from autograders.engine.asking.inputs import Inputs
from autograders.engine.asking.question import Cases, question
from autograders.engine.asking.reference import Reference
from autograders.engine.asking.remote import Student


def _batch(rng: Inputs, images: int, channels: int, height: int, width: int) -> tuple[Tensor, ...]:
    """x, weight, bias, running mean, running variance; every channel has its own scale."""
    x = rng.normal(images, channels, height, width) * rng.uniform(channels, 1, 1, low=1, high=4)
    weight, bias = rng.uniform(channels, low=0.5, high=2), rng.normal(channels)
    return x + rng.normal(channels, 1, 1), weight, bias, rng.normal(channels), rng.uniform(channels, low=0.5, high=3)


def _expected(given: tuple[Tensor, ...], training: bool, momentum: float, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """The result and both running statistics after it."""
    x, weight, bias, mean, var = (tensor.clone() for tensor in given)
    y = F.batch_norm(x, mean, var, weight, bias, training, momentum, eps)
    return y, mean, var


@question("batch_norm", without=("F.batch_norm",))
def batch_norm(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    channels, momentum, eps = rng.integer(2, 5), rng.number(0.2, 0.4), rng.number(0.2, 0.5)
    given = _batch(rng, 3, channels, 4, 5)
    y, mean, var = _expected(given, True, momentum, eps)
    loose = {"rtol": 1e-3, "atol": 1e-4}
    with case("training: the result"):
        hint = "Mean and variance are a channel's own, over images and positions; the divisor is how many there are."
        close(student.batch_norm(*given, True, momentum, eps), y, **loose, hint=hint)
    for name, index, expected, hint in (
        ("training: the running mean", 3, mean, "The momentum is the share of the new batch; changed in place."),
        ("training: the running variance", 4, var, "It takes the unbiased estimate; changed in place."),
    ):
        with case(name):
            _, after = student.after("batch_norm", *given, True, momentum, eps)
            close(after[index], expected, **loose, hint=hint)
    small = _batch(rng, 2, 3, 1, 2)
    with case("training: few numbers in a channel"):
        answer, after = student.after("batch_norm", *small, True, momentum, eps)
        close([answer, *after[3:5]], list(_expected(small, True, momentum, eps)), **loose)

    use = _batch(rng, 3, channels, 5, 3)
    with case("use: the result", weight=1.5):
        close(student.batch_norm(*use, False, momentum, eps), _expected(use, False, momentum, eps)[0], **loose)
        alone = use[0][:1], *use[1:]
        close(student.batch_norm(*alone, False), _expected(alone, False, 0.1, 1e-5)[0], **loose)
    with case("use: nothing is changed"):
        answer, after = student.after("batch_norm", *use, False)
        close(answer, _expected(use, False, 0.1, 1e-5)[0], **loose)
        unchanged(after[:5], use)

    upstream = rng.normal(3, channels, 4, 5)
    with case("training: gradients, and x keeps its values"):
        answer, grads = student.gradients("batch_norm", *given, True, momentum, eps, wrt=(0, 1, 2), upstream=upstream)
        close(answer, y, **loose)
        free = [tensor.clone().requires_grad_() for tensor in given[:3]]
        out = F.batch_norm(free[0], None, None, free[1], free[2], True, momentum, eps)
        hint = "The batch's own mean and variance take part in the gradient."
        close(list(grads), list(torch.autograd.grad(out, free, upstream)), rtol=1e-3, atol=1e-3, hint=hint)
        _, after = student.after("batch_norm", *given, True, momentum, eps)
        unchanged(after[:3], given[:3])


@question("bn_folding")
def bn_folding(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    tasks = {  # channels in, channels out, kernel, groups, has a bias
        "without a bias": (3, rng.integer(4, 7), 3, 1, False),
        "with a bias": (3, rng.integer(4, 7), 3, 1, True),
        "as many filters as channels": (4, 4, 3, 1, True),
        "in groups": (4, 6, 3, 2, True),
        "depthwise": (5, 5, 3, 5, False),
        "pointwise": (6, 3, 1, 1, True),
    }
    pair = "The new filters and the new bias."
    prepared = {}
    for name, (inputs, outputs, kernel, groups, has_bias) in tasks.items():
        weight = rng.normal(outputs, inputs // groups, kernel, kernel)
        bias = rng.normal(outputs, std=2) if has_bias else None
        gamma, beta, mean = rng.normal(outputs), rng.normal(outputs), rng.normal(outputs)
        given = (weight, bias, gamma, beta, mean, rng.uniform(outputs, low=0.1, high=2))
        eps, x = rng.number(0.02, 0.1), rng.normal(2, inputs, 5, 4)
        y = F.conv2d(x, weight, bias, groups=groups)
        expected = F.batch_norm(y, given[4], given[5], gamma, beta, False, 0.1, eps)
        prepared[name] = given, eps, x, groups, expected
    for name, (given, eps, x, groups, expected) in prepared.items():
        with case(name):
            new_weight, new_bias = parts(student.fold_batch_norm(*given, eps), 2, hint=pair)
            close(
                new_weight,
                given[0] * (given[2] / (given[5] + eps).sqrt())[:, None, None, None],
                hint="Filter by filter.",
            )
            close(
                new_bias, torch.zeros(len(given[0])) + _bias(given, eps), hint="The old bias and the mean are scaled."
            )
            close(F.conv2d(x, new_weight, new_bias, groups=groups), expected, rtol=1e-3, atol=1e-3)

    given = prepared["with a bias"][0]
    with case("the arguments keep their values"):
        answer, after = student.after("fold_batch_norm", *given)
        close(parts(answer, 2, hint=pair)[1], _bias(given, 1e-5))
        unchanged(after[:6], given)


def _scale(given: tuple[Tensor, ...], eps: float) -> Tensor:
    return given[2] / (given[5] + eps).sqrt()


def _bias(given: tuple[Tensor, ...], eps: float) -> Tensor:
    """The folded layer's answer to an input of zeros."""
    bias = torch.zeros_like(given[4]) if given[1] is None else given[1]
    return (bias - given[4]) * _scale(given, eps) + given[3]
