#define RADIUS 2
#define BX 16
#define BY 8

__constant__ float coeff[2 * RADIUS + 1];

// cross-shaped stencil; values outside the image count as 0
__global__ void stencil2d(float *out, const float *in, int width, int height) {
    __shared__ float tile[BY + 2 * RADIUS][BX + 2 * RADIUS];
    const int gx = blockIdx.x * BX + threadIdx.x;
    const int gy = blockIdx.y * BY + threadIdx.y;
    for (int y = threadIdx.y; y < BY + 2 * RADIUS; y += BY) {
        for (int x = threadIdx.x; x < BX + 2 * RADIUS; x += BX) {
            const int sx = blockIdx.x * BX + x - RADIUS;
            const int sy = blockIdx.y * BY + y - RADIUS;
            const bool inside = sx >= 0 && sx < width && sy >= 0 && sy < height;
            tile[y][x] = inside ? in[sy * width + sx] : 0.0f;
        }
    }
    __syncthreads();
    if (gx >= width || gy >= height) return;
    float sum = 0.0f;
    for (int d = -RADIUS; d <= RADIUS; ++d) {
        sum += coeff[d + RADIUS] * tile[threadIdx.y + RADIUS][threadIdx.x + RADIUS + d];
        if (d != 0) sum += coeff[d + RADIUS] * tile[threadIdx.y + RADIUS + d][threadIdx.x + RADIUS];
    }
    out[gy * width + gx] = sum;
}
