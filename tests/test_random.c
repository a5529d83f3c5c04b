// Random numbers: Philox's known answers, and the distributions made from it.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/random.h"

// Philox4x32-10's own known answers (Random123's kat_vectors): all zero, all one, digits of pi.
static void
philox_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint64_t seed, stream, index;
        uint32_t out[4];
    } known[] = {
        {0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {UINT64_MAX, UINT64_MAX, UINT64_MAX, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {0x299f31d0a4093822,
         0x0370734413198a2e,
         0x85a308d3243f6a88,
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint32_t out[RX_RANDOM_WORDS];
        rx_random_block(known[i].seed, known[i].stream, known[i].index, out);
        assert_memory_equal(out, known[i].out, sizeof out);
    }
}

// 100000 normals: mean within 5 / sqrt(n) = 0.016, variance within 5 * sqrt(2 / n) = 0.022, fourth
// moment 3 within 5 * sqrt(96 / n) = 0.155; the two of a block are independent: their mean product
// within 5 * sqrt(2 / n) = 0.0224.
static void
normals_have_their_moments(void **state)
{
    (void)state;
    enum { DRAWS = 100000 };
    double sum = 0, square = 0, fourth = 0;
    double product = 0;
    for (uint64_t i = 0; i < DRAWS / 2; i++) {
        double x[2];
        rx_random_normals(1, rx_random_stream_name("conv1.weight"), i, x);
        for (int k = 0; k < 2; k++)
            sum += x[k], square += x[k] * x[k], fourth += pow(x[k], 4);
        product += x[0] * x[1];
    }
    assert_true(fabs(sum / DRAWS) <= 0.016);
    assert_true(fabs(square / DRAWS - 1.0) <= 0.022);
    assert_true(fabs(fourth / DRAWS - 3.0) <= 0.155);
    assert_true(fabs(product / (DRAWS / 2)) <= 0.0224);
}

// The formula of random.h, so that all machines agree.
static void
normals_are_box_muller(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        uint32_t x[RX_RANDOM_WORDS];
        rx_random_block(1, 2, i, x);
        const uint64_t first = ((uint64_t)x[0] << 32 | x[1]) >> 11;
        const uint64_t second = ((uint64_t)x[2] << 32 | x[3]) >> 11;
        const double u = 1.0 - ldexp((double)first, -53), v = ldexp((double)second, -53);
        const double radius = sqrt(-2.0 * log(u));
        double normal[2];
        rx_random_normals(1, 2, i, normal);
        assert_true(fabs(normal[0] - radius * cos(2.0 * M_PI * v)) <= 1e-14);
        assert_true(fabs(normal[1] - radius * sin(2.0 * M_PI * v)) <= 1e-14);
    }
}

static void
below_stays_below(void **state)
{
    (void)state;
    int n[3] = {0};
    for (uint64_t i = 0; i < 3000; i++) {
        const uint64_t x = rx_random_below(1, 2, i, 3);
        assert_true(x < 3);
        n[x]++;
        assert_int_equal(rx_random_below(1, 2, i, 1), 0);
        assert_true(rx_random_below(1, 2, i, UINT64_MAX) < UINT64_MAX);
        const double u = rx_random_uniform(1, 2, i);
        assert_true(u >= 0.0 && u < 1.0);
    }
    // Standard deviation 26; five of them are allowed.
    for (int i = 0; i < 3; i++)
        assert_in_range(n[i], 1000 - 130, 1000 + 130);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(normals_have_their_moments),
        cmocka_unit_test(normals_are_box_muller),
        cmocka_unit_test(below_stays_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
