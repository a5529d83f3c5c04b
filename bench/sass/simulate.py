"""One multiprocessor, simulated from traces: four sub-partitions that issue one instruction a cycle
in order, with the stall counts and scoreboards that ptxas encoded; their units; one port for shared
memory and the L1 (128 bytes a cycle); the L2 and the DRAM with this multiprocessor's share."""

import heapq
import re

from devices import pipe

OPEN = 1 << 60
UNITS = ("tensor", "fma", "alu", "special", "double", "lsu")


class Rates:
    """Bytes a cycle of one multiprocessor, of `active` that work at once; dram None: no limit."""

    def __init__(self, device, active, efficiency):
        share = 1.0 / active / device.ghz / 1e9
        self.l2 = min(device.l2_rate * share, device.port_l2)
        self.dram = min(device.dram * efficiency * share, device.port_l2) if efficiency else None
        self.latency = device.dram_latency if efficiency else device.l2_latency


class Table:
    """Of each instruction, what the loop below needs."""

    def __init__(self, code, device):
        self.rows = []
        for i in code:
            unit, cycles = pipe(i.op, device)
            base = i.op.split(".")[0]
            kind = {"SHFL": "shuffle", "HMMA": "tensor", "BAR": "barrier", "DEPBAR": "wait",
                    "LDGDEPBAR": "group", "LDGSTS": "copy", "LDG": "load", "STG": "store",
                    "LDS": "shared", "LDSM": "shared", "STS": "shared_store"}.get(base)  # fmt: skip
            if base in ("MUFU", "S2R", "S2UR", "ULDC", "LDC", "I2F", "F2I", "F2F"):
                kind = "special"
            keep = 0
            if kind == "wait":
                found = re.search(r"SB\d, (0x[0-9a-f]+)", i.text)
                keep, kind = (int(found.group(1), 16), kind) if found else (0, None)
            waits = [b for b in range(6) if i.wait >> b & 1]
            self.rows.append((unit, cycles, kind, max(1, i.stall), i.write, i.read, waits, keep))


class Warp:
    __slots__ = ("block", "sub", "segments", "requests", "segment", "k", "end", "at", "next",
                 "boards", "groups", "open")  # fmt: skip

    def __init__(self, block, sub, segments, requests):
        self.block, self.sub, self.segments, self.requests = block, sub, segments, requests
        self.boards, self.groups, self.open = [0.0] * 8, [], 0.0
        self.segment, self.next, self.at = 0, 0, 0.0
        self.k, self.end = segments[0]

    def advance(self):
        """Whether there is a further instruction."""
        self.k += 1
        if self.k < self.end:
            return True
        self.segment += 1
        if self.segment >= len(self.segments):
            return False
        self.k, self.end = self.segments[self.segment]
        return True


