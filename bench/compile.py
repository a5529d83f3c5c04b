"""How long rxgen takes for the shipped networks: cold, with an empty cache of compiled kernels, and
warm, when all of them are there.

    MODEL="resnet50 resnext50_32x4d"   files of models/ (default: all)

Writes out/bench/compile.json."""

import glob
import os
import subprocess
import tempfile
import time

import common


def seconds(model, out, env):
    command = [common.RXGEN, f"models/{model}.lua", "--quiet", "--out", out]
    before = time.perf_counter()
    subprocess.run(command, check=True, cwd=common.TOP, env=env)
    return time.perf_counter() - before


def measure(model):
    with tempfile.TemporaryDirectory() as t:
        env = dict(os.environ, RXGEN_CACHE_DIR=os.path.join(t, "cache"))
        out = os.path.join(t, "out")
        cold = seconds(model, out, env)
        warm = min(seconds(model, out, env) for _ in range(3))
        kernels = len(glob.glob(os.path.join(out, "kernels", "*.c")))
        size = os.path.getsize(os.path.join(out, "train"))
    return {
        "model": model, "kernels": kernels, "cold_s": cold, "warm_s": warm, "program_bytes": size
    }  # fmt: skip


def main():
    names = [os.path.basename(p)[:-4] for p in sorted(glob.glob(common.TOP + "/models/*.lua"))]
    chosen = os.environ.get("MODEL", "").split() or names
    rows = []
    for model in (os.path.basename(m).removesuffix(".lua") for m in chosen):
        common.say(f"compiling {model}")
        rows.append(measure(model))
    common.table(
        ["", "kernels", "cold s", "warm s", "program MB"],
        [[r["model"], str(r["kernels"]), r["cold_s"], r["warm_s"], r["program_bytes"] / 1e6]
         for r in rows],
    )  # fmt: skip
    common.write_json("compile.json", {"machine": common.machine(), "rows": rows})


main()
