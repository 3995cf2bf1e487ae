"""1a: SGD with momentum, RMSProp, Adam. Oracles: weights and state of torch.optim in float64, and closed forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from autograders.engine.asking.comparison import close, parts, unchanged
from autograders.engine.asking.inputs import Inputs
from autograders.engine.asking.question import Cases, question
from autograders.engine.asking.reference import Reference
from autograders.engine.asking.remote import Student


def torch_steps(
    make: Callable[[list[Tensor]], torch.optim.Optimizer],
    state: Sequence[str],
    weight: Tensor,
    grads: Sequence[Tensor],
    rates: Sequence[float] = (),
) -> list[tuple[Tensor, ...]]:
    """(weight, *state) after each step of torch's optimizer, float64. rates: a learning rate for each step."""
    weight = weight.double()
    optimizer = make([weight])
    steps = []
    for number, grad in enumerate(grads):
        if rates:
            optimizer.param_groups[0]["lr"] = rates[number]
        weight.grad = grad.double()
        optimizer.step()
        steps.append((weight.clone(), *(optimizer.state[weight][name].clone() for name in state)))
    return steps


def of_sizes(rng: Inputs, count: int, *sizes: float) -> list[Tensor]:
    """`count` gradients [5, len(sizes)] whose columns have these sizes."""
    return [torch.tensor(sizes) * rng.normal(5, len(sizes)) for _ in range(count)]


@question("sgd_momentum")
def sgd_momentum(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    lr, momentum = rng.number(0.05, 0.2), rng.number(0.7, 0.95)
    weight, grads = rng.normal(4, 3), [rng.normal(4, 3) for _ in range(6)]
    velocity = rng.normal(4, 3)
    pair = "Return the new weight and the new velocity."

    def make(parameters: list[Tensor]) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, lr=lr, momentum=momentum)

    def follow(rates: Sequence[float], hint: str) -> None:
        """The student's steps, fed back as they are, beside torch's."""
        state = (weight, torch.zeros_like(weight))
        expected = torch_steps(make, ["momentum_buffer"], weight, grads, rates)
        for grad, rate, after in zip(grads, rates, expected, strict=True):
            state = parts(student.sgd_momentum(state[0], grad, state[1], rate, momentum), 2, hint=pair)
            close(state, after, hint=hint)

    new = momentum * velocity.double() + grads[0]
    with case("a moving velocity: the new velocity"):
        _, answer = parts(student.sgd_momentum(weight, grads[0], velocity, lr, momentum), 2, hint=pair)
        close(answer, new, hint="The gradient enters whole, without the learning rate. Return the new velocity.")
    with case("a moving velocity: the new weight"):
        answer, _ = parts(student.sgd_momentum(weight, grads[0], velocity, lr, momentum), 2, hint=pair)
        close(answer, weight - lr * new, hint="The step is the learning rate times the new velocity.")
    with case("several steps beside torch.optim.SGD"):
        follow([lr] * 6, "The velocity is kept from step to step.")
    with case("a learning rate that falls on the way"):
        follow([lr] * 3 + [lr / 10] * 3, "The learning rate multiplies the step and is no part of the velocity.")
    with case("no momentum"):
        answer = parts(student.sgd_momentum(weight, grads[0], velocity, lr, 0.0), 2, hint=pair)
        close(answer, (weight - lr * grads[0], grads[0]), hint="Without momentum the velocity is the gradient.")
    with case("the arguments keep their values"):
        answer, after = student.after("sgd_momentum", weight, grads[0], velocity, lr, momentum)
        close(parts(answer, 2, hint=pair), (weight - lr * new, new))
        unchanged(after[:3], (weight, grads[0], velocity))


