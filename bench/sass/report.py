"""The predictions of a whole network, as a table and a file. Started by run.py."""

import glob
import hashlib
import multiprocessing
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import classes  # noqa: E402
import common  # noqa: E402
import listing  # noqa: E402
import proof  # noqa: E402
from devices import ARCHITECTURES  # noqa: E402
from plan import Plan  # noqa: E402
from predict import SHARED, Launch, Unknown  # noqa: E402

UNITS = ("dram", "l2", "tensor", "fma", "alu", "lsu", "issue", "port")
EFFICIENCIES = (0.90, 0.85)


def setting(name, default):
    return os.environ.get(name) or default


def disassembler():
    """nvdisasm of the toolkit or of the package."""
    place = "venv/lib/python*/site-packages/nvidia/*/bin/nvdisasm"
    places = glob.glob(os.path.join(common.OUT, place))
    return places[0] if places else "nvdisasm"


def listing_of(folder, name):
    cubin = os.path.join(folder, "kernels", name + ".cubin")
    done = subprocess.run([disassembler(), "-hex", "-c", cubin], check=True, text=True,
                          stdout=subprocess.PIPE)  # fmt: skip
    return listing.read(done.stdout)


def generate(key, model, settings, dtype, arch, libraries):
    """The network with the real NVRTC's kernels, or with the emulated device's."""
    if libraries:
        os.environ["RXGEN_CUDA_LIB_DIR"] = libraries
    else:
        os.environ.pop("RXGEN_CUDA_LIB_DIR", None)
    folder = f"sass-{key}-{dtype}-{arch}" + ("-emulated" if libraries else "")
    options = ["--target", "cuda", "--arch", arch, "--dtype", dtype]
    return common.build(folder, model, settings, options)


def limit(row):
    """What a kernel waits for most."""
    busy = {u: row[u] for u in UNITS if u != "dram"}
    if row["us"] - row["us_without_dram"] > 0.1 * row["us"] or row["dram"] > 0.85 * row["us"]:
        return "dram"
    most = max(busy, key=busy.get)
    return most if busy[most] > 0.6 * row["us_without_dram"] else "latency"


def digest(task):
    """Of everything that a prediction depends on, these scripts included."""
    folder, step, *others = task
    text = hashlib.sha1(repr((step.kernel.__dict__, step.parts, step.operands, others)).encode())
    cubin = os.path.join(folder, "kernels", step.kernel.name + ".cubin")
    for path in [cubin, *sorted(glob.glob(os.path.join(HERE, "*.py")))]:
        with open(path, "rb") as f:
            text.update(f.read())
    return text.hexdigest()[:16]


def predict_once(task):
    """A prediction, kept in out/bench/sass for the next run."""
    name = os.path.join("sass", digest(task) + ".json")
    row = common.read_json(name)
    if not row:
        row = predict(task)
        os.makedirs(os.path.join(common.OUT, "sass"), exist_ok=True)
        common.write_json(name, row)
    return row


def predict(task):
    folder, step, images, arch, resources, counted = task
    device = ARCHITECTURES[arch][0]
    bound = step.kernel.bytes(images) / device.dram * 1e6
    row = {"kernel": step.kernel.name, "class": classes.kind(step.kernel), "bound_us": bound,
           "bytes": step.kernel.bytes(images)}  # fmt: skip
    try:
        code = listing_of(folder, step.kernel.name)
        launch = Launch(code, step, images, ARCHITECTURES[arch], resources)
        row.update(check(launch, counted))
        row["registers"], row["warps"] = launch.registers, launch.resident * launch.warps
        row["waves"] = launch.grid[0] * launch.grid[1] / launch.resident / device.sms
        if row["unproved"]:
            raise Unknown("; ".join(row["unproved"]))
        row.update(times(launch))
    except Unknown as e:
        row["roofline"] = str(e)
        for efficiency in EFFICIENCIES:
            row[key_of(efficiency)] = bound / efficiency
    return row


def key_of(efficiency):
    return "us" if efficiency == EFFICIENCIES[0] else f"us_{efficiency:.2f}"


def times(launch):
    row = {}
    use = launch.predict(EFFICIENCIES[0])
    row["us"] = use["cycles"]
    row.update({u: use[u] / (1 if u in SHARED else 4) for u in UNITS})
    row["us_without_dram"] = launch.predict(None)["cycles"]
    row["limit"] = limit(row)
    for efficiency in EFFICIENCIES[1:]:  # not simulated: what waits for the DRAM waits longer
        slower = EFFICIENCIES[0] / efficiency if row["limit"] == "dram" else 1.0
        row[key_of(efficiency)] = row["us"] * slower
    return row


