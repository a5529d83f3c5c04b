// Kernels of the embedded default compile with the real NVRTC for the oldest and for the newest
// architecture, without a warning or a spilled register. `make cuda-gate` takes all models and
// architectures. Skipped where there is no NVRTC.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gen/plan/cubin.h"
#include "runtime/base/nvrtc.h"
#include "tests/support/command.h"

static int
has_nvrtc(void)
{
    struct rx_nvrtc nvrtc;
    struct rx_error error = {0};
    unsetenv("RXGEN_CUDA_LIB_DIR");
    return rx_nvrtc_open(&nvrtc, &error) == RX_OK;
}

static void
run_gate(const char *arch, const char *dtype)
{
    if (!has_nvrtc())
        skip();
    struct rx_command c = {0};
    setenv("RXGEN", rx_command_rxgen(), 1);
    rx_command_add(&c, "env MODELS=models/fashion_resnext.lua FORMS=c ARCHS=%s DTYPES=%s", arch,
                   dtype);
    rx_command_add(&c, "tests/cuda_gate.sh");
    rx_command_run_well(&c);
    rx_command_close(&c);
}

static void
test_oldest(void **state)
{
    (void)state;
    run_gate("sm_80", "f32");
}

static void
test_newest(void **state)
{
    (void)state;
    run_gate("sm_120", "f32");
}

// What a cubin says of its kernel: a kernel whose array is indexed by its data has a frame.
static void
test_resources(void **state)
{
    (void)state;
    static const char plain[] = "extern \"C\" __global__ void k(float *p) { p[threadIdx.x] = 1; }";
    static const char frame[] =
        "extern \"C\" __global__ void k(int *p) { __shared__ int s[100]; int a[64] = {}; "
        "for (int i = 0; i < p[3]; i++) a[p[i] & 63] += i; s[threadIdx.x] = a[p[0] & 63]; "
        "__syncthreads(); p[threadIdx.x] = s[99 - threadIdx.x]; }";
    if (!has_nvrtc())
        skip();
    const char *const source[] = {plain, frame};
    for (int i = 0; i < 2; i++) {
        struct rx_nvrtc nvrtc;
        struct rx_error error = {0};
        struct rx_text image = {0};
        struct rx_cubin cubin;
        assert_int_equal(rx_nvrtc_open(&nvrtc, &error), RX_OK);
        assert_int_equal(rx_nvrtc_compile(&nvrtc, source[i], "k.cu", "sm_80", RX_NVRTC_QUIET,
                                          &image, NULL, &error),
                         RX_OK);
        assert_int_equal(rx_cubin_read(image.s, image.n, &cubin), 1);
        assert_true(cubin.registers > 0);
        assert_int_equal(cubin.frame_bytes > 0, i);
        assert_int_equal(cubin.shared_bytes, i * 400);
        // A file that is cut short is read within its bounds.
        for (size_t n = 0; n < image.n; n += 97)
            rx_cubin_read(image.s, n, &cubin);
        rx_text_close(&image);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resources),
        cmocka_unit_test(test_oldest),
        cmocka_unit_test(test_newest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
