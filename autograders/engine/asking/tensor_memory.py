"""How much memory an answer takes for new tensors, as the student's own process counts it.

Who tries can hide tensors from that count (another thread, NumPy), so a case that rests on it has no more than one
case's weight.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from autograders.engine.asking.comparison import that
from autograders.engine.asking.remote import RemoteObject, Student, as_object

__all__ = ["call_watched"]


def call_watched(student: Student, name: str, *args: Any) -> tuple[Any, int]:
    """The value of a call, and the bytes of tensors it made that were alive at its busiest moment.

    The notebook's set-up cell imports torch and `course_lib.microcontroller` as mcu. Arguments arrive while the
    watch is on, so what they take is measured first, with a call that makes nothing.
    """
    with _watched(student) as watch:
        as_object(student.value("torch")).method("is_tensor", args)
        arrived = _peak(watch)
    with _watched(student) as watch:
        value = student.call(name, *args)
        return value, _peak(watch) - arrived


@contextmanager
def _watched(student: Student) -> Iterator[RemoteObject]:
    watching = as_object(as_object(student.value("mcu")).method("watch_allocations"))
    watch = as_object(watching.method("__enter__"))
    try:
        yield watch
    finally:
        watching.method("__exit__", None, None, None)


def _peak(watch: RemoteObject) -> int:
    peak = watch.method("__getattribute__", "peak")
    that(isinstance(peak, int), "The memory of the answer could not be measured.")
    return peak
