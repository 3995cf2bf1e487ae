"""Metrics that a notebook records about itself, with the band each is expected to fall in.

A metric is an output of the cell that made it, so an executed notebook carries its own results and
`course run` reads them back without running anything again.
"""

from __future__ import annotations

import math
import sys
from typing import Any, Protocol

__all__ = ["METRIC_MIME", "describe", "in_band", "record"]

METRIC_MIME = "application/vnd.course.metric+json"


class Timed(Protocol):
    """What a measurement says of itself, such as a `measure.Comparison`."""

    @property
    def remark(self) -> str: ...


def record(
    name: str, value: float, *, low: float | None = None, high: float | None = None, timed: bool | Timed = False
) -> None:
    """Record one number under `name` in the notebook and print it.

    value  anything that `float()` takes: a Python number, a one-element tensor or array.
    low, high  the band, both ends included; None leaves that side open. A value outside the band does not
        stop the notebook: `course run` reports it.
    timed  the value was measured with a clock: `course run` executes the notebook once more, alone, before a value
        outside the band counts. Given as the measurement itself (a `measure.Comparison`), its remark about a busy
        machine is printed too.

    Raises ValueError if the value is not one number or the band is empty.
    """
    number = _as_number(name, value)
    low, high = (None if side is None else float(side) for side in (low, high))  # NumPy's numbers are no JSON
    if low is not None and high is not None and not low <= high:
        raise ValueError(f"record({name!r}): the band is empty, low={low:g} is not below high={high:g}")
    metric: dict[str, Any] = {"name": name, "value": number, "low": low, "high": high}
    if timed is not False:
        metric |= {"timed": True, "remark": "" if timed is True else timed.remark}
    _display({METRIC_MIME: metric, "text/plain": describe(metric)})


def in_band(metric: dict[str, Any]) -> bool:
    """Whether a recorded metric is finite and inside its band."""
    value, low, high = metric["value"], metric["low"], metric["high"]
    return (
        value is not None and math.isfinite(value) and (low is None or value >= low) and (high is None or value <= high)
    )


def describe(metric: dict[str, Any]) -> str:
    """One line for people: `accuracy = 0.93 (expected 0.9 to 1)`."""
    low, high = metric["low"], metric["high"]
    if low is not None and high is not None:
        band = f" (expected {_digits(low)} to {_digits(high)})"
    elif low is not None:
        band = f" (expected at least {_digits(low)})"
    elif high is not None:
        band = f" (expected at most {_digits(high)})"
    else:
        band = ""
    value = "not finite" if metric["value"] is None else _digits(metric["value"])
    remark = f"; {metric['remark']}" if metric.get("remark") else ""
    return f"{metric['name']} = {value}{band}{remark}"


def _digits(number: float) -> str:
    """Whole numbers in full, such as a count of parameters; others to four digits."""
    return f"{number:,.0f}" if abs(number) < 1e15 and number == int(number) else f"{number:.4g}"


def _as_number(name: str, value: Any) -> float | None:
    try:
        # item() also takes the one number out of an array [1], which float() refuses
        number = float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"record({name!r}) takes one number, not {type(value).__name__}: {error}") from None
    return number if math.isfinite(number) else None  # JSON has no NaN


def _display(bundle: dict[str, Any]) -> None:
    if "IPython" in sys.modules:
        from IPython import get_ipython
        from IPython.display import display

        if get_ipython() is not None:
            display(bundle, raw=True)
            return
    print(bundle["text/plain"])
