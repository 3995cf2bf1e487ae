"""A GPU's work goes on after the call that asked for it; clocks and meters are read when it is done."""

from __future__ import annotations

import torch

__all__ = ["wait_for_gpu"]


def wait_for_gpu() -> None:
    """Return when the GPU is idle; at once where CUDA is not in use."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
