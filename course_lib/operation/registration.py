"""From a function on tensors to a torch operation that autograd and torch.compile know.

    @register("scale_rows", output=like_x, gradients=gradients)
    def scale_rows(x: Tensor, factors: Tensor, version: int | None) -> Tensor: ...

    def like_x(x: Tensor) -> Tensor:                        # an empty result; takes the inputs that it names
        return torch.empty_like(x)

    def gradients(gradient: Tensor, needs: Needs, x: Tensor, factors: Tensor) -> Gradients:
        return {"factors": (gradient * x).sum(1)} if "factors" in needs else {}

`torch.ops.course.scale_rows` is then the operation: `output` tells the compiler its shape, and of the inputs those that
`gradients` names are kept for it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ParamSpec, TypeAlias

import torch
from torch import Tensor

__all__ = ["NAMESPACE", "Gradients", "Needs", "register"]

NAMESPACE = "course"
P = ParamSpec("P")
Needs: TypeAlias = Collection[str]
Gradients: TypeAlias = Mapping[str, Tensor | None]


def register(
    name: str, *, output: Callable[..., Tensor], gradients: Callable[..., Gradients] | None = None
) -> Callable[[Callable[P, Tensor]], Callable[P, Tensor]]:
    """Register the decorated function as `torch.ops.course.NAME`; the result is called like the function.

    The function's annotations are the operation's schema: tensors, sequences of tensors, numbers, dtypes, None. It may
    read its tensors' memory, and neither changes nor returns an input.

    output     makes an empty result from the inputs that it names, reading shapes, dtypes and devices only.
    gradients  (gradient, needs, the inputs that it names) -> the gradient of each input in `needs` that has one. Runs
               under autograd itself for second derivatives. None: one that is asked for is refused.
    """

    def decorate(call: Callable[P, Tensor]) -> Callable[P, Tensor]:
        operation = torch.library.custom_op(f"{NAMESPACE}::{name}", call, mutates_args=())
        inputs = inspect.signature(call)

        @operation.register_fake
        def _(*given: Any, **named: Any) -> Tensor:
            return _pick(output, inputs.bind(*given, **named).arguments)

        if gradients is not None:
            _differentiate(operation, tuple(inputs.parameters), gradients)
        return operation

    return decorate


def _differentiate(
    operation: torch.library.CustomOpDef, names: Sequence[str], gradients: Callable[..., Gradients]
) -> None:
    wanted = [name for name in _names(gradients) if name in names]

    def keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        given = dict(zip(names, inputs, strict=True))
        ctx.lengths = {name: len(value) for name, value in given.items() if isinstance(value, (list, tuple))}
        kept = [(name, tensor) for name in wanted for tensor in _tensors(given[name])]
        ctx.names = [name for name, _ in kept]
        ctx.others = {name: given[name] for name in wanted if name not in ctx.names}
        ctx.save_for_backward(*(tensor for _, tensor in kept))

    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        values = dict(ctx.others)
        for name, tensor in zip(ctx.names, ctx.saved_tensors, strict=True):
            if name in ctx.lengths:
                values.setdefault(name, []).append(tensor)
            else:
                values[name] = tensor
        needs = {name for name, needed in zip(names, ctx.needs_input_grad, strict=True) if _any(needed)}
        found = _pick(gradients, {**values, "gradient": gradient, "needs": needs})
        # torch wants None in the shape of the input: a list of them for a sequence of tensors
        return tuple(found.get(name, [None] * ctx.lengths[name] if name in ctx.lengths else None) for name in names)

    operation.register_autograd(backward, setup_context=keep)


def _tensors(value: object) -> list[Tensor]:
    """The tensor, or those of a sequence of them; none in anything else."""
    several = value if isinstance(value, (list, tuple)) else [value]
    return [each for each in several if isinstance(each, Tensor)]


def _any(needed: bool | Sequence[bool]) -> bool:
    return needed if isinstance(needed, bool) else any(needed)


def _names(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def _pick(function: Callable[..., Any], available: Mapping[str, Any]) -> Any:
    """Call the function with what it names."""
    return function(**{name: available[name] for name in _names(function)})
