"""Arithmetic on quantized tensors."""

from course_lib.quantized.int8_matmul import int8_matmul

__all__ = ["int8_matmul"]
