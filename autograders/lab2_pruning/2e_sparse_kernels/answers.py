# %% [markdown]
# Answers to the exercises of 2e_sparse_kernels: mistakes that students make, and other ways to be right.

# %% wrong="csr_spmm_row_per_thread" name="reads one value past the end of a row"
# -     for (int p = row_pointers[row]; p < row_pointers[row + 1]; ++p) sum += values[p] * sample[columns[p]];
# +     for (int p = row_pointers[row]; p <= row_pointers[row + 1]; ++p) sum += values[p] * sample[columns[p]];

# %% wrong="csr_spmm_row_per_thread" name="lets one thread too many work"
# -     if (row >= rows) return;
# +     if (row > rows) return;

# %% wrong="csr_spmm_row_per_thread" name="leaves empty rows unwritten"
# -     if (row >= rows) return;
# +     if (row >= rows || row_pointers[row] == row_pointers[row + 1]) return;

# %% wrong="csr_spmm_row_per_thread" name="forgets the sample: all blocks write the first one"
# -     const float* sample = x + blockIdx.y * width;
# +     const float* sample = x;

# -     out[blockIdx.y * rows + row] = fmaxf(sum, 0.0f);
# +     out[row] = fmaxf(sum, 0.0f);

# %% wrong="csr_spmm_row_per_thread" name="reads x as if its columns were the samples"
# -     for (int p = row_pointers[row]; p < row_pointers[row + 1]; ++p) sum += values[p] * sample[columns[p]];
# +     for (int p = row_pointers[row]; p < row_pointers[row + 1]; ++p) sum += values[p] * x[columns[p] * gridDim.y + blockIdx.y];

# %% wrong="csr_spmm_row_per_thread" name="adds to out in memory, which was never set"
# -     float sum = bias[row];
# +     float& sum = out[blockIdx.y * rows + row];
#       for (int p = row_pointers[row]; p < row_pointers[row + 1]; ++p) sum += values[p] * sample[columns[p]];
# -     out[blockIdx.y * rows + row] = fmaxf(sum, 0.0f);
# +     sum = fmaxf(sum + bias[row], 0.0f);

# %% wrong="csr_spmm_row_per_thread" name="never ends: p stands still"
# -     float sum = bias[row];
# -     for (int p = row_pointers[row]; p < row_pointers[row + 1]; ++p) sum += values[p] * sample[columns[p]];
# +     volatile float sum = bias[row];
# +     for (int p = row_pointers[row]; p < row_pointers[row + 1];) sum = sum + values[p] * sample[columns[p]];

# %% wrong="csr_spmm_row_per_thread" name="crashes: a pointer to nowhere"
# -     float sum = bias[row];
# +     float* nowhere = nullptr;
# +     float sum = *nowhere + bias[row];

# %% wrong="csr_spmm_row_per_thread" name="leaves the ReLU out"
# -     out[blockIdx.y * rows + row] = fmaxf(sum, 0.0f);
# +     out[blockIdx.y * rows + row] = sum;

# %% wrong="csr_spmm_row_per_thread" name="a semicolon is missing"
csr_spmm_row_per_thread = r"""
__global__ void csr_spmm_row_per_thread(float* out, const float* x, const float* values, const int* columns,
                                        const int* row_pointers, const float* bias, int rows, int width)
{
    const int row = blockIdx.x * blockDim.x + threadIdx.x
    if (row < rows) out[blockIdx.y * rows + row] = fmaxf(bias[row], 0.0f);
}
"""

