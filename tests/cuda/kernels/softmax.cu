#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <float.h>
namespace cg = cooperative_groups;

// softmax of each of N rows of C floats; one block per row
__global__ void softmax_forward_kernel(float *out, const float *inp, int N, int C) {
    extern __shared__ float shared[];
    int idx = blockIdx.x;
    int tid = threadIdx.x;
    cg::thread_block block = cg::this_thread_block();
    cg::thread_block_tile<32> warp = cg::tiled_partition<32>(block);
    int warpsPerBlock = blockDim.x / 32;
    float *maxvals = shared;
    float *sumvals = &shared[warpsPerBlock];
    const float *x = inp + idx * C;

    float maxval = -FLT_MAX;
    for (int i = tid; i < C; i += blockDim.x) maxval = fmaxf(maxval, x[i]);
    maxval = cg::reduce(warp, maxval, cg::greater<float>{});
    if (warp.thread_rank() == 0) maxvals[warp.meta_group_rank()] = maxval;
    block.sync();
    float offset = maxvals[0];
    for (int i = 1; i < warpsPerBlock; i++) offset = fmaxf(offset, maxvals[i]);

    float sum = 0.0f;
    for (int i = tid; i < C; i += blockDim.x) sum += expf(x[i] - offset);
    sum = cg::reduce(warp, sum, cg::plus<float>{});
    if (warp.thread_rank() == 0) sumvals[warp.meta_group_rank()] = sum;
    block.sync();
    float total = 0.0f;
    for (int i = 0; i < warpsPerBlock; i++) total += sumvals[i];
    for (int i = tid; i < C; i += blockDim.x) __stcs(&out[idx * C + i], expf(x[i] - offset) / total);
}
