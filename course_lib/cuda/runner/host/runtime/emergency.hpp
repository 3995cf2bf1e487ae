// The last words of a process whose kernel faulted or ran out of time: what, where, which thread.
#pragma once
#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "device_calls.hpp"

#if !defined(COURSE_CHECKED)
inline int report_file = -1;
inline uintptr_t program_start = 0;
#endif

inline uintptr_t code_address(void* context) {
    const ucontext_t* state = static_cast<const ucontext_t*>(context);
#if defined(__linux__) && defined(__x86_64__)
    return uintptr_t(state->uc_mcontext.gregs[REG_RIP]);
#elif defined(__linux__) && defined(__aarch64__)
    return uintptr_t(state->uc_mcontext.pc);
#else
    (void)state;
    return 0;
#endif
}

inline int stack_guard_hit(const void* address) {
    return this_worker && this_worker->block && this_worker->block->arena
               ? this_worker->block->arena->guard_hit(address)
               : -1;
}

// died <signal> <address> <in a stack's guard> <block> <thread> <stack>
inline void last_words(int signal, siginfo_t* info, void* context) {
    const bool out_of_time = signal == SIGALRM;
    const Thread* thread = current_thread();
    char text[2048];
    int used =
        snprintf(text, sizeof text, "died\t%d\t%lx\t%d\t", signal, out_of_time ? 0ul : (unsigned long)info->si_addr,
                 out_of_time ? 0 : stack_guard_hit(info->si_addr) >= 0);
    if (thread) {
        const host::BlockView* view = thread->block;
        used += snprintf(text + used, sizeof text - used, "%ld\t%ld\t",
                         long(view->index.x + view->grid.x * (view->index.y + uint64_t(view->grid.y) * view->index.z)),
                         long(thread->linear));
    } else {
        used += snprintf(text + used, sizeof text - used, "-1\t-1\t");
    }
    used +=
        snprintf(text + used, sizeof text - used, "%lx", (unsigned long)(code_address(context) + 1 - program_start));
#if defined(COURSE_CHECKED)
    for (uint32_t site = last_site; site && used < 1000; site = call_stacks.nodes[site].parent)
        used += snprintf(text + used, sizeof text - used, ",%lx",
                         (unsigned long)(call_stacks.nodes[site].address - program_start));
    for (uint32_t site = thread ? current_stack(const_cast<Thread*>(thread)) : 0; site && used < 1900;
         site = call_stacks.nodes[site].parent)
        used += snprintf(text + used, sizeof text - used, ",%lx",
                         (unsigned long)(call_stacks.nodes[site].address - program_start));
#endif
    text[used++] = '\n';
    if (write(report_file, text, size_t(used)) < 0) _exit(71);
    _exit(out_of_time ? 3 : 4);
}

inline void prepare_for_the_worst(uint32_t milliseconds) {
    static char stack[65536];
    stack_t alternate = {};
    alternate.ss_sp = stack;
    alternate.ss_size = sizeof stack;
    sigaltstack(&alternate, nullptr);
    struct sigaction action = {};
    action.sa_sigaction = last_words;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND;
    for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGALRM}) sigaction(signal, &action, nullptr);
    itimerval timer = {};
    timer.it_value.tv_sec = milliseconds / 1000;
    timer.it_value.tv_usec = milliseconds % 1000 * 1000;
    setitimer(ITIMER_REAL, &timer, nullptr);
}
