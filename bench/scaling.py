"""How a network scales with threads: images/s with 1, 2, 4, ... threads up to all cores, taking turns
in one run, and which kernels lose what is lost.

    MODEL=resnext50_32x4d   a file of models/, or a network of common.NETWORKS
    MODES="train infer"  BATCH=16  ROUNDS=3  STEPS=2
    THREADS="1 2 4"         numbers of threads (1, its doubles, and the cores)

Efficiency is the speed-up over the first number of threads, divided by how many times as many there
are. Writes out/bench/scaling-<model>.json and .svg."""

import os

import chart
import common

ROUNDS = int(os.environ.get("ROUNDS", 3))
STEPS = int(os.environ.get("STEPS", 2))
WORST = 6  # kernels that are printed


def thread_counts():
    cores = len(os.sched_getaffinity(0))
    given = os.environ.get("THREADS")
    if given:
        return [int(n) for n in given.split()]
    doubles = [1 << i for i in range(cores.bit_length()) if 1 << i < cores]
    return doubles + [cores]


def measure(folder, mode, batch, counts):
    """A row for each number of threads."""
    reports = {n: [] for n in counts}
    for i in range(ROUNDS):
        for n in counts if i % 2 == 0 else counts[::-1]:
            reports[n].append(common.bench(folder, mode, batch, STEPS, n))
    rows = []
    for n in counts:
        times = [ms for r in reports[n] for ms in r["ms_of_steps"]]
        row = {"mode": mode, "threads": n, "peak_bytes": reports[n][0]["peak_bytes"]}
        rows.append({**row, **common.summary(times, batch)})
    for row in rows:
        row["speedup"] = row["images_per_s"] / rows[0]["images_per_s"]
        row["efficiency"] = row["speedup"] * counts[0] / row["threads"]
    return rows


def losses(folder, mode, batch, few, many):
    """What each kernel takes longer with many threads than its time with few threads, shared out,
    would be; the greatest loss first."""
    runs = [common.bench(folder, mode, batch, STEPS, n, "--kernels") for n in (few, many)]
    before, after = ({k["name"]: k["ms"] for k in r["kernels"]} for r in runs)
    rows = [
        {"mode": mode, "kernel": name, "ms_few": ms, "ms_many": after[name],
         "ms_lost": after[name] - ms * few / many, "efficiency": ms * few / many / after[name]}
        for name, ms in before.items()
    ]  # fmt: skip
    return sorted(rows, key=lambda r: -r["ms_lost"])


def show(rows, lost, few, many):
    common.table(
        ["", "threads", "images/s", "ms", "least ms", "speed-up", "efficiency", "MB held"],
        [
            [r["mode"], str(r["threads"]), r["images_per_s"], r["ms_median"], r["ms_min"],
             f"{r['speedup']:.2f}x", f"{r['efficiency']:.1%}", f"{r['peak_bytes'] / 1e6:.0f}"]
            for r in rows
        ],
    )  # fmt: skip
    if not lost:
        return
    print()
    common.table(
        ["what is lost most", f"ms, {few}", f"ms, {many}", "ms lost", "efficiency"],
        [
            [f"{r['mode']} {r['kernel']}", r["ms_few"], r["ms_many"], r["ms_lost"],
             f"{r['efficiency']:.1%}"]
            for mode in dict.fromkeys(r["mode"] for r in lost)
            for r in [k for k in lost if k["mode"] == mode][:WORST]
        ],
    )  # fmt: skip


def draw(key, rows, path):
    groups = []
    for mode in dict.fromkeys(r["mode"] for r in rows):
        bars = [
            (f"{r['threads']} threads" if r["threads"] > 1 else "1 thread", r["images_per_s"],
             f"{r['images_per_s']:.2f} images/s, {r['efficiency']:.0%}")
            for r in rows if r["mode"] == mode
        ]  # fmt: skip
        groups.append(("training" if mode == "train" else "inference", bars))
    note = f"Images a second and efficiency, longer is better; {common.machine()}, f32"
    chart.write(path, chart.bars(f"{key} on more threads", note, groups))


def main():
    key = os.path.basename(os.environ.get("MODEL", "resnext50_32x4d")).removesuffix(".lua")
    model, settings, batch, _ = common.NETWORKS.get(key, (key, {}, 16, None))
    batch = int(os.environ.get("BATCH", batch))
    counts = thread_counts()
    folder = common.build(f"{key}-f32", model, settings)
    rows, lost = [], []
    for mode in os.environ.get("MODES", "train infer").split():
        common.say(f"{key}, {mode}: measuring with {' '.join(map(str, counts))} threads")
        rows += measure(folder, mode, batch, counts)
        if len(counts) > 1:
            lost += losses(folder, mode, batch, counts[0], counts[-1])
    print(f"{key}, batch {batch}; {common.machine()}")
    show(rows, lost, counts[0], counts[-1])
    report = {"machine": common.machine(), "batch": batch, "rows": rows, "kernels": lost}
    common.write_json(f"scaling-{key}.json", report)
    draw(key, rows, os.path.join(common.OUT, f"scaling-{key}.svg"))


main()
