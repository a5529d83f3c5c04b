// CUDA's libraries, opened when they are needed, so that one binary serves machines with and
// without them: from RXGEN_CUDA_LIB_DIR where that is set, else from CUDA_HOME (or the toolkit's
// usual place, where that is not set) and the loader's path.
#ifndef RX_BASE_CUDA_H
#define RX_BASE_CUDA_H

#include "runtime/base/error.h"

enum { RX_CUDA_ARCH_CHARS = 16, RX_CUDA_PATH_CHARS = 4096 };

// Opens a library by its short name ("cudart", "nvrtc"); `path`, unless NULL, becomes its file.
// RX_REFUSED, and where it was looked for.
int
rx_cuda_open(const char *name, void **library, char path[RX_CUDA_PATH_CHARS],
             struct rx_error *error);

// A function of an open library; `to` is a pointer to a function pointer.
int
rx_cuda_find(void *library, const char *symbol, void *to, struct rx_error *error);

// The architecture of the first device, "sm_90"; RX_REFUSED, and why, where none answers.
int
rx_cuda_device_arch(char arch[RX_CUDA_ARCH_CHARS], struct rx_error *error);

#endif
