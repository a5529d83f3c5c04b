"""What the warps of some blocks do, in order: the instructions that each issues, and for every
request to memory what it costs."""

import numpy as np

import memory

SPACE = 36  # operand k lies at (k + 1) << SPACE


class Counter:
    """Totals to hold against the emulated device's counters. A block stands for `weight` blocks."""

    KINDS = {"HMMA": "mma", "LDSM": "ldmatrix", "SHFL": "shuffles", "BAR": "barriers"}

    def __init__(self, kernel):
        self.code, self.weight = kernel.code, 1
        self.ops = [i.op.split(".")[0] for i in kernel.code]
        self.total = {"mma": 0, "ldmatrix": 0, "shuffles": 0, "barriers": 0, "global_stores": 0,
                      "global_loads": 0}  # fmt: skip

    def issue(self, first, end, warps):
        for op in self.ops[first:end]:
            kind = self.KINDS.get(op)
            if kind:
                self.total[kind] += len(warps) * self.weight

    def request(self, k, warps, active, reading, shared, device):
        op = self.ops[k]
        if op in ("STG", "LDG", "LDGSTS"):
            name = "global_stores" if op == "STG" else "global_loads"
            self.total[name] += int(reading.any(axis=1).sum()) * self.weight


class Trace:
    """`issued[w]`: (first, end) of the instructions that warp w issues; `requests[w]`: its
    requests, (passes of shared memory or the L1, sectors of the L2, operand, whether it writes)."""

    def __init__(self, kernel, warps, warps_of_block):
        self.kernel, self.per_block = kernel, warps_of_block
        self.issued = [[] for _ in range(warps)]
        self.requests = [[] for _ in range(warps)]
        blocks = warps // warps_of_block
        self.cached = [set() for _ in range(blocks)]  # sectors that a block has in the L1
        self.moved = [{} for _ in range(blocks)]  # by (operand, writes): [sectors asked, numbers]

    def issue(self, first, end, warps):
        for w in warps:
            self.issued[w].append((first, end))

    def request(self, k, warps, active, reading, shared, device):
        width = self.kernel.width[k]
        i = self.kernel.code[k]
        passes = np.zeros(len(warps), np.int64)
        if shared is not None:
            passes, _ = memory.passes(shared, active, width)
        if device is None:
            for w, p in zip(warps, passes):
                self.requests[w].append((int(p), 0, 0, False))
            return
        writes, cacheable = i.starts("STG"), i.starts("LDG")
        numbers = np.where(reading, device >> np.uint64(5), 0)
        for row, w in enumerate(warps):
            found = set(numbers[row][reading[row]].tolist())
            self.requests[w].append(self.device_request(w, found, int(passes[row]), writes,
                                                        cacheable, width))  # fmt: skip

    def device_request(self, w, found, passes, writes, cacheable, width):
        if not found:
            return passes, 0, 0, writes
        block = w // self.per_block
        operand = (next(iter(found)) >> (SPACE - 5)) - 1
        port = max(passes, -(-len(found) // 4), width // 4)
        if cacheable:
            fresh = found - self.cached[block]
            self.cached[block] |= fresh
        else:
            fresh = found
        moved = self.moved[block].setdefault((operand, writes), [0, set()])
        moved[0] += len(fresh)
        moved[1] |= fresh
        return port, len(fresh), operand, writes
