"""Does a student's value agree with the expected one, and if not, where? What `checking` stands on.

Tensors, arrays, numbers and containers of them are walked down to numbers; the first disagreement becomes the
message of a `CheckFailed`, which names the place: `out['scale'][2, 0] is wrong`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

__all__ = ["CheckFailed", "compare", "compare_exactly", "message", "shown"]


class CheckFailed(AssertionError):
    """A comparison did not hold. The message is the whole story, so notebooks show it alone."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


def compare(
    actual: Any, expected: Any, what: str, *, rtol: float, atol: float, dtype: bool = False, hint: str = ""
) -> None:
    """Require numbers to agree within atol + rtol * |expected|, through nested containers; see `checking.close`."""
    if actual is None and expected is not None:
        raise CheckFailed(message(f"{what} is None", hint=hint or "Is a return statement missing?"))
    agree = partial(compare, rtol=rtol, atol=atol, dtype=dtype, hint=hint)
    if isinstance(expected, Mapping):
        _require_keys(actual, expected, what, hint)
        for key in expected:
            agree(actual[key], expected[key], f"{what}[{key!r}]")
    elif isinstance(expected, (tuple, list)) and not _is_grid(expected):
        sized = isinstance(actual, Sequence) and not isinstance(actual, str) and len(actual) == len(expected)
        _require(sized, what, _kind(actual), f"{len(expected)} values", hint)
        for index, item in enumerate(expected):
            agree(actual[index], item, f"{what}[{index}]")
    else:
        _compare_numbers(actual, expected, what, rtol=rtol, atol=atol, dtype=dtype, hint=hint)


def compare_exactly(actual: Any, expected: Any, what: str, hint: str = "") -> None:
    """Require the same values, and for tensors and arrays the same kind, shape and dtype; see `checking.equal`."""
    if isinstance(expected, Mapping):
        _require_keys(actual, expected, what, hint)
        for key in expected:
            compare_exactly(actual[key], expected[key], f"{what}[{key!r}]", hint)
    elif isinstance(expected, (tuple, list)) and any(_is_array(item) for item in _flat(expected)):
        sized = isinstance(actual, (tuple, list)) and len(actual) == len(expected)
        _require(sized, what, _kind(actual), f"{len(expected)} values", hint)
        for index, item in enumerate(expected):
            compare_exactly(actual[index], item, f"{what}[{index}]", hint)
    elif _is_array(expected):
        _compare_numbers(actual, expected, what, rtol=0.0, atol=0.0, dtype=True, hint=hint)
    else:
        _require(_identical(actual, expected), what, actual, expected, hint)


def message(headline: str, **rows: str) -> str:
    """A headline and, indented below it, the rows that say something."""
    return "\n".join([headline, *(f"  {label.replace('_', ' '):<9} {text}" for label, text in rows.items() if text)])


def shown(value: Any) -> str:
    """The value as text of at most 200 characters; large tensors by type and shape alone."""
    if isinstance(value, torch.Size):
        value = tuple(value)
    if _is_array(value) and math.prod(value.shape) > 8:
        return _kind(value)
    text = str(value) if not isinstance(value, str) or " " in value else repr(value)
    return text if len(text) <= 200 else text[:197] + "..."


def _compare_numbers(
    actual: Any, expected: Any, what: str, *, rtol: float, atol: float, dtype: bool, hint: str
) -> None:
    for kind in (torch.Tensor, np.ndarray):
        if isinstance(expected, kind) and not isinstance(actual, kind):
            _require(False, f"the type of {what}", _kind(actual), _kind(expected), hint)
    if dtype and _is_array(expected):
        _require(actual.dtype == expected.dtype, f"the dtype of {what}", actual.dtype, expected.dtype, hint)
    found, wanted = _numbers(actual, what, hint), _numbers(expected, what, hint)
    if wanted.ndim == 0 and found.size == 1:
        found = found.reshape(())
    _require(found.shape == wanted.shape, f"the shape of {what}", found.shape, wanted.shape, hint)
    if rtol == 0 and atol == 0:
        wrong = found != wanted  # as they are: large whole numbers would lose digits as float64
    else:
        wrong = ~np.isclose(_inexact(found), _inexact(wanted), rtol=rtol, atol=atol)
    if wrong.any():
        raise CheckFailed(_describe_difference(found, wanted, wrong, what, hint))


