"""A function of two tensors and a sequence of them, registered, beside the same in plain torch."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from course_lib.operation import register

KEPT: list[set[str]] = []


def like_x(x: Tensor) -> Tensor:
    return torch.empty_like(x)


def gradients(gradient, needs, x, scale, weights, power):
    KEPT.append(set(needs))
    found = {}
    if "x" in needs:
        found["x"] = gradient * scale * power * x ** (power - 1)
    if "scale" in needs:
        found["scale"] = (gradient * x**power).sum()
    assert [weight.shape for weight in weights] == [(3,)] * len(weights)
    return found


@register("scaled_power_for_tests", output=like_x, gradients=gradients)
def scaled_power(x: Tensor, unused: Tensor | None, scale: Tensor, weights: Sequence[Tensor], power: int) -> Tensor:
    return scale * x**power


@register("halved_for_tests", output=like_x)
def halved(x: Tensor) -> Tensor:
    return x / 2


def inputs(*requires):
    torch.manual_seed(0)
    x, scale = torch.randn(3, dtype=torch.float64), torch.tensor(2.0, dtype=torch.float64)
    return x.requires_grad_("x" in requires), None, scale.requires_grad_("scale" in requires)


@pytest.mark.parametrize("weights", [[], [torch.ones(3)], [torch.ones(3), torch.zeros(3)]])
def test_torch_accepts_it(weights):
    arguments = (*inputs("x", "scale"), weights, 3)
    torch.library.opcheck(torch.ops.course.scaled_power_for_tests.default, arguments)
    torch.library.opcheck(torch.ops.course.halved_for_tests.default, inputs()[:1])


@pytest.mark.parametrize("requires", [("x",), ("scale",), ("x", "scale")])
def test_gradients_are_asked_for_and_right(requires):
    x, unused, scale = inputs(*requires)
    KEPT.clear()
    scaled_power(x, unused, scale, [torch.ones(3)], 3).sum().backward()
    assert KEPT.pop() == set(requires)
    assert not KEPT
    if "x" in requires:
        torch.testing.assert_close(x.grad, 6 * x.detach() ** 2)
    if "scale" in requires:
        torch.testing.assert_close(scale.grad, (x.detach() ** 3).sum())


def test_first_and_second_derivatives():
    x, unused, scale = inputs("x", "scale")
    call = lambda x, scale: scaled_power(x, unused, scale, [torch.ones(3)], 3)  # noqa: E731
    assert torch.autograd.gradcheck(call, (x, scale))
    assert torch.autograd.gradgradcheck(call, (x, scale))


def test_only_what_the_gradients_name_is_kept():
    x, _, scale = inputs("x")
    unused = torch.ones(1000)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        scaled_power(x, unused, scale, [], 2)
    assert [tensor.numel() for tensor in kept] == [3, 1]


def test_without_gradients_one_that_is_asked_for_is_refused():
    result = halved(torch.ones(3, requires_grad=True))
    with pytest.raises(RuntimeError, match="no autograd formula"):
        result.sum().backward()


def test_it_compiles_whole_and_its_shape_is_known_without_running_it():
    x, unused, scale = inputs()
    compiled = torch.compile(lambda x: scaled_power(x + 1, unused, scale, [], 2), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), 2 * (x + 1) ** 2)
    assert scaled_power(x.to("meta"), None, scale.to("meta"), [], 2).shape == (3,)
