"""The visible checks, each a comparison or a rule for the code of one block."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from course_lib import progress
from course_lib.checking import comparing
from course_lib.checking.comparing import CheckFailed
from course_lib.checking.forbidding import Forbid

__all__ = ["check", "close", "equal", "raises", "that", "unchanged", "without"]

_passed_in_check = 0


@contextlib.contextmanager
def check(name: str) -> Iterator[None]:
    """Group the comparisons of one exercise; prints one line when all of them hold.

    Raises RuntimeError if the block compared nothing, as that would pass any answer.
    """
    global _passed_in_check
    _passed_in_check = 0
    try:
        yield
    except CheckFailed as failure:
        progress.record_check(name, failure)
        # raised anew so that the notebook shows no frame of the check cell or of this file
        raise CheckFailed(f"{name}: not yet.\n{failure}") from None
    except (Exception, KeyboardInterrupt) as error:
        progress.record_check(name, error)
        raise
    if _passed_in_check == 0:
        raise RuntimeError(f"check({name!r}) compared nothing")
    print(f"{name}: all {_passed_in_check} visible checks pass.")
    progress.record_check(name, None)


def close(
    actual: Any,
    expected: Any,
    what: str,
    *,
    rtol: float = 1e-4,
    atol: float = 1e-6,
    dtype: bool = False,
    hint: str = "",
) -> None:
    """Require numbers to agree: |actual - expected| <= atol + rtol * |expected|, everywhere.

    expected  a number, tensor, array, or a (nested) sequence or mapping of these. A tensor asks for a tensor, an array
        for an array, a number for a number or a one-element tensor; lists of numbers accept either. NaN never agrees.
    dtype     also require the expected tensor's dtype.
    """
    comparing.compare(actual, expected, what, rtol=rtol, atol=atol, dtype=dtype, hint=hint)
    _count()


def equal(actual: Any, expected: Any, what: str, *, hint: str = "") -> None:
    """Require exact equality: whole numbers, truth values, text, shapes, containers of them, tensors.

    Lists and tuples stand for each other, a one-element tensor for its number, but 1 not for True. A tensor or array
    asks for the same kind, shape, dtype and values.
    """
    comparing.compare_exactly(actual, expected, what, hint)
    _count()


def that(condition: Any, message: str, *, hint: str = "") -> None:
    """Require a condition that has no single expected value; `message` says what should hold."""
    if not bool(condition):
        raise CheckFailed(comparing.message(message, hint=hint))
    _count()


def raises(error: type[Exception], call: Callable[[], Any], what: str, *, hint: str = "") -> None:
    """Require `call()` to raise `error`: a function that refuses bad input."""
    try:
        result = call()
    except NotImplementedError:
        if error is NotImplementedError:
            _count()
            return
        raise  # an exercise that is not written yet refuses nothing
    except error:
        _count()
        return
    except Exception as other:
        got = f"{type(other).__name__}: {other}"
    else:
        got = f"it returned {comparing.shown(result)}"
    raise CheckFailed(comparing.message(f"{what} should raise {error.__name__}", got=got, hint=hint))


@contextlib.contextmanager
def unchanged(**inputs: torch.Tensor | np.ndarray) -> Iterator[None]:
    """Require the named tensors to hold the same values after the block: `with checking.unchanged(x=x): ...`."""
    before = {name: _copy(value) for name, value in inputs.items()}
    yield
    for name, value in inputs.items():
        if not _same_values(value, before[name]):
            hint = "Work on a copy: an operation ending in _ or x[...] = ... writes in place."
            raise CheckFailed(comparing.message(f"your code changed its input {name}", hint=hint))
    _count()


def _copy(value: torch.Tensor | np.ndarray) -> torch.Tensor | np.ndarray:
    return value.detach().clone() if isinstance(value, torch.Tensor) else value.copy()


def _same_values(now: Any, before: Any) -> bool:
    """Of two tensors or two arrays; NaN equals NaN."""
    if now.shape != before.shape:
        return False
    both_nan = (now != now) & (before != before)
    return bool(((now == before) | both_nan).all())


@contextlib.contextmanager
def without(*functions: str) -> Iterator[None]:
    """Require that the block does not use the torch functions an exercise builds: `with checking.without("F.conv2d"):`.

    functions  among the keys of `forbidding.OPERATORS`. Other ways to the same operator, such as nn.Conv2d, count too.
    """
    with Forbid(functions):
        yield
    _count()


def _count() -> None:
    global _passed_in_check
    _passed_in_check += 1
