"""The predicted time of a launch: which blocks a multiprocessor has, what they share, how long it
takes them with the DRAM's limit and without."""

import math

from devices import resident
from execute import Kernel, Run, Unknown
from simulate import Multiprocessor, Rates, Table
from trace import SPACE, Counter, Trace

LONG = 3  # turns of a block, or blocks of a place, after which time is extrapolated
FEW, MORE = 1, 2  # of them, that are simulated then
SHARED = ("dram", "l2", "port")  # the other units are counted over four sub-partitions
LANES = 8192  # threads that are followed together


class Launch:
    """A kernel's launch with so many images, on an architecture of devices.ARCHITECTURES."""

    def __init__(self, code, step, images, architecture, resources):
        self.device, self.argument, self.block_at, self.grid_at = architecture
        self.code, self.step, self.images = code, step, images
        self.kernel = step.kernel
        self.grid = self.kernel.grid(images, step.parts)
        self.registers, self.shared, self.frame = resources
        self.resident = resident(self.device, self.registers, self.shared, self.kernel.block)
        self.warps = -(-self.kernel.block // 32)
        self.kernels, self.traces = {}, {}

    def constants(self, images):
        """The constant bank 0 of a launch with that many images."""
        step, x = self.step, self.kernel.grid(images, self.step.parts)[0]
        places = {self.block_at: self.kernel.block, self.block_at + 4: 1, self.block_at + 8: 1,
                  self.grid_at: x, self.grid_at + 4: self.kernel.columns, self.grid_at + 8: 1,
                  self.argument: images, self.argument + 4: step.parts}  # fmt: skip
        for k, (_, offset) in enumerate(step.operands):
            at = self.argument + 8 + 8 * k
            value = (k + 1 << SPACE) + offset
            places[at], places[at + 4] = value & 0xFFFFFFFF, value >> 32
        return lambda bank, at: places.get(at, 0) if bank == 0 else 0

    def follow(self, images):
        """The kernel with the constants of a launch with that many images."""
        if images not in self.kernels:
            known = next((k.slice for k in self.kernels.values()), None)
            self.kernels[images] = Kernel(self.code, self.constants(images), known)
        return self.kernels[images]

    def counts(self, images):
        """Totals of all blocks; those of the columns between the first and the last are alike."""
        kernel = self.follow(images)
        counter = Counter(kernel)
        x, y = self.kernel.grid(images, self.step.parts)
        for column in sorted({0, y - 1}):
            counter.weight = max(y - 1, 1) if column == 0 else 1
            self.run_all(kernel, [(b, column) for b in range(x)], counter)
        return counter.total

    def run_all(self, kernel, blocks, watch):
        some = max(1, LANES // self.kernel.block)
        for first in range(0, len(blocks), some):
            Run(kernel, blocks[first : first + some], self.kernel.block, watch).go()

    def trace(self, images, blocks):
        kernel = self.follow(images)
        trace = Trace(kernel, len(blocks) * self.warps, self.warps)
        Run(kernel, blocks, self.kernel.block, trace).go()
        return trace

    def sizes(self):
        """Images to simulate with, and the turns of a block with each and with all: kernels whose
        blocks go through the work by turns are simulated with few turns."""
        k, parts = self.kernel, self.step.parts
        turns = math.ceil(k.units(self.images) / parts) if k.parts > 0 else 1
        if turns <= LONG or k.units_image == 0:
            return [self.images], [turns], turns
        images = [max(1, t * parts * k.units_divisor // k.units_image) for t in (FEW, MORE)]
        images[1] = max(images[1], images[0] + 1)
        return images, [k.units(n) / parts for n in images], k.units(self.images) / parts

    def predict(self, efficiency):
        """Microseconds: "cycles" of the whole, and what each unit is busy for; without the DRAM's
        limit where `efficiency` is None."""
        device, (x, y) = self.device, self.grid
        total = x * y
        active = min(total, device.sms)
        mine = math.ceil(total / device.sms)
        images, turns, all_turns = self.sizes()
        results = []
        for n in images:
            trace, fraction = self.traced(n)
            table = Table(self.code, device)
            counts = [mine] if mine <= LONG * self.resident else [
                FEW * self.resident, MORE * self.resident]  # fmt: skip
            runs = []
            for blocks in counts:
                rates = Rates(device, active, efficiency)
                m = Multiprocessor(device, table, trace, fraction, rates)
                cycles = m.run(blocks, self.resident)
                runs.append({**m.use, "cycles": cycles})
            results.append(extrapolate(runs, counts, total / device.sms))
        use = extrapolate(results, turns, all_turns)
        # A short run hides what a long one cannot: stores that wait in the L2, for one.
        use["cycles"] = max(use["cycles"], *(v / (1 if u in SHARED else 4) for u, v in use.items()
                                             if u != "cycles"))  # fmt: skip
        return {name: value / device.ghz / 1e3 for name, value in use.items()}

    def traced(self, images):
        """A trace of the first blocks of a multiprocessor, and what they read of DRAM."""
        if images not in self.traces:
            x, y = self.kernel.grid(images, self.step.parts)
            total = x * y
            n = max(1, min(total // self.device.sms, self.resident + 1, LANES // self.kernel.block))
            order = [b * self.device.sms % total for b in range(n)]
            trace = self.trace(images, [(b % x, b // x) for b in order])
            self.traces[images] = trace, self.fractions(images)
        return self.traces[images]

    def fractions(self, images):
        """By (operand, writes): the part of a block's sectors that come from DRAM."""
        x, y = self.kernel.grid(images, self.step.parts)
        middle = min(x - 1, 1)
        blocks = [(0, 0)] + ([(middle, 0)] if x > 1 else []) + ([(0, 1)] if y > 1 else [])
        moved = self.trace(images, blocks).moved
        beside = moved[1] if x > 1 else None
        above = moved[-1] if y > 1 else None
        volume = 32 * sum(len(s) for _, s in moved[0].values())
        together = x * y <= self.device.sms * self.resident
        kept = together or x * volume < self.device.l2_bytes * self.device.l2_kept
        out = {}
        for key, (asked, own) in moved[0].items():
            part = len(own) / asked
            if beside and key in beside:
                part *= share(own, beside[key][1], x)
            if above and key in above and kept and not key[1]:
                part *= share(own, above[key][1], y)
            out[key] = part
        return out


def share(own, other, n):
    """The part of its sectors that each of n blocks in a row has to fetch."""
    common = len(own & other) / max(len(own), 1)
    return 1 / n if common > 0.9 else 1 - common


def extrapolate(runs, at, to):
    """Values at `to` from those of one or two places on a line."""
    if len(runs) == 1:
        return runs[0]
    weight = (to - at[1]) / (at[1] - at[0])
    return {k: runs[1][k] + (runs[1][k] - runs[0][k]) * weight for k in runs[0]}



