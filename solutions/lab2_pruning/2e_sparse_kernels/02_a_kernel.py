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