def check(launch, counted):
    """The proof of the control flow with one image, and what the emulated device counted."""
    if counted is None:
        return {"unproved": ["the emulated device did not run it"]}
    own = launch.counts(1)
    asked, passes = proof.traffic(counted)
    return {"unproved": proof.differences(own, counted, launch.warps), "asked": asked,
            "passes": passes, "split_stores": proof.split_stores(own, counted)}  # fmt: skip


def line(row):
    name = row["kernel"][3:59].ljust(56)
    if "roofline" in row:
        return f"{name} {row['us']:8.1f} us  roofline only: {row['roofline'][:70]}"
    busy = " ".join(f"{u} {row[u]:.0f}" for u in UNITS)
    return (f"{name} {row['us']:8.1f} us {row['bound_us'] / row['us']:5.0%} of DRAM, "
            f"{row['limit']:7} | {busy} | no-DRAM {row['us_without_dram']:.1f} | "
            f"{row['registers']} regs, {row['warps']} warps, {row['waves']:.2f} waves")  # fmt: skip


def summary(launches, rows, device, images):
    """Of the whole step: times by class, images a second."""
    of_class = {}
    for step in launches:
        row = rows[step.kernel.name]
        of_class[row["class"]] = of_class.get(row["class"], 0.0) + row["us"] / 1e3
    out = {
        "launches": len(launches),
        "class_ms": of_class,
        "mbytes_image": sum(s.kernel.bytes(images) for s in launches) / images / 1e6,
    }
    for efficiency in EFFICIENCIES:
        us = sum(rows[s.kernel.name][key_of(efficiency)] + device.launch_us for s in launches)
        out[f"images_per_s_{efficiency:.2f}"] = images / us * 1e6
    return out


def counted_mbytes(launches, one, two, images):
    """MB an image of the step in distinct sectors, from counters with one image and with two."""
    names = [s.kernel.name for s in launches]
    return sum(proof.bytes_of(one[n], two[n], images) for n in names) / images / 1e6


def print_summary(total, key, mode, dtype, batch, device):
    print(f"\n{key} {dtype}, {mode}, batch {batch}, {device.name}: predicted, from "
          f"{total['launches']} launches, nothing kept in the L2 between them:")  # fmt: skip
    for efficiency in EFFICIENCIES:
        print(f"  predicted {total[f'images_per_s_{efficiency:.2f}']:.0f} images/s at "
              f"{efficiency:.2f} of the DRAM's rate")
    print(f"  {total['mbytes_image']:.0f} MB an image, every operand once")
    if "counted_mbytes_image" in total:
        print(f"  {total['counted_mbytes_image']:.0f} MB an image in sectors, counted (emulated)")
    measured = classes.MEASURED if (key, mode, dtype, batch) == classes.MEASURED_OF else {}
    for name, ms in sorted(total["class_ms"].items(), key=lambda x: -x[1]):
        other = f", an H100 measured {measured[name]:.1f}" if name in measured else ""
        print(f"  {name:12} predicted {ms:6.2f} ms{other}")


def main():
    key = os.path.basename(setting("MODEL", "resnext50_32x4d")).removesuffix(".lua")
    dtype, arch = setting("DTYPE", "bf16"), setting("ARCH", "sm_90a")
    mode = setting("MODE", "train")
    batch, wanted = int(setting("BATCH", 256)), setting("KERNELS", "")
    if arch not in ARCHITECTURES:
        raise SystemExit(f"ARCH={arch}: known are {', '.join(ARCHITECTURES)}")
    model, settings, _, _ = common.NETWORKS.get(key, (key, {}, 0, None))
    counted = {}
    if setting("PROVE", "1") != "0":
        device = os.path.join(common.TOP, "out", "emu")
        emulated = generate(key, model, settings, dtype, arch, device)
        counted = proof.read(proof.emulate(emulated, mode, 1))
    folder = generate(key, model, settings, dtype, arch, None)
    plan = Plan(folder)
    launches = [s for s in plan.launches(mode) if wanted in s.kernel.name]
    distinct = list({s.kernel.name: s for s in launches}.values())
    tasks = [(folder, s, batch, arch, plan.resources[s.kernel.name], counted.get(s.kernel.name))
             for s in distinct]  # fmt: skip
    rows = {}
    with multiprocessing.Pool(int(setting("JOBS", len(os.sched_getaffinity(0))))) as pool:
        for row in pool.imap(predict_once, tasks):
            rows[row["kernel"]] = row
            print(line(row), flush=True)
    device = ARCHITECTURES[arch][0]
    total = summary(launches, rows, device, batch)
    if counted and setting("BYTES", "0") != "0":
        two = proof.read(proof.emulate(emulated, mode, 2))
        total["counted_mbytes_image"] = counted_mbytes(launches, counted, two, batch)
    print_summary(total, key, mode, dtype, batch, device)
    common.write_json("sass.json", {"model": key, "mode": mode, "dtype": dtype, "arch": arch,
                                    "batch": batch, "predicted": total,
                                    "kernels": list(rows.values())})  # fmt: skip


main()
