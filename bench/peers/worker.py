"""One peer that trains or infers one network. Reads numbers of steps from standard input, a line
each, and answers each with the steps' milliseconds as JSON; the first line is what it is."""

import contextlib
import json
import os
import sys
import time

import numpy
import torch

import network

WARM_UP = 2


def timed(step, count):
    times = []
    for _ in range(count):
        before = time.perf_counter()
        step()
        times.append((time.perf_counter() - before) * 1e3)
    return times


def cast(case):
    if case["dtype"] == "bf16":
        return torch.autocast("cpu", torch.bfloat16)
    return contextlib.nullcontext()


def build(case):
    torch.manual_seed(1)
    net = network.resnext(
        case["depth"], case["cardinality"], case["width"], case["classes"], case["image"]
    )
    x = torch.randn(case["batch"], 3, case["image"], case["image"])
    nhwc = torch.channels_last
    return net.to(memory_format=nhwc), x.to(memory_format=nhwc)


def torch_train(case):
    net, x = build(case)
    labels = torch.arange(case["batch"]) % case["classes"]
    update = torch.optim.SGD(
        net.parameters(), lr=1e-6, momentum=0.9, weight_decay=1e-4, nesterov=True, fused=True
    )
    criterion = torch.nn.CrossEntropyLoss()
    run = torch.compile(net) if case["program"] == "torch.compile" else net

    def step():
        update.zero_grad(set_to_none=True)
        with cast(case):
            loss = criterion(run(x), labels)
        loss.backward()
        update.step()
        loss.item()

    return step


def torch_infer(case):
    net, x = build(case)
    net.eval()
    run = net
    if case["program"] == "torch.compile":
        torch._inductor.config.freezing = True
        run = torch.compile(net)

    def step():
        with torch.no_grad(), cast(case):
            run(x)

    return step


def openvino_options(case, hint):
    dtype = {"f32": "f32", "bf16": "bf16"}[case["dtype"]]
    return {
        "PERFORMANCE_HINT": hint,
        "INFERENCE_PRECISION_HINT": dtype,
        "INFERENCE_NUM_THREADS": case["threads"],
    }


def openvino_infer(case):
    """All images of the batch in one request."""
    import openvino

    net, x = build(case)
    model = openvino.convert_model(net.eval(), example_input=x, input=[list(x.shape)])
    compiled = openvino.compile_model(model, "CPU", openvino_options(case, "LATENCY"))
    request = compiled.create_infer_request()
    images = numpy.ascontiguousarray(x.numpy())
    return lambda: request.infer([images])


def openvino_streams(case):
    """OpenVINO's best mode for throughput: requests of one image on its own choice of streams."""
    import openvino

    net, x = build(case)
    one = x[:1].contiguous()
    model = openvino.convert_model(net.eval(), example_input=one, input=[list(one.shape)])
    compiled = openvino.compile_model(model, "CPU", openvino_options(case, "THROUGHPUT"))
    queue = openvino.AsyncInferQueue(compiled)
    images = [numpy.ascontiguousarray(x[i : i + 1].numpy()) for i in range(case["batch"])]

    def step():
        for image in images:
            queue.start_async([image])
        queue.wait_all()

    return step


def onnxruntime_infer(case):
    import onnxruntime

    net, x = build(case)
    path = os.path.join(case["folder"], f"{case['model']}-{case['batch']}.onnx")
    torch.onnx.export(net.eval(), (x,), path, verbose=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = case["threads"]
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    images = {session.get_inputs()[0].name: numpy.ascontiguousarray(x.numpy())}
    return lambda: session.run(None, images)


STEPS = {
    ("train", "torch eager"): torch_train,
    ("train", "torch.compile"): torch_train,
    ("infer", "torch eager"): torch_infer,
    ("infer", "torch.compile"): torch_infer,
    ("infer", "openvino"): openvino_infer,
    ("infer", "openvino streams"): openvino_streams,
    ("infer", "onnxruntime"): onnxruntime_infer,
}


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the libraries print is no answer
    case = json.loads(sys.argv[1])
    torch.set_num_threads(case["threads"])
    step = STEPS[case["mode"], case["program"]](case)
    first = timed(step, WARM_UP)
    print(json.dumps({"ms": first[-1]}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(timed(step, int(line))), file=answers, flush=True)


main()
