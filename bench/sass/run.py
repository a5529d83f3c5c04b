"""Predicts the speed of a network's CUDA kernels from their machine code: docs/cuda-sass.md.

    MODEL=resnext50_32x4d  DTYPE=bf16  ARCH=sm_90a  BATCH=256  MODE=train|infer
    KERNELS=text   only kernels whose name has it
    PROVE=0        without the emulated device: nothing but rooflines
    BYTES=1        bytes of distinct sectors, from a second run on the emulated device
    JOBS           processes (all cores)

Prints a line a kernel and the whole step, and writes out/bench/sass.json."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import common  # noqa: E402

VENV = os.path.join(common.OUT, "venv")
PYTHON = os.path.join(VENV, "bin", "python")
PACKAGES = ["numpy", "nvidia-cuda-nvdisasm"]


def prepare():
    done = os.path.join(VENV, "sass")
    if not os.path.exists(done):
        common.say(f"installing {' '.join(PACKAGES)} in out/bench/venv (once)")
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([PYTHON, "-m", "pip", "install", "-q", *PACKAGES], check=True)
        open(done, "w").close()


def main():
    prepare()
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "report.py")
    os.execv(PYTHON, [PYTHON, script])


main()
