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
from course_lib.cuda import access_picture, access_trace, kernel_checks

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

# %% [markdown]
# ## 2. A kernel is one thread's program
#
# A CUDA **kernel** is written as the program of a single thread. It is launched as a **grid** of **blocks** of
# threads, all running the same text; each asks who it is:
#
# | name | meaning |
# |---|---|
# | `threadIdx.x` | number of this thread in its block, from 0 |
# | `blockDim.x` | threads in a block |
# | `blockIdx.x`, `blockIdx.y` | number of this block in the grid, in x and in y |
#
# so `blockIdx.x * blockDim.x + threadIdx.x` numbers all threads along x. The grid holds whole blocks, so there are
# usually a few threads too many, and each must find out whether it has work.
#
# The kernel below counts the values of each row, for seven rows in blocks of four. `cuda.check` runs it on the
# host runner, watched. The second version has `<=` where `<` belongs.

# %% experiment="a_first_kernel" topics="csr_spmm_kernel"
row_lengths = r"""
__global__ void row_lengths(int* lengths, const int* row_pointers, int rows) {
    const int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row < rows) lengths[row] = row_pointers[row + 1] - row_pointers[row];
}
"""
pointers = torch.tensor([0, 2, 2, 4, 7, 7, 8, 12], dtype=torch.int32)
lengths = torch.zeros(7, dtype=torch.int32)
kernel = cuda.compile(row_lengths, "row_lengths", backend="host")
kernel(2, 4, (lengths, pointers, 7))  # 2 blocks of 4 threads for 7 rows
print("lengths", lengths.tolist())
print(cuda.check(kernel, 2, 4, (lengths, pointers, 7)))
one_too_many = cuda.compile(row_lengths.replace("row < rows", "row <= rows"), "row_lengths", backend="host")
print(cuda.check(one_too_many, 2, 4, (lengths, pointers, 7)))

# %% [markdown]
# The wrong version computes the right lengths, too: its eighth thread reads and writes just past the arrays, where
# most of the time nothing breaks. A GPU says nothing about that. The watched run names the thread, the line and
# the element.

# %% [markdown]
# ## 3. One thread for one row
#
# The first index map that comes to mind: neighbouring threads take neighbouring rows, and `blockIdx.y` is the
# sample. A thread walks over its row with a loop and writes one number.
#
# ### Exercise: csr_spmm_row_per_thread
#
# Write the body of the kernel. Think of rows without values, and of the last block. All arrays are row-major:
# `x[n, c]` is `x[n * width + c]`, `out[n, r]` is `out[n * rows + r]`.

# %% exercise="csr_spmm_row_per_thread" topics="csr_spmm_kernel"
csr_spmm_row_per_thread = r"""
// out[n, r] = max(0, bias[r] + sum over the values p of row r of values[p] * x[n, columns[p]])
//
//   out      [batch, rows]    written, every element once; it arrives full of NaN
//   x        [batch, width]   one sample after another
//   values, columns  [nnz], row_pointers [rows + 1]     the matrix [rows, width] in CSR
//   bias     [rows]
//
// Launch: blocks of any number of threads along x, grid (ceil(rows / threads), batch).
// Thread x of the grid computes row x of sample blockIdx.y.
__global__ void csr_spmm_row_per_thread(float* out, const float* x, const float* values, const int* columns,
                                        const int* row_pointers, const float* bias, int rows, int width)
{
    ### BEGIN SOLUTION
    const int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= rows) return;
    const float* sample = x + blockIdx.y * width;
    float sum = bias[row];
    for (int p = row_pointers[row]; p < row_pointers[row + 1]; ++p) sum += values[p] * sample[columns[p]];
    out[blockIdx.y * rows + row] = fmaxf(sum, 0.0f);
    ### END SOLUTION
}
"""

