# ---
# course:
#   title: Sparse matrices as CUDA kernels
#   minutes: 120
#   summary: Write the product of a pruned layer as CUDA kernels, see which thread reads what, and measure what the zeros save.
# ---

# %% [markdown]
# # Sparse matrices as CUDA kernels
#
# A pruned layer that is stored with its zeros is neither smaller nor faster. Here you store a layer without
# them and write the program that multiplies by it, twice: once as it comes to mind, once as a GPU likes it.
#
# **You will be able to**
# - read and write the CSR format, and say what it costs,
# - write a CUDA kernel: which thread does what, where it stops, what it may read,
# - share one row among the 32 lanes of a warp and add their parts with shuffles,
# - see from the index map alone how much of what memory delivers a kernel uses, and how many lanes wait,
# - say what a run without a GPU proves about a kernel, and what it does not.
#
# **Time** about two hours. **Needs** a laptop with a C++ compiler (Linux: `g++`; `course doctor` says what you
# have). No GPU is needed: the *host runner* compiles the same CUDA source for your processor, runs its threads
# one after another, and watches them. That is slow and exact. With a GPU, the checks also run there, and
# section 6 measures real time.
#
# **How it works.** A kernel is CUDA C++ in a Python text. In each exercise, replace `raise NotImplementedError(...)`,
# inside the text, by your code and run the check below it. A kernel that crashes or never ends fails its check and
# harms nothing else. Every section needs only the set-up cell and its own cells; section 5 also needs your kernel of
# section 3, and section 6 both kernels.

# %% tags=["parameters"]
profile = "fast"
device = "auto"
seed = 0

# %% tags=["setup"]
import os

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib import checking, cuda, measure, notebook, record, sparse, training
from course_lib.cuda import access_picture, access_trace, written_kernel

nb = notebook.start("2e_sparse_kernels", profile=profile, device=device, seed=seed)
torch.set_num_threads(1)  # every CPU timing here is of one thread, torch's and the host runner's
os.environ["COURSE_CUDA_WORKERS"] = "1"


def csr(weight: Tensor) -> sparse.CSR:
    """The matrix without its zeros, with 32-bit column numbers."""
    return sparse.CSR.from_dense(weight, index_dtype=torch.int32)


def layer_arguments(matrix: sparse.CSR, x: Tensor, bias: Tensor) -> tuple:
    """What both kernels of this notebook are called with; `out` starts as NaN, so that a forgotten place shows."""
    out = x.new_full((len(x), matrix.shape[0]), torch.nan)
    return out, x, matrix.values, matrix.columns, matrix.row_pointers, bias, *matrix.shape


def random_layer(rows: int, width: int, density: float, batch: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """weight [rows, width] with about density * rows * width values, x [batch, width], bias [rows], on nb.device."""
    draw = torch.Generator().manual_seed(seed)
    weight = torch.randn(rows, width, generator=draw) * (torch.rand(rows, width, generator=draw) < density)
    x, bias = torch.randn(batch, width, generator=draw), torch.randn(rows, generator=draw)
    return weight.to(nb.device), x.to(nb.device), bias.to(nb.device)


# %% [markdown]
# ## 1. A matrix without its zeros
#
# **Compressed sparse rows** (CSR) keeps the values that are not zero, row after row, and beside each value its
# column. A third list says where each row begins:
#
# $$A = \begin{pmatrix}2&0&0&1&0\\0&0&0&0&0\\0&3&0&0&4\\5&0&6&0&7\end{pmatrix}\qquad
# \begin{array}{ll}\text{values}&2\;\;1\;\;3\;\;4\;\;5\;\;6\;\;7\\
# \text{columns}&0\;\;3\;\;1\;\;4\;\;0\;\;2\;\;4\\
# \mathtt{row\_pointers}&0\;\;2\;\;2\;\;4\;\;7\end{array}$$
#
# Row $r$ is `values[row_pointers[r]]` up to, not including, `values[row_pointers[r + 1]]`. There is one pointer
# more than there are rows, so that the last row ends too. Row 1 is empty: its two pointers are equal.
#
# The layer of a network computes, for each sample $n$ of a batch and each output (row) $r$,
#
# $$\text{out}[n, r] = \max\Bigl(0,\ b[r] + \sum_{p\,=\,\mathtt{row\_pointers}[r]}^{\mathtt{row\_pointers}[r+1]-1}
#    \text{values}[p]\cdot x[n,\ \text{columns}[p]]\Bigr),$$
#
# with bias $b$ and a ReLU: what `F.relu(F.linear(x, A, b))` computes with the zeros. In matrix words it is a
# sparse matrix times a dense one, $A\,x^\top$, called **SpMM**. Fusing bias and ReLU into it saves writing and
# reading the whole output twice more.
#
# **By hand.** $x = (1, 2, 3, 4, 5)$ and $b = (-10, 1, 0, 2)$. Row 0: $2\cdot1 + 1\cdot4 - 10 = -4$, so 0. Row 1
# has no values, and its output is its bias, 1. Row 2: $3\cdot2 + 4\cdot5 = 26$. Row 3: $5 + 18 + 35 + 2 = 60$.
#
# **What it costs.** A float32 value and a 32-bit column take 8 bytes where the dense matrix takes 4. Below half of
# the values, CSR is smaller; at 10% it is five times smaller. Multiplications fall to the share of values that
# are left. Whether time falls with them is what this notebook is about.
