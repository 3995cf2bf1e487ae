"""A submission's result as JSON, both ways and exactly: the record that every mark is traced with."""

from __future__ import annotations

import base64
import dataclasses
import json
import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from autograders.engine.verdict import SubmissionResult, Verdict
from course_lib.errors import CourseError

__all__ = ["DamagedEvidence", "from_json", "to_json"]

FORMAT = 1  # raised when a reader of the old form would misread the new one

Record = TypeVar("Record")


class DamagedEvidence(CourseError):
    """A file that is not what `to_json` wrote."""


def to_json(result: SubmissionResult) -> bytes:
    """ASCII JSON: images as base64, text escaped, so that even broken Unicode comes back as it was.

    Raises ValueError for a number that is not finite, TypeError for a value in `provenance` that JSON has no form for.
    """
    record = {"format": FORMAT, **dataclasses.asdict(result)}
    return json.dumps(record, default=_encode, allow_nan=False, ensure_ascii=True, indent=1).encode("ascii")


def from_json(content: bytes) -> SubmissionResult:
    """The result that `to_json` was given. Raises DamagedEvidence, with the field's name, for anything else."""
    try:
        record = json.loads(content, parse_constant=_refuse_constant)
        if not isinstance(record, dict) or record.pop("format", None) != FORMAT:
            raise ValueError(f"it is no record of format {FORMAT}")
        return _decode_record(SubmissionResult, record, "result")
    except (ValueError, RecursionError) as error:
        raise DamagedEvidence(f"the file is not evidence of a grading: {error}; grade the submission again") from error


def _encode(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(f"evidence holds numbers, text, lists and dicts, not {type(value).__name__}")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a finite number")


@cache
def _hints(record: Any) -> dict[str, Any]:
    return typing.get_type_hints(record)


def _decode_record(record: Callable[..., Record], entries: Any, where: str) -> Record:
    hints = _hints(record)
    if not isinstance(entries, dict) or entries.keys() != hints.keys():
        raise ValueError(f"{where} does not have exactly the entries {', '.join(hints)}")
    return record(**{name: _decode(hint, entries[name], f"{where}.{name}") for name, hint in hints.items()})


def _decode(hint: Any, value: Any, where: str) -> Any:
    """`value` as JSON has it -> a value of type `hint`."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _decode_record(hint, value, where)
    if origin in (types.UnionType, typing.Union):  # X | None
        return None if value is None else _decode(arguments[0], value, where)
    if origin is tuple:
        return tuple(_decode(arguments[0], item, f"{where}[{at}]") for at, item in enumerate(_a(list, value, where)))
    if origin is dict:
        return {key: _decode(arguments[1], item, f"{where}[{key!r}]") for key, item in _a(dict, value, where).items()}
    if hint is bytes:
        return base64.b64decode(_a(str, value, where), validate=True)
    if hint is Verdict:
        return Verdict(_a(str, value, where))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value if hint is object else _a(hint, value, where)


def _a(kind: type, value: Any, where: str) -> Any:
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise ValueError(f"{where} is {value!r:.40}, not a {kind.__name__}")
    return value
