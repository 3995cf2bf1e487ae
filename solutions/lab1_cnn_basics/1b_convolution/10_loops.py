# %% [markdown]
# ## 10. Loops that run fast
#
# Why is a library's matrix multiplication fast? The three loops of $C[m, n] = \sum_k A[m, k]\,B[k, n]$ may
# stand in any order and may be cut up; the result stays the same (up to rounding) and the time does not. The
# steps below are in C, on the matrices of a real layer after im2col: 3x3, 128 channels in and out, 28x28, so
# $M = 128$, $K = 1152$, $N = 784$.
#
# | step | what changes | why it helps |
# |---|---|---|
# | plain | loops $m, n, k$ | nothing: the inner loop jumps through $B$ by whole rows |
# | reorder | loops $m, k, n$ | the inner loop walks along rows of $B$ and $C$ |
# | SIMD | 8 numbers per instruction | needs the neighbours that reordering made |
# | tile | work on a block of $B$ that fits the fastest cache | each number of $B$ is fetched from far away once per block of work, not once per row of $C$ |
# | unroll | four steps of $k$ at once | $C$ is loaded and stored a quarter as often |
# | registers | a 4 x 16 block of $C$ stays in registers | $C$ is not touched inside the loop; four rows share each load of $B$ |
#
# The first six are compiled with the compiler's own vectorisation switched off, so that what is written is
# what runs. Then the first two again with it switched on.

# %% experiment="loop_transforms" topics="loop_transforms"
LOOPS = r"""
#include <string.h>
#define FOR(i, from, to, step) for (int i = (from); i < (to); i += (step))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
typedef float vec __attribute__((vector_size(32), aligned(4)));  // 8 floats
#define V(p) (*(vec *)(p))
#define ARGUMENTS const float *restrict A, const float *restrict B, float *restrict C, int M, int K, int N

void plain(ARGUMENTS) {
  FOR(m, 0, M, 1) FOR(n, 0, N, 1) {
    float sum = 0;
    FOR(k, 0, K, 1) sum += A[m*K + k] * B[k*N + n];
    C[m*N + n] = sum;
  }
}
void reorder(ARGUMENTS) {
  memset(C, 0, sizeof(float) * M * N);
  FOR(m, 0, M, 1) FOR(k, 0, K, 1)
    FOR(n, 0, N, 1) C[m*N + n] += A[m*K + k] * B[k*N + n];
}
void simd(ARGUMENTS) {
  memset(C, 0, sizeof(float) * M * N);
  FOR(m, 0, M, 1) FOR(k, 0, K, 1)
    FOR(n, 0, N, 8) V(C + m*N + n) += A[m*K + k] * V(B + k*N + n);
}
void tile(ARGUMENTS) {  // 64 x 128 numbers of B: 32 KiB
  memset(C, 0, sizeof(float) * M * N);
  FOR(kt, 0, K, 64) FOR(nt, 0, N, 128)
    FOR(m, 0, M, 1) FOR(k, kt, MIN(kt + 64, K), 1)
      FOR(n, nt, MIN(nt + 128, N), 8) V(C + m*N + n) += A[m*K + k] * V(B + k*N + n);
}
void unroll(ARGUMENTS) {
  memset(C, 0, sizeof(float) * M * N);
  FOR(kt, 0, K, 64) FOR(nt, 0, N, 128)
    FOR(m, 0, M, 1) FOR(k, kt, MIN(kt + 64, K), 4) {
      const float *a = A + m*K + k;
      FOR(n, nt, MIN(nt + 128, N), 8) {
        const float *b = B + k*N + n;
        V(C + m*N + n) += a[0] * V(b) + a[1] * V(b + N) + a[2] * V(b + 2*N) + a[3] * V(b + 3*N);
      }
    }
}
void registers(ARGUMENTS) {
  memset(C, 0, sizeof(float) * M * N);
  FOR(kt, 0, K, 128) FOR(n, 0, N, 16) FOR(m, 0, M, 4) {
    float *c = C + m*N + n;
    vec c00 = V(c),       c01 = V(c + 8),       c10 = V(c + N),   c11 = V(c + N + 8);
    vec c20 = V(c + 2*N), c21 = V(c + 2*N + 8), c30 = V(c + 3*N), c31 = V(c + 3*N + 8);
    FOR(k, kt, MIN(kt + 128, K), 1) {
      const float *a = A + m*K + k;
      vec b0 = V(B + k*N + n), b1 = V(B + k*N + n + 8);
      c00 += a[0] * b0;   c01 += a[0] * b1;   c10 += a[K] * b0;   c11 += a[K] * b1;
      c20 += a[2*K] * b0; c21 += a[2*K] * b1; c30 += a[3*K] * b0; c31 += a[3*K] * b1;
    }
    V(c) = c00;       V(c + 8) = c01;       V(c + N) = c10;   V(c + N + 8) = c11;
    V(c + 2*N) = c20; V(c + 2*N + 8) = c21; V(c + 3*N) = c30; V(c + 3*N + 8) = c31;
  }
}
"""
M, K, N = 128, 128 * 3 * 3, 28 * 28
A, B = torch.randn(M, K, generator=nb.generator(8)), torch.randn(K, N, generator=nb.generator(9))
C = torch.empty(M, N)
exact = A.double() @ B.double()


def right(run):
    """The call itself, after a look at its result."""
    C.zero_()
    run()
    assert (C - exact).abs().max() < 1e-2
    return run


calls = {}
try:
    as_written = native.compile_c(LOOPS, flags=("-O3", "-march=native", "-fno-tree-vectorize"))
    by_compiler = native.compile_c(LOOPS, flags=("-O3", "-march=native"))
    arguments = (*(ctypes.c_void_p(t.data_ptr()) for t in (A, B, C)), M, K, N)
    for name in ("plain", "reorder", "simd", "tile", "unroll", "registers"):
        calls[name] = right(partial(getattr(as_written, name), *arguments))
    for name in ("plain", "reorder"):
        calls[f"{name}, vectorised by the compiler"] = right(partial(getattr(by_compiler, name), *arguments))
except native.NoCompiler as missing:
    print(f"The C loops are left out. {missing}")
calls["torch.matmul"] = right(partial(torch.matmul, A, B, out=C))
timed = measure.compare(calls, rounds=5)
rates = {name: 2 * M * K * N / seconds / 1e9 for name, seconds in timed.items()}

figure, axes = plt.subplots(figsize=(7.4, 3.6))
bars = axes.barh(
    list(rates), list(rates.values()), color=["#0072B2"] * 6 + ["#E69F00"] * 2 + ["0.4"] if len(rates) > 1 else "0.4"
)
axes.bar_label(bars, fmt="%.1f", padding=3)
axes.invert_yaxis()
axes.set(title=f"The same multiplication, one thread of\n{cpu}", xlabel="GFLOP/s", xlim=(0, 1.15 * max(rates.values())))
plt.show()
if len(rates) > 1:
    record("reordered_and_simd_over_plain", timed.ratio("plain", "simd"), low=2, timed=timed)
    record("all_steps_over_plain", max(rates["unroll"], rates["registers"]) / rates["plain"], low=4, timed=timed)

# %% [markdown]
# No step changed what is computed. Note the pair that the compiler vectorised: it speeds up the reordered
# loops and leaves the plain ones as they were, because a vectorised sum would add in another order, and C
# does not allow that by itself. The order of loops is your part of the work. What is left between the last
# step and the library is wider vectors, packing $B$ so that tiles lie together, and prefetching (Goto and van
# de Geijn, 2008).
