"""Compares rxgen's programs with PyTorch, OpenVINO and ONNX Runtime, and its convolutions with
oneDNN's: all in one run, in turns.

    PEERS="train-f32 infer-f32"  tasks, or their beginnings (default: all); "shapes"
    MODEL="resnext50_32x4d ..."  networks (default: all)
    ROUNDS, SECONDS              turns for each program, and about how long a turn is
    THREADS, ARCH                default: all cores, this machine; ARCH=x86-64-v3 holds the peers
                                 to AVX2 too

Writes out/bench/peers.json, in which rows of earlier runs stay that this one does not measure, and
out/bench/peers-train.svg, peers-infer.svg; shapes go to out/bench/shapes-<network>.json."""

import glob
import json
import os
import subprocess
import sys

import chart
import common
import shapes

VENV = os.path.join(common.OUT, "venv")
PYTHON = os.path.join(VENV, "bin", "python")
PACKAGES = ["torch", "numpy", "openvino", "onnx", "onnxscript", "onnxruntime"]

TORCH = ["torch eager", "torch.compile"]
# task: mode, dtype, images (None: the network's training batch), peers.
TASKS = {
    "train-f32": ("train", "f32", None, TORCH),
    "train-bf16": ("train", "bf16", None, TORCH),
    "infer-f32": ("infer", "f32", 16, TORCH + ["openvino", "openvino streams", "onnxruntime"]),
    "infer-bf16": ("infer", "bf16", 16, TORCH + ["openvino", "openvino streams"]),
    "latency-f32": ("infer", "f32", 1, TORCH + ["openvino", "onnxruntime"]),
    "latency-bf16": ("infer", "bf16", 1, TORCH + ["openvino"]),
}
ROUNDS = int(os.environ.get("ROUNDS", 5))
SECONDS = float(os.environ.get("SECONDS", 4))
THREADS = int(os.environ.get("THREADS", len(os.sched_getaffinity(0))))
ARCH = os.environ.get("ARCH", "")


