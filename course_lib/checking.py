"""Visible checks: comparisons whose messages tell a student what to look at.

    with checking.check("dense"):
        checking.close(dense(x, w, b), [[1.0, 2.0]], "dense(x, w, b)", hint="Was the bias added?")

A failed comparison shows what was returned, what was expected, where they first differ, and the hint, without
a traceback through this file. An error inside the student's own code keeps its traceback.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

__all__ = ["CheckFailed", "check", "close", "equal", "raises", "that", "unchanged"]

_passed_in_check = 0


class CheckFailed(AssertionError):
    """A comparison did not hold. The message is the whole story, so notebooks show it alone."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


@contextlib.contextmanager
def check(name: str) -> Iterator[None]:
    """Group the comparisons of one exercise; prints one line when all of them hold."""
    global _passed_in_check
    _passed_in_check = 0
    try:
        yield
    except CheckFailed as failure:
        # raised anew so that the notebook shows no frame of the check cell or of this file
        raise CheckFailed(f"{name}: not yet.\n{failure}") from None
    print(f"{name}: all {_passed_in_check} visible checks pass.")


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
    _compare(actual, expected, what, rtol=rtol, atol=atol, dtype=dtype, hint=hint)
    _count()


def equal(actual: Any, expected: Any, what: str, *, hint: str = "") -> None:
    """Require exact equality: whole numbers, booleans, text, shapes, tuples, integer and boolean tensors."""
    if isinstance(expected, (torch.Tensor, np.ndarray)):
        _compare(actual, expected, what, rtol=0.0, atol=0.0, dtype=True, hint=hint)
    elif isinstance(expected, tuple) and isinstance(actual, (torch.Size, list)):
        _require(tuple(actual) == expected, what, actual, expected, hint)
    else:
        same_kind = isinstance(actual, bool) == isinstance(expected, bool)
        _require(same_kind and bool(np.all(actual == expected)), what, actual, expected, hint)
    _count()


def that(condition: Any, message: str, *, hint: str = "") -> None:
    """Require a condition that has no single expected value; `message` says what should hold."""
    if not bool(condition):
        raise CheckFailed(_lines(message, hint=hint))
    _count()


def raises(error: type[Exception], call: Callable[[], Any], what: str, *, hint: str = "") -> None:
    """Require `call()` to raise `error`: a function that refuses bad input."""
    try:
        result = call()
    except NotImplementedError:
        if error is NotImplementedError:
            _count()
            return
        raise
    except error:
        _count()
        return
    except Exception as other:
        raise CheckFailed(
            _lines(f"{what} should raise {error.__name__}", got=f"{type(other).__name__}: {other}", hint=hint)
        ) from None
    raise CheckFailed(_lines(f"{what} should raise {error.__name__}", got=f"it returned {_show(result)}", hint=hint))


@contextlib.contextmanager
def unchanged(**inputs: torch.Tensor | np.ndarray) -> Iterator[None]:
    """Require the named tensors to hold the same values after the block: `with checking.unchanged(x=x): ...`."""
    before = {name: value.clone() if isinstance(value, torch.Tensor) else value.copy() for name, value in inputs.items()}
    yield
    for name, value in inputs.items():
        same = torch.equal(value, before[name]) if isinstance(value, torch.Tensor) else np.array_equal(value, before[name])
        if not same:
            raise CheckFailed(
                _lines(f"your code changed its input {name}", hint="Work on a copy: an operation ending in _ or x[...] = ... writes in place.")
            )
    _count()


