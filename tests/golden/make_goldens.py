#!/usr/bin/env python3
"""Computes the training goldens: losses, logits and weights by PyTorch in double precision.

usage: make_goldens.py [CASE...]      writes tests/golden/<case>.json; needs PyTorch and numpy

Everything that goes in is a formula of (name, index), so no weights are stored: tests/support/
formula.c makes the same numbers, bit for bit. The networks are written here in plain PyTorch, with
torchvision's names, and share nothing with rxgen.
"""
import json
import os
import sys

import numpy as np
import torch
from torch import nn

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)  # threads that spin for each other lose more than they win here


# --- inputs by formula: FNV-1a of the name, then splitmix64 of (hash + index), the top 24 bits ---

def uniform(name, count):
    """count numbers in [0, 1), multiples of 2^-24."""
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = (h ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(h) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / 2**24


def f32(values):
    return values.astype(np.float32).astype(np.float64)


def clear_bn(name, u):
    """BN weights and biases that keep every ReLU's input clear of zero: a quarter of the channels of
    the first two of a block are always off, all others always on."""
    last = name.split(".")[-2] == "bn3" or "downsample" in name
    if name.endswith("weight"):
        return 0.05 + 0.05 * u if last else 0.025 + 0.025 * u
    return 1 + u if last else np.where(u < 0.25, -1, 1) * (0.5 + 0.5 * (8 * u % 1))


def parameter(name, shape, clear=False):
    count = int(np.prod(shape))
    u = uniform(name, count)
    if clear and len(shape) == 1 and "running" not in name and name != "fc.bias":
        return torch.tensor(f32(clear_bn(name, u)))
    if len(shape) == 4:  # a convolution: variance 2 / fan in
        v = (2 * u - 1) * np.sqrt(6.0 / np.prod(shape[1:]))
    elif name == "fc.weight":
        v = (2 * u - 1) / np.sqrt(shape[1])
    elif name.endswith("running_var"):
        v = 0.5 + u
    elif name.endswith("bn3.weight"):  # small, or trajectories in f32 would be chaotic
        v = 0.1 + 0.1 * u
    elif name.endswith("weight"):
        v = 0.5 + 0.5 * u
    else:  # BN bias, running mean, fc.bias
        v = 0.2 * (2 * u - 1)
    return torch.tensor(f32(v).reshape(shape))


def images(shape):
    return torch.tensor(f32(3 * uniform("images", int(np.prod(shape))) - 1.5).reshape(shape))


def labels(n, classes):
    return torch.tensor((uniform("labels", n) * classes).astype(np.int64))


def probe(name, tensor):
    """A dot product that notices any exchange of elements."""
    tensor = tensor.double()
    u = torch.tensor(2 * uniform("probe " + name, tensor.numel()) - 1)
    return [tensor.norm().item(), (tensor.reshape(-1) * u).sum().item()]


# --- the networks ---

class Bottleneck(nn.Module):
    def __init__(self, inputs, planes, width, groups, stride):
        super().__init__()
        inner = planes * width // 64 * groups
        self.conv1 = nn.Conv2d(inputs, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, 4 * planes, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * planes)
        self.downsample = None
        if stride != 1 or inputs != 4 * planes:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, 4 * planes, 1, stride, bias=False),
                                            nn.BatchNorm2d(4 * planes))

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNeXt(nn.Module):
    def __init__(self, blocks, cardinality, width, planes, classes, cifar, clear=False):
        super().__init__()
        self.conv1 = nn.Conv2d(3, planes, 3, 1, 1, bias=False) if cifar else nn.Conv2d(
            3, planes, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.maxpool = nn.Identity() if cifar else nn.MaxPool2d(3, 2, 1)
        inputs = planes
        for stage, n in enumerate(blocks):
            p = planes << stage
            layer = []
            for block in range(n):
                layer.append(Bottleneck(inputs, p, width, cardinality, 2 if stage and not block else 1))
                inputs = 4 * p
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layer))
        self.stages = len(blocks)
        self.fc = nn.Linear(inputs, classes)
        self.load_state_dict({k: parameter(k, tuple(v.shape), clear) if v.dim() else v
                              for k, v in self.state_dict().items()})

    def forward(self, x):
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        for stage in range(self.stages):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.fc(x.mean((2, 3)))


