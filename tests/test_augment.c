// Samples are drawn in an order that is a fair permutation, and changed evenly.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/data/augment.h"

enum { H = 4, W = 5, C = 2 };

static const struct rx_data_shape shape = {.h = H, .w = W, .c = C, .classes = 1};

static void
shuffle_is_a_permutation(void **state)
{
    (void)state;
    enum { N_ORDER = 1000, EPOCHS = 5 };
    static uint32_t order[EPOCHS][N_ORDER];
    for (int e = 0; e < EPOCHS; e++) {
        int seen[N_ORDER] = {0};
        rx_order_shuffle(order[e], N_ORDER, 7, (uint64_t)e + 1);
        for (int i = 0; i < N_ORDER; i++) {
            assert_true(order[e][i] < N_ORDER);
            assert_int_equal(seen[order[e][i]]++, 0);
        }
    }
    // Places where two independent orders agree: 1 expected, more than 10 has probability 1e-8.
    for (int a = 0; a < EPOCHS; a++)
        for (int b = 0; b < a; b++) {
            int same = 0;
            for (int i = 0; i < N_ORDER; i++)
                same += order[a][i] == order[b][i];
            assert_true(same <= 10);
        }
}

static void
shuffle_depends_on_the_seed(void **state)
{
    (void)state;
    uint32_t a[100], b[100];
    rx_order_shuffle(a, 100, 1, 1);
    rx_order_shuffle(b, 100, 1, 1);
    assert_memory_equal(a, b, sizeof a);
    rx_order_shuffle(b, 100, 2, 1);
    assert_memory_not_equal(a, b, sizeof a);
}

// Each of 3 samples comes to each of 3 places in a third of the epochs: 3000 epochs have a standard
// deviation of sqrt(3000 * 1/3 * 2/3) = 26; five of them are allowed.
static void
shuffle_is_fair(void **state)
{
    (void)state;
    int n[3][3] = {{0}};
    for (uint64_t epoch = 1; epoch <= 3000; epoch++) {
        uint32_t order[3];
        rx_order_shuffle(order, 3, 1, epoch);
        for (int i = 0; i < 3; i++)
            n[i][order[i]]++;
    }
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            assert_in_range(n[i][k], 1000 - 130, 1000 + 130);
}

// 20000 draws: a flip has standard deviation 71; each of 5 * 5 places expects 800, standard
// deviation 28. Five of them are allowed.
static void
augmentation_is_even(void **state)
{
    (void)state;
    enum { DRAWS = 20000, PAD = 2, PLACES = 2 * PAD + 1 };
    const struct rx_recipe recipe = {.crop_pad = PAD, .flip = 1};
    int place[PLACES][PLACES] = {{0}}, flips = 0, centre_flips = 0;
    for (int i = 0; i < DRAWS; i++) {
        const struct rx_augment a = rx_augment_draw(&recipe, 3, (uint64_t)i % 4 + 1, i / 4);
        assert_in_range(a.down, 0, PLACES - 1);
        assert_in_range(a.across, 0, PLACES - 1);
        assert_in_range(a.flip, 0, 1);
        place[a.down][a.across]++;
        flips += a.flip;
        centre_flips += a.flip && a.down == PAD && a.across == PAD;
    }
    assert_in_range(flips, DRAWS / 2 - 354, DRAWS / 2 + 354);
    for (int d = 0; d < PLACES; d++)
        for (int a = 0; a < PLACES; a++)
            assert_in_range(place[d][a], 800 - 140, 800 + 140);
    // Independent of each other: half of the centred ones, standard deviation 20.
    assert_in_range(centre_flips, 400 - 100, 400 + 100);
}

static void
augmentation_follows_the_recipe(void **state)
{
    (void)state;
    const struct rx_recipe none = {0}, flip = {.flip = 1}, crop = {.crop_pad = 4};
    int flips = 0, moved = 0;
    for (int i = 0; i < 100; i++) {
        const struct rx_augment a = rx_augment_draw(&none, 1, 1, i);
        assert_true(a.down == 0 && a.across == 0 && a.flip == 0);
        const struct rx_augment b = rx_augment_draw(&flip, 1, 1, i);
        assert_true(b.down == 0 && b.across == 0);
        const struct rx_augment c = rx_augment_draw(&crop, 1, 1, i);
        assert_int_equal(c.flip, 0);
        flips += b.flip;
        moved += c.down != 4 || c.across != 4;
    }
    assert_true(flips > 0 && flips < 100);
    assert_true(moved > 90);
}

static float
pixel(const float *image, int h, int w, int c)
{
    const int inside = h >= 0 && h < H && w >= 0 && w < W;
    return inside ? image[(h * W + w) * C + c] : 0.0f;
}

static void
augmentation_moves_pixels(void **state)
{
    (void)state;
    enum { PAD = 2 };
    float image[H * W * C], out[H * W * C];
    for (int i = 0; i < H * W * C; i++)
        image[i] = (float)(i + 1);
    for (int down = 0; down <= 2 * PAD; down++)
        for (int across = 0; across <= 2 * PAD; across++)
            for (int flip = 0; flip < 2; flip++) {
                const struct rx_augment a = {.down = down, .across = across, .flip = flip};
                rx_augment_apply(&a, &shape, PAD, image, out);
                for (int h = 0; h < H; h++)
                    for (int w = 0; w < W; w++)
                        for (int c = 0; c < C; c++) {
                            const int x = flip ? W - 1 - w : w;
                            const float right = pixel(image, h + down - PAD, x + across - PAD, c);
                            assert_true(pixel(out, h, w, c) == right);
                        }
            }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shuffle_is_a_permutation),
        cmocka_unit_test(shuffle_depends_on_the_seed),
        cmocka_unit_test(shuffle_is_fair),
        cmocka_unit_test(augmentation_is_even),
        cmocka_unit_test(augmentation_follows_the_recipe),
        cmocka_unit_test(augmentation_moves_pixels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
