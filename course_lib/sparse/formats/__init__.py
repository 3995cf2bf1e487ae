"""Sparse formats, one per file."""

from course_lib.sparse.formats.csr import CSR

__all__ = ["CSR"]
