"""What the benchmarks share: networks, running rxgen, reports."""

import json
import os
import statistics
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUT = os.environ.get("BENCH_OUT") or os.path.join(TOP, "out", "bench")
RXGEN = os.path.abspath(os.environ.get("RXGEN") or os.path.join(TOP, "rxgen"))

# key: model file, fields that differ from it, images a training step, and what a peer must know.
NETWORKS = {
    "resnext50_32x4d": ("resnext50_32x4d", {}, 16, (50, 32, 4, 1000, 224)),
    "resnet50": ("resnet50", {}, 16, (50, 1, 64, 1000, 224)),
    "resnext101_64x4d": ("resnext101_64x4d", {}, 8, (101, 64, 4, 1000, 224)),
    "resnext29_8x64d": ("resnext29_8x64d", {}, 32, (29, 8, 64, 10, 32)),
    "resnext29_32x4d": (
        "resnext29_8x64d", {"cardinality": 32, "width": 4}, 64, (29, 32, 4, 10, 32)
    ),
}  # fmt: skip


def say(text):
    print(text, file=sys.stderr, flush=True)


def build(folder, model, settings=(), options=()):
    """Generates a network (a file of models/, or a path without .lua) in out/bench/<folder>;
    returns that folder, or None where rxgen says that it cannot."""
    out = os.path.join(OUT, folder)
    path = model if "/" in model else f"models/{model}"
    command = [RXGEN, path + ".lua", "--quiet", "--out", out, *options]
    for key, value in dict(settings).items():
        command += ["--set", f"{key}={value}"]
    done = subprocess.run(command, cwd=TOP, stderr=subprocess.PIPE, text=True)
    if done.returncode == 2:
        say(f"{folder}: left out: {done.stderr.strip()}")
        return None
    if done.returncode != 0:
        raise SystemExit(f"{folder}: {done.stderr.strip() or done.returncode}")
    return out


def bench(folder, mode, batch, steps, threads, *more):
    """One run of a network's bench: its JSON."""
    command = [os.path.join(folder, "bench"), "--json", "--mode", mode, "--batch", str(batch)]
    command += ["--steps", str(steps), "--threads", str(threads), *more]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def summary(times, images):
    """Of the milliseconds of steps."""
    middle = statistics.median(times)
    return {
        "ms_median": middle,
        "ms_min": min(times),
        "steps": len(times),
        "images_per_s": images / middle * 1e3,
    }


def table(head, rows):
    """Aligned columns; the first is text, the others numbers or text."""
    cells = [head] + [[c if isinstance(c, str) else f"{c:.2f}" for c in r] for r in rows]
    widths = [max(len(r[i]) for r in cells) for i in range(len(head))]
    for r in cells:
        first = r[0].ljust(widths[0])
        print("  ".join([first] + [c.rjust(w) for c, w in zip(r[1:], widths[1:])]).rstrip())


def write_json(name, value):
    os.makedirs(OUT, exist_ok=True)
    path = os.path.join(OUT, name)
    with open(path + ".new", "w") as f:
        json.dump(value, f, indent=1)
        f.write("\n")
    os.replace(path + ".new", path)


def read_json(name):
    try:
        with open(os.path.join(OUT, name)) as f:
            return json.load(f)
    except FileNotFoundError:
        return {}


def machine():
    """A line about this machine."""
    name, flags = "", ""
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
            elif line.startswith("flags"):
                flags = line
    known = ("amx_bf16", "avx512_bf16", "avx512f", "avx2")
    isa = next((k for k in known if f" {k} " in flags + " "), "baseline")
    return f"{name}, {len(os.sched_getaffinity(0))} cores, {isa}"


def print_kernels(report):
    """The table of a bench with --kernels."""
    print("FMA peak before and after {:.1f}, {:.1f} GFLOP/s".format(*report["measured_gflops"])
          + "; memory {:.1f}, {:.1f} GB/s".format(*report["measured_gbytes_per_s"]))  # fmt: skip
    rows = [
        [k["name"], str(k["calls"]), k["ms"], k["gflops"], k["gbytes_per_s"], f"{k['share']:.1%}"]
        for k in report["kernels"]
    ]
    ms = sum(k["ms"] for k in report["kernels"])
    flops = sum(k["flops"] for k in report["kernels"]) / ms * 1e-6
    moved = sum(k["bytes"] for k in report["kernels"]) / ms * 1e-6
    calls = str(sum(k["calls"] for k in report["kernels"]))
    rows.append(["all (share of the FMA peak)", calls, ms, flops, moved, f"{report['share']:.1%}"])
    table(["kernel", "calls", "ms", "GFLOP/s", "GB/s", "share"], rows)
