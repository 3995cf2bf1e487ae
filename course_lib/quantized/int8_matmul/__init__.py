"""int8 x int8 matrix product with the scales, zero points, bias and rounding of quantized networks fused in.

op.py         `int8_matmul`: what it computes, which way it takes, its torch operation
launch.py     the geometry of each kernel
reference.py  the plain definition, on any device
naive.cu, dp4a.cu, mma.cu   the same in CUDA, each faster than the one before; read them in this order
epilogue.cuh  what happens to a finished sum, shared by the three
"""

from course_lib.quantized.int8_matmul.op import int8_matmul

__all__ = ["int8_matmul"]
