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
    kernel = written_kernel.compiled(csr_spmm_row_per_warp, "csr_spmm_row_per_warp")
    matrix = torch.tensor([[2.0, 0, 0, 1, 0], [0, 0, 0, 0, 0], [0, 3, 0, 0, 4], [5, 0, 6, 0, 7]])
    x, bias = torch.tensor([[1.0, 2, 3, 4, 5], [-1, 0, 1, 0, 1]]), torch.tensor([-10.0, 1, 0, 2])
    small = layer_arguments(csr(matrix), x, bias)
    # 2 blocks of 3 warps for 4 rows: two warps have no row
    written_kernel.no_faults(
        kernel, (2, 2), (32, 3), small, time_limit=2,
        hint="every lane reaches the shuffles, also one without values; only one lane writes out",
    )  # fmt: skip
    small = [part.to(nb.device) if isinstance(part, Tensor) else part for part in small]
    written_kernel.launch(kernel, (2, 2), (32, 3), small, time_limit=2)
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
        written_kernel.launch(kernel, (-(-21 // warps), 3), (32, warps), args)
        checking.close(
            args[0],
            F.relu(F.linear(x, weight, bias)),
            f"out of 21 rows in blocks of {warps} warps, 3 samples",
            rtol=1e-3,
            atol=1e-4,
            hint="lane k takes values k, k + 32, ... up to the end of the row; steps 16, 8, 4, 2, 1 add all 32 lanes",
        )
    written_kernel.no_faults(kernel, (6, 3), (32, 4), args)

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
    trace = access_trace.trace(written_kernel.compiled(source, kernel_name), grid, block, args)
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
