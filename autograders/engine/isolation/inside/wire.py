"""Values as bytes and back, without pickle and without running anything: the one language both sides speak.

A message is a JSON header and binary blobs:

    4 bytes  length of the header, little-endian
    header   JSON; None, bool, int, float, str and lists stand as they are, other kinds as {tag: ...}
    blobs    bytes and the numbers of tensors and arrays, one after the other

    {"tuple": [...]}  {"set": [...]}  {"dict": [[key, value], ...]}  {"bytes": length}
    {"tensor": [dtype, shape, length]}  {"array": [dtype, shape, length]}  {"dtype": name}
    {"generator": seed}                 a torch.Generator, made anew where it arrives
    {"handle": [number, kind]}          something that stays in the student's process

`loads` takes bytes from a stranger: for anything else than the above it raises MalformedMessage, never another
exception, and it allocates no more than a small multiple of the bytes it was given.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

__all__ = ["Handle", "MalformedMessage", "Seeded", "dumps", "loads"]

MAX_HEADER_BYTES = 1_000_000
MAX_DEPTH = 50
MAX_DIMENSIONS = 16
MAX_KEYS = 10_000  # chosen keys that all collide make a set quadratic
DTYPES = (
    "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64",
    "complex64", "complex128",
)  # fmt: skip


class MalformedMessage(Exception):
    """Bytes that are no message. The text names the fault, never the content."""


@dataclass(frozen=True)
class Handle:
    """Stands for an object in the student's process: a module, an optimizer, a generator."""

    number: int
    kind: str = ""


@dataclass(frozen=True)
class Seeded:
    """A `torch.Generator` on the CPU, seeded; a fresh one is made for each call that it is passed to."""

    seed: int


def dumps(value: Any, keep: Any = None) -> bytes:
    """Encode a value.

    keep  called with an object that is no data; returns the Handle that stands for it. Without it such an object
        raises TypeError.
    """
    blobs: list[bytes] = []
    header = json.dumps(_encode(value, blobs, keep, 0), separators=(",", ":")).encode()
    return b"".join([len(header).to_bytes(4, "little"), header, *blobs])


def loads(message: bytes, lookup: Any = None) -> Any:
    """Decode bytes that `dumps` made.

    lookup  called with a Handle; returns the object it stands for. Without it handles stay handles.
    """
    try:
        return _Reader(message, lookup).read()
    except MalformedMessage:
        raise
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        RecursionError,
        OverflowError,
        MemoryError,
        RuntimeError,
    ) as error:
        raise MalformedMessage(f"not a message ({type(error).__name__})") from None


def _encode(value: Any, blobs: list[bytes], keep: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise TypeError(f"nested more than {MAX_DEPTH} deep")
    if value is None or isinstance(value, (bool, str)):
        return value if value is None or isinstance(value, bool) else str(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, bytes):
        blobs.append(bytes(value))
        return {"bytes": len(blobs[-1])}
    if isinstance(value, Seeded):
        return {"generator": value.seed}
    if isinstance(value, Handle):
        return {"handle": [value.number, value.kind]}
    if isinstance(value, (list, tuple, set, frozenset, dict)):
        return _encode_container(value, blobs, keep, depth)
    array = _encode_array(value, blobs)
    if array is not None:
        return array
    if keep is None:
        raise TypeError(f"{type(value).__name__} cannot be sent as data")
    return _encode(keep(value), blobs, None, depth)


def _encode_container(value: Any, blobs: list[bytes], keep: Any, depth: int) -> Any:
    def item(part: Any) -> Any:
        return _encode(part, blobs, keep, depth + 1)

    if isinstance(value, dict):
        return {"dict": [[item(key), item(part)] for key, part in value.items()]}
    if isinstance(value, list):
        return [item(part) for part in value]
    return {"tuple" if isinstance(value, tuple) else "set": [item(part) for part in value]}


def _encode_array(value: Any, blobs: list[bytes]) -> dict[str, Any] | None:
    """Torch and numpy are looked at only if the value comes from them: an answer in plain numbers imports neither."""
    family = type(value).__module__.partition(".")[0]
    if family not in ("torch", "numpy") and not hasattr(type(value), "__array__"):
        return None
    import numpy as np
    import torch

    if isinstance(value, torch.dtype):
        return {"dtype": str(value).removeprefix("torch.")}
    if isinstance(value, torch.Tensor):
        dtype = str(value.dtype).removeprefix("torch.")
        if dtype not in DTYPES or value.layout != torch.strided:
            return None
        plain = value.detach().resolve_conj().resolve_neg().cpu().contiguous().as_subclass(torch.Tensor)
        blobs.append(plain.reshape(-1).view(torch.uint8).numpy().tobytes() if plain.numel() else b"")
        return {"tensor": [dtype, list(plain.shape), len(blobs[-1])]}
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        if array.dtype.name not in DTYPES:
            return None
        blobs.append(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("="), copy=False).tobytes())
        return {"array": [array.dtype.name, list(array.shape), len(blobs[-1])]}
    return None


