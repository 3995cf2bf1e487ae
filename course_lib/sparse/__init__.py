"""Sparse formats and the operations on them, each operation a room with its reference and its kernels.

from course_lib import sparse

matrix = sparse.CSR.from_dense(weight)
output = sparse.csr_matmul(matrix, activations)
"""

from course_lib.sparse.csr_matmul import csr_matmul
from course_lib.sparse.formats import CSR

__all__ = ["CSR", "csr_matmul"]
