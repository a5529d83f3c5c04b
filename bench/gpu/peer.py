"""A network of the bundle in PyTorch on the first CUDA device: peer.py NAME MODE PROGRAM BATCH STEPS,
where NAME is resnext<depth>_<cardinality>x<width>d-<dtype>. Prints one JSON object; a batch that the
device has no memory for is halved."""

import contextlib
import json
import re
import statistics
import sys

import torch

import network

WARM_UP = 5
SMALLEST = 8


def cast(dtype):
    return torch.autocast("cuda", torch.bfloat16) if dtype == "bf16" else contextlib.nullcontext()


def make_step(depth, cardinality, width, dtype, mode, program, batch):
    torch.manual_seed(1)
    nhwc = torch.channels_last
    net = network.resnext(depth, cardinality, width, 1000, 224).cuda().to(memory_format=nhwc)
    x = torch.randn(batch, 3, 224, 224, device="cuda").to(memory_format=nhwc)
    labels = torch.arange(batch, device="cuda") % 1000
    net.train(mode == "train")
    run = torch.compile(net) if program == "compile" else net
    update = torch.optim.SGD(
        net.parameters(), lr=1e-6, momentum=0.9, weight_decay=1e-4, nesterov=True, fused=True
    )
    criterion = torch.nn.CrossEntropyLoss()

    def train():
        update.zero_grad(set_to_none=True)
        with cast(dtype):
            loss = criterion(run(x), labels)
        loss.backward()
        update.step()

    def infer():
        with torch.no_grad(), cast(dtype):
            run(x)

    return train if mode == "train" else infer


def measure(step, count):
    """Milliseconds of each step, by events on the device."""
    for _ in range(WARM_UP):
        step()
    events = [torch.cuda.Event(enable_timing=True) for _ in range(count + 1)]
    events[0].record()
    for event in events[1:]:
        step()
        event.record()
    torch.cuda.synchronize()
    return [a.elapsed_time(b) for a, b in zip(events, events[1:])]


def main():
    name, mode, program, batch, count = sys.argv[1:]
    depth, cardinality, width, dtype = re.fullmatch(
        r"resnext(\d+)_(\d+)x(\d+)d-(\w+)", name
    ).groups()
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    batch = int(batch)
    while True:
        try:
            step = make_step(
                int(depth), int(cardinality), int(width), dtype, mode, program, batch
            )
            times = measure(step, int(count))
            break
        except torch.cuda.OutOfMemoryError:
            batch //= 2
            torch.cuda.empty_cache()
            if batch < SMALLEST:
                raise
    middle = statistics.median(times)
    print(
        json.dumps(
            {
                "mode": mode,
                "batch": batch,
                "images_per_s": batch / middle * 1e3,
                "ms_per_step": middle,
                "ms_min": min(times),
                "torch": torch.__version__,
                "cuda": torch.version.cuda,
                "device": torch.cuda.get_device_name(),
            }
        )
    )


main()