class _Reader:
    def __init__(self, message: bytes, lookup: Any) -> None:
        self.message, self.lookup = memoryview(message), lookup
        if len(message) < 4:
            raise MalformedMessage("shorter than its own length")
        length = int.from_bytes(message[:4], "little")
        if length > MAX_HEADER_BYTES or 4 + length > len(message):
            raise MalformedMessage("the header is longer than allowed or than the message")
        self.header = bytes(self.message[4 : 4 + length])
        self.place = 4 + length

    def read(self) -> Any:
        value = self._decode(json.loads(self.header.decode("utf-8")), 0)
        if self.place != len(self.message):
            raise MalformedMessage("bytes are left over")
        return value

    def _decode(self, item: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise MalformedMessage("nested too deep")
        if item is None or isinstance(item, (bool, int, float, str)):
            return item
        if isinstance(item, list):
            return [self._decode(part, depth + 1) for part in item]
        if not isinstance(item, dict) or len(item) != 1:
            raise MalformedMessage("an object that is no tag")
        [(tag, content)] = item.items()
        decoder = getattr(self, f"_decode_{tag}", None) if tag in _TAGS else None
        if decoder is None:
            raise MalformedMessage("an unknown tag")
        return decoder(content, depth)

    def _items(self, content: Any, depth: int) -> list[Any]:
        if not isinstance(content, list):
            raise MalformedMessage("a container that is no list")
        return [self._decode(part, depth + 1) for part in content]

    def _decode_tuple(self, content: Any, depth: int) -> tuple[Any, ...]:
        return tuple(self._items(content, depth))

    def _decode_set(self, content: Any, depth: int) -> set[Any]:
        self._require_few(content)
        return set(self._items(content, depth))

    def _require_few(self, content: Any) -> None:
        if not isinstance(content, list) or len(content) > MAX_KEYS:
            raise MalformedMessage(f"a set or mapping that is no list of at most {MAX_KEYS}")

    def _decode_dict(self, content: Any, depth: int) -> dict[Any, Any]:
        self._require_few(content)
        result = {}
        for pair in content:
            if not isinstance(pair, list) or len(pair) != 2:
                raise MalformedMessage("a mapping that is no list of pairs")
            result[self._decode(pair[0], depth + 1)] = self._decode(pair[1], depth + 1)
        return result

    def _decode_bytes(self, content: Any, depth: int) -> bytes:
        if not _is_size(content):
            raise MalformedMessage("a length that is none")
        return self._blob(content)

    def _decode_dtype(self, content: Any, depth: int) -> Any:
        import torch

        if content not in DTYPES:
            raise MalformedMessage("an unknown dtype")
        return getattr(torch, content)

    def _decode_generator(self, content: Any, depth: int) -> Any:
        import torch

        if not isinstance(content, int) or not 0 <= content < 2**63:
            raise MalformedMessage("a seed that is none")
        return torch.Generator().manual_seed(content)

    def _decode_handle(self, content: Any, depth: int) -> Any:
        number, kind = content
        if isinstance(number, bool) or not isinstance(number, int) or not isinstance(kind, str):
            raise MalformedMessage("a handle that is none")
        handle = Handle(number, kind[:80])
        return self.lookup(handle) if self.lookup else handle

    def _decode_tensor(self, content: Any, depth: int) -> Any:
        import torch

        dtype, shape, data = self._numbers(content)
        tensor = torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)
        return tensor.view(getattr(torch, dtype)).reshape(shape)

    def _decode_array(self, content: Any, depth: int) -> Any:
        import numpy as np

        dtype, shape, data = self._numbers(content)
        if dtype == "bfloat16":
            raise MalformedMessage("numpy has no bfloat16")
        return np.frombuffer(bytearray(data), dtype=dtype).reshape(shape)

    def _numbers(self, content: Any) -> tuple[str, tuple[int, ...], bytes]:
        dtype, shape, length = content
        if dtype not in DTYPES:
            raise MalformedMessage("an unknown dtype")
        sizes = isinstance(shape, list) and len(shape) <= MAX_DIMENSIONS and all(_is_size(size) for size in shape)
        if not sizes or not _is_size(length):
            raise MalformedMessage("a shape or length that is none")
        if math.prod(shape) * _ITEM_BYTES[dtype] != length:
            raise MalformedMessage("numbers that do not fill their shape")
        data = self._blob(length)
        if dtype == "bool" and data.strip(b"\0\1"):
            raise MalformedMessage("a truth value that is neither 0 nor 1")
        return dtype, tuple(shape), data

    def _blob(self, length: int) -> bytes:
        """The next `length` bytes behind the header; no byte is handed out twice."""
        if self.place + length > len(self.message):
            raise MalformedMessage("a blob that is longer than the message")
        data = bytes(self.message[self.place : self.place + length])
        self.place += length
        return data


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**48


_TAGS = frozenset({"tuple", "set", "dict", "bytes", "dtype", "generator", "handle", "tensor", "array"})
_ITEM_BYTES = dict(zip(DTYPES, (1, 1, 1, 2, 4, 8, 2, 2, 4, 8, 8, 16), strict=True))
