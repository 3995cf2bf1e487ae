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
    kernel = written_kernel.compiled(csr_spmm_row_per_thread, "csr_spmm_row_per_thread")
    matrix = torch.tensor([[2.0, 0, 0, 1, 0], [0, 0, 0, 0, 0], [0, 3, 0, 0, 4], [5, 0, 6, 0, 7]])
    x, bias = torch.tensor([[1.0, 2, 3, 4, 5], [-1, 0, 1, 0, 1]]), torch.tensor([-10.0, 1, 0, 2])
    small = layer_arguments(csr(matrix), x, bias)
    # 2 blocks of 3 threads for 4 rows: two threads have no row
    written_kernel.no_faults(
        kernel, (2, 2), 3, small, time_limit=2, hint="row r ends before row_pointers[r + 1]; a row < rows has work"
    )
    small = [part.to(nb.device) if isinstance(part, Tensor) else part for part in small]
    written_kernel.launch(kernel, (2, 2), 3, small, time_limit=2)
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
        written_kernel.launch(kernel, (-(-70 // threads), 5), threads, args)
        checking.close(
            args[0],
            F.relu(F.linear(x, weight, bias)),
            f"out of 70 rows in blocks of {threads} threads, 5 samples",
            hint="sample n = blockIdx.y begins at x + n * width and at out + n * rows; blockDim.x may be any number",
        )
    written_kernel.no_faults(kernel, (3, 5), 32, args)

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
kernel = written_kernel.compiled(csr_spmm_row_per_thread, "csr_spmm_row_per_thread")
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
