"""Notices when an exercise's answer calls the torch function that it is meant to build; see `checking.without`."""

from __future__ import annotations

from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from course_lib.checking.comparing import CheckFailed, message

__all__ = ["OPERATORS", "Forbid"]

_CONVOLUTION = ("convolution", "conv2d", "mkldnn_convolution", "thnn_conv2d", "slow_conv2d_forward")
_GROUPED = "F.conv2d with groups"

# the operators that torch reaches through each function, whatever name the student calls it by; torch builds
# F.rms_norm from the same small operators as a student would, so it cannot be told apart here
OPERATORS = {
    "F.conv2d": _CONVOLUTION,
    _GROUPED: ("convolution", "mkldnn_convolution"),
    "F.unfold": ("im2col",),
    "F.max_pool2d": ("max_pool2d", "max_pool2d_with_indices", "adaptive_max_pool2d"),
    "F.avg_pool2d": ("avg_pool2d", "adaptive_avg_pool2d"),
    "F.batch_norm": ("native_batch_norm", "_native_batch_norm_legit", "_batch_norm_with_update", "cudnn_batch_norm"),
    "F.layer_norm": ("native_layer_norm", "native_group_norm", "_fused_rms_norm"),
    "F.channel_shuffle": ("channel_shuffle", "native_channel_shuffle"),
    "F.gelu": ("gelu",),
    "F.hardswish": ("hardswish",),
    "F.softshrink": ("softshrink",),
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
        operator = func._schema.name.partition("::")[2].removesuffix("_")  # x.hardswish_() is hardswish too
        function = self._function_of.get(operator)
        if function and (function != _GROUPED or args[-1] != 1):  # groups is the last argument of a convolution
            raise CheckFailed(
                message(f"your code calls {function}, which this exercise builds", hint="Write it yourself.")
            )
        return func(*args, **(kwargs or {}))
