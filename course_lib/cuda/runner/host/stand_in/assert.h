// The system's assert would end the process; this one ends the launch (../system.hpp). No include guard: the
// standard lets assert.h be included again.
#undef assert
#define assert(condition) \
    ((condition) ? (void)0 : host_fail("assertion `" #condition "` failed", __FILE__, __LINE__))
