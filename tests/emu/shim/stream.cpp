// Streams, events and graphs.
#include <time.h>

#include <algorithm>
#include <deque>
#include <vector>

#include "shim.h"

struct CUgraph_st {
    std::vector<work> nodes;
};
struct CUgraphExec_st {
    std::vector<work> nodes;
};
struct CUstream_st {
    std::deque<work> queue;
    CUgraph_st *captured = nullptr;
};
struct CUevent_st {
    CUstream_st *stream = nullptr;
    bool done = true;
    double seconds = 0;
};

static std::vector<CUstream_st *> streams;
static CUstream_st null_stream;
static bool spoilt;  // the capture that goes on

bool
shim_captures(void)
{
    for (const CUstream_st *stream : streams)
        if (stream->captured != nullptr)
            return true;
    return false;
}

cudaError_t
shim_forbid_in_capture(void)
{
    spoilt = shim_captures();
    return spoilt ? cudaErrorStreamCaptureUnsupported : cudaSuccess;
}

static CUstream_st *
stream_of(cudaStream_t stream)
{
    return stream == nullptr || stream == cudaStreamLegacy || stream == cudaStreamPerThread
               ? &null_stream
               : stream;
}

static void
run_one(CUstream_st *stream)
{
    const work next = std::move(stream->queue.front());
    stream->queue.pop_front();
    if (shim_device_state() != cudaSuccess)
        return;
    open_memory open;
    next();
}

static void
drain(CUstream_st *stream)
{
    while (!stream->queue.empty())
        run_one(stream);
}

void
shim_drain(void)
{
    for (CUstream_st *stream : streams)
        drain(stream);
    drain(&null_stream);
}

void
shim_enqueue(cudaStream_t which, work work)
{
    CUstream_st *stream = stream_of(which);
    if (stream->captured != nullptr) {
        stream->captured->nodes.push_back(std::move(work));
        return;
    }
    if (stream == &null_stream)
        shim_drain();
    stream->queue.push_back(std::move(work));
    if (stream == &null_stream)
        drain(stream);
}

API cudaError_t
cudaDeviceSynchronize(void)
{
    const cudaError_t forbidden = shim_forbid_in_capture();
    shim_drain();
    return shim_result(forbidden);
}

API cudaError_t
cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned)
{
    *stream = new CUstream_st;
    streams.push_back(*stream);
    return shim_result(cudaSuccess);
}

API cudaError_t
cudaStreamDestroy(cudaStream_t stream)
{
    drain(stream);
    streams.erase(std::find(streams.begin(), streams.end(), stream));
    delete stream;
    return shim_result(cudaSuccess);
}

API cudaError_t
cudaStreamSynchronize(cudaStream_t which)
{
    CUstream_st *stream = stream_of(which);
    if (stream->captured != nullptr)
        return shim_result(shim_forbid_in_capture());
    drain(stream);
    return shim_result(cudaSuccess);
}

API cudaError_t
cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode)
{
    if (stream_of(stream) == &null_stream || stream->captured != nullptr)
        return shim_result(cudaErrorStreamCaptureUnsupported);
    stream->captured = new CUgraph_st;
    spoilt = false;
    return shim_result(cudaSuccess);
}

API cudaError_t
cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    *graph = stream->captured;
    stream->captured = nullptr;
    if (spoilt) {
        delete *graph;
        *graph = nullptr;
        return shim_result(cudaErrorStreamCaptureInvalidated);
    }
    return shim_result(*graph != nullptr ? cudaSuccess : cudaErrorInvalidValue);
}

API cudaError_t
cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long)
{
    if (shim_allocation_fails())
        return shim_result(cudaErrorMemoryAllocation);
    *exec = new CUgraphExec_st{graph->nodes};
    return shim_result(cudaSuccess);
}

API cudaError_t
cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    if (shim_fault_due("launch"))
        return shim_result(cudaErrorLaunchOutOfResources);
    shim_launched();
    for (const work &node : exec->nodes)
        shim_enqueue(stream, node);
    return shim_result(cudaSuccess);
}

API cudaError_t
cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return shim_result(cudaSuccess);
}

API cudaError_t
cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    shim_drain();
    delete exec;
    return shim_result(cudaSuccess);
}

static double
now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

API cudaError_t
cudaEventCreate(cudaEvent_t *event)
{
    *event = new CUevent_st;
    return shim_result(cudaSuccess);
}

API cudaError_t
cudaEventDestroy(cudaEvent_t event)
{
    delete event;
    return shim_result(cudaSuccess);
}

API cudaError_t
cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    event->stream = stream_of(stream);
    event->done = false;
    shim_enqueue(stream, [=] {
        event->done = true;
        event->seconds = now();
    });
    return shim_result(cudaSuccess);
}

API cudaError_t
cudaEventSynchronize(cudaEvent_t event)
{
    while (!event->done && event->stream != nullptr && !event->stream->queue.empty())
        run_one(event->stream);
    return shim_result(cudaSuccess);
}

API cudaError_t
cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to)
{
    if (!from->done || !to->done)
        return shim_result(cudaErrorNotReady);
    *ms = (float)((to->seconds - from->seconds) * 1e3);
    return shim_result(cudaSuccess);
}

API cudaError_t
cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned)
{
    shim_enqueue(stream, [=] { cudaEventSynchronize(event); });
    return shim_result(cudaSuccess);
}
