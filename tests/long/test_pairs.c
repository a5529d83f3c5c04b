// A whole network whose dense convolutions multiply pairs of bf16, or tiles of them, trained and
// evaluated: on machines without the instruction with its intrinsics in plain C. Held against the
// same network with products of f32.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gen/target/target.h"
#include "tests/support/command.h"
#include "tests/support/folder.h"

enum { LOSSES_MAX = 16, STEPS = 4 };

// What the compiler is told, beyond the machine's flags, to make VDPBF16PS of plain C.
static void
emulate(const struct rx_machine *here)
{
    char top[PATH_MAX];
    struct rx_text flags = {0};
    assert_non_null(realpath(".", top));
    rx_text_printf(&flags, "%s -mno-avx512bf16 -mno-avx512f -Wno-psabi ", here->flags);
    rx_text_printf(&flags, "-I%s/tests/support/avx512 -DEMU_BF16", top);
    assert_int_equal(setenv("RXGEN_CFLAGS", rx_text_str(&flags), 1), 0);
    assert_int_equal(setenv("RXGEN_ANY_MACHINE", "1", 1), 0);
    rx_text_close(&flags);
}

// Every "loss" in the lines that a short run writes; returns how many.
static int
losses_of(const char *arch, const struct rx_test_folder *folder, double losses[LOSSES_MAX])
{
    struct rx_command make = {0}, train = {0};
    rx_command_add(&make,
                   "%s --quiet --dtype bf16 --arch %s --out %s/net models/fashion_resnext.lua",
                   rx_command_rxgen(), arch, folder->path);
    rx_command_run_well(&make);
    rx_command_add(&train,
                   "%s/net/train --data synthetic:128 --steps %d --batch 32 --threads 2 --augment "
                   "none --progress json --run %s/run-%s",
                   folder->path, STEPS, folder->path, arch);
    rx_command_run_well(&train);
    int n = 0;
    const char *at = rx_text_str(&train.out);
    for (; n < LOSSES_MAX && (at = strstr(at, "\"loss\":")) != NULL; n++)
        losses[n] = strtod(at += strlen("\"loss\":"), NULL);
    rx_command_close(&make), rx_command_close(&train);
    return n;
}

// Rounding what is multiplied changes a logit by 2^-9 of it a layer, so by about 1 % over some
// forty; the mean over 32 images of what that does to the loss is a fifth of it. Bounds are five
// times that, and as much again for weights that have been updated with such gradients.
static void
check_training(const char *arch, const struct rx_test_folder *folder)
{
    struct rx_machine here, machine;
    struct rx_error error = {0};
    assert_int_equal(rx_target_cpu.machine("native", &here, &error), RX_OK);
    assert_int_equal(rx_target_cpu.machine(arch, &machine, &error), RX_OK);
    if (strcmp(here.isa, "generic") == 0)
        skip();
    double wide[LOSSES_MAX] = {0}, pairs[LOSSES_MAX] = {0};
    assert_int_equal(losses_of("x86-64-v3", folder, wide), STEPS + 1);
    if (!here.dot2 || strcmp(here.tiles, machine.tiles) < 0 || getenv("RXGEN_TEST_EMULATE") != NULL)
        emulate(&here);
    assert_int_equal(losses_of(arch, folder, pairs), STEPS + 1);
    unsetenv("RXGEN_CFLAGS"), unsetenv("RXGEN_ANY_MACHINE");
    int equal = 0;
    for (int i = 0; i <= STEPS; i++) {
        const double bound = i == 0 ? 0.01 : 0.1;
        equal += wide[i] == pairs[i];
        if (!(fabs(wide[i] - pairs[i]) <= bound))
            fail_msg("loss %d is %.6g with pairs, %.6g without", i + 1, pairs[i], wide[i]);
    }
    assert_int_equal(equal, 0);  // else nothing was rounded
}

static void
test_pairs(void **state)
{
    check_training("x86-64-v4+bf16", *state);
}

static void
test_tiles(void **state)
{
    check_training("x86-64-v4+amx", *state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(test_pairs),
        WITH_FOLDER(test_tiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