# %% right="csr_spmm_row_per_thread" name="loops over rows and adds in double precision"
csr_spmm_row_per_thread = r"""
__device__ double dot(const float* values, const int* columns, int count, const float* sample) {
    double sum = 0;
    while (count-- > 0) sum += double(*values++) * sample[*columns++];
    return sum;
}

__global__ void csr_spmm_row_per_thread(float* __restrict__ out, const float* __restrict__ x, const float* values,
                                        const int* columns, const int* row_pointers, const float* bias, int rows, int width)
{
    x += size_t(blockIdx.y) * width;
    out += size_t(blockIdx.y) * rows;
    for (int row = blockIdx.x * blockDim.x + threadIdx.x; row < rows; row += gridDim.x * blockDim.x) {
        const int first = row_pointers[row];
        const float y = float(dot(values + first, columns + first, row_pointers[row + 1] - first, x) + bias[row]);
        out[row] = y > 0 ? y : 0;
    }
}
"""

# %% right="csr_spmm_row_per_warp" name="no pointer to the sample"
csr_spmm_row_per_warp = r"""
__global__ void csr_spmm_row_per_warp(float* out, const float* x, const float* values, const int* columns,
                                      const int* row_pointers, const float* bias, int rows, int width)
{
    const int lane = threadIdx.x, row = blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= rows) return;
    float part = 0;
    for (int p = row_pointers[row] + lane; p < row_pointers[row + 1]; p += 32)
        part += values[p] * x[blockIdx.y * width + columns[p]];
    for (int step = 16; step > 0; step /= 2) part += __shfl_down_sync(0xffffffff, part, step);
    if (lane == 0) out[blockIdx.y * rows + row] = fmaxf(part + bias[row], 0.0f);
}
"""

# %% wrong="csr_spmm_row_per_warp" name="no barrier between writing parts and adding them" of="parts in shared memory, with a barrier of the warp"
# -     __syncwarp();
# -     if (lane == 0) {
# +     if (lane == 31) {

# %% wrong="csr_spmm_row_per_warp" name="a barrier of the block that warps without a row never reach" of="parts in shared memory, with a barrier of the warp"
# -     __syncwarp();
# +     __syncthreads();

# %% wrong="csr_spmm_row_per_warp" name="all lanes add to out at once" of="no pointer to the sample"
#       if (row >= rows) return;
# +     float* y = out + blockIdx.y * rows + row;

# -     for (int step = 16; step > 0; step /= 2) part += __shfl_down_sync(0xffffffff, part, step);
# -     if (lane == 0) out[blockIdx.y * rows + row] = fmaxf(part + bias[row], 0.0f);
# +     if (lane == 0) *y = bias[row];
# +     __syncwarp();
# +     *y += part;
# +     __syncwarp();
# +     if (lane == 0) *y = fmaxf(*y, 0.0f);

# %% wrong="csr_spmm_row_per_warp" name="every lane adds up the whole row" of="no pointer to the sample"
# -     float part = 0;
# -     for (int p = row_pointers[row] + lane; p < row_pointers[row + 1]; p += 32)
# -         part += values[p] * x[blockIdx.y * width + columns[p]];
# -     for (int step = 16; step > 0; step /= 2) part += __shfl_down_sync(0xffffffff, part, step);
# -     if (lane == 0) out[blockIdx.y * rows + row] = fmaxf(part + bias[row], 0.0f);
# +     float sum = bias[row];
# +     for (int p = row_pointers[row]; p < row_pointers[row + 1]; ++p) sum += values[p] * x[blockIdx.y * width + columns[p]];
# +     if (lane == 0) out[blockIdx.y * rows + row] = fmaxf(sum, 0.0f);

# %% wrong="csr_spmm_row_per_warp" name="a piece of the row for each lane: neighbours read far apart" of="no pointer to the sample"
#       if (row >= rows) return;
# +     const int first = row_pointers[row], last = row_pointers[row + 1], piece = (last - first + 31) / 32;
#       float part = 0;
# -     for (int p = row_pointers[row] + lane; p < row_pointers[row + 1]; p += 32)
# +     for (int p = first + lane * piece; p < min(first + (lane + 1) * piece, last); ++p)

