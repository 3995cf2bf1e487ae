"""A CSR matrix times a dense one: reference, three kernels, and the gradients of both operands."""

from course_lib.sparse.csr_matmul.op import csr_matmul

__all__ = ["csr_matmul"]