def prepare():
    """The peers' virtual environment; returns their versions."""
    if not os.path.exists(os.path.join(VENV, "complete")):
        common.say(f"installing {' '.join(PACKAGES)} in out/bench/venv (once, some minutes)")
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([PYTHON, "-m", "pip", "install", "-q", *PACKAGES], check=True)
        open(os.path.join(VENV, "complete"), "w").close()
    names = PACKAGES
    code = "import sys, importlib.metadata as m\n"
    code += "print('\\n'.join(m.version(n) for n in sys.argv[1:]))"
    text = subprocess.run(
        [PYTHON, "-c", code, *names], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    return dict(zip(names, text.split()))


def allocator():
    """tcmalloc, without which PyTorch loses a third of a training step; "" if there is none."""
    found = glob.glob("/usr/lib/*/libtcmalloc_minimal.so.4") + glob.glob(
        "/usr/lib*/libtcmalloc_minimal.so.4"
    )
    return found[0] if found else ""


def peer_environment(name):
    env = dict(os.environ, OMP_NUM_THREADS=str(THREADS))
    if not name.startswith("openvino"):  # which crashes under tcmalloc
        env["LD_PRELOAD"] = allocator()
    env["TORCHINDUCTOR_CACHE_DIR"] = os.path.join(common.OUT, "inductor")
    env["TCMALLOC_LARGE_ALLOC_REPORT_THRESHOLD"] = str(1 << 40)
    if ARCH == "x86-64-v3":
        env.update(ATEN_CPU_CAPABILITY="avx2", ONEDNN_MAX_CPU_ISA="AVX2")
    return env


class Worker:
    """A process in the peers' environment that waits for its turns."""

    def __init__(self, name, script, case):
        self.name = name
        log = open(os.path.join(common.OUT, "worker.log"), "a")
        self.process = subprocess.Popen(
            [PYTHON, os.path.join(common.TOP, "bench", "peers", script), json.dumps(case)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=peer_environment(name),
            text=True,
        )  # fmt: skip
        self.first = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} does not run: see out/bench/worker.log")
        return json.loads(line)

    def ask(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Peer(Worker):
    """One that trains or infers."""

    def __init__(self, name, task, key):
        mode, dtype, images, _ = TASKS[task]
        _, _, batch, (depth, cardinality, width, classes, image) = common.NETWORKS[key]
        case = {
            "program": name, "mode": mode, "dtype": dtype, "batch": images or batch,
            "depth": depth, "cardinality": cardinality, "width": width, "classes": classes,
            "image": image, "threads": THREADS, "model": key, "folder": common.OUT,
        }  # fmt: skip
        super().__init__(name, "worker.py", case)
        self.times, self.ms = [], self.first["ms"]

    def turn(self):
        self.times += self.ask(steps_of(self.ms))


class Ours:
    """rxgen's bench, started anew for each turn (its warm-up is not counted)."""

    name = "rxgen"

    def __init__(self, folder, task, key):
        mode, _, images, _ = TASKS[task]
        self.run = (folder, mode, images or common.NETWORKS[key][2])
        self.times = []
        self.ms = common.bench(*self.run, 1, THREADS)["ms_per_step"]

    def turn(self):
        self.times += common.bench(*self.run, steps_of(self.ms), THREADS)["ms_of_steps"]

    def close(self):
        pass


def steps_of(ms):
    return max(2, round(SECONDS * 1e3 / ms))


def start(task, key):
    """All programs that can do this, warmed up."""
    mode, dtype, _, peers = TASKS[task]
    model, settings, _, _ = common.NETWORKS[key]
    options = ["--dtype", dtype] + (["--arch", ARCH] if ARCH else [])
    suffix = f"-{ARCH}" if ARCH else ""
    folder = common.build(f"{key}-{dtype}{suffix}", model, settings, options)
    programs = [Ours(folder, task, key)] if folder else []
    for name in peers:
        common.say(f"{task} {key}: starting {name}")
        try:
            programs.append(Peer(name, task, key))
        except RuntimeError as e:
            common.say(str(e))
    return programs


def measure(programs):
    for i in range(ROUNDS):
        for p in programs[i % 2 :] + programs[: i % 2]:
            p.turn()


def compare(task, key):
    images = TASKS[task][2] or common.NETWORKS[key][2]
    programs = start(task, key)
    measure(programs)
    for p in programs:
        p.close()
    row = {"task": task, "model": key, "batch": images, "threads": THREADS, "arch": ARCH}
    row["programs"] = [{"name": p.name, **common.summary(p.times, images)} for p in programs]
    return rate(row)


def rate(row):
    """Adds how much faster rxgen is than each peer, and than the best."""
    rates = {p["name"]: p["images_per_s"] for p in row["programs"]}
    ours = rates.pop("rxgen", None)
    for p in row["programs"]:
        p["ratio"] = ours / p["images_per_s"] if ours else None
    if ours and rates:
        row["best_peer"] = max(rates, key=rates.get)
        row["ratio"] = ours / rates[row["best_peer"]]
    return row


def show(rows):
    for row in rows:
        ratio = f": {row['ratio']:.2f}x {row['best_peer']}" if "ratio" in row else ""
        arch = f" {row['arch']}" if row["arch"] else ""
        print(f"\n{row['task']} {row['model']} batch {row['batch']}{arch}{ratio}")
        common.table(
            ["", "rxgen is", "images/s", "median ms", "least ms", "steps"],
            [
                [p["name"], f"{p['ratio']:.2f}x" if p["ratio"] else "", p["images_per_s"],
                 p["ms_median"], p["ms_min"], str(p["steps"])]
                for p in row["programs"]
            ],
        )  # fmt: skip


def draw(rows):
    """Of the networks' rows that rxgen takes part in; latency and what is incomplete stay out."""
    for mode in ("train", "infer"):
        groups = []
        for row in rows:
            if row["task"] != f"{mode}-f32" or "ratio" not in row:
                continue
            bars = [
                (p["name"], p["images_per_s"],
                 f"{p['images_per_s']:.2f} images/s" + (f", {p['ratio']:.2f}x" if i else ""))
                for i, p in enumerate(row["programs"])
            ]  # fmt: skip
            groups.append((f"{row['model']}, batch {row['batch']}", bars))
        if groups:
            title = {"train": "Training", "infer": "Inference"}[mode] + ", f32: images a second"
            note = f"Longer is better; the factor is rxgen's speed over it. {common.machine()}"
            path = os.path.join(common.OUT, f"peers-{mode}.svg")
            chart.write(path, chart.bars(title, note, groups))


def compare_shapes(key):
    """Convolutions by shape, of a training step."""
    model, settings, batch, (depth, cardinality, width, classes, image) = common.NETWORKS[key]
    folder = common.build(f"{key}-f32", model, settings, ["--dtype", "f32"])
    case = {"depth": depth, "cardinality": cardinality, "width": width, "classes": classes,
            "image": image, "batch": batch, "threads": THREADS}  # fmt: skip
    worker = Worker("onednn", "shapes_worker.py", case)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        report = common.bench(folder, "train", batch, 1, THREADS, "--kernels")
        ours.append(shapes.ours_by_shape(report))
        theirs.append(worker.ask(""))
    worker.close()
    rows = shapes.rows_of(worker.first, ours, theirs)
    print(f"\nconvolutions of {key}, batch {batch}, ms; ours with what is fused into them")
    shapes.show(rows)
    common.write_json(f"shapes-{key}.json", {"machine": common.machine(), "rows": rows})


def save(versions, rows):
    def key(row):
        return row["task"], row["model"], row["arch"], row["threads"]

    new = {key(r) for r in rows}
    old = [r for r in common.read_json("peers.json").get("rows", []) if key(r) not in new]
    report = {"machine": common.machine(), "versions": versions}
    report["allocator"] = os.path.basename(allocator())
    draw(old + rows)
    common.write_json("peers.json", {**report, "rows": old + rows})


def main():
    chosen = os.environ.get("PEERS", "").split() or [*TASKS, "shapes"]
    tasks = [t for t in TASKS if any(t.startswith(w) for w in chosen)]
    keys = os.environ.get("MODEL", "").split() or list(common.NETWORKS)
    keys = [os.path.basename(k).removesuffix(".lua") for k in keys]
    os.makedirs(common.OUT, exist_ok=True)
    versions = prepare()
    print(common.machine() + f", {THREADS} threads")
    print(", ".join(f"{n} {v}" for n, v in versions.items()))
    print("allocator of the peers: " + (os.path.basename(allocator()) or "the system's"))
    rows = []
    for key in keys:
        for task in tasks:
            rows.append(compare(task, key))
            show(rows[-1:])
            save(versions, rows)
        if "shapes" in chosen:
            compare_shapes(key)


if __name__ == "__main__":
    main()
