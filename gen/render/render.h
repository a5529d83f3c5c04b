// Rendering: a template becomes a kernel. Constants and pointwise chains are filled in, directives
// and dead branches go, the banner is put on top.
#ifndef RX_RENDER_RENDER_H
#define RX_RENDER_RENDER_H

#include "gen/target/target.h"

// Appends the whole source file of a kernel. `templates` is the folder that holds cpu/ and cuda/.
int
rx_render_kernel(const struct rx_machine *machine, const char *templates,
                 const struct rx_kernel *kernel, const struct rx_banner *banner,
                 struct rx_text *source, struct rx_error *error);

// Appends a small driver for --only: it allocates the operands, fills them, runs the kernel, checks
// it against runtime/reference.h and prints its time. It links with nothing but that reference.
int
rx_render_driver(const struct rx_machine *machine, const struct rx_kernel *kernel,
                 struct rx_text *source, struct rx_error *error);

#endif