@question("rmsprop")
def rmsprop(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    lr, alpha, eps = rng.number(0.02, 0.1), rng.number(0.8, 0.95), 1e-8
    weight, grads = rng.normal(5, 3), of_sizes(rng, 6, 1.0, 3.0, 10.0)
    square = rng.uniform(5, 3, low=0.5, high=4)
    pair = "Return the new weight and the new mean square."

    def follow(weight: Tensor, grads: Sequence[Tensor], eps: float, hint: str) -> None:
        def make(parameters: list[Tensor]) -> torch.optim.Optimizer:
            return torch.optim.RMSprop(parameters, lr=lr, alpha=alpha, eps=eps)

        state = (weight, torch.zeros_like(weight))
        for grad, after in zip(grads, torch_steps(make, ["square_avg"], weight, grads), strict=True):
            state = parts(student.rmsprop(state[0], grad, state[1], lr, alpha, eps), 2, hint=pair)
            close(state, after, hint=hint)

    new = alpha * square.double() + (1 - alpha) * grads[0].double() ** 2
    moved = weight - lr * grads[0] / (new.sqrt() + eps)
    with case("a mean square under way: its new value"):
        _, answer = parts(student.rmsprop(weight, grads[0], square, lr, alpha, eps), 2, hint=pair)
        close(answer, new, hint="alpha is the share of the old mean square, the rest that of the squared gradient.")
    with case("a mean square under way: the new weight"):
        answer, _ = parts(student.rmsprop(weight, grads[0], square, lr, alpha, eps), 2, hint=pair)
        close(answer, moved, hint="Divide by the root of the new mean square.")
    with case("several steps beside torch.optim.RMSprop"):
        follow(weight, grads, eps, "The mean square starts at zero and is not corrected for it.")

    small = of_sizes(rng, 5, 1.0, 1e-2, 1e-4)
    with case("gradients smaller than eps"):
        follow(weight, small, 1e-2, "eps is added after the root is taken.")
    still = [grad * torch.tensor([1.0, 0.0, 1.0]) for grad in grads[:3]]
    with case("a weight without gradients stays where it is"):
        follow(weight, still, 1e-6, "A mean square of zero must not be divided by: that is what eps is for.")
    with case("the arguments keep their values"):
        answer, after = student.after("rmsprop", weight, grads[0], square, lr, alpha, eps)
        close(parts(answer, 2, hint=pair), (moved, new))
        unchanged(after[:3], (weight, grads[0], square))


@question("adam")
def adam(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    lr, betas, eps = rng.number(0.02, 0.1), (rng.number(0.7, 0.9), rng.number(0.93, 0.98)), 1e-8
    weight, grads = rng.normal(5, 3), of_sizes(rng, 7, 1.0, 3.0, 10.0)
    late = rng.integer(20, 40), rng.normal(5, 3), rng.uniform(5, 3, low=0.5, high=4)
    triple = "Return the new weight, the new mean and the new mean square."
    zero = torch.zeros_like(weight)

    def follow(grads: Sequence[Tensor], eps: float, hint: str) -> None:
        def make(parameters: list[Tensor]) -> torch.optim.Optimizer:
            return torch.optim.Adam(parameters, lr=lr, betas=betas, eps=eps)

        state, expected = (weight, zero, zero), torch_steps(make, ["exp_avg", "exp_avg_sq"], weight, grads)
        for step, (grad, after) in enumerate(zip(grads, expected, strict=True), start=1):
            answer = student.adam(state[0], grad, state[1], state[2], step, lr, betas, eps)
            state = parts(answer, 3, hint=triple)
            close(state, after, hint=hint)

    with case("the first step: the new weight"):
        answer = student.adam(weight, grads[0], zero, zero, 1, lr, betas, eps)
        moved, _, _ = parts(answer, 3, hint=triple)
        hint = "Corrected, the first step is as long as the learning rate."
        close(moved, weight - lr * grads[0] / (grads[0].abs() + eps), hint=hint)
    with case("the first step: both means"):
        answer = student.adam(weight, grads[0], zero, zero, 1, lr, betas, eps)
        _, mean, square = parts(answer, 3, hint=triple)
        expected = (1 - betas[0]) * grads[0].double(), (1 - betas[1]) * grads[0].double() ** 2
        close((mean, square), expected, hint="The means are returned without the correction.")

    step, mean, square = late
    mean = betas[0] * mean.double() + (1 - betas[0]) * grads[1]
    square = betas[1] * square.double() + (1 - betas[1]) * grads[1].double() ** 2
    corrected = (mean / (1 - betas[0] ** step), square / (1 - betas[1] ** step))
    moved = weight - lr * corrected[0] / (corrected[1].sqrt() + eps)
    with case("a later step, from means under way"):
        answer = student.adam(weight, grads[1], late[1], late[2], step, lr, betas, eps)
        close(parts(answer, 3, hint=triple), (moved, mean, square), hint="The corrections use the number of the step.")
    with case("several steps beside torch.optim.Adam"):
        follow(grads, eps, "Both means are corrected before the root is taken.")

    small = of_sizes(rng, 5, 1.0, 1e-2, 1e-4)
    with case("gradients smaller than eps"):
        follow(small, 1e-2, "eps is added to the root of the corrected mean square.")
    with case("gradients that stop"):
        still = [grad * torch.tensor([1.0, 0.0, 0.0]) for grad in grads[2:6]]
        start = grads[0] * torch.tensor([1.0, 1.0, 0.0])
        follow([start, *still], 1e-6, "Adam goes on moving after the gradient stops.")
    with case("the arguments keep their values"):
        answer, after = student.after("adam", weight, grads[1], late[1], late[2], step, lr, betas, eps)
        close(parts(answer, 3, hint=triple), (moved, mean, square))
        unchanged(after[:4], (weight, grads[1], late[1], late[2]))
