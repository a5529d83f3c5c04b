// bf16: every number is itself, what lies between two goes to the nearer one, ties to the even.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "runtime/base/bf16.h"

enum { INFINITE = 0x7f80, SIGN = 0x8000 };

static float
float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void
every_number_is_itself(void **state)
{
    (void)state;
    for (uint32_t half = 0; half <= INFINITE; half++) {
        assert_int_equal(rx_bf16_round(rx_bf16_widen((uint16_t)half)), half);
        assert_int_equal(rx_bf16_round(rx_bf16_widen((uint16_t)(half | SIGN))), half | SIGN);
    }
    assert_true(rx_bf16_widen(0x3fc0) == 1.5f);
    assert_true(rx_bf16_widen(0xc048) == -3.125f);
}

// Between two neighbours (the largest and infinity are neighbours too).
static void
between_two_the_nearer(void **state)
{
    (void)state;
    for (uint32_t half = 0; half < INFINITE; half++)
        for (uint32_t sign = 0; sign <= SIGN; sign += SIGN) {
            const uint32_t low = half | sign, bits = low << 16, even = low % 2 == 0 ? low : low + 1;
            assert_int_equal(rx_bf16_round(float_of(bits | 0x0001)), low);
            assert_int_equal(rx_bf16_round(float_of(bits | 0x7fff)), low);
            assert_int_equal(rx_bf16_round(float_of(bits | 0x8000)), even);
            assert_int_equal(rx_bf16_round(float_of(bits | 0x8001)), low + 1);
            assert_int_equal(rx_bf16_round(float_of(bits | 0xffff)), low + 1);
        }
}

static void
nan_stays_nan(void **state)
{
    (void)state;
    static const uint32_t nan[] = {0x7f800001, 0x7fc00000, 0x7fffffff, 0xff800001, 0xffffffff};
    for (size_t i = 0; i < sizeof nan / sizeof *nan; i++)
        assert_true(isnan(rx_bf16_widen(rx_bf16_round(float_of(nan[i])))));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_is_itself),
        cmocka_unit_test(between_two_the_nearer),
        cmocka_unit_test(nan_stays_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