# %% check="csr_spmm_row_per_thread" points=5
with checking.check("csr_spmm_row_per_thread"):
    kernel = kernel_checks.compiled(csr_spmm_row_per_thread, "csr_spmm_row_per_thread")
    matrix = torch.tensor([[2.0, 0, 0, 1, 0], [0, 0, 0, 0, 0], [0, 3, 0, 0, 4], [5, 0, 6, 0, 7]])
    x, bias = torch.tensor([[1.0, 2, 3, 4, 5], [-1, 0, 1, 0, 1]]), torch.tensor([-10.0, 1, 0, 2])
    small = layer_arguments(csr(matrix), x, bias)
    # 2 blocks of 3 threads for 4 rows: two threads have no row
    kernel_checks.no_faults(
        kernel, (2, 2), 3, small, time_limit=2, hint="row r ends before row_pointers[r + 1]; a row < rows has work"
    )
    small = [part.to(nb.device) if isinstance(part, Tensor) else part for part in small]
    kernel_checks.launch(kernel, (2, 2), 3, small, time_limit=2)
    checking.close(
        small[0],
        torch.tensor([[0.0, 1, 26, 60], [0, 1, 4, 10]], device=nb.device),
        "out of the example by hand, two samples",
        hint="nan: never written, and an empty row has an output too; -4: max(0, ...) is missing; row r adds bias[r] once",
    )

    weight, x, bias = random_layer(rows=70, width=50, density=0.3, batch=5, seed=1)
    weight[[0, 33, 69]] = 0  # empty rows, the first and the last among them
    for threads in (32, 64):
        args = layer_arguments(csr(weight), x, bias)
        kernel_checks.launch(kernel, (-(-70 // threads), 5), threads, args)
        checking.close(
            args[0],
            F.relu(F.linear(x, weight, bias)),
            f"out of 70 rows in blocks of {threads} threads, 5 samples",
            hint="sample n = blockIdx.y begins at x + n * width and at out + n * rows; blockDim.x may be any number",
        )
    kernel_checks.no_faults(kernel, (3, 5), 32, args)

# %% [markdown]
# **Which thread reads what.** A GPU executes a **warp** of 32 threads together: in one step, all 32 lanes carry out
# the same instruction, each on its own address. Memory answers in **sectors** of 32 bytes (8 floats). If the 32
# lanes ask for 32 floats that lie side by side, 4 sectors are enough and every byte is used. If they ask for 32
# floats far apart, 32 sectors travel for 4 useful bytes each. Addresses side by side are called **coalesced**.
#
# Your kernel, first warp, first sample: each line is one step, the colour is the lane that reads.

# %% experiment="who_reads_what_by_thread" topics="csr_spmm_kernel"
weight, x, bias = random_layer(rows=32, width=64, density=0.12, batch=1, seed=2)
args = [part.cpu() if isinstance(part, Tensor) else part for part in layer_arguments(csr(weight), x, bias)]
kernel = kernel_checks.compiled(csr_spmm_row_per_thread, "csr_spmm_row_per_thread")
trace = access_trace.trace(kernel, 1, 32, args)
figure, axes = plt.subplots(3, 1, figsize=(7.2, 6.0), height_ratios=(4, 4, 1))
access_picture.draw(trace, "values", axes[0], steps=14)
access_picture.draw(trace, "x", axes[1], steps=14)
access_picture.draw(trace, "out", axes[2], writes=True).set_ylabel("")
colours = figure.colorbar(axes[0].collections[0], ax=axes, shrink=0.5)
colours.set_label("lane of the warp")
plt.show()
reads = trace.of("values", writes=False)
record("sectors_per_value_by_thread", reads.sectors() / len(reads), low=0.6, high=1)

# %% [markdown]
# `values` (and `columns`, which are read alike): in each step the lanes are a row's length apart, so nearly every
# read has a sector to itself, of which it uses 4 bytes of 32. `x` is read wherever the columns say; that depends
# on the matrix, not on you. `out` is perfect: neighbouring lanes write neighbouring rows of one sample.
#
# Caches soften this: the sector that a lane fetched holds up to seven of its next values, and if it is still in the cache at
# the next step, it need not travel again. With thousands of rows in flight it often is not.

# %% [markdown]
# ## 4. Waiting for the longest row
#
# The lines of the picture get emptier from above to below: lanes whose row has ended do nothing while the warp
# goes on for the longest one. If row $r$ has $\ell_r$ values, a warp of 32 rows takes $\max_r \ell_r$ steps, and of
# its lanes on average only
#
# $$\text{busy} = \frac{\tfrac1{32}\sum_r \ell_r}{\max_r \ell_r}$$
#
# have work. **By hand:** 31 rows of 10 values and one of 100: 100 steps, busy $(410/32)/100 = 13\%$.
#
# Is that a real problem? Take a trained network, remove the 90% of its weights with the smallest magnitude, over all
# layers together, and look at the rows that are left (a convolution's row is all weights of one output channel).

# %% experiment="row_lengths_of_a_pruned_network" topics="csr_spmm_kernel"
network = training.load("shapes_resnet")
layers = {name: p.detach().flatten(1) for name, p in network.named_parameters() if p.ndim > 1}
magnitudes = torch.cat([weight.abs().flatten() for weight in layers.values()])
threshold = magnitudes.kthvalue(int(0.9 * len(magnitudes))).values
lengths = {name: (weight.abs() > threshold).sum(1) for name, weight in layers.items()}


def busy_lanes(lengths: Tensor) -> float:
    """Share of lanes with work, one thread for one row: useful steps over steps taken by all warps."""
    warps = [*lengths.split(32)]
    return float(lengths.sum() / sum(32 * warp.max() for warp in warps).clamp(min=1))


busy = {name: busy_lanes(kept) for name, kept in lengths.items()}
shown = max((name for name in lengths if len(lengths[name]) >= 64), key=lambda name: int(lengths[name].sum()))
figure, axes = plt.subplots(1, 2, figsize=(9.2, 3.4), width_ratios=(3, 2))
rows = np.arange(len(lengths[shown]))
axes[0].bar(rows, lengths[shown], width=1.0, color="#0072B2", label="values in the row")
longest = torch.cat([warp.max().expand(len(warp)) for warp in lengths[shown].split(32)])
axes[0].step(rows, longest, where="mid", color="#D55E00", label="steps of its warp")
axes[0].set(title=f"{shown}, 90% of the network pruned", xlabel="row (output channel)", ylabel="values, steps")
axes[0].set_ylim(0, 1.2 * float(longest.max()))
axes[0].legend(ncols=2, loc="upper center", fontsize=9)
wide = {name: share for name, share in busy.items() if len(lengths[name]) >= 32}
axes[1].barh(range(len(wide)), [100 * share for share in wide.values()], color="#0072B2")
axes[1].set_yticks(range(len(wide)), list(wide), fontsize=8)
axes[1].invert_yaxis()
axes[1].set(title="Lanes with work, a row per thread", xlabel="busy lanes in %", xlim=(0, 100))
plt.show()
empty = sum(int((kept == 0).sum()) for kept in lengths.values())
print(f"{empty} of {sum(len(kept) for kept in lengths.values())} rows have lost all their weights")
record("busy_lanes_row_per_thread", sum(wide.values()) / len(wide), low=0.2, high=0.8)

# %% [markdown]
# Pruning by magnitude does not cut all rows alike, and a warp pays for the longest. Rows can be sorted by length, so
# that neighbours are alike; or one row is shared by a whole warp, which is next.

# %% [markdown]
# ## 5. One warp for one row
#
# Now the 32 lanes of a warp share a row: lane 0 takes its values 0, 32, 64, ..., lane 1 takes 1, 33, 65, ... In each
# step they read 32 values that lie side by side. At the end each lane holds a part of the sum, and the parts must be
# added.
#
# Lanes of one warp can hand each other registers, without memory and without a barrier:
#
# `__shfl_down_sync(0xffffffff, part, 16)` gives each lane the `part` of the lane 16 further up. After
# `part += ...` of that, lanes 0 to 15 hold sums of two parts. Then with 8, 4, 2, 1: after five steps lane 0 holds the
# sum of all 32. The first argument says which lanes take part; `0xffffffff` is all of them, so **all 32 lanes must
# get there**: none may have returned or be left behind in a branch.
#
# **By hand**, with four lanes holding $3, 1, 4, 1$: a step of 2 gives $3+4,\ 1+1$ in lanes 0 and 1, a step of 1 gives
# $7 + 2 = 9$ in lane 0. What the other lanes hold by then is of no use.
#
# ### Exercise: csr_spmm_row_per_warp
#
# The same function, another index map: block `(32, warps)`, so `threadIdx.x` is the lane and each `threadIdx.y` has
# a row. Each value of the matrix is read once for each sample, side by side, and one lane writes.

# %% exercise="csr_spmm_row_per_warp" topics="csr_spmm_kernel"
csr_spmm_row_per_warp = r"""
// out[n, r] = max(0, bias[r] + sum over the values p of row r of values[p] * x[n, columns[p]])
//
//   out      [batch, rows]    written, every element once; it arrives full of NaN
//   x        [batch, width]   one sample after another
//   values, columns  [nnz], row_pointers [rows + 1]     the matrix [rows, width] in CSR
//   bias     [rows]
//
// Launch: block (32, warps), grid (ceil(rows / warps), batch).
// The 32 lanes threadIdx.x of warp threadIdx.y compute row blockIdx.x * blockDim.y + threadIdx.y of sample blockIdx.y:
// lane k takes the row's values k, k + 32, k + 64, ...
__global__ void csr_spmm_row_per_warp(float* out, const float* x, const float* values, const int* columns,
                                      const int* row_pointers, const float* bias, int rows, int width)
{
    ### BEGIN SOLUTION
    const int lane = threadIdx.x;
    const int row = blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= rows) return;  // the whole warp leaves
    const float* sample = x + blockIdx.y * width;
    const int last = row_pointers[row + 1];
    float part = 0;
    for (int p = row_pointers[row] + lane; p < last; p += 32) part += values[p] * sample[columns[p]];
    for (int step = 16; step > 0; step /= 2) part += __shfl_down_sync(0xffffffff, part, step);
    if (lane == 0) out[blockIdx.y * rows + row] = fmaxf(part + bias[row], 0.0f);
    ### END SOLUTION
}
"""

# %% check="csr_spmm_row_per_warp" points=6
with checking.check("csr_spmm_row_per_warp"):
    kernel = kernel_checks.compiled(csr_spmm_row_per_warp, "csr_spmm_row_per_warp")
    matrix = torch.tensor([[2.0, 0, 0, 1, 0], [0, 0, 0, 0, 0], [0, 3, 0, 0, 4], [5, 0, 6, 0, 7]])
    x, bias = torch.tensor([[1.0, 2, 3, 4, 5], [-1, 0, 1, 0, 1]]), torch.tensor([-10.0, 1, 0, 2])
    small = layer_arguments(csr(matrix), x, bias)
    # 2 blocks of 3 warps for 4 rows: two warps have no row
    kernel_checks.no_faults(
        kernel, (2, 2), (32, 3), small, time_limit=2,
        hint="every lane reaches the shuffles, also one without values; only one lane writes out",
    )  # fmt: skip
    small = [part.to(nb.device) if isinstance(part, Tensor) else part for part in small]
    kernel_checks.launch(kernel, (2, 2), (32, 3), small, time_limit=2)
    checking.close(
        small[0],
        torch.tensor([[0.0, 1, 26, 60], [0, 1, 4, 10]], device=nb.device),
        "out of the example by hand, two samples",
        hint="nan: never written; much too large: the lanes share a row and its bias, each value counts once",
    )

    weight, x, bias = random_layer(rows=21, width=300, density=0.4, batch=3, seed=3)
    weight[[0, 9, 20]] = 0
    weight[4] = torch.randn(300, generator=torch.Generator().manual_seed(4))  # longer than 32 * 9
    for warps in (4, 8):
        args = layer_arguments(csr(weight), x, bias)
        kernel_checks.launch(kernel, (-(-21 // warps), 3), (32, warps), args)
        checking.close(
            args[0],
            F.relu(F.linear(x, weight, bias)),
            f"out of 21 rows in blocks of {warps} warps, 3 samples",
            rtol=1e-3,
            atol=1e-4,
            hint="lane k takes values k, k + 32, ... up to the end of the row; steps 16, 8, 4, 2, 1 add all 32 lanes",
        )
    kernel_checks.no_faults(kernel, (6, 3), (32, 4), args)

    args = [part.cpu() if isinstance(part, Tensor) else part for part in args]
    reads = access_trace.trace(kernel, (6, 3), (32, 4), args).of("values", writes=False)
    nnz = 3 * int((weight != 0).sum())  # for each of 3 samples
    checking.that(
        len(reads) == nnz,
        f"{nnz} reads of values were expected, {len(reads)} were made",
        hint="each value of the row belongs to one lane",
    )
    checking.that(
        reads.sectors() <= nnz / 4,
        f"{nnz} reads of values took {reads.sectors()} sectors of 32 bytes; side by side they take about {nnz // 6}",
        hint="in one step the 32 lanes read 32 neighbouring values: lane k starts at k and goes on by 32",
    )

# %% [markdown]
# Both index maps on one matrix. A warp of your first kernel works on 32 rows at once, a warp of the second on one.

# %% experiment="who_reads_what_by_warp" topics="csr_spmm_kernel"
weight, x, bias = random_layer(rows=32, width=120, density=0.35, batch=1, seed=5)
args = [part.cpu() if isinstance(part, Tensor) else part for part in layer_arguments(csr(weight), x, bias)]
maps = {
    "a row per thread": (csr_spmm_row_per_thread, "csr_spmm_row_per_thread", 1, 32),
    "a row per warp": (csr_spmm_row_per_warp, "csr_spmm_row_per_warp", 8, (32, 4)),
}
figure, axes = plt.subplots(2, 1, figsize=(7.2, 4.6), sharex=True)
sectors = {}
for axis, (name, (source, kernel_name, grid, block)) in zip(axes, maps.items(), strict=True):
    trace = access_trace.trace(kernel_checks.compiled(source, kernel_name), grid, block, args)
    access_picture.draw(trace, "values", axis, steps=5, title=f"{name}, values")
    reads = trace.of("values", writes=False)
    sectors[name] = reads.sectors()
    print(
        f"{name:17} {len(reads)} reads of values, {reads.sectors():5d} sectors, {len(reads) / reads.sectors():.1f} reads each"
    )
axes[0].set(xlim=(0, 240), xlabel="")
axes[1].set(xlabel="element of values (the first 240)")
colours = figure.colorbar(axes[0].collections[0], ax=axes, shrink=0.7)
colours.set_label("lane of the warp")
plt.show()
record("sectors_thread_over_warp", sectors["a row per thread"] / sectors["a row per warp"], low=3)

# %% [markdown]
# One warp each: the first five steps of the first kernel, and both steps that the second needs for its row. (The titles
# count all elements of these steps, also those beyond the 240 drawn.) The first kernel's lanes are a row apart and
# creep through their rows one value at a time. The second kernel's warp reads 32 neighbours in a step, and is done with
# its row after two. Four sectors hold 32 floats; a row that does not begin at a multiple of 8 floats needs a fifth.

# %% [markdown]
# ## 6. What it buys, and what this machine can tell
#
# Count first. For layers of one size and density but different row lengths, compare what the two index maps ask of
# a GPU: lanes with work, and bytes that travel for `values` and `columns` if no cache helps, over the bytes that are
# needed. Both follow from the pattern and the index map alone; the host runner counts them in your kernels.

# %% experiment="what_the_index_map_costs" topics="csr_spmm_kernel"
draw = nb.generator(6)
rows, width = 128, 512
patterns = {
    "balanced, 10%": torch.rand(rows, width, generator=draw) < 0.1,
    "uneven, 10%": torch.rand(rows, width, generator=draw) < 0.2 * torch.rand(rows, 1, generator=draw) ** 2 * 1.5,
    "balanced, 1%": torch.rand(rows, width, generator=draw) < 0.01,
}
print(f"{'pattern':14} {'index map':18} {'busy lanes':>10} {'bytes moved / needed':>21}")
moved = {}
for pattern, keep in patterns.items():
    args = layer_arguments(
        csr(torch.randn(rows, width, generator=draw) * keep), torch.randn(1, width), torch.zeros(rows)
    )
    lengths = keep.sum(1)
    for name, source, kernel_name, grid, block in (
        ("a row per thread", csr_spmm_row_per_thread, "csr_spmm_row_per_thread", 1, 128),
        ("a row per warp", csr_spmm_row_per_warp, "csr_spmm_row_per_warp", 32, (32, 4)),
    ):
        trace = access_trace.trace(kernel_checks.compiled(source, kernel_name), grid, block, args)
        reads = trace.of("values", writes=False)
        steps = len(np.unique(reads.requests()))  # instructions of warps that read values
        moved[pattern, name] = 32 * reads.sectors() / (4 * int(lengths.sum()))
        print(f"{pattern:14} {name:18} {len(reads) / (32 * steps):10.0%} {moved[pattern, name]:20.1f}x")
record("moved_balanced_warp", moved["balanced, 10%", "a row per warp"], high=2)
record("moved_sparse_warp", moved["balanced, 1%", "a row per warp"], low=1.5)

# %% [markdown]
# At 10% a row per warp moves six times fewer bytes. Its lanes are as busy as those of a row per thread where rows are
# alike, and twice as busy where they are not. At 1% a row has about five values: 27 of 32 lanes have nothing to do,
# and the row per thread is the better map for the lanes. No kernel is best for every matrix.
#
# Now time, on this machine. Four ways to compute one layer: torch's dense product, torch's own sparse product, and
# your two kernels. Without a GPU your kernels run on the host runner, and then the numbers say this, no more:
#
# - *row per thread* needs no exchange between threads, so the runner compiles it to plain loops over the rows. Its time
#   is a fair time of a simple CPU program, beside torch's tuned ones.
# - *row per warp* exchanges registers, so the runner must switch between 32 threads at every shuffle. Its time is the
#   time of a **simulation**. That it is slower here says nothing about a GPU.

# %% experiment="time_on_this_machine" topics="csr_spmm_kernel"
rows, width, batch = (256, 1024, 16) if nb.device.type == "cpu" else (4096, 4096, 64)
densities = (0.5, 0.2, 0.1, 0.05, 0.02)
by_thread = cuda.compile(kernel_checks.text(csr_spmm_row_per_thread), "csr_spmm_row_per_thread")
by_warp = cuda.compile(kernel_checks.text(csr_spmm_row_per_warp), "csr_spmm_row_per_warp")
names = ("torch, dense", "torch, sparse", "a row per thread", "a row per warp")
times = {name: [] for name in names}
for density in densities:
    weight, x, bias = random_layer(rows, width, density, batch, seed=7)
    matrix, stored = csr(weight), csr(weight).to_torch()
    args = layer_arguments(matrix, x, bias)
    calls = (
        lambda weight=weight, x=x, bias=bias: F.relu(F.linear(x, weight, bias)),
        lambda stored=stored, x=x, bias=bias: F.relu((stored @ x.T).T + bias),
        lambda args=args: by_thread((-(-rows // 128), batch), 128, args),
        lambda args=args: by_warp((-(-rows // 4), batch), (32, 4), args),
    )
    for name, call in zip(names, calls, strict=True):
        simulated = name == "a row per warp" and nb.device.type == "cpu"
        times[name].append(measure.latency(call, warmup=1, runs=2 if simulated else 15).median)
    checking.close(args[0], calls[0](), "out", rtol=1e-3, atol=1e-3)
figure, axes = plt.subplots(figsize=(6.6, 3.8))
for name, seconds in times.items():
    axes.loglog([100 * density for density in densities], [1e3 * value for value in seconds], "o-", label=name)
where = nb.hardware if nb.device.type == "cuda" else "host runner and torch on the CPU"
axes.set(title=f"{rows} x {width} layer, {batch} samples: {where}", xlabel="values kept in %", ylabel="milliseconds")
axes.set_xticks([100 * density for density in densities], [f"{100 * density:g}" for density in densities])
axes.minorticks_off()
axes.legend(fontsize=9)
plt.show()
print(f"{'values kept':17}" + "".join(f"{density:10.0%}" for density in densities))
for name, seconds in times.items():
    print(f"{name:17}" + "".join(f"{1e3 * value:8.2f}ms" for value in seconds))
print(f"on {nb.hardware}")
record("row_per_thread_50_over_2_percent", times["a row per thread"][0] / times["a row per thread"][-1], low=2)

# %% [markdown]
# The dense product takes the same time whatever the zeros; the sparse ones get cheaper as values go. Read off where
# torch's sparse line crosses the dense one: at higher densities the zeros are not worth skipping, because a dense
# product reads memory in order and uses vector instructions for every value. Where that crossing lies depends on the
# machine, the sizes and the batch. The exact products you compared, and the counts of section 5 and of the table
# above, hold on every machine.
#
# **What a GPU adds.** Run the same notebook with one: the checks then run your kernels there, and the last figure shows
# their real times, beside cuSPARSE (torch's sparse product) and cuBLAS (the dense one), at a larger size. What to look
# for: whether the order of your two kernels is the reverse of the one a simulation shows, and how far both are from
# the time that reading the matrix once would take. `course_lib.sparse.csr_matmul` holds tuned relatives of these kernels
# for another layout; its sources say what the next steps are.

# %% [markdown]
# ## 7. Questions
#
# Answer in a few sentences, with numbers where they help.

# %% [markdown] question="which_index_map" points=2 topics="csr_spmm_kernel"
# **Question 1.** Two layers of 4096 x 4096 have to run on a GPU, one sample at a time. In the first, every row has 8
# values. In the second, a quarter of the rows have 1600 values and the others none. For each: a row per thread, a row
# per warp, or something else? Give the share of lanes with work and the sectors for `values` that support your choice.
#
# ### BEGIN SOLUTION
# First layer. A row per thread: all rows are equally long, so every lane is busy (100%), but in each step the lanes are
# 8 floats = one sector apart: 32 sectors for 32 values, eight times what is needed unless the cache keeps the sector for
# the 7 steps that follow (here it may: the sector holds exactly the rest of the row). A row per warp: only 8 of 32 lanes
# have work (25%), one sector for each row, perfect, and a reduction of five shuffles for eight products. Better than
# both: 8 lanes for a row, four rows in a warp: 100% busy, 4 sectors for 32 values, three shuffles. Second layer. A row
# per thread: warps with even one full row take 1600 steps; if full and empty rows are mixed, about 25% of the lanes
# work, each read a sector of its own. A row per warp: 1600 = 50 * 32, so full rows keep all lanes busy for 50 steps, 4
# sectors each; warps of empty rows write the bias and leave, so blocks should hold rows that differ or be small. So: a
# row per warp. Full marks for other choices whose numbers are right.
# ### END SOLUTION

# %% [markdown] question="what_a_simulation_proves" points=2 topics="csr_spmm_kernel"
# **Question 2.** Your kernel passes the watched run on the host runner, and a colleague's version of it is 3 times
# faster there. Name two things that you now know about the kernel on a GPU, one that you do not know, and say what the
# factor of 3 is worth. What would you measure, and on what, before you choose one of the two?
#
# ### BEGIN SOLUTION
# Known: for the sizes tried, the values are those the formula gives (up to the order of float additions), no thread
# leaves its arrays, no two threads conflict without a barrier, every thread reaches its barriers and shuffles; the
# addresses, so how many sectors each warp instruction asks for. These follow from the source and hold on every machine,
# for inputs like those tried; other sizes may still show a fault. Not known: time on a GPU: caches, how many warps fit,
# how latency is hidden, registers. The factor of 3 is the time of a simulation, or of plain loops on a CPU: a kernel
# without shuffles is compiled to loops, one with shuffles switches threads at each, which on a GPU costs a few cycles.
# So it may be reversed on a GPU. Measure both on the target GPU with the real matrices and batch size, several runs
# after a warm-up, data larger than the cache or as in use, beside cuSPARSE and the dense product, and compare with the
# time to read the matrix once.
# ### END SOLUTION

# %% [markdown]
# ## Read more
#
# - NVIDIA: *CUDA C++ Programming Guide*, the chapters on the programming model, on device memory accesses and on warp
#   shuffle functions.
# - Bell, Garland: *Implementing Sparse Matrix-Vector Multiplication on Throughput-Oriented Processors*, SC 2009. The two
#   index maps of this notebook, as "CSR scalar" and "CSR vector".
# - Yang, Buluç, Owens: *Design Principles for Sparse Matrix Multiplication on the GPU*, Euro-Par 2018,
#   [arXiv:1803.08601](https://arxiv.org/abs/1803.08601). Row splitting and merging.
# - Gale, Zaharia, Young, Elsen: *Sparse GPU Kernels for Deep Learning*, SC 2020,
#   [arXiv:2006.10901](https://arxiv.org/abs/2006.10901). Tiling and row swizzling for pruned networks.
