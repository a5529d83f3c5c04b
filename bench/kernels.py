"""Times every kernel of a network and holds it against the machine's peaks.

    MODEL=resnext50_32x4d   a file of models/, or a network of common.NETWORKS
    MODE=train|infer  BATCH=16  STEPS=10  THREADS=all cores

Prints the table and writes out/bench/kernels-<model>.json (kernels-<model>-infer.json)."""

import os

import common


def main():
    key = os.path.basename(os.environ.get("MODEL", "resnext50_32x4d")).removesuffix(".lua")
    model, settings, batch, _ = common.NETWORKS.get(key, (key, {}, 16, None))
    mode = os.environ.get("MODE", "train")
    batch = int(os.environ.get("BATCH", batch))
    steps = int(os.environ.get("STEPS", 10))
    threads = int(os.environ.get("THREADS", len(os.sched_getaffinity(0))))
    folder = common.build(f"{key}-f32", model, settings)
    report = common.bench(folder, mode, batch, steps, threads, "--kernels")
    print(f"{key}, {mode}, batch {batch}: {report['images_per_s']:.2f} images/s,",
          f"{report['ms_per_step']:.1f} ms a step,", f"{report['share']:.1%} of the FMA peak")
    common.print_kernels(report)
    suffix = "" if mode == "train" else f"-{mode}"
    common.write_json(f"kernels-{key}{suffix}.json", {"machine": common.machine(), **report})


main()
