// Fibers: the registers that a function must keep, and a stack. x86-64, System V.
#include <stdlib.h>

#include "machine.h"

enum { STACK = 64 * 1024, STAGGER = 192, STAGGER_MAX = 4096, SAVED = 6 };

extern "C" void
emu_switch(void **save, void *load);
asm(R"(
.text
.globl emu_switch
.type emu_switch, @function
emu_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    popq %rcx
    jmp *%rcx
)");

// Stacks are staggered, or the same frame of all fibers would fall into the same cache sets.
void
prepare_fiber(thread *t, void (*function)(void))
{
    if (m.stacks == nullptr)
        m.stacks = (char *)aligned_alloc(4096, (size_t)STACK * EMU_THREADS_MAX);
    const unsigned stagger = t->index * STAGGER % STAGGER_MAX;
    void **top = (void **)(m.stacks + ((size_t)t->index + 1) * STACK - 64 - stagger);
    *--top = nullptr;  // the stack as a call would leave it
    *--top = (void *)function;
    t->stack = top - SAVED;
}

void
resume(thread *t)
{
    m.current = t;
    emu_switch(&m.scheduler, t->stack);
}

void
leave(void)
{
    thread *t = m.current;
    warp *w = t->warp;
    for (unsigned i = 0; i < w->lanes; i++) {
        w->position = (w->position + 1) % w->lanes;
        thread *next = &m.threads[w->first + w->order[w->position]];
        if (next->state != READY)
            continue;
        if (next == t)
            return;
        m.current = next;
        emu_switch(&t->stack, next->stack);
        return;
    }
    emu_switch(&t->stack, m.scheduler);
}

// xorshift64: only the order of fibers depends on it.
uint64_t
random_below(uint64_t n)
{
    m.random ^= m.random << 13;
    m.random ^= m.random >> 7;
    m.random ^= m.random << 17;
    return m.random % n;
}

extern "C" const emu_place *
emu_self(void)
{
    return &m.current->place;
}

extern "C" void *
emu_dynamic_shared(void)
{
    return m.dynamic_shared;
}
