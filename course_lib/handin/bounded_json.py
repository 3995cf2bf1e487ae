"""JSON from strangers -> Python values, with the cost known before a value is made."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from course_lib.handin.limits import HandInLimits

__all__ = ["Parsed", "RefusedJson", "parse_json"]

# strings, closed or not, and numbers are passed over up to the next sign that opens, closes or separates, or the end;
# possessive, so that time grows with the length alone
_NEXT_SIGN = re.compile(r'(?:[^"\[\]{},]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"?)*+([\[\]{},]?)', re.DOTALL)
_LONGEST_INTEGER = 18  # digits: what fits 64 bits


class RefusedJson(ValueError):
    """The text is not JSON or costs too much; the message is a clause that begins in the middle of a sentence."""


@dataclass
class Parsed:
    """value  the parsed JSON; repairs  sentences about what JSON does not allow and was read all the same."""

    value: Any
    repairs: tuple[str, ...] = ()


def parse_json(text: str, limits: HandInLimits) -> Parsed:
    """Parse `text`, the last of equal keys winning as in JavaScript. Raises RefusedJson only."""
    _refuse_costly(text, limits)
    reader = _Reader()
    try:
        value = json.loads(
            text,
            object_pairs_hook=reader.object,
            parse_constant=reader.constant,
            parse_int=_integer,
        )
    except json.JSONDecodeError as error:
        raise RefusedJson(f"it is not JSON: {error.msg} in line {error.lineno}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise RefusedJson(f"it cannot be read as JSON: {type(error).__name__}") from error
    return Parsed(value, reader.repairs())


def _refuse_costly(text: str, limits: HandInLimits) -> None:
    depth = values = 0
    for found in _NEXT_SIGN.finditer(text):
        sign = found[1]
        if not sign:
            return
        if sign in "[{":
            depth += 1
            values += 1
            if depth > limits.json_depth:
                raise RefusedJson(f"its JSON is nested more than {limits.json_depth} deep")
        elif sign in "]}":
            depth -= 1
        elif sign == ",":
            values += 1
        if values > limits.json_values:
            raise RefusedJson(f"its JSON has more than {limits.json_values:,} values; clear the outputs")


class _Reader:
    """Remembers what a strict reader would not have let pass."""

    def __init__(self) -> None:
        self._repeated = False
        self._constants: set[str] = set()

    def object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries = dict(pairs)
        self._repeated |= len(entries) < len(pairs)
        return entries

    def constant(self, name: str) -> None:
        self._constants.add(name)

    def repairs(self) -> tuple[str, ...]:
        sentences = []
        if self._repeated:
            sentences.append("The file gives some entry twice in one object; the last one counts.")
        if self._constants:
            sentences.append(f"The file holds {', '.join(sorted(self._constants))}, which JSON has not; null was read.")
        return tuple(sentences)


def _integer(digits: str) -> int | None:
    """Longer integers have no place in a notebook, and turning them into numbers takes quadratic time."""
    return int(digits) if len(digits.removeprefix("-")) <= _LONGEST_INTEGER else None
