// The functions of each tile header, executed: AVX-512 in plain C on machines that lack it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/command.h"
#include "tests/support/folder.h"
#include "tests/support/kernel_case.h"

static void
check(const char *arch, const struct rx_test_folder *folder)
{
    struct rx_machine machine;
    struct rx_text compiler = {0};
    struct rx_error error = {0};
    assert_int_equal(rx_target_cpu.machine(arch, &machine, &error), RX_OK);
    assert_int_equal(rx_case_compiler(&machine, &compiler, &error), RX_OK);
    struct rx_command command = {0};
    rx_command_add(&command,
                   "%s -DTILE=\"tile_%s.h\" -I. tests/tile/check.c "
                   "runtime/base/amx.c -o %s/check -lm",
                   rx_text_str(&compiler), machine.tiles[0] ? machine.tiles : machine.isa,
                   folder->path);
    rx_command_run_well(&command);
    rx_command_close(&command);
    rx_text_close(&compiler);
    struct rx_command run = {0};
    rx_command_add(&run, "%s/check", folder->path);
    rx_command_run_well(&run);
    rx_command_close(&run);
}

static void
test_generic(void **state)
{
    check("generic", *state);
}

static void
test_native(void **state)
{
    check("native", *state);
}

static void
test_avx512(void **state)
{
    check("x86-64-v4", *state);
}

static void
test_avx512_bf16(void **state)
{
    check("x86-64-v4+bf16", *state);
}

// Tiles, where this machine has none in plain C.
static void
test_amx(void **state)
{
    check("x86-64-v4+amx", *state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(test_generic),     WITH_FOLDER(test_native), WITH_FOLDER(test_avx512),
        WITH_FOLDER(test_avx512_bf16), WITH_FOLDER(test_amx),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
