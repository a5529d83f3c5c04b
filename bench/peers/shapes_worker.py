"""oneDNN's time for every shape of convolution in a network, through PyTorch, channels last. Reads
lines from standard input and answers each with a round of measurements as JSON; the first line
describes the shapes."""

import json
import os
import sys
import time

import torch

import network

REPEATS = 3


def find_shapes(case):
    """Every convolution but those of equal shape: its size, and how many are alike."""
    net = network.resnext(
        case["depth"], case["cardinality"], case["width"], case["classes"], case["image"]
    )
    found = {}

    def note(layer, inputs, _):
        image = inputs[0].shape
        key = (layer.kernel_size[0], layer.in_channels, layer.out_channels, layer.groups, image[2],
               layer.stride[0], layer.padding[0])  # fmt: skip
        found[key] = found.get(key, 0) + 1

    for layer in net.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(note)
    with torch.no_grad():
        net.eval()(torch.zeros(1, 3, case["image"], case["image"]))
    return found


def operands(shape, batch):
    window, c, k, groups, size, stride, padding = shape
    nhwc = torch.channels_last
    x = torch.randn(batch, c, size, size).to(memory_format=nhwc)
    w = torch.randn(k, c // groups, window, window).to(memory_format=nhwc)
    y = torch.nn.functional.conv2d(x, w, None, stride, padding, 1, groups)
    return x, w, torch.randn_like(y).to(memory_format=nhwc)


def least(run):
    times = []
    for _ in range(REPEATS):
        before = time.perf_counter()
        run()
        times.append((time.perf_counter() - before) * 1e3)
    return min(times)


def measure(shape, batch, first):
    *_, groups, _, stride, padding = shape
    x, w, dy = operands(shape, batch)
    data = [not first, True, False]  # the image needs no gradient

    def forward():
        torch.nn.functional.conv2d(x, w, None, stride, padding, 1, groups)

    def backward():
        torch.ops.aten.convolution_backward(
            dy, x, w, None, [stride] * 2, [padding] * 2, [1] * 2, False, [0] * 2, groups, data
        )

    with torch.no_grad():
        return {"forward_ms": least(forward), "backward_ms": least(backward)}


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    case = json.loads(sys.argv[1])
    torch.set_num_threads(case["threads"])
    shapes = find_shapes(case)
    names = ["window", "c", "k", "groups", "size", "stride"]
    described = [{**dict(zip(names, s)), "layers": n} for s, n in shapes.items()]
    print(json.dumps(described), file=answers, flush=True)
    for _ in sys.stdin:
        times = [measure(s, case["batch"], i == 0) for i, s in enumerate(shapes)]
        print(json.dumps(times), file=answers, flush=True)


main()
