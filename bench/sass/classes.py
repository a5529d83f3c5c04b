"""Kinds of kernels, as docs/cuda.md sums them up, and what an H100 measured of a training step."""

import re

MEASURED_OF = ("resnext50_32x4d", "train", "bf16", 256)
# ms of a bf16 training step of ResNeXt-50 32x4d, batch 256 (docs/cuda.md).
MEASURED = {
    "1x1 dgrad": 23.2, "1x1 wgrad": 18.2, "1x1 fwd": 15.2, "3x3 wgrad": 7.5, "3x3 dgrad": 5.8,
    "3x3 fwd": 3.7, "stem fwd": 3.6, "stem wgrad": 2.0, "others": 4.0,
}  # fmt: skip


def kind(kernel):
    found = re.match(r"rx_(g?conv)(\d+)x\d+_(dgrad|wgrad)?", kernel.name)
    if not found:
        return "others"
    _, size, what = found.groups()
    place = "stem" if size == "7" else f"{size}x{size}"
    return f"{place} {what or 'fwd'}"
