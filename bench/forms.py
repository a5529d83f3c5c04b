"""The paper's figure 3 measured: forms (a), (b) and (c) of the same block, and of ResNeXt-50, in
training and inference: time, bytes, kernels, memory, and whether they compute the same.

    BATCH=16  ROUNDS=2  STEPS=2  THREADS=all cores
    NETWORKS="block resnext50_32x4d"

Writes out/bench/forms.json and out/bench/forms.svg."""

import array
import json
import os
import random
import statistics
import struct
import subprocess
import tempfile

import chart
import common

FORMS = ["a", "b", "c"]
MODES = ["train", "infer"]
# name: model file, fields that differ from it, pixels.
NETWORKS = {
    "block": ("bench/models/block", {}, 56),
    "resnext50_32x4d": ("models/resnext50_32x4d", {}, 224),
    "tiny": (
        "bench/models/block", {"cardinality": 2, "inner": 8, "outer": 16, "image": 8}, 8
    ),  # for the test
}  # fmt: skip
BATCH = int(os.environ.get("BATCH", 16))
ROUNDS = int(os.environ.get("ROUNDS", 2))
STEPS = int(os.environ.get("STEPS", 2))
THREADS = int(os.environ.get("THREADS", len(os.sched_getaffinity(0))))
IMAGES, CHANNELS = 2, 3  # that the forms are compared on


def write_images(path, pixels):
    shape = [IMAGES, CHANNELS, pixels, pixels]
    n = IMAGES * CHANNELS * pixels * pixels
    draw = random.Random(1)
    values = array.array("f", (draw.gauss(0, 1) for _ in range(n)))
    head = {"images": {"dtype": "F32", "shape": shape, "data_offsets": [0, 4 * n]}}
    text = json.dumps(head).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        values.tofile(f)


def read_logits(path):
    with open(path, "rb") as f:
        (n,) = struct.unpack("<Q", f.read(8))
        first, last = json.loads(f.read(n))["logits"]["data_offsets"]
        body = f.read()
    values = array.array("f")
    values.frombytes(body[first:last])
    return values


def run(*command):
    done = subprocess.run(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]}: {done.stderr}")


def logits(folders, pixels):
    """Every form's logits, from one weights file, on the same images."""
    with tempfile.TemporaryDirectory() as t:
        weights, images = os.path.join(t, "w.safetensors"), os.path.join(t, "x.safetensors")
        run(os.path.join(folders["c"], "train"), "--data", f"synthetic:{IMAGES}", "--batch",
            str(IMAGES), "--steps", "1", "--lr", "0", "--save", weights, "--run",
            os.path.join(t, "run"), "--progress", "off", "--threads", str(THREADS))  # fmt: skip
        write_images(images, pixels)
        result = {}
        for form, folder in folders.items():
            out = os.path.join(t, f"{form}.safetensors")
            run(os.path.join(folder, "infer"), "--weights", weights, "--input", images,
                "--output", out, "--threads", str(THREADS))  # fmt: skip
            result[form] = read_logits(out)
    return result


def difference(got, expected):
    """The greatest, as a share of the rms of what is expected."""
    rms = (sum(v * v for v in expected) / len(expected)) ** 0.5
    return max(abs(g - e) for g, e in zip(got, expected)) / rms


def measure(name, folders, differences):
    """Rows of all forms and modes; the forms take turns."""
    reports = {(f, m): [] for f in FORMS for m in MODES}
    for i in range(ROUNDS):
        for mode in MODES:
            for form in FORMS if i % 2 == 0 else FORMS[::-1]:
                more = ["--kernels"] if i == 0 else []
                report = common.bench(folders[form], mode, BATCH, STEPS, THREADS, *more)
                reports[form, mode].append(report)
    return [row(name, f, m, reports[f, m], differences[f]) for m in MODES for f in FORMS]


def row(name, form, mode, reports, max_difference):
    times = [ms for r in reports for ms in r["ms_of_steps"]]
    kernels = reports[0]["kernels"]
    return {
        "network": name,
        "form": form,
        "mode": mode,
        "batch": BATCH,
        "ms_per_step": statistics.median(times),
        "ms_min": min(times),
        "steps": len(times),
        "bytes": sum(k["bytes"] for k in kernels),
        "flops": sum(k["flops"] for k in kernels),
        "kernels": len(kernels),
        "calls": sum(k["calls"] for k in kernels),
        "peak_bytes": reports[0]["peak_bytes"],
        "max_relative_difference": max_difference,
    }


def measure_network(name):
    model, settings, pixels = NETWORKS[name]
    folders = {}
    for form in FORMS:
        common.say(f"{name}: generating form ({form})")
        folders[form] = common.build(f"form-{name}-{form}", model, settings, ["--form", form])
    found = logits(folders, pixels)
    differences = {f: difference(found[f], found["c"]) for f in FORMS}
    common.say(f"{name}: measuring")
    return measure(name, folders, differences)


def fastest(rows, of):
    return min(r["ms_per_step"] for r in rows if (r["network"], r["mode"]) == of)


def show(rows):
    cells = []
    for r in rows:
        best = fastest(rows, (r["network"], r["mode"]))
        cells.append([
            f"{r['network']} {r['mode']} ({r['form']})", r["ms_per_step"],
            f"{r['ms_per_step'] / best:.2f}x", r["ms_min"], r["bytes"] / 1e9, str(r["kernels"]),
            str(r["calls"]), f"{r['peak_bytes'] / 1e6:.0f}", f"{r['max_relative_difference']:.1e}",
        ])  # fmt: skip
    common.table(
        ["", "ms", "to best", "least ms", "GB", "kernels", "calls", "MB held", "difference"], cells
    )


def draw(rows):
    groups = []
    for of in dict.fromkeys((r["network"], r["mode"]) for r in rows):
        best = fastest(rows, of)
        bars = [
            (f"form ({r['form']})", r["ms_per_step"],
             f"{r['ms_per_step']:.1f} ms, {r['ms_per_step'] / best:.2f}x, {r['calls']} calls")
            for r in rows if (r["network"], r["mode"]) == of
        ]  # fmt: skip
        groups.append((f"{of[0]}, {'training' if of[1] == 'train' else 'inference'}", bars))
    note = f"Milliseconds a step of {BATCH} images, shorter is better; {common.machine()}, f32"
    svg = chart.bars("The three forms of a ResNeXt block", note, groups)
    chart.write(os.path.join(common.OUT, "forms.svg"), svg)


def main():
    rows = []
    for name in os.environ.get("NETWORKS", "block resnext50_32x4d").split():
        rows += measure_network(name)
    show(rows)
    common.write_json("forms.json", {"machine": common.machine(), "rows": rows})
    draw(rows)
    bad = [r for r in rows if not r["max_relative_difference"] <= 1e-4]
    if bad:
        raise SystemExit(f"form ({bad[0]['form']}) of {bad[0]['network']} computes something else")


if __name__ == "__main__":
    main()
