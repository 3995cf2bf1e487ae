"""1a: the dense layer, the perceptron forward and backward, dropout. Oracles: torch's layers and autograd."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor

from autograders.engine.asking.comparison import close, equal, parts, that, unchanged
from autograders.engine.asking.inputs import Inputs
from autograders.engine.asking.question import Cases, question
from autograders.engine.asking.reference import Reference
from autograders.engine.asking.remote import Student


@question("dense_layer")
def dense_layer(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    square = rng.integer(4, 8)
    layers = {  # images, inputs, neurons
        "more neurons than inputs": (rng.integer(2, 5), 5, rng.integer(6, 9)),
        "fewer neurons than inputs": (rng.integer(4, 7), rng.integer(4, 9), 3),
        "a single image": (1, rng.integer(2, 6), rng.integer(7, 9)),
        "one input, one neuron": (rng.integer(3, 9), 1, 1),
        "as many neurons as inputs": (square + 2, square, square),
        "as many neurons as images": (square, square - 1, square),
        "as many neurons as inputs and as images": (square, square, square),
    }
    hint = "Neuron j uses row j of the weight and adds bias[j] in column j; nothing is clipped."
    for name, (images, inputs, neurons) in layers.items():
        x, weight, bias = rng.normal(images, inputs), rng.normal(neurons, inputs), rng.normal(neurons, std=3)
        with case(name):
            close(student.dense(x, weight, bias), F.linear(x, weight, bias), hint=hint)

    given = rng.normal(5, 4), rng.normal(3, 4), rng.normal(3)
    with case("the arguments keep their values"):
        y, after = student.after("dense", *given)
        close(y, F.linear(*given))
        unchanged(after, given)


def network(rng: Inputs, *sizes: int) -> tuple[list[Tensor], list[Tensor]]:
    """Weights and biases, float32; of each layer's neurons the first is mostly silent and the last mostly not."""
    weights = [1.3 * rng.normal(outputs, inputs) / inputs**0.5 for inputs, outputs in itertools.pairwise(sizes)]
    biases = [rng.normal(outputs) for outputs in sizes[1:]]
    for bias in biases:
        if len(bias) > 1:
            bias[0] -= 6
            bias[-1] += 4
    return weights, biases


def run(x: Tensor, weights: list[Tensor], biases: list[Tensor]) -> list[Tensor]:
    """x, hidden activations, logits."""
    kept = [x]
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        kept.append(F.relu(F.linear(kept[-1], weight, bias)))
    return [*kept, F.linear(kept[-1], weights[-1], biases[-1])]