def _compare(actual: Any, expected: Any, what: str, **options: Any) -> None:
    hint = options["hint"]
    if actual is None and expected is not None:
        raise CheckFailed(_lines(f"{what} is None", hint="Is a return statement missing?" if not hint else hint))
    if isinstance(expected, Mapping):
        _require(isinstance(actual, Mapping) and actual.keys() == expected.keys(), f"the keys of {what}", _keys(actual), _keys(expected), hint)
        for key in expected:
            _compare(actual[key], expected[key], f"{what}[{key!r}]", **options)
    elif isinstance(expected, (tuple, list)) and any(not isinstance(item, (int, float)) for item in _flat(expected)):
        sized = isinstance(actual, Sequence) and len(actual) == len(expected)
        _require(sized, what, _kind(actual), f"{len(expected)} values", hint)
        for index, item in enumerate(expected):
            _compare(actual[index], item, f"{what}[{index}]", **options)
    else:
        _compare_numbers(actual, expected, what, **options)


def _compare_numbers(
    actual: Any, expected: Any, what: str, *, rtol: float, atol: float, dtype: bool, hint: str
) -> None:
    for kind in (torch.Tensor, np.ndarray):
        if isinstance(expected, kind) and not isinstance(actual, kind):
            _require(False, f"the type of {what}", _kind(actual), _kind(expected), hint)
    if dtype and isinstance(expected, (torch.Tensor, np.ndarray)):
        _require(actual.dtype == expected.dtype, f"the dtype of {what}", actual.dtype, expected.dtype, hint)
    found, wanted = _array(actual, what, hint), _array(expected, what, hint)
    if wanted.ndim == 0 and found.size == 1:
        found = found.reshape(())
    _require(found.shape == wanted.shape, f"the shape of {what}", found.shape, wanted.shape, hint)
    wrong = ~np.isclose(found, wanted, rtol=rtol, atol=atol)
    if wrong.any():
        raise CheckFailed(_describe_difference(found, wanted, wrong, what, hint))


def _describe_difference(found: np.ndarray, wanted: np.ndarray, wrong: np.ndarray, what: str, hint: str) -> str:
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    where = f"{what}{list(first)}" if first else what
    rows: dict[str, str] = {"yours": f"{found[first]:.6g}", "expected": f"{wanted[first]:.6g}"}
    if wrong.size > 1:
        rows["in all"] = f"{int(wrong.sum())} of {wrong.size} values differ, by up to {_largest(found, wanted):.3g}"
    return _lines(f"{where} is wrong", **rows, hint=hint)


def _largest(found: np.ndarray, wanted: np.ndarray) -> float:
    gaps = np.abs(found - wanted)
    return math.nan if np.isnan(gaps).any() else float(gaps.max())


def _array(value: Any, what: str, hint: str) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        value = value.detach().to("cpu", torch.float64).numpy() if value.layout == torch.strided else value.to_dense()
    elif isinstance(value, (list, tuple)):
        value = [item.item() if isinstance(item, torch.Tensor) and item.numel() == 1 else item for item in value]
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise CheckFailed(_lines(f"{what} should be numbers", got=_kind(value), hint=hint)) from None


def _require(condition: bool, what: str, actual: Any, expected: Any, hint: str) -> None:
    if not condition:
        raise CheckFailed(_lines(f"{what} is wrong", yours=_show(actual), expected=_show(expected), hint=hint))


def _lines(headline: str, **rows: str) -> str:
    return "\n".join([headline, *(f"  {label.replace('_', ' '):<9} {text}" for label, text in rows.items() if text)])


def _show(value: Any) -> str:
    text = str(value) if not isinstance(value, str) or " " in value else repr(value)
    return text if len(text) <= 200 else text[:197] + "..."


def _kind(value: Any) -> str:
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return f"{type(value).__name__} of shape {tuple(value.shape)}"
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__} of {len(value)} values"
    return type(value).__name__


def _keys(value: Any) -> Any:
    return sorted(value, key=str) if isinstance(value, Mapping) else _kind(value)


def _flat(value: Any) -> Iterator[Any]:
    for item in value:
        if isinstance(item, (tuple, list)):
            yield from _flat(item)
        else:
            yield item


def _count() -> None:
    global _passed_in_check
    _passed_in_check += 1
