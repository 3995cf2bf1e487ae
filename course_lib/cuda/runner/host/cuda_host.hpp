// Everything that CUDA C++ finds declared before the first line of a kernel source.
#pragma once
#include <assert.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "entry.hpp"
#include "thread.hpp"

#include "atomics.hpp"
#include "barrier.hpp"
#include "conversions.hpp"
#include "math.hpp"
#include "memory.hpp"
#include "qualifiers.hpp"
#include "shared_memory.hpp"
#include "system.hpp"
#include "warp.hpp"

#if defined(COURSE_CHECKED)
// Calls of these would go to the C library, which is not watched.
extern "C" void* host_memcpy(void* to, const void* from, size_t size);
extern "C" void* host_memset(void* to, int value, size_t size);
#define memcpy host_memcpy
#define memset host_memset
#endif

// The source is device code, read by something like NVRTC, for a GPU that has all that ../include wraps.
#define COURSE_HOST 1
#define __CUDACC__ 1
#define __CUDACC_RTC__ 1
#define __CUDA_ARCH__ 800
