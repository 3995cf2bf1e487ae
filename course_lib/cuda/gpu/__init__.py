"""Kernels on a GPU: compiled by NVRTC, launched through CuPy, and what the compiler says that they take."""
