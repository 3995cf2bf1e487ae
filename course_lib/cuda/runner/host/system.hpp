// printf, assert, traps and clocks.
#pragma once
#include <assert.h>
#include <stdio.h>

#include "thread.hpp"

#define __trap() host_fail("__trap() was reached", __FILE__, __LINE__)
#define __brkpt() ((void)0)
#define printf host_print
namespace std {
using ::host_print;
}

inline long long clock64() { return (long long)(host_nanoseconds()); }
inline unsigned long long __globaltimer() { return host_nanoseconds(); }
