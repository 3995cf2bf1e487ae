"""What must hold for three tensors to be a CSR matrix, and what to say when it does not."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.dtypes import dtype_name
from course_lib.errors import CourseError

__all__ = ["FLOATS", "INDICES", "check_types", "check_values"]

FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
INDICES = (torch.int16, torch.int32)
# a little less than int32 holds: loops over the values may step past the end by one stage
MOST_VALUES = (1 << 31) - (1 << 12)


def check_types(values: Tensor, columns: Tensor, row_pointers: Tensor, shape: tuple[int, int]) -> None:
    """Dtypes, sizes and devices; reads no element."""
    rows, width = _sides(shape)
    _vector("values", values, FLOATS)
    _vector("columns", columns, INDICES)
    _vector("row_pointers", row_pointers, (torch.int32,))
    if columns.dtype == torch.int16 and width > 1 << 15:
        _refuse(f"columns are int16, which reaches 32768 columns, but the shape has {width}; use columns.int()")
    if columns.shape != values.shape:
        _refuse(f"values and columns have one entry per stored value, but {len(values)} and {len(columns)} arrived")
    if len(values) >= 1 << 31:
        _refuse(
            f"row_pointers are int32, which counts to {(1 << 31) - 1} values, but {len(values)} arrived; split the rows"
        )
    if len(row_pointers) != rows + 1:
        _refuse(f"{rows} rows need {rows + 1} row_pointers (the last is the end), but {len(row_pointers)} arrived")
    devices = {str(tensor.device) for tensor in (values, columns, row_pointers)}
    if len(devices) > 1:
        _refuse(f"values, columns and row_pointers lie on {' and '.join(sorted(devices))}; move them to one device")


def check_values(columns: Tensor, row_pointers: Tensor, shape: tuple[int, int]) -> None:
    """The indices themselves."""
    ends = [int(row_pointers[0]), int(row_pointers[-1])]
    if ends != [0, len(columns)]:
        _refuse(f"row_pointers run from 0 to the number of values ({len(columns)}), not from {ends[0]} to {ends[1]}")
    lengths = row_pointers.diff()
    if (lengths < 0).any():
        _refuse(f"row_pointers never decrease, but row {int((lengths < 0).nonzero()[0])} ends before it begins")
    outside = ((columns < 0) | (columns.int() >= shape[1])).nonzero()
    if len(outside):
        place = int(outside[0])
        _refuse(f"columns lie in 0..{shape[1] - 1}, but columns[{place}] is {int(columns[place])}")


def _sides(shape: tuple[int, int]) -> tuple[int, int]:
    if len(shape) != 2 or any(not isinstance(side, int) or side < 0 for side in shape):
        _refuse(f"shape is (rows, columns), two integers of at least 0, not {shape!r}")
    return shape


def _vector(name: str, tensor: Tensor, dtypes: tuple[torch.dtype, ...]) -> None:
    allowed = " or ".join(dtype_name(dtype) for dtype in dtypes)
    if not isinstance(tensor, Tensor):
        _refuse(f"{name} is a 1-D tensor of {allowed}, not a {type(tensor).__name__}")
    if tensor.ndim != 1 or tensor.dtype not in dtypes:
        _refuse(f"{name} is a 1-D tensor of {allowed}, not {dtype_name(tensor.dtype)} of shape {tuple(tensor.shape)}")


def _refuse(what: str) -> None:
    raise CourseError(f"Not a CSR matrix: {what}.")
