// What kernels and configs are called.
#ifndef RX_SELECT_NAME_H
#define RX_SELECT_NAME_H

#include "gen/target/target.h"

// Part of every kernel's banner and hash.
#define RX_VERSION "0.1.0"

// Writes rx_<op>_<fused>_c<C>g<G>_<HxW>_<variant>_<hash8>. `conv` is in it only where the kernel
// does a convolution's multiplies.
void
rx_kernel_name_write(const struct rx_problem *problem, const struct rx_config *config,
                     const char *hash, char name[RX_KERNEL_NAME_CHARS]);

// What a problem does and with what filter: "conv1x1", "gconv3x3_wgrad", "map".
enum { RX_PROBLEM_NAME_CHARS = 32 };
void
rx_problem_name_write(const struct rx_problem *problem, char name[RX_PROBLEM_NAME_CHARS]);

// Fills in what follows from a kernel's problem, config and language: hash (of these, its template
// and headers below `templates`, and the toolchain), name, work. RX_REFUSED if a file cannot be
// read.
int
rx_kernel_identify(struct rx_kernel *kernel, const struct rx_machine *machine,
                   const char *templates, const char *toolchain, struct rx_error *error);

// The stem of the tile header that the kernel's template begins with: "avx512", or "amx" where it
// multiplies tiles.
const char *
rx_kernel_tile_header(const struct rx_machine *machine, const struct rx_config *config);

// The config as text: "conv_fwd lanes=8 P=56 tile=6x2".
void
rx_config_print(const struct rx_config *config, struct rx_text *text);

#endif
