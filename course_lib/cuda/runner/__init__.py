"""Kernels on this computer's processor: compiled by the local C++ compiler, run here or in a process of their own."""
