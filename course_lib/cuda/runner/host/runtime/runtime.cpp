// The runner as one translation unit. It needs the C library and pthreads, nothing of the C++ library.
#include "device_calls.hpp"

extern "C" {
__attribute__((visibility("default"))) thread_local host::ThreadView* host_current = nullptr;
}

#if defined(COURSE_CHECKED)
#include "checked.hpp"
#else
// a normal run watches nothing
inline void on_block_start(Block*) {}
inline void on_stuck(Block*) {}
inline void on_failure(Launch*, const char*) {}
inline void on_barrier(Block*, Thread*) {}
inline void on_barrier_release(Block*) {}
inline void on_warp_wait(Thread*) {}
inline void on_syncwarp_done(int, unsigned) {}
inline bool pause_watching() { return false; }
inline void resume_watching(bool) {}
inline void on_undefined_lane(Thread*, int, const char*) {}
inline void on_exit(Block*, Thread*) {}
inline void on_clock() {}
inline void on_shared_placed(const host::SharedSlot&, char*) {}
#endif