@question("mlp_forward")
def mlp_forward(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    shapes = {
        "one layer alone": (rng.integer(3, 6), 3, 4),
        "two layers": (rng.integer(3, 6), 5, 6, 3),
        "hidden layers of one neuron": (2, 4, 1, 1, 3),
        "as many images as neurons in every layer": (4, 4, 4, 4, 4),
    }
    hint = "A ReLU stands after every layer but the last; x comes first and the logits last."
    for name, (images, *sizes) in shapes.items():
        x, (weights, biases) = rng.normal(images, sizes[0]), network(rng, *sizes)
        with case(name):
            close(student.mlp_forward(x, weights, biases), run(x, weights, biases), hint=hint)

    x, (weights, biases) = rng.normal(5, 3), network(rng, 3, 6, 4, 5, 3)
    expected = run(x, weights, biases)
    with case("four layers: the hidden activations"):
        hint = "Keep what leaves each ReLU, and apply one in every hidden layer."
        kept = parts(student.mlp_forward(x, weights, biases), 5, hint="x, the hidden activations and the logits.")
        close(kept[1:-1], expected[1:-1], hint=hint)
    with case("four layers: the logits"):
        kept = parts(student.mlp_forward(x, weights, biases), 5, hint="x, the hidden activations and the logits.")
        close(kept[-1], expected[-1], hint="The logits may be negative.")

    given = rng.normal(4, 5), *network(rng, 5, 3, 4)
    with case("the arguments keep their values"):
        kept, after = student.after("mlp_forward", *given)
        close(kept, run(*given), hint="The first tensor is x itself.")
        unchanged(after, given)


def backward_by_autograd(x: Tensor, weights: list[Tensor], biases: list[Tensor], labels: Tensor):
    """What the forward pass keeps, and ([gradients of weights], [gradients of biases]), all float64."""
    layers = len(weights)
    parameters = [value.double().requires_grad_() for value in (*weights, *biases)]
    kept = run(x.double(), parameters[:layers], parameters[layers:])
    grads = torch.autograd.grad(F.cross_entropy(kept[-1], labels), parameters)
    return [tensor.detach() for tensor in kept], (list(grads[:layers]), list(grads[layers:]))


def backward_task(rng: Inputs, images: int, *sizes: int, shift: float = 0.0):
    """(activations, weights, labels) and the expected gradients; `shift` is added to every logit. Label 0 occurs."""
    x, (weights, biases) = rng.normal(images, sizes[0]), network(rng, *sizes)
    labels = rng.integers(0, sizes[-1], images)
    labels[0] = 0
    biases[-1] += shift
    kept, expected = backward_by_autograd(x, weights, biases, labels)
    return (kept, [weight.double() for weight in weights], labels), expected


@question("mlp_backward")
def mlp_backward(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    hints = {
        "one layer alone": "The logits have no ReLU, and the loss is a mean over the images.",
        "two layers": "Softmax runs over the classes; the lists have the order of the layers.",
        "as many images, inputs, neurons and classes": "Rows of a weight belong to outputs, columns to inputs.",
    }
    images = rng.integer(3, 8)
    for name, sizes in zip(hints, ((images, 4, 3), (images, 5, 6, 3), (5, 5, 5, 5)), strict=True):
        given, expected = backward_task(rng, *sizes)
        with case(name):
            close(student.mlp_backward(*given), expected, hint=hints[name])

    given, expected = backward_task(rng, 7, 4, 6, 5, 3)
    pair = "Gradients of the weights and gradients of the biases, two lists."
    with case("three layers: gradients of the weights"):
        weight_grads, _ = parts(student.mlp_backward(*given), 2, hint=pair)
        close(weight_grads, expected[0], hint="Each delta is masked where that layer's activation is zero.")
    with case("three layers: gradients of the biases"):
        _, bias_grads = parts(student.mlp_backward(*given), 2, hint=pair)
        close(bias_grads, expected[1], hint="Add delta over the images: it is a mean already.")

    large, small = (backward_task(rng, 6, 4, 5, 3, shift=shift) for shift in (1000.0, -1000.0))
    with case("logits far from zero"):
        for given, expected in (large, small):
            close(student.mlp_backward(*given), expected, hint="No exp of a logit: torch.softmax is safe.")

    given, expected = backward_task(rng, 4, 3, 5, 4)
    with case("the arguments keep their values"):
        grads, after = student.after("mlp_backward", *given)
        close(grads, expected)
        unchanged(after, given)


def is_like(y: object, x: Tensor) -> None:
    """Ends the case unless y is a tensor of x's shape and dtype."""
    same = isinstance(y, Tensor) and y.shape == x.shape and y.dtype == x.dtype
    that(same, "In training the answer should be a tensor with the shape and dtype of x.")


@question("dropout")
def dropout(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    signs = 2.0 * rng.integers(0, 2, 97, 83) - 1
    x = signs * rng.uniform(97, 83, low=1, high=2)  # no zeros: a zero in the answer was dropped
    rare, often = rng.number(0.15, 0.3), rng.number(0.7, 0.85)
    first, second, third = rng.generator(), rng.generator(), rng.generator()

    for name, p in (("few values are dropped", rare), ("most values are dropped", often)):
        with case(f"{name}: how many"):
            y = student.dropout(x, p, True, first)
            is_like(y, x)
            share = (y == 0).float().mean().item()  # its deviation is below 0.0052
            that(abs(share - p) < 0.05, "The share of zeros is not p: p is the probability of being dropped.")
        with case(f"{name}: what is kept"):
            y = student.dropout(x, p, True, first)
            is_like(y, x)
            kept = y != 0
            that(kept.any() and not kept.all(), "Some values should be dropped and some kept.")
            close(y[kept], x[kept] / (1 - p), hint="Survivors are divided by the share that is kept.")

    image = rng.uniform(5, 3, 17, 19, low=1, high=2).double()
    with case("every value has a draw of its own", weight=2):
        y = student.dropout(image, 0.5, True, second)
        is_like(y, image)
        for dim in range(4):
            mask = (y != 0).transpose(0, dim).flatten(1)
            that(not (mask == mask[0]).all(), "Draw as many random numbers as x has values: the same ones are dropped.")

    with case("random numbers come from the generator passed"):
        one, again, other = (student.dropout(x, rare, True, source) for source in (third, third, second))
        is_like(one, x)
        equal(again, one, hint="Equal generators should drop the same values.")
        same = isinstance(other, Tensor) and torch.equal(one, other)
        that(not same, "Two generators dropped the same values: none should be made or seeded in the function.")

    few = rng.normal(6, 5)
    with case("in use, and for p of zero, nothing is dropped", weight=2):
        close(student.dropout(few, often, False, first), few, hint="In use nothing is dropped or scaled.")
        close(student.dropout(few, 0.0, True, first), few)

    with case("x keeps its values"):
        y, after = student.after("dropout", x, rare, True, third)
        is_like(y, x)
        that((y == 0).any(), "In training some values should be dropped.")
        unchanged(after[0], x)
