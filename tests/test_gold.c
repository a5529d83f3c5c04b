// The golden kernels are what the generator emits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/command.h"

static void
test_golden_kernels(void **state)
{
    (void)state;
    struct rx_command c = {0};
    rx_command_add(&c, "tests/gold.sh --check");
    rx_command_run(&c);
    if (c.status != 0)
        fail_msg("%s%s", rx_text_str(&c.out), rx_text_str(&c.err));
    rx_command_close(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden_kernels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
