"""Checks what a kernel is called with against its signature, and turns it into the values that are passed."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_lib.cuda.calling.arrays import Array, as_array
from course_lib.cuda.calling.errors import ArgumentError
from course_lib.cuda.reading.c_types import CType
from course_lib.cuda.reading.signature import Parameter, Signature

__all__ = ["Binder", "Bound"]

# element type: the arrays whose memory it describes. Integers of one size pass for each other: torch has few unsigned
BYTE = frozenset({"int8", "uint8", "bool", "float8_e4m3fn", "float8_e5m2"})
WORD64 = frozenset({"int64", "uint64"})
ELEMENTS = {
    "float": frozenset({"float32"}),
    "double": frozenset({"float64"}),
    "half": frozenset({"float16"}),
    "bfloat16": frozenset({"bfloat16", "uint16"}),
    "short": frozenset({"int16", "uint16"}),
    "unsigned short": frozenset({"uint16", "int16", "float16", "bfloat16"}),
    "int": frozenset({"int32", "uint32"}),
    "unsigned int": frozenset({"uint32", "int32"}),
    "bool": frozenset({"bool", "uint8", "int8"}),
    **{name: BYTE for name in ("char", "signed char", "unsigned char")},
    **{name: WORD64 for name in ("long", "unsigned long", "long long", "unsigned long long")},
}
COMPLEX = {"float": frozenset({"complex64"}), "double": frozenset({"complex128"})}
WIDE_INTEGERS = frozenset(
    {"short", "unsigned short", "int", "unsigned int", "long", "unsigned long", "long long", "unsigned long long"}
)
LARGEST_FLOAT = float(np.finfo(np.float32).max)


@dataclass(slots=True)
class Bound:
    """One argument, ready to pass.

    array  for an array argument, else None.
    value  what `format` packs: an address, a number, or bytes.
    """

    parameter: Parameter
    array: Array | None
    value: int | float | bytes
    format: str

    @property
    def data(self) -> bytes:
        """The bytes that the kernel receives."""
        return struct.pack("=" + self.format, self.value)


class Binder:
    """Matches arguments with the parameters of one signature, again and again: a launch costs microseconds."""

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._each = [_BINDERS[parameter.type.kind](self, k) for k, parameter in enumerate(signature.parameters)]

    def __call__(self, args: Sequence[Any]) -> list[Bound]:
        """The arguments, bound. Raises ArgumentError for a wrong number of them, or one that does not fit."""
        if not isinstance(args, (tuple, list)):
            raise ArgumentError(
                f"args is a tuple of the kernel's arguments, not {_what(args)}; one argument is written (x,)"
            )
        if len(args) != len(self._each):
            raise ArgumentError(
                f"{self._signature.name} takes {len(self._each)} arguments, {len(args)} arrived.\n"
                f"    signature: {self._signature}\n    arrived:   ({', '.join(_what(value) for value in args)})"
            )
        return [one(value) for one, value in zip(self._each, args, strict=True)]

    def refuse(self, position: int, value: Any, why: str) -> ArgumentError:
        """The error for one argument."""
        declared = self._signature.parameters[position].declared
        start = f"argument {position + 1} of {self._signature.name} is declared `{declared}`"
        return ArgumentError(f"{start}, but {_what(value)} arrived. {why}")

    def _pointer(self, position: int) -> Callable[[Any], Bound]:
        parameter = self._signature.parameters[position]
        accepted = _accepted(parameter.type)

        def one(value: Any) -> Bound:
            if value is None:
                return Bound(parameter, None, 0, "Q")
            array = as_array(value)
            if array is None:
                raise self.refuse(position, value, "A pointer takes a tensor or an array.")
            if accepted is not None and array.dtype not in accepted:
                names = " or ".join(sorted(ELEMENTS[parameter.type.name]))
                raise self.refuse(
                    position, value, f"It points to {parameter.type.name}; pass an array of dtype {names}."
                )
            return Bound(parameter, array, array.address, "Q")

        return one

    def _integer(self, position: int) -> Callable[[Any], Bound]:
        parameter = self._signature.parameters[position]
        kind = parameter.type
        low = -(1 << (8 * kind.bytes - 1)) if kind.signed else 0
        high = 1 if kind.name == "bool" else (1 << (8 * kind.bytes - kind.signed)) - 1
        letter = {1: "b", 2: "h", 4: "i", 8: "q"}[kind.bytes]
        letter = letter if kind.signed else letter.upper()

        def one(value: Any) -> Bound:
            if not isinstance(value, (int, np.integer, np.bool_)):
                raise self.refuse(position, value, _number_hint(value, "Pass a whole number."))
            number = int(value)
            if not low <= number <= high:
                raise self.refuse(position, value, f"{kind.name} holds {low} to {high}.")
            return Bound(parameter, None, number, letter)

        return one

    def _float(self, position: int) -> Callable[[Any], Bound]:
        parameter = self._signature.parameters[position]
        pack = _PACKERS[parameter.type.name]

        def one(value: Any) -> Bound:
            if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
                raise self.refuse(position, value, _number_hint(value, "Pass a number."))
            return Bound(parameter, None, *pack(float(value)))

        return one

    def _other(self, position: int) -> Callable[[Any], Bound]:
        parameter = self._signature.parameters[position]
        size = parameter.type.bytes

        def one(value: Any) -> Bound:
            if isinstance(value, (bytes, bytearray, ctypes.Structure, ctypes.Union, ctypes.Array)):
                data = bytes(value)
            elif isinstance(value, np.generic):
                data = value.tobytes()
            else:
                hint = "Pass its bytes: a ctypes.Structure, a NumPy scalar, or a bytes object."
                raise self.refuse(position, value, _number_hint(value, hint))
            if size and len(data) != size:
                raise self.refuse(position, value, f"The type takes {size} bytes, {len(data)} arrived.")
            return Bound(parameter, None, data, f"{len(data)}s")

        return one


_BINDERS: dict[str, Callable[[Binder, int], Callable[[Any], Bound]]] = {
    "pointer": Binder._pointer,
    "integer": Binder._integer,
    "float": Binder._float,
    "other": Binder._other,
}


def _accepted(wanted: CType) -> frozenset[str] | None:
    """The dtypes that a pointer takes; None for any."""
    if wanted.name in ("", "void") or (wanted.lanes > 1 and wanted.name in WIDE_INTEGERS):
        return None  # int4*, uint2*: a wide load of whatever is there
    return ELEMENTS[wanted.name] | (COMPLEX.get(wanted.name, frozenset()) if wanted.lanes == 2 else frozenset())


def _single(number: float) -> tuple[float, str]:
    # struct refuses what rounds to infinity
    return (number if abs(number) <= LARGEST_FLOAT or number != number else _narrow(number)), "f"


def _narrow(number: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(number))


def _half(number: float) -> tuple[int, str]:
    with np.errstate(over="ignore"):
        return int(np.float16(number).view(np.uint16)), "H"


def _bfloat16(number: float) -> tuple[int, str]:
    """The upper half of a float32, rounded to nearest even."""
    if number != number:
        return 0x7FC0, "H"
    with np.errstate(over="ignore"):
        bits = int(np.float32(number).view(np.uint32))
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16 & 0xFFFF, "H"


_PACKERS: dict[str, Callable[[float], tuple[int | float, str]]] = {
    "float": _single,
    "double": lambda number: (number, "d"),
    "half": _half,
    "bfloat16": _bfloat16,
}


def _number_hint(value: Any, otherwise: str) -> str:
    array = as_array(value)
    if array is None:
        return otherwise
    return "Pass a number: value.item()." if array.shape == () else "Pass a number."


def _what(value: Any) -> str:
    array = as_array(value)
    if array is not None:
        return array.describe()
    if isinstance(value, (bool, int, float, str, np.generic)):
        return f"{value!r} ({type(value).__name__})"
    return "None" if value is None else f"a {type(value).__name__}"
