// CUDA's words that the host compiler does not know.
#pragma once
#define __global__
#define __device__
#define __host__
#define __constant__
#define __managed__
// Put by the loader before the type of each __device__ and __constant__ variable. A check keeps them together, with
// what alignment leaves between them as a guard.
#if defined(COURSE_CHECKED) && defined(__linux__)
#define COURSE_VARIABLE __attribute__((section("course_variables"), aligned(256)))
#define COURSE_CONSTANT __attribute__((section("course_constants"), aligned(256)))
#else
#define COURSE_VARIABLE
#define COURSE_CONSTANT
#endif
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __maxnreg__(...)
#define __cluster_dims__(...)
#define __grid_constant__
#define __align__(n) __attribute__((aligned(n)))
#define __builtin_align__(n) __attribute__((aligned(n)))
#define __assume(condition)