# --- a run: SGD without shuffling, epochs over all images ---
# Rates are small, so that f32 follows double: at ten times the rate these networks, tiny and on
# noise, amplify f32's rounding tenfold a step.

STEPS = 8
BASE = dict(lr=0.01, momentum=0.9, wd=5e-4, nesterov=True, smoothing=0.0, decay_bn=True,
            schedule="step", milestones=[], gamma=0.1, warmup=0)
RUNS = {
    "nesterov": dict(),
    "plain": dict(nesterov=False, wd=0.1),
    "smoothing": dict(smoothing=0.1),
    "no_decay_bn": dict(decay_bn=False, wd=0.5),
    "cosine": dict(schedule="cosine"),
    "milestones": dict(milestones=[1, 3]),
    "warmup": dict(warmup=2),
}


def rate(o, step, steps_per_epoch):
    """Of update `step` (from 0) of STEPS. Warm-up rises linearly and reaches lr at its last step;
    after it cosine falls from lr to 0, which the last step has."""
    warm = o["warmup"] * steps_per_epoch
    if step < warm:
        return o["lr"] * (step + 1) / warm
    if o["schedule"] == "cosine":
        return o["lr"] * 0.5 * (1 + np.cos(np.pi * (step - warm) / (STEPS - 1 - warm)))
    return o["lr"] * o["gamma"] ** sum(step // steps_per_epoch >= m for m in o["milestones"])


def flags(o):
    f = ["--lr", o["lr"], "--momentum", o["momentum"], "--wd", o["wd"],
         "--nesterov" if o["nesterov"] else "--no-nesterov", "--label-smoothing", o["smoothing"],
         "--schedule", o["schedule"], "--warmup-epochs", o["warmup"]]
    f += ["--milestones", ",".join(map(str, o["milestones"] or [1000])), "--gamma", o["gamma"]]
    return [str(x) for x in f] + ([] if o["decay_bn"] else ["--no-decay-bn"])


def train(make, x, t, batch, o, steps, probed=True):
    net = make().train()
    is_bn = {id(p) for m in net.modules() if isinstance(m, nn.BatchNorm2d) for p in m.parameters()}
    groups = [dict(params=[p for p in net.parameters() if id(p) in is_bn],
                   weight_decay=o["wd"] if o["decay_bn"] else 0.0),
              dict(params=[p for p in net.parameters() if id(p) not in is_bn], weight_decay=o["wd"])]
    sgd = torch.optim.SGD(groups, lr=o["lr"], momentum=o["momentum"], nesterov=o["nesterov"])
    loss_of = nn.CrossEntropyLoss(label_smoothing=o["smoothing"])
    per_epoch = len(x) // batch
    out = {"flags": flags(o), "losses": [], "rates": []}
    for step in range(steps):
        i = step % per_epoch * batch
        for g in sgd.param_groups:
            g["lr"] = rate(o, step, per_epoch)
        loss = loss_of(net(x[i:i + batch]), t[i:i + batch])
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        out["losses"].append(loss.item())
        out["rates"].append(float(sgd.param_groups[0]["lr"]))
        if probed and step == 0:
            out["momentum_1"] = {n: probe(n, sgd.state[p]["momentum_buffer"])
                                 for n, p in net.named_parameters()}
    if not probed:
        return out
    out["weights"] = {n: probe(n, v) for n, v in net.state_dict().items() if v.dim()}
    return out


FLOOR = 2e-5  # ten times what f32 does to the gradients of the small networks


def first_gradients(net, x, t, batch, o):
    """Gradients before the first update, and which values each ReLU lets through."""
    masks, plain = [], torch.relu

    def relu(v):
        masks.append((v > 0).detach())
        return plain(v)

    torch.relu = relu
    try:
        loss_of = nn.CrossEntropyLoss(label_smoothing=o["smoothing"])
        loss_of(net.train()(x[:batch]), t[:batch]).backward()
    finally:
        torch.relu = plain
    return {n: p.grad.double() for n, p in net.named_parameters()}, masks


def add_tolerances(make, x, t, batch, o, probes):
    """Appends to each first gradient's probe what it may differ by in f32 (absolute): FLOOR of its
    norm where PyTorch's own f32 stays within a quarter of that. Elsewhere four times PyTorch's
    distance; but where f32 decides a ReLU otherwise than double, one such value moves every gradient
    below it by 1e-3 and more, and which value that is depends on the order of summation: there it is
    four times the largest distance, relative to the norm, of all tensors."""
    exact, masks = first_gradients(make(), x, t, batch, o)
    rounded, decided = first_gradients(make().float(), x.float(), t, batch, o)
    kinks = any((p != q).any() for p, q in zip(masks, decided))
    distance = {n: (rounded[n] - exact[n]).norm().item() for n in exact}
    worst = max(distance[n] / exact[n].norm().item() for n in exact) if kinks else 0
    for name, p in probes.items():
        floor, own = FLOOR * p[0], 4 * distance[name]
        if own <= floor:
            p.append(floor)
        else:
            p.append(float(f"{4 * worst:.1g}") * p[0] if kinks else own)


# --- cases ---

IMAGENET = {26: [2, 2, 2, 2], 50: [3, 4, 6, 3]}


def network(n, **s):
    """What makes a network, its images and labels, and its fields."""
    full = dict(dict(planes=64, classes=1000, image=224, cifar=False, clear=False), **s)
    blocks = [(s["depth"] - 2) // 9] * 3 if full["cifar"] else IMAGENET[s["depth"]]
    make = lambda: ResNeXt(blocks, full["cardinality"], full["width"], full["planes"],
                           full["classes"], full["cifar"], full["clear"])
    return make, images((n, 3, full["image"], full["image"])), labels(n, full["classes"]), full


def case(model, n, batch, runs, steps=STEPS, lr=BASE["lr"], **s):
    make, x, t, full = network(n, **s)
    net = make().eval()
    with torch.no_grad():
        logits = net(x)
    settings = [f"{k}={v}" for k, v in s.items() if k not in ("cifar", "clear")]
    trained = {r: train(make, x, t, batch, dict(BASE, lr=lr, **RUNS[r]), steps) for r in runs}
    for r, run in trained.items():
        add_tolerances(make, x, t, batch, dict(BASE, lr=lr, **RUNS[r]), run["momentum_1"])
    return {
        "model": f"models/{model}.lua", "set": settings, "images": list(x.shape),
        "clear": full["clear"], "classes": full["classes"], "batch": batch, "labels": t.tolist(),
        "tensors": {k: list(v.shape) for k, v in net.state_dict().items() if v.dim()},
        "logits": logits.reshape(-1).tolist(),
        "runs": trained,
    }


# --- bf16: PyTorch's autocast, and how far apart two roundings of the same run end ---

SEEDS = 16


class Rounded(torch.autograd.Function):
    """To one of the two neighbours in bf16, up or down by chance; the gradient likewise."""

    @staticmethod
    def round(x):
        mantissa, exponent = torch.frexp(x)
        return torch.ldexp(torch.floor(mantissa * 256 + torch.rand_like(x)), exponent - 8)

    @staticmethod
    def forward(context, x):
        return Rounded.round(x)

    @staticmethod
    def backward(context, g):
        return Rounded.round(g)


def autocast(net):
    """In f32 with PyTorch's autocast to bf16; logits in double again."""
    inner = net.float().forward

    def forward(x):
        with torch.autocast("cpu", torch.bfloat16):
            return inner(x.float()).double()

    net.forward = forward
    return net


def rounded(net):
    """In f32, but the weights and outputs of convolutions and of the classifier and the outputs of
    blocks, and the gradients of all these, are rounded to bf16 by chance; logits in double again."""
    inner = net.float().forward
    def convolution(conv, x):
        w = Rounded.apply(conv.weight)
        y = nn.functional.conv2d(x, w, None, conv.stride, conv.padding, 1, conv.groups)
        return Rounded.apply(y)

    for m in net.modules():
        if isinstance(m, nn.Conv2d):
            m.forward = lambda x, conv=m: convolution(conv, x)
        elif isinstance(m, nn.Linear):
            m.forward = lambda x, m=m: Rounded.apply(
                nn.functional.linear(x, Rounded.apply(m.weight), m.bias))
        elif isinstance(m, Bottleneck):
            m.register_forward_hook(lambda m, given, y: Rounded.apply(y))
    net.forward = lambda x: inner(x.float()).double()
    return net


def bf16_case(n, batch, steps=STEPS, lr=BASE["lr"], **s):
    """Losses of the first run under autocast, and of each step the deviation of SEEDS roundings."""
    make, x, t, _ = network(n, **s)
    o = dict(BASE, lr=lr, **RUNS["nesterov"])
    runs = []
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        runs.append(train(lambda: rounded(make()), x, t, batch, o, steps, False)["losses"])
    cast = train(lambda: autocast(make()), x, t, batch, o, steps, False)["losses"]
    return {"autocast": cast, "deviation": np.std(runs, axis=0, ddof=1).tolist()}


# --- the goldens: arguments of case ---

NETWORKS = {
    "cifar": dict(n=8, batch=4, cifar=True, depth=11, cardinality=2, width=8, classes=5, image=16),
    "small": dict(n=8, batch=4, cifar=True, depth=11, cardinality=4, width=32, planes=16,
                  classes=5, image=16),
    "imagenet": dict(n=16, batch=8, lr=0.003, depth=26, cardinality=4, width=24, planes=16,
                     classes=7, image=64),
}
CASES = {
    "cifar": lambda: case("resnext29_8x64d", runs=list(RUNS), **NETWORKS["cifar"]),
    "small": lambda: case("resnext29_8x64d", runs=["nesterov"], **NETWORKS["small"]),
    "cifar_odd": lambda: case("resnext29_8x64d", 10, 5, ["nesterov"], cifar=True, depth=11,
                              cardinality=3, width=14, planes=24, classes=10, image=13),
    "imagenet": lambda: case("resnext50_32x4d", runs=["nesterov", "plain"],
                             **NETWORKS["imagenet"]),
    "resnext50": lambda: case("resnext50_32x4d", 2, 2, ["nesterov"], steps=2, lr=0.003, depth=50,
                              cardinality=32, width=4),
    "resnext50_clear": lambda: case("resnext50_32x4d", 2, 2, ["nesterov"], steps=2, lr=0.0003,
                                    clear=True, depth=50, cardinality=32, width=4),
    "bf16": lambda: {k: bf16_case(**NETWORKS[k]) for k in ("small", "cifar")},
}


def text(result):
    """JSON with a line a tensor or list, which makes a readable diff; 12 digits are plenty."""
    short = json.loads(json.dumps(result), parse_float=lambda s: float(f"{float(s):.12g}"))
    lines = []
    for key, value in short.items():
        if isinstance(value, dict):
            inner = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())
            lines.append(f"{json.dumps(key)}: {{\n{inner}\n}}")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main():
    for name in sys.argv[1:] or CASES:
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".json")
        with open(path, "w") as f:
            f.write(text(CASES[name]()))
        print(path)


if __name__ == "__main__":
    main()
