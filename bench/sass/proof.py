"""Whether the followed control flow is the kernel's: its totals against those that the emulated
device counted, launch by launch, with one image."""

import hashlib
import json
import os
import subprocess

import common

EXACT = ("mma", "ldmatrix", "shuffles", "barriers")


def emulate(folder, mode, images):
    """Runs a step of so few images on the emulated device, each kernel once for each size. Returns
    the file of counters, which is kept for this plan."""
    with open(os.path.join(folder, "plan.c"), "rb") as f:
        digest = hashlib.sha1(f.read()).hexdigest()[:12]
    trace = os.path.join(folder, f"counters-{mode}-{images}-{digest}.jsonl")
    if os.path.exists(trace):
        return trace
    common.say("counting on the emulated device (minutes, once)")
    begun = trace + ".new"
    if os.path.exists(begun):
        os.remove(begun)
    options = f"once=1,memory=16000,trace={begun}"
    env = dict(os.environ, RXGEN_CUDA_LIB_DIR=os.path.join(common.TOP, "out", "emu"),
               RXGEN_EMU=options)  # fmt: skip
    command = [os.path.join(folder, "bench"), "--json", "--mode", mode]
    command += ["--batch", str(images), "--steps", "1"]
    subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL)
    os.replace(begun, trace)
    return trace


def read(trace):
    """By kernel's name: the counters of its first launch."""
    out = {}
    with open(trace) as f:
        for line in f:
            launch = json.loads(line)
            out.setdefault(launch["kernel"], launch)
    return out


def differences(own, counted, warps):
    """What does not agree, in words; [] is the proof. Accesses to memory are not compared, as the
    compiler joins and splits them."""
    there = dict(counted, barriers=counted["barriers"] * warps)
    return [f"{k} {own[k]} of {there[k]}" for k in EXACT if own[k] != there[k]]


def split_stores(own, counted):
    """Stores of warps to device memory for each that the source makes."""
    return own["global_stores"] / counted["global_stores"] if counted["global_stores"] else 1.0


def moved(counted):
    """Bytes of distinct sectors."""
    return 32 * (counted["sectors_read"] + counted["sectors_written"])


def bytes_of(one, two, images):
    """Bytes of distinct sectors that a launch with so many images moves: on the line through what
    was counted with one image and with two."""
    return moved(one) + (moved(two) - moved(one)) * (images - 1)


def traffic(counted):
    """(sectors asked for each distinct one, passes for each ideal one)"""
    distinct = counted["sectors_read"] + counted["sectors_written"]
    asked = counted["sectors_read_requested"] + counted["sectors_written_requested"]
    ideal = counted["wavefronts_ideal"]
    return asked / max(distinct, 1), counted["wavefronts"] / ideal if ideal else 1.0
