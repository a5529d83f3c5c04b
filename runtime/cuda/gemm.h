// cuBLAS in the place of kernels that are plain products of matrices: the classifier's. Where there
// is no cuBLAS, or RXGEN_NO_CUBLAS is set, the kernels run; their sums differ in the last bits.
#ifndef RX_CUDA_GEMM_H
#define RX_CUDA_GEMM_H

#include "runtime/cuda/device.h"
#include "runtime/plan.h"

struct rx_gemm {
    const struct rx_device *device;
    void *stream;
    void *handle;  // of cuBLAS; NULL: kernels run
    void *memory;  // of the device: cuBLAS's workspace, then
    void *ones;    // f32 [batch]: a bias is a product with them
    const char *(*text)(int status);
    int (*destroy)(void *handle);
    int (*gemm)(void *handle, int transpose_a, int transpose_b, int m, int n, int k,
                const void *alpha, const void *a, int type_a, int lda, long long stride_a,
                const void *b, int type_b, int ldb, long long stride_b, const void *beta, void *c,
                int type_c, int ldc, long long stride_c, int batch, int compute, int algorithm);
};

// Bytes of the device that it takes for this plan.
int64_t
rx_gemm_bytes(const struct rx_plan *plan, int batch);

// Opens cuBLAS if the plan has a use for it; RX_REFUSED if it is there and does not work.
int
rx_gemm_open(const struct rx_device *device, const struct rx_plan *plan, int batch, void *stream,
             struct rx_gemm *gemm, struct rx_error *error);
void
rx_gemm_close(struct rx_gemm *gemm);

// Whether products run here and not as kernels.
int
rx_gemm_works(const struct rx_gemm *gemm);

// Enqueues the product of a kernel for n images; operands are those of the kernel.
int
rx_gemm_run(const struct rx_gemm *gemm, const struct rx_plan_kernel *kernel, int n,
            void *const *operands, struct rx_error *error);

#endif