class Multiprocessor:
    def __init__(self, device, table, trace, fraction, rates):
        """`fraction` gives, by (operand, writes), which part of the sectors come from DRAM."""
        self.device, self.rows, self.trace = device, table.rows, trace
        self.fraction, self.rates = fraction, rates
        self.units = [dict.fromkeys(UNITS, 0.0) for _ in range(4)]
        self.issue = [0.0] * 4
        self.port = self.l2 = self.reads = self.writes = 0.0
        self.use = dict.fromkeys((*UNITS, "issue", "port", "l2", "dram"), 0.0)
        self.queue, self.sequence, self.started, self.now = [], 0, 0, 0.0
        self.alive, self.arrived = {}, {}

    def push(self, warp, time):
        self.sequence += 1
        heapq.heappush(self.queue, (time, self.sequence, warp))

    def start(self, number, traced, time):
        """Block `number` begins with what block `traced` of the trace did."""
        n = self.trace.per_block
        self.alive[number], self.arrived[number] = n, []
        for w in range(n):
            source = traced * n + w
            if not self.trace.issued[source]:
                self.alive[number] -= 1
                continue
            warp = Warp(number, (w + number * (n % 4)) % 4, self.trace.issued[source],
                        self.trace.requests[source])  # fmt: skip
            warp.at = time
            self.push(warp, time)

    def run(self, blocks, resident):
        """Cycles until `blocks` blocks have run, `resident` at a time."""
        traced = len(self.trace.issued) // self.trace.per_block
        for number in range(min(resident, blocks)):
            self.start(number, number % traced, 0.0)
        self.started = min(resident, blocks)
        while self.queue:
            time, _, warp = heapq.heappop(self.queue)
            ready = self.ready(warp, time)
            if ready > time:
                self.push(warp, ready)
                continue
            self.now = time
            if not self.step(warp, time):
                self.finish(warp, blocks, traced)
        return self.now

    def finish(self, warp, blocks, traced):
        self.alive[warp.block] -= 1
        self.release(warp.block)
        if self.alive[warp.block] == 0 and self.started < blocks:
            self.start(self.started, self.started % traced, self.now)
            self.started += 1

    def release(self, block):
        if self.arrived[block] and len(self.arrived[block]) >= self.alive[block]:
            waiting, self.arrived[block] = self.arrived[block], []
            for other in waiting:
                other.at = max(other.at, self.now + 10)
                self.push(other, other.at)

    def ready(self, warp, time):
        unit, _, kind, _, _, _, waits, keep = self.rows[warp.k]
        ready = max(time, warp.at, self.issue[warp.sub])
        for b in waits:
            if warp.boards[b] > ready:
                ready = warp.boards[b]
        if unit and self.units[warp.sub][unit] > ready:
            ready = self.units[warp.sub][unit]
        if kind == "wait" and len(warp.groups) > keep:
            ready = max(ready, max(warp.groups[: len(warp.groups) - keep]))
        elif kind in ("load", "store", "copy", "shared", "shared_store", "shuffle"):
            ready = max(ready, self.port - self.device.port_ahead)
            if kind == "store" and self.rates.dram:
                ready = max(ready, self.writes - self.device.stores_ahead)
        return ready

    def move(self, sectors, operand, writes, now):
        """When the bytes of a request are there."""
        if not sectors:
            return now
        size = sectors * 32
        self.l2 = max(self.l2, now) + size / self.rates.l2
        self.use["l2"] += size / self.rates.l2
        from_dram = size * self.fraction.get((operand, writes), 1.0)
        if not self.rates.dram or from_dram == 0.0:
            return self.l2 + self.device.l2_latency
        cycles = from_dram / self.rates.dram
        self.use["dram"] += cycles
        self.writes = max(self.writes, now) + cycles  # both; reads go first
        if writes:
            return self.l2
        self.reads = max(self.reads, now, self.writes - self.device.stores_ahead) + cycles
        return max(self.reads + self.rates.latency, self.l2 + self.device.l2_latency)

    def step(self, warp, now):
        """Issues; whether the warp goes on."""
        unit, cycles, kind, stall, write, read, _, _ = self.rows[warp.k]
        device = self.device
        self.issue[warp.sub] = now + 1
        self.use["issue"] += 1
        if unit:
            self.units[warp.sub][unit] = now + cycles
            self.use[unit] += cycles
        done = now + 6
        if kind in ("load", "store", "copy", "shared", "shared_store"):
            done = self.access(warp, kind, now)
        elif kind == "shuffle":
            self.port = max(self.port, now) + 1
            self.use["port"] += 1
            done = self.port + device.shuffle_latency
        elif kind == "special":
            done = now + device.special_latency
        elif kind == "tensor":
            done = now + device.tensor_latency
        elif kind == "group":
            warp.groups.append(warp.open)
            warp.open = 0.0
        if write != 7:
            warp.boards[write] = max(warp.boards[write], done)
        if read != 7:
            warp.boards[read] = max(warp.boards[read], self.port + 4)
        warp.at = now + stall
        if not warp.advance():
            return False
        if kind == "barrier":
            self.arrived[warp.block].append(warp)
            self.release(warp.block)
        else:
            self.push(warp, warp.at)
        return True

    def access(self, warp, kind, now):
        passes, sectors, operand, writes = warp.requests[warp.next]
        warp.next += 1
        self.port = max(self.port, now) + passes
        self.use["port"] += passes
        if kind == "shared":
            return self.port + self.device.shared_latency
        if kind == "shared_store":
            return self.port + 10
        there = self.move(sectors, operand, writes, now)
        if kind == "copy":
            warp.open = max(warp.open, there)
            return self.port + 10
        if kind == "store":
            return self.port + 10
        return there if sectors else self.port + self.device.l1_latency
