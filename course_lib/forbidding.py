"""Notices when an exercise's answer calls the torch function that it is meant to build; see `checking.without`."""

from __future__ import annotations

from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from course_lib.comparing import CheckFailed, message

__all__ = ["OPERATORS", "Forbid"]

# the operators that torch reaches through each function, whatever name the student calls it by
OPERATORS = {
    "F.conv2d": ("convolution", "conv2d", "mkldnn_convolution", "thnn_conv2d", "slow_conv2d_forward"),
    "F.unfold": ("im2col",),
    "F.max_pool2d": ("max_pool2d", "max_pool2d_with_indices", "adaptive_max_pool2d"),
    "F.avg_pool2d": ("avg_pool2d", "adaptive_avg_pool2d"),
}


class Forbid(TorchDispatchMode):
    """Inside it, reaching one of the operators behind `functions` (keys of OPERATORS) is a CheckFailed."""

    def __init__(self, functions: tuple[str, ...]) -> None:
        super().__init__()
        unknown = sorted(set(functions) - OPERATORS.keys())
        if unknown:
            raise ValueError(f"without() knows {', '.join(OPERATORS)}, not {', '.join(unknown)}")
        self._function_of = {operator: name for name in functions for operator in OPERATORS[name]}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Without this, torch imports its compiler, for a second or two, when the mode is first entered."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        function = self._function_of.get(func._schema.name.partition("::")[2])
        if function:
            raise CheckFailed(
                message(f"your code calls {function}, which this exercise builds", hint="Write it yourself.")
            )
        return func(*args, **(kwargs or {}))
