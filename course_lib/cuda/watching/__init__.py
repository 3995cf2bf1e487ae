"""Watched runs of a kernel: faults in words, and every access written down and drawn."""
