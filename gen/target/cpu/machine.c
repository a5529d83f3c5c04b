// Machines that kernels can be made for: levels of x86-64, aarch64, and this machine's own level.
// The compiler is told the level, never a processor's name, because an older compiler does not know
// it.
#include <stdio.h>
#include <string.h>

#include "gen/target/cpu/cpu.h"
#include "runtime/base/amx.h"

struct level {
    const char *arch, *isa;
    int lanes, registers, dot2;
    const char *flags;
    const char *tiles;  // the tile header of kernels that multiply whole tiles
};

static const struct level levels[] = {
    {"x86-64-v4+amx", "avx512", 16, 32, 1,
     "-march=x86-64-v4 -mavx512bf16 -mamx-tile -mamx-bf16 -mprefer-vector-width=512", "amx"},
    {"x86-64-v4+bf16", "avx512", 16, 32, 1,
     "-march=x86-64-v4 -mavx512bf16 -mprefer-vector-width=512", ""},
    {"x86-64-v4", "avx512", 16, 32, 0, "-march=x86-64-v4 -mprefer-vector-width=512", ""},
    {"x86-64-v3", "avx2", 8, 16, 0, "-march=x86-64-v3", ""},
    {"x86-64-v2", "generic", 4, 16, 0, "-march=x86-64-v2", ""},
    {"armv8-a", "generic", 4, 32, 0, "-march=armv8-a", ""},
    {"generic", "generic", 4, 16, 0, "", ""},
};

enum { N_LEVELS = sizeof levels / sizeof *levels };

#if defined(__x86_64__)
// Of the levels with AVX-512. VDPBF16PS of Intel's processors does half of the products that their
// multiply-adds of f32 do, so it is used beside AMX alone, where nothing large is left for it.
static const char *
native_v4(void)
{
    if (!__builtin_cpu_supports("avx512bf16"))
        return "x86-64-v4";
    if (rx_amx_request())
        return "x86-64-v4+amx";
    return __builtin_cpu_is("intel") ? "x86-64-v4" : "x86-64-v4+bf16";
}
#endif

// The best level that this machine has.
static const char *
native_arch(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return native_v4();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("bmi2"))
        return "x86-64-v3";
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt"))
        return "x86-64-v2";
#elif defined(__aarch64__)
    return "armv8-a";
#endif
    return "generic";
}

// What the tiles are sized for; the same for an architecture wherever it is generated.
static void
set_caches(struct rx_machine *machine)
{
    machine->l1_bytes = 32 << 10;
    machine->l2_bytes = 512 << 10;
    machine->l3_bytes = 16 << 20;
    if (machine->lanes == 16)
        machine->l2_bytes = 1 << 20;
}

static int
unknown(const char *arch, struct rx_error *error)
{
    return rx_error_user(
        error,
        "--arch %s: no such CPU architecture; these exist: native "
        "x86-64-v4+amx x86-64-v4+bf16 x86-64-v4 x86-64-v3 x86-64-v2 armv8-a generic",
        arch);
}

int
rx_cpu_machine(const char *arch, struct rx_machine *machine, struct rx_error *error)
{
    const char *resolved = strcmp(arch, "native") == 0 ? native_arch() : arch;
    for (int i = 0; i < N_LEVELS; i++) {
        const struct level *l = &levels[i];
        if (strcmp(l->arch, resolved) != 0)
            continue;
        *machine = (struct rx_machine){.lanes = l->lanes,
                                       .registers = l->registers,
                                       .dot2 = l->dot2,
                                       .form = l->dot2 ? RX_BF16X2 : RX_F32};
        snprintf(machine->arch, sizeof machine->arch, "%s", l->arch);
        snprintf(machine->isa, sizeof machine->isa, "%s", l->isa);
        snprintf(machine->tiles, sizeof machine->tiles, "%s", l->tiles);
        snprintf(machine->flags, sizeof machine->flags, "%s", l->flags);
        set_caches(machine);
        return RX_OK;
    }
    return unknown(arch, error);
}
