// libcublas.so.13 with the matrix product that a network needs, as plain loops.
#include <cublas_v2.h>
#include <string.h>

#include "shim.h"

struct cublasContext {
    cudaStream_t stream;
};

static float
get(const void *p, cudaDataType type, size_t i)
{
    float value;
    if (type == CUDA_R_32F)
        return ((const float *)p)[i];
    const unsigned bits = (unsigned)((const unsigned short *)p)[i] << 16;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void
put(void *p, cudaDataType type, size_t i, float value)
{
    unsigned bits;
    memcpy(&bits, &value, sizeof bits);
    if (type == CUDA_R_32F)
        ((float *)p)[i] = value;
    else  // to nearest, ties to even
        ((unsigned short *)p)[i] = (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

API cublasStatus_t
cublasCreate_v2(cublasHandle_t *handle)
{
    *handle = new cublasContext{nullptr};
    return CUBLAS_STATUS_SUCCESS;
}

API cublasStatus_t
cublasDestroy_v2(cublasHandle_t handle)
{
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

API cublasStatus_t
cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream)
{
    handle->stream = stream;
    return CUBLAS_STATUS_SUCCESS;
}

API cublasStatus_t
cublasSetWorkspace_v2(cublasHandle_t, void *, size_t)
{
    return CUBLAS_STATUS_SUCCESS;
}

API cublasStatus_t
cublasSetMathMode(cublasHandle_t, cublasMath_t)
{
    return CUBLAS_STATUS_SUCCESS;
}

API const char *
cublasGetStatusString(cublasStatus_t status)
{
    switch (status) {
    case CUBLAS_STATUS_SUCCESS:
        return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_INVALID_VALUE:
        return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED:
        return "CUBLAS_STATUS_EXECUTION_FAILED";
    default:
        return "CUBLAS_STATUS_NOT_SUPPORTED";
    }
}

static bool
is_supported(cudaDataType type)
{
    return type == CUDA_R_32F || type == CUDA_R_16BF;
}

// C[n][m] = alpha op(A) op(B) + beta C, all by columns, for each of a batch of A, B and C that lie
// at equal distances.
API cublasStatus_t
cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t transa,
                           cublasOperation_t transb, int m, int n, int k, const void *alpha,
                           const void *a, cudaDataType atype, int lda, long long stride_a,
                           const void *b, cudaDataType btype, int ldb, long long stride_b,
                           const void *beta, void *c, cudaDataType ctype, int ldc,
                           long long stride_c, int batch, cublasComputeType_t, cublasGemmAlgo_t)
{
    if (!is_supported(atype) || btype != atype || !is_supported(ctype) ||
        (atype == CUDA_R_32F && ctype != CUDA_R_32F))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    const int columns_a = transa == CUBLAS_OP_N ? m : k, columns_b = transb == CUBLAS_OP_N ? k : n;
    if (m < 0 || n < 0 || k < 0 || lda < columns_a || ldb < columns_b || ldc < m)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (shim_fault_due("cublas"))
        return CUBLAS_STATUS_EXECUTION_FAILED;
    const float scale = *(const float *)alpha, keep = *(const float *)beta;  // read at the call
    shim_enqueue(handle->stream, [=] {
        for (size_t t = 0; t < (size_t)batch; t++)
            for (int j = 0; j < n; j++)
                for (int i = 0; i < m; i++) {
                    float sum = 0;
                    for (int q = 0; q < k; q++) {
                        const size_t ai =
                            transa == CUBLAS_OP_N ? (size_t)q * lda + i : (size_t)i * lda + q;
                        const size_t bi =
                            transb == CUBLAS_OP_N ? (size_t)j * ldb + q : (size_t)q * ldb + j;
                        sum += get(a, atype, t * stride_a + ai) * get(b, btype, t * stride_b + bi);
                    }
                    const size_t ci = t * stride_c + (size_t)j * ldc + i;
                    put(c, ctype, ci, scale * sum + (keep != 0 ? keep * get(c, ctype, ci) : 0));
                }
    });
    return CUBLAS_STATUS_SUCCESS;
}
