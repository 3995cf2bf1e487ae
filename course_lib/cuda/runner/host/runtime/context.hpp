// Switching stacks: save what the calling convention asks a function to keep, change the stack pointer, restore.
#pragma once
#include <stddef.h>
#include <stdint.h>

// C names have an underscore in front on Apple's systems
#if defined(__APPLE__)
#define COURSE_SWITCH "_host_switch"
#else
#define COURSE_SWITCH "host_switch"
#endif

#if defined(__x86_64__) && !defined(COURSE_UCONTEXT)

// The saved stack pointer is all there is to remember: the registers lie on the stack it points to.
struct Context {
    void* stack_pointer;
};

extern "C" void host_switch(Context* from, Context* to);
asm(".text\n.globl " COURSE_SWITCH "\n" COURSE_SWITCH ":\n" R"(
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq (%rsi), %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");

inline void prepare(Context& context, char* stack, size_t bytes, void (*start)()) {
    void** top = reinterpret_cast<void**>((reinterpret_cast<uintptr_t>(stack) + bytes) & ~uintptr_t(15));
    *--top = nullptr;                             // a return address that ends every backtrace, and 16-byte alignment
    *--top = reinterpret_cast<void*>(start);      // popped by `ret`
    for (int k = 0; k < 6; ++k) *--top = nullptr;
    context.stack_pointer = top;
}

#elif defined(__aarch64__) && !defined(COURSE_UCONTEXT)

struct Context {
    void* stack_pointer;
};

extern "C" void host_switch(Context* from, Context* to);
asm(".text\n.globl " COURSE_SWITCH "\n.p2align 2\n" COURSE_SWITCH ":\n" R"(
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    ldr x9, [x1]
    mov sp, x9
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
)");

inline void prepare(Context& context, char* stack, size_t bytes, void (*start)()) {
    void** top = reinterpret_cast<void**>((reinterpret_cast<uintptr_t>(stack) + bytes) & ~uintptr_t(15)) - 20;
    for (int k = 0; k < 20; ++k) top[k] = nullptr;
    top[11] = reinterpret_cast<void*>(start);     // x30, where `ret` goes
    context.stack_pointer = top;
}

#else

// Any other processor: slower (each switch asks the system to set the signal mask), but it is in the C library.
#include <ucontext.h>

struct Context {
    ucontext_t state;
};

inline void host_switch(Context* from, Context* to) { swapcontext(&from->state, &to->state); }

inline void prepare(Context& context, char* stack, size_t bytes, void (*start)()) {
    getcontext(&context.state);
    context.state.uc_stack.ss_sp = stack;
    context.state.uc_stack.ss_size = bytes;
    context.state.uc_link = nullptr;
    makecontext(&context.state, start, 0);
}

#endif
