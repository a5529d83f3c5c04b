// Architectures that kernels can be made for, and this machine's own device.
#include <stdio.h>
#include <string.h>

#include "gen/target/cuda/cuda.h"
#include "runtime/base/cuda.h"

// Multiprocessors of the largest common device of each, and the shared memory of one.
static const struct {
    const char *arch;
    int multiprocessors, shared_kib;
} archs[] = {
    {"sm_80", 108, 164},  {"sm_86", 84, 100},   {"sm_89", 128, 100},  {"sm_90", 132, 228},
    {"sm_90a", 132, 228}, {"sm_100", 148, 228}, {"sm_120", 170, 100},
};

enum { N_ARCHS = sizeof archs / sizeof archs[0], LANES = 4 };

int
rx_cuda_machine(const char *arch, struct rx_machine *machine, struct rx_error *error)
{
    char own[RX_CUDA_ARCH_CHARS];
    if (strcmp(arch, "native") == 0) {
        struct rx_error why = {0};
        if (rx_cuda_device_arch(own, &why) != RX_OK)
            return rx_error_user(error,
                                 "--arch native: no device answers (%.600s): name an architecture: "
                                 "sm_80 sm_86 sm_89 sm_90 sm_90a sm_100 sm_120",
                                 why.text);
        arch = own;
    }
    for (int i = 0; i < N_ARCHS; i++) {
        if (strcmp(archs[i].arch, arch) != 0)
            continue;
        *machine = (struct rx_machine){.lanes = LANES,
                                       .form = RX_BF16,
                                       .multiprocessors = archs[i].multiprocessors,
                                       .shared_bytes = archs[i].shared_kib << 10};
        snprintf(machine->arch, sizeof machine->arch, "%s", arch);
        snprintf(machine->isa, sizeof machine->isa, "simt");
        snprintf(machine->flags, sizeof machine->flags, "--gpu-architecture=%s", arch);
        return RX_OK;
    }
    return rx_error_user(error,
                         "--arch %.40s: no such CUDA architecture; these exist: native sm_80 sm_86 "
                         "sm_89 sm_90 sm_90a sm_100 sm_120",
                         arch);
}
