"""Checks what a kernel is called with against its signature, and turns it into the bytes that are passed."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_lib.cuda.arrays import Array, as_array
from course_lib.cuda.c_types import CType
from course_lib.cuda.signature import Parameter, Signature

__all__ = ["ArgumentError", "Bound", "bind"]

# element type: the arrays whose memory it describes. Same-size integers pass for each other: torch has few unsigned ones
BYTE = {"int8", "uint8", "bool", "float8_e4m3fn", "float8_e5m2"}
ELEMENTS = {
    "float": {"float32"},
    "double": {"float64"},
    "half": {"float16"},
    "bfloat16": {"bfloat16", "uint16"},
    "short": {"int16", "uint16"},
    "unsigned short": {"uint16", "int16", "float16", "bfloat16"},
    "int": {"int32", "uint32"},
    "unsigned int": {"uint32", "int32"},
    "bool": {"bool", "uint8", "int8"},
    **dict.fromkeys(["char", "signed char", "unsigned char"], BYTE),
    **dict.fromkeys(["long", "unsigned long", "long long", "unsigned long long"], {"int64", "uint64"}),
}
COMPLEX = {"float": "complex64", "double": "complex128"}
WIDE_INTEGERS = {
    "short",
    "unsigned short",
    "int",
    "unsigned int",
    "long long",
    "unsigned long long",
    "long",
    "unsigned long",
}
FORMATS = {("float", 4): "<f", ("float", 8): "<d"}


class ArgumentError(TypeError):
    """The arguments do not fit the kernel: the message says what arrived and what the signature says."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


@dataclass(frozen=True)
class Bound:
    """One argument, ready to pass: an array, or the bytes of a scalar (8 zero bytes for a null pointer)."""

    parameter: Parameter
    array: Array | None
    data: bytes


def bind(signature: Signature, args: Sequence[Any]) -> list[Bound]:
    """Match arguments with parameters. Raises ArgumentError."""
    if not isinstance(args, (tuple, list)):
        raise ArgumentError(
            f"args is a tuple of the kernel's arguments, not {_what(args)}; one argument is written (x,)"
        )
    if len(args) != len(signature.parameters):
        raise ArgumentError(
            f"{signature.name} takes {len(signature.parameters)} arguments, {len(args)} arrived.\n"
            f"    signature: {signature}\n    arrived:   ({', '.join(_what(value) for value in args)})"
        )
    return [
        _bind_one(signature, position, parameter, value)
        for position, (parameter, value) in enumerate(zip(signature.parameters, args, strict=True))
    ]


def _bind_one(signature: Signature, position: int, parameter: Parameter, value: Any) -> Bound:
    def refuse(why: str) -> ArgumentError:
        return ArgumentError(
            f"argument {position + 1} of {signature.name} is declared `{parameter.declared}`, but {_what(value)} arrived. {why}"
        )

    array = as_array(value)
    wanted = parameter.type
    if wanted.kind == "pointer":
        if value is None:
            return Bound(parameter, None, bytes(8))
        if array is None:
            raise refuse("A pointer takes a tensor or an array.")
        if not _fits(wanted, array):
            raise refuse(f"It points to {wanted.name}; {_remedy(wanted)}")
        return Bound(parameter, array, array.address.to_bytes(8, "little"))
    if array is not None and array.shape != ():
        raise refuse("Pass a number.")
    if array is not None:
        raise refuse("Pass a number: value.item().")
    if wanted.kind == "integer":
        return Bound(parameter, None, _integer(value, wanted, refuse))
    if wanted.kind == "float":
        return Bound(parameter, None, _floating(value, wanted, refuse))
    return Bound(parameter, None, _other(value, wanted, refuse))


def _fits(wanted: CType, array: Array) -> bool:
    if wanted.name in ("", "void"):
        return True
    if wanted.lanes > 1 and wanted.name in WIDE_INTEGERS:
        return True  # int4*, uint2*: a wide load of whatever is there
    return array.dtype in ELEMENTS[wanted.name] or (wanted.lanes == 2 and array.dtype == COMPLEX.get(wanted.name))


def _remedy(wanted: CType) -> str:
    names = sorted(ELEMENTS[wanted.name])
    return f"pass an array of dtype {' or '.join(names)}."


def _integer(value: Any, wanted: CType, refuse: Any) -> bytes:
    if not isinstance(value, (bool, int, np.integer, np.bool_)):
        raise refuse("Pass a whole number.")
    number = int(value)
    low = -(1 << (8 * wanted.bytes - 1)) if wanted.signed else 0
    high = (1 << (8 * wanted.bytes - wanted.signed)) - 1
    if wanted.name == "bool":
        high = 1
    if not low <= number <= high:
        raise refuse(f"{wanted.name} holds {low} to {high}.")
    return number.to_bytes(wanted.bytes, "little", signed=wanted.signed)


def _floating(value: Any, wanted: CType, refuse: Any) -> bytes:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise refuse("Pass a number.")
    number = float(value)
    if wanted.name == "half":
        return np.float16(number).tobytes()
    if wanted.name == "bfloat16":
        return _bfloat16(number)
    with np.errstate(over="ignore"):
        return np.float32(number).tobytes() if wanted.bytes == 4 else struct.pack("<d", number)


def _bfloat16(number: float) -> bytes:
    """The upper half of a float32, rounded to nearest even."""
    if number != number:
        return b"\xc0\x7f"
    with np.errstate(over="ignore"):
        bits = int(np.float32(number).view(np.uint32))
    return (((bits + 0x7FFF + (bits >> 16 & 1)) >> 16) & 0xFFFF).to_bytes(2, "little")


def _other(value: Any, wanted: CType, refuse: Any) -> bytes:
    if isinstance(value, (bytes, bytearray)):
        data = bytes(value)
    elif isinstance(value, (ctypes.Structure, ctypes.Union, ctypes.Array)):
        data = bytes(value)
    elif isinstance(value, np.generic):
        data = value.tobytes()
    else:
        raise refuse("Pass its bytes: a ctypes.Structure, a NumPy scalar, or a bytes object.")
    if wanted.bytes and len(data) != wanted.bytes:
        raise refuse(f"The type takes {wanted.bytes} bytes, {len(data)} arrived.")
    return data


def _what(value: Any) -> str:
    array = as_array(value)
    if array is not None:
        return array.describe()
    if isinstance(value, (bool, int, float, str, np.generic)):
        return f"{value!r} ({type(value).__name__})"
    return "None" if value is None else f"a {type(value).__name__}"
