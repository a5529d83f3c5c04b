// Products of matrices by cuBLAS, in f32 without TF32 (its default math mode) or of bf16, summed in
// f32 either way.
#include "runtime/cuda/gemm.h"

#include <stdlib.h>

#include "runtime/base/memory.h"

// cudaDataType_t, cublasComputeType_t, cublasGemmAlgo_t
enum { TYPE_F32 = 0, TYPE_BF16 = 14, COMPUTE_F32 = 68, ALGORITHM = -1 };
enum { WORKSPACE_BYTES = 32 << 20 };  // what cuBLAS recommends for its largest devices

static int
has_products(const struct rx_plan *plan)
{
    for (int i = 0; i < plan->n_kernels; i++)
        if (plan->kernel[i].gemm.blocks > 0)
            return 1;
    return 0;
}

int64_t
rx_gemm_bytes(const struct rx_plan *plan, int batch)
{
    return has_products(plan) ? WORKSPACE_BYTES + batch * (int64_t)sizeof(float) : 0;
}

static int
check(const struct rx_gemm *g, int code, const char *what, struct rx_error *error)
{
    return code == 0 ? RX_OK : rx_error_refused(error, "cuBLAS: %s: %s", what, g->text(code));
}

static int
write_ones(struct rx_gemm *g, int batch, struct rx_error *error)
{
    float *ones = rx_memory_alloc((size_t)batch * sizeof *ones);
    for (int i = 0; i < batch; i++)
        ones[i] = 1;
    g->ones = (unsigned char *)g->memory + WORKSPACE_BYTES;
    int code =
        g->device->copy(g->ones, ones, (size_t)batch * sizeof *ones, RX_CUDA_TO_DEVICE, g->stream);
    if (code == 0)
        code = g->device->synchronize(g->stream);
    free(ones);
    return rx_device_check(g->device, code, "writing memory", error);
}

// Setting the stream takes the workspace away, so that comes after it. With a workspace of its own
// cuBLAS allocates nothing while a graph is captured.
static int
open_handle(struct rx_gemm *g, void *library, struct rx_error *error)
{
    int (*create)(void **handle) = NULL, (*set_stream)(void *handle, void *stream) = NULL;
    int (*set_workspace)(void *handle, void *memory, size_t bytes) = NULL;
    const struct {
        const char *name;
        void *to;
    } table[] = {
        {"cublasGetStatusString", &g->text},       {"cublasCreate_v2", &create},
        {"cublasDestroy_v2", &g->destroy},         {"cublasSetStream_v2", &set_stream},
        {"cublasSetWorkspace_v2", &set_workspace}, {"cublasGemmStridedBatchedEx", &g->gemm},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (rx_cuda_find(library, table[i].name, table[i].to, error) != RX_OK)
            return error->status;
    int status = check(g, create(&g->handle), "opening it", error);
    if (status == RX_OK)
        status = check(g, set_stream(g->handle, g->stream), "its stream", error);
    if (status == RX_OK)
        status =
            check(g, set_workspace(g->handle, g->memory, WORKSPACE_BYTES), "its workspace", error);
    return status;
}

int
rx_gemm_open(const struct rx_device *device, const struct rx_plan *plan, int batch, void *stream,
             struct rx_gemm *g, struct rx_error *error)
{
    *g = (struct rx_gemm){.device = device, .stream = stream};
    void *library = NULL;
    struct rx_error none = {0};
    if (!has_products(plan) || getenv("RXGEN_NO_CUBLAS") != NULL ||
        rx_cuda_open("cublas", &library, NULL, &none) != RX_OK)
        return RX_OK;
    int status = rx_device_alloc(device, rx_gemm_bytes(plan, batch), &g->memory, error);
    if (status == RX_OK)
        status = write_ones(g, batch, error);
    return status == RX_OK ? open_handle(g, library, error) : status;
}

void
rx_gemm_close(struct rx_gemm *g)
{
    if (g->handle != NULL)
        g->destroy(g->handle);
    if (g->memory != NULL)
        rx_device_free(g->device, g->memory);
}

int
rx_gemm_works(const struct rx_gemm *g)
{
    return g->handle != NULL;
}

// C = op(A) op(B) + beta C of `count` blocks of m rows from block `first` on.
static int
multiply(const struct rx_gemm *g, const struct rx_plan_gemm *p, int images, void *const *operand,
         int first, int count, int m, float beta)
{
    const int type = p->type == RX_BF16 ? TYPE_BF16 : TYPE_F32;
    const int type_c = p->type_c == RX_BF16 ? TYPE_BF16 : TYPE_F32;
    const int64_t bytes = rx_dtype_bytes(p->type), bytes_c = rx_dtype_bytes(p->type_c);
    const unsigned char *a = operand[p->a];
    unsigned char *c = operand[p->c];
    const float alpha = 1;
    return g->gemm(g->handle, p->transpose_a, p->transpose_b, m, p->n > 0 ? p->n : images,
                   p->k > 0 ? p->k : images, &alpha, a + first * p->stride_a * bytes, type,
                   (int)p->lda, p->stride_a, operand[p->b], type, (int)p->ldb, 0, &beta,
                   c + first * p->stride_c * bytes_c, type_c, (int)p->ldc, p->stride_c, count,
                   COMPUTE_F32, ALGORITHM);
}

// C = bias 1^T.
static int
spread_bias(const struct rx_gemm *g, const struct rx_plan_gemm *p, int images, void *const *operand)
{
    const float alpha = 1, beta = 0;
    const int rows = (p->blocks - 1) * p->m + p->last_m;
    return g->gemm(g->handle, 0, 0, rows, images, 1, &alpha, operand[p->bias], TYPE_F32, rows, 0,
                   g->ones, TYPE_F32, 1, 0, &beta, operand[p->c], TYPE_F32, (int)p->ldc, 0, 1,
                   COMPUTE_F32, ALGORITHM);
}

int
rx_gemm_run(const struct rx_gemm *g, const struct rx_plan_kernel *kernel, int n,
            void *const *operand, struct rx_error *error)
{
    const struct rx_plan_gemm *p = &kernel->gemm;
    const int last = p->blocks - 1;
    const float beta = p->bias >= 0 ? 1 : 0;
    int code = p->bias >= 0 ? spread_bias(g, p, n, operand) : 0;
    if (code == 0 && last > 0)
        code = multiply(g, p, n, operand, 0, last, p->m, beta);
    if (code == 0 && p->clear_bytes > 0) {
        unsigned char *c = operand[p->c];
        const int cleared = g->device->set(c + last * p->stride_c * rx_dtype_bytes(p->type_c), 0,
                                           (size_t)p->clear_bytes, g->stream);
        if (rx_device_check(g->device, cleared, kernel->name, error) != RX_OK)
            return error->status;
    }
    if (code == 0)
        code = multiply(g, p, n, operand, last, 1, p->last_m, beta);
    return check(g, code, kernel->name, error);
}
