"""1a: weight decay, the L1 prior, the soft threshold. Oracles: torch's optimizers, densities and softshrink."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from autograders.engine.asking.comparison import close, that, unchanged
from autograders.engine.asking.inputs import Inputs
from autograders.engine.asking.question import Cases, question
from autograders.engine.asking.reference import Reference
from autograders.engine.asking.remote import Student


def decayed(weight: Tensor, grad: Tensor, scale: Tensor, lr: float, decay: float, decoupled: bool) -> Tensor:
    """The table's two rows, float64."""
    weight, grad, scale = weight.double(), grad.double(), scale.double()
    shrinking = decay * weight if decoupled else decay * weight / scale
    return weight - lr * (grad / scale + shrinking)


def step_of(kind: type[torch.optim.Optimizer], weight: Tensor, grad: Tensor, lr: float, decay: float) -> Tensor:
    """The weight after the first step of one of torch's optimizers, float64."""
    weight = weight.double()
    weight.grad = grad.double()
    kind([weight], lr=lr, weight_decay=decay).step()
    return weight


@question("weight_decay")
def weight_decay(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    def drawn(*shape: int) -> tuple[Tensor, Tensor, Tensor]:
        return rng.normal(*shape), rng.normal(*shape), rng.uniform(*shape, low=-2, high=2).exp()

    rows, columns = rng.integer(3, 6), rng.integer(4, 8)
    lr, decay = rng.number(0.1, 0.3), rng.number(0.2, 0.6)
    given = drawn(rows, columns)
    with case("coupled, with scales of many sizes"):
        answer = student.decayed_step(*given, lr, decay, False)
        hint = "The penalty's gradient joins the gradient, and both are divided by the scale."
        close(answer, decayed(*given, lr, decay, False), hint=hint)
    with case("decoupled, with scales of many sizes"):
        answer = student.decayed_step(*given, lr, decay, True)
        hint = "The decay takes away lr times decay times the old weight, whatever the scale is."
        close(answer, decayed(*given, lr, decay, True), hint=hint)

    weight, grad, _ = drawn(columns, rows)
    with case("scale one: both forms agree with torch.optim.SGD"):
        for decoupled in (False, True):
            answer = student.decayed_step(weight, grad, torch.ones_like(weight), lr, decay, decoupled)
            hint = "Both forms use the weight as it was before the step."
            close(answer, step_of(torch.optim.SGD, weight, grad, lr, decay), hint=hint)
    weight, grad, _ = drawn(7)
    with case("decoupled, beside the first step of torch.optim.AdamW"):
        answer = student.decayed_step(weight, grad, grad.abs() + 1e-8, lr, decay, True)
        close(answer, step_of(torch.optim.AdamW, weight, grad, lr, decay))

    weight, grad, scale = drawn(2, 3, 4)
    still = torch.zeros_like(grad)
    with case("no gradient, then no decay"):
        for changed, strength, decoupled in ((still, decay, False), (still, decay, True), (grad, 0.0, True)):
            answer = student.decayed_step(weight, changed, scale, lr, strength, decoupled)
            close(answer, decayed(weight, changed, scale, lr, strength, decoupled))

    given = drawn(rows, 3)
    with case("the arguments keep their values"):
        for decoupled in (False, True):
            answer, after = student.after("decayed_step", *given, lr, decay, decoupled)
            close(answer, decayed(*given, lr, decay, decoupled))
            unchanged(after[:3], given)


def map_objective(nll: Tensor, weight: Tensor, scale: float, examples: int) -> Tensor:
    """The MAP objective over N, through the Laplace density; constants taken away. Float64 scalar."""
    prior = torch.distributions.Laplace(torch.tensor(0.0).double(), scale)
    relative = prior.log_prob(weight.double()) - prior.log_prob(torch.tensor(0.0).double())
    return nll.double().mean() - relative.sum() / examples


@question("l1_map")
def l1_map(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    shapes = {
        "a matrix of weights": ((4, 5), rng.integer(5, 9)),
        "a vector of weights": ((rng.integer(6, 12),), rng.integer(5, 9)),
        "the weights of a convolution": ((2, 3, 3, 3), rng.integer(3, 9)),
        "a batch of one example": ((3, 5), 1),
    }
    hint = "The mean of nll, and the sum of |w| over N b; N is the size of the training set."
    for name, (shape, batch) in shapes.items():
        nll, weight = rng.uniform(batch, low=0.5, high=3), rng.normal(*shape)
        scale, examples = rng.number(0.1, 0.4), rng.integer(20, 80)
        with case(name):
            answer = student.map_loss(nll, weight, scale, examples)
            close(answer, map_objective(nll, weight, scale, examples), hint=hint)

    nll, weight, examples = rng.uniform(7), rng.normal(6, 3), rng.integer(20, 40)
    narrow, wide = rng.number(0.005, 0.01), rng.number(20, 40)
    with case("a narrow and a wide prior"):
        for scale in (narrow, wide):
            answer = student.map_loss(nll, weight, scale, examples)
            close(answer, map_objective(nll, weight, scale, examples), hint="A wide prior punishes less.")

    scale = rng.number(0.2, 0.5)
    expected = weight.sign() / (examples * scale)
    with case("gradients flow to the weights"):
        _, (grad,) = student.gradients("map_loss", nll, weight, scale, examples, wrt=(1,))
        close(grad, expected, hint="Return a tensor; .item() and .data cut its connection to the weights.")
    with case("gradients flow to the examples' losses"):
        _, (grad,) = student.gradients("map_loss", nll, weight, scale, examples, wrt=(0,))
        close(grad, torch.full((7,), 1 / 7), hint="The loss is a mean over the batch.")


@question("soft_threshold", without=("F.softshrink",))
def soft_threshold(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    shapes = {"a vector": (rng.integer(20, 40),), "a matrix": (7, 9), "a tensor of three axes": (3, 5, 4)}
    for name, shape in shapes.items():
        weight, threshold = rng.normal(*shape, std=2), rng.number(0.4, 1.0)
        weight.view(-1)[:3] = threshold * torch.tensor([2.0, -2.0, 0.5])
        with case(name):
            hint = "Survivors move towards zero by the threshold, on both sides, and none crosses it."
            close(student.soft_threshold(weight, threshold), F.softshrink(weight, threshold), hint=hint)

    threshold = rng.integer(2, 9) / 8  # with the weights exact in binary, so that some lie on the threshold itself
    weight = rng.integers(-16, 17, 60) / 8
    weight[:5] = torch.tensor([threshold, -threshold, 0.0, threshold / 2, -threshold / 2])
    inside = weight.abs() <= threshold
    with case("within the threshold, and on it, weights become exactly zero"):
        answer = student.soft_threshold(weight, threshold)
        close(answer, F.softshrink(weight, threshold))
        that((answer[inside] == 0).all(), "Weights within the threshold should be exactly zero.")

    weight = -rng.uniform(11, low=0.5, high=3)
    with case("negative weights alone"):
        hint = "Negative weights move up."
        close(student.soft_threshold(weight, 0.25), F.softshrink(weight, 0.25), hint=hint)

    weight = rng.normal(5, 4)
    with case("a threshold of zero, then one above every weight"):
        close(student.soft_threshold(weight, 0.0), weight)
        close(student.soft_threshold(weight, 50.0), torch.zeros_like(weight))

    weight, threshold = rng.normal(6, 5, std=2), rng.number(0.3, 0.6)
    weight[0, :2] = torch.tensor([3.0, -3.0])
    with case("the weight keeps its values"):
        answer, after = student.after("soft_threshold", weight, threshold)
        close(answer, F.softshrink(weight, threshold))
        unchanged(after[0], weight)