def _describe_difference(found: np.ndarray, wanted: np.ndarray, wrong: np.ndarray, what: str, hint: str) -> str:
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    where = f"{what}{list(first)}" if first else what
    yours, expected = _digits(found[first]), _digits(wanted[first])
    if yours == expected:
        yours, expected = str(found[first]), str(wanted[first])
    rows = {"yours": yours, "expected": expected}
    if wrong.size > 1:
        rows["in all"] = f"{int(wrong.sum())} of {wrong.size} values differ, by up to {_largest(found, wanted):.3g}"
    return message(f"{where} is wrong", **rows, hint=hint)


def _digits(number: Any) -> str:
    return f"{number:.6g}" if isinstance(number, np.inexact) else str(number)


def _largest(found: np.ndarray, wanted: np.ndarray) -> float:
    with np.errstate(invalid="ignore"):  # inf - inf; a warning would litter the check's output
        gaps = np.abs(_inexact(found) - _inexact(wanted))
    return math.nan if np.isnan(gaps).any() else float(gaps.max())


def _inexact(numbers: np.ndarray) -> np.ndarray:
    return numbers if np.iscomplexobj(numbers) else numbers.astype(np.float64)


def _numbers(value: Any, what: str, hint: str) -> np.ndarray:
    """Whole numbers and booleans keep their dtype; all other real numbers become float64."""
    try:
        array = np.asarray(_plain(value))
    except (TypeError, ValueError, RuntimeError):
        array = np.asarray(None)
    if array.dtype.kind not in "biufc":
        raise CheckFailed(message(f"{what} should be numbers", got=_kind(value), hint=hint))
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _plain(value: Any) -> Any:
    """Tensors as arrays, also inside lists. TypeError for anything else than numbers.

    NumPy would pad a list of texts to the longest one: a short list could ask for more memory than there is.
    """
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if not isinstance(value, (bool, int, float, complex, np.number, np.bool_, np.ndarray, torch.Tensor)):
        raise TypeError(f"{type(value).__name__} is no number")
    if not isinstance(value, torch.Tensor):
        return value
    dense = value.detach() if value.layout == torch.strided else value.detach().to_dense()
    return (dense.to(torch.float64) if dense.is_floating_point() else dense).resolve_conj().cpu().numpy()


def _identical(actual: Any, expected: Any) -> bool:
    """Equal text, numbers, truth values or lists of them; a list may stand for a tuple, but 1 not for True."""
    if isinstance(expected, (tuple, list)):
        sized = isinstance(actual, (tuple, list)) and len(actual) == len(expected)
        return sized and all(map(_identical, actual, expected))
    actual, expected = _unwrapped(actual), _unwrapped(expected)
    if _is_array(actual) or isinstance(actual, bool) != isinstance(expected, bool):
        return False
    return bool(actual == expected)


def _unwrapped(value: Any) -> Any:
    """A tensor, array or NumPy scalar of one number as a Python number."""
    if isinstance(value, torch.Tensor):
        return value.item() if value.numel() == 1 else value
    if isinstance(value, (np.ndarray, np.generic)):
        return value.item() if value.size == 1 else value
    return value


def _is_array(value: Any) -> bool:
    return isinstance(value, (torch.Tensor, np.ndarray))


def _is_grid(value: Any) -> bool:
    """Whether nested lists of plain numbers form a table without ragged rows."""
    try:
        return all(isinstance(item, (int, float)) for item in _flat(value)) and np.asarray(value).dtype.kind in "biuf"
    except (TypeError, ValueError, RuntimeError):
        return False


def _require_keys(actual: Any, expected: Mapping[Any, Any], what: str, hint: str) -> None:
    same = isinstance(actual, Mapping) and actual.keys() == expected.keys()
    found = sorted(actual, key=str) if isinstance(actual, Mapping) else _kind(actual)
    _require(same, f"the keys of {what}", found, sorted(expected, key=str), hint)


def _require(condition: bool, what: str, actual: Any, expected: Any, hint: str) -> None:
    if not condition:
        raise CheckFailed(message(f"{what} is wrong", yours=shown(actual), expected=shown(expected), hint=hint))


def _kind(value: Any) -> str:
    if _is_array(value):
        return f"{type(value).__name__} of shape {tuple(value.shape)}"
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__} of {len(value)} values"
    return type(value).__name__


def _flat(value: Any) -> Iterator[Any]:
    for item in value:
        if isinstance(item, (tuple, list)):
            yield from _flat(item)
        else:
            yield item