# %% wrong="csr_spmm_row_per_warp" name="lanes without a value return before the shuffles" of="no pointer to the sample"
#       if (row >= rows) return;
# +     int p = row_pointers[row] + lane;
# +     if (p >= row_pointers[row + 1]) return;
#       float part = 0;
# -     for (int p = row_pointers[row] + lane; p < row_pointers[row + 1]; p += 32)
# -         part += values[p] * x[blockIdx.y * width + columns[p]];
# +     for (; p < row_pointers[row + 1]; p += 32) part += values[p] * x[blockIdx.y * width + columns[p]];

# %% wrong="csr_spmm_row_per_warp" name="leaves out the values after the last full 32" of="no pointer to the sample"
# -     for (int p = row_pointers[row] + lane; p < row_pointers[row + 1]; p += 32)
# -         part += values[p] * x[blockIdx.y * width + columns[p]];
# +     for (int p = row_pointers[row]; p + 32 <= row_pointers[row + 1]; p += 32)
# +         part += values[p + lane] * x[blockIdx.y * width + columns[p + lane]];

# %% wrong="csr_spmm_row_per_warp" name="reads full steps of 32, past the end of the row" of="no pointer to the sample"
# -     for (int p = row_pointers[row] + lane; p < row_pointers[row + 1]; p += 32)
# -         part += values[p] * x[blockIdx.y * width + columns[p]];
# +     for (int p = row_pointers[row]; p < row_pointers[row + 1]; p += 32)
# +         part += values[p + lane] * x[blockIdx.y * width + columns[p + lane]];

# %% wrong="csr_spmm_row_per_warp" name="adds the bias in every lane" of="no pointer to the sample"
# -     float part = 0;
# +     float part = bias[row];

# -     if (lane == 0) out[blockIdx.y * rows + row] = fmaxf(part + bias[row], 0.0f);
# +     if (lane == 0) out[blockIdx.y * rows + row] = fmaxf(part, 0.0f);

# %% right="csr_spmm_row_per_warp" name="butterfly of exchanges, whole warps step over rows"
csr_spmm_row_per_warp = r"""
__device__ float sum_of_warp(float part) {
#pragma unroll
    for (int mask = 1; mask < 32; mask <<= 1) part += __shfl_xor_sync(0xffffffffu, part, mask);
    return part;
}

__global__ void csr_spmm_row_per_warp(float* out, const float* x, const float* values, const int* columns,
                                      const int* row_pointers, const float* bias, int rows, int width)
{
    const int n = blockIdx.y;
    for (int row = blockIdx.x * blockDim.y + threadIdx.y; row < rows; row += gridDim.x * blockDim.y) {
        const int first = row_pointers[row], count = row_pointers[row + 1] - first;
        float part = 0;
        for (int k = threadIdx.x; k < count; k += warpSize) part = fmaf(values[first + k], x[n * width + columns[first + k]], part);
        part = sum_of_warp(part) + bias[row];
        if (threadIdx.x == 31) out[n * rows + row] = part < 0 ? 0 : part;
    }
}
"""

# %% right="csr_spmm_row_per_warp" name="parts in shared memory, with a barrier of the warp"
csr_spmm_row_per_warp = r"""
__global__ void csr_spmm_row_per_warp(float* out, const float* x, const float* values, const int* columns,
                                      const int* row_pointers, const float* bias, int rows, int width)
{
    __shared__ float parts[32][33];
    const int lane = threadIdx.x, row = blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= rows) return;
    float part = 0;
    for (int p = row_pointers[row] + lane; p < row_pointers[row + 1]; p += 32)
        part += values[p] * x[blockIdx.y * width + columns[p]];
    parts[threadIdx.y][lane] = part;
    __syncwarp();
    if (lane == 0) {
        float sum = bias[row];
        for (int k = 0; k < 32; ++k) sum += parts[threadIdx.y][k];
        out[blockIdx.y * rows + row] = fmaxf(sum, 0.0f);
    }
}
"""
