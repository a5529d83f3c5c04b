"""A generated network's plan, as far as launches need it: kernels, tensors and steps of plan.c."""

import os
import re

ROW = re.compile(r"^    \{(.*)\},$")
CELL = re.compile(r'"[^"]*"|[^,\s][^,]*')
PROGRAMS = {"train": "TRAIN", "infer": "INFER"}


class Kernel:
    """Of the plan: grid and work by images, threads of a block, parts that its sums have."""

    def __init__(self, cells):
        self.name, self.op = cells[0].strip('"'), cells[1].strip('"')
        numbers = [int(float(c)) for c in cells[3:14]]  # what follows is of a library's product
        self.units_image, self.units_fixed, self.units_divisor, self.columns = numbers[:4]
        self.block, self.parts = numbers[5:7]
        self.flops_image, self.flops_fixed, self.bytes_image, self.bytes_fixed = numbers[7:11]

    def units(self, images):
        return -(-(images * self.units_image + self.units_fixed) // self.units_divisor)

    def grid(self, images, parts):
        return (parts if self.parts > 0 else self.units(images)), self.columns

    def bytes(self, images):
        return self.bytes_image * images + self.bytes_fixed


class Launch:
    """A step: operands are (tensor, offset in bytes)."""

    def __init__(self, kernel, parts, operands, label):
        self.kernel, self.parts, self.operands, self.label = kernel, parts, operands, label


class Plan:
    def __init__(self, folder):
        self.folder = folder
        with open(os.path.join(folder, "plan.c")) as f:
            self.text = f.read()
        self.kernels = [Kernel(c) for c in self.table("rx_plan_kernel KERNEL")]
        self.tensors = self.table("rx_plan_tensor TENSOR")
        self.args = [(int(c[0]), int(c[1])) for c in self.table("rx_plan_arg ARG")]
        self.resources = resources(folder)

    def table(self, name):
        start = self.text.index(f"struct {name}[]")
        rows = []
        for line in self.text[start:].splitlines()[1:]:
            found = ROW.match(line)
            if not found:
                break
            rows.append(CELL.findall(found.group(1)))
        return rows

    def launches(self, mode):
        """The steps of a program. Parts are found as runtime/cuda/session.c does."""
        out = []
        for kernel, first, n, label in self.table(f"rx_plan_step {PROGRAMS[mode]}"):
            operands = self.args[int(first) : int(first) + int(n)]
            parts = 0
            for tensor, _ in operands:
                if int(self.tensors[tensor][3]) > 0:
                    parts = max(int(self.tensors[tensor][8]), 1)
            out.append(Launch(self.kernels[int(kernel)], parts, operands, label.strip('"')))
        return out


def resources(folder):
    """name: (registers, shared bytes, frame bytes)"""
    out = {}
    with open(os.path.join(folder, "kernels", "RESOURCES")) as f:
        for line in f:
            w = line.split()
            out[w[0]] = int(w[2]), int(w[4]), int(w[6])
    return out
