"""Follows a kernel's control flow and addresses for many threads at once.

Every thread has its own place in the code. The threads that are furthest behind go on together, so
that those of a warp, which part at a branch, meet again behind it; a BSYNC makes them wait for each
other, as on the device. Data is not computed: where a branch depends on it, Run.decide assumes."""

import numpy as np

from decode import decode, decode_data
from operands import INNER, pair, truth, word
from slicing import MEMORY, Slice, conditional

WARP = 32
FAR = 1 << 40
LIMIT = 3_000_000  # instructions of a run


class Unknown(Exception):
    """Something of a kernel that is not understood."""


class Kernel:
    """Code that was decoded with the constants of a launch. Its slice does not depend on these:
    that of another launch may be given."""

    def __init__(self, code, constants, known=None):
        self.code = code
        self.steps, self.unknown = [], {}
        for k, i in enumerate(code):
            try:
                step = decode(i, constants)
            except (ValueError, IndexError, TypeError) as e:
                self.unknown[k] = f"{i.text}: {e}"
                step = decode_data(i, i.base)
            self.steps.append(step)
        self.slice = known or Slice(code, self.steps)
        bad = [t for k, t in self.unknown.items() if self.slice.needed[k]]
        if bad:
            raise Unknown(bad[0])
        self.condition = [condition_of(i) for i in code]
        self.address = [address_of(i, constants) for i in code]
        self.width = [width_of(i) for i in code]
        self.assumed = sum(self.slice.data)


def condition_of(i):
    """When a branch is taken, or an EXIT leaves: a function of the state, or None for always."""
    if i.op in ("BRA.DIV", "BRA.CONV"):  # where a warp is not together
        return lambda s: s["false"]
    tests = [truth(("!" if i.guard[1] else "") + i.guard[0])] if i.guard else []
    if conditional(i):
        tests.append(truth(i.operands[0]))
    if not tests or not i.starts("BRA", "EXIT"):
        return tests[0] if tests else None
    return tests[0] if len(tests) == 1 else lambda s: tests[0](s) & tests[1](s)


def width_of(i):
    if ".128" in i.op or i.starts("LDSM"):
        return 16
    narrow = {".64": 8, ".U16": 2, ".S16": 2, ".U8": 1, ".S8": 1}
    return next((n for text, n in narrow.items() if text in i.op), 4)


def address_of(i, constants):
    """Functions that give the addresses in [shared, device] memory of an instruction."""
    if not i.starts(*MEMORY):
        return None
    places = [o for o in i.operands if "[" in o]
    if i.starts("LDGSTS"):
        return place(places[0], constants), place(places[1], constants)
    if i.starts("LDG", "STG"):
        return None, place(places[0], constants)
    return place(places[0], constants), None


def place(operand, constants):
    """The sum in the last brackets: registers, a pair with .64, and a number."""
    inside = operand[operand.rfind("[") + 1 : operand.rfind("]")]
    terms = []
    for text in inside.replace("+-", "+~").split("+"):
        text = text.replace("~", "-").strip()
        if ".64" in text or INNER.match(text) and "desc" in operand and ".U32" not in text:
            terms.append(pair(text, constants))
        elif text.lstrip("-").startswith("0x"):
            value = np.uint64(int(text, 16) & ((1 << 64) - 1))
            terms.append(lambda s, v=value: v)
        else:
            get = word(text.split(".")[0], constants)
            terms.append(lambda s, g=get: g(s).astype(np.uint64))
    narrow = "desc" not in operand

    def total(s):
        value = s["zero"].astype(np.uint64)
        for term in terms:
            value = value + term(s)
        return value & np.uint64((1 << 32) - 1) if narrow else value

    return total


class Run:
    """One execution of some blocks, a list of (x, y). `watch` is told, in the order in which warps
    issue, of runs of instructions, `watch.issue(first, end, warps)`, and of their requests to
    memory, `watch.request(k, warps, active, reading, shared, device)`: masks of lanes and
    addresses, a row a warp. `reading` differs where a copy fills with zeros."""

    def __init__(self, kernel, blocks, threads, watch):
        self.kernel, self.watch = kernel, watch
        padded = -(-threads // WARP) * WARP
        thread = np.tile(np.arange(padded, dtype=np.uint32), len(blocks))
        x, y = (np.repeat(np.array([b[a] for b in blocks], np.uint32), padded) for a in (0, 1))
        zero = np.zeros(1, np.uint32)  # values that all threads share have one element
        self.state = {
            "zero": zero, "false": np.zeros(1, bool), "SR_TID.X": thread, "SR_TID.Y": zero,
            "SR_TID.Z": zero, "SR_CTAID.X": shorten(x), "SR_CTAID.Y": shorten(y),
            "SR_CTAID.Z": zero, "SR_LANEID": thread % np.uint32(WARP), "SR_CgaCtaId": zero,
        }  # fmt: skip
        self.pc = np.where(thread < threads, 0, FAR).astype(np.int64)
        self.warps = np.arange(len(thread) // WARP)
        self.inside, self.waits = {}, np.full(len(thread), -1, np.int64)
        self.steps = 0

    def go(self):
        while True:
            ready = np.where(self.waits < 0, self.pc, FAR)
            at = int(ready.min())
            if at >= FAR:
                if (self.waits >= 0).any():
                    raise Unknown("threads wait for each other")
                return
            active = ready == at
            rest = ready[~active]
            self.straight(at, active, int(rest.min()) if len(rest) else FAR)
            if self.steps > LIMIT:
                raise Unknown("no end within the limit of steps")

    def straight(self, at, active, stop):
        """Executes from `at` until a branch parts the threads or they meet others."""
        kernel = self.kernel
        whole = bool((active | (self.pc >= FAR)).all())
        rows = active.reshape(-1, WARP).any(axis=1)
        end = self.end_of(at, stop)
        self.watch.issue(at, end, self.warps[rows])
        self.steps += end - at
        for k in range(at, end):
            i = kernel.code[k]
            if kernel.address[k] is not None:
                self.touch(k, rows, active)
            if kernel.slice.needed[k]:
                self.compute(k, active, whole)
            elif i.starts("BSSY"):
                old = self.inside.get(i.operands[0], self.state["false"])
                self.inside[i.operands[0]] = old | active
            elif i.starts("CALL", "RET", "BREAK"):
                raise Unknown(f"it reaches {i.text}")
        last = kernel.code[end - 1]
        if last.starts("BSYNC"):
            self.meet(end - 1, last.operands[0], active)
            return
        self.pc = np.where(active, end, self.pc)
        if last.starts("BRA", "EXIT"):
            taken = active if kernel.condition[end - 1] is None else active & self.decide(end - 1)
            self.pc = np.where(taken, FAR if last.starts("EXIT") else last.target, self.pc)
            if last.starts("EXIT"):
                self.drop()

    def end_of(self, at, stop):
        """Behind the next instruction at which threads may part or wait, at most `stop`."""
        k = at
        while not self.kernel.code[k].starts("BRA", "EXIT", "BSYNC"):
            k += 1
            if k == stop:
                return k
        return k + 1

    def drop(self):
        """Forgets warps that have ended, where they are many."""
        alive = (self.pc < FAR).reshape(-1, WARP).any(axis=1)
        if alive.sum() * 2 > len(alive) or not alive.any():
            return
        lanes = np.repeat(alive, WARP)
        for registers in (self.state, self.inside):
            for name, value in registers.items():
                registers[name] = value[lanes] if len(value) > 1 else value
        self.pc, self.waits, self.warps = self.pc[lanes], self.waits[lanes], self.warps[alive]

    def compute(self, k, active, whole):
        step, state = self.kernel.steps[k], self.state
        values = step.run(state) if step.run else [None] * len(step.writes)
        mask = None if whole else active
        if step.guard is not None:
            mask = step.guard(state) if whole else active & step.guard(state)
        for name, value in zip(step.writes, values):
            if name is None:
                continue
            blank = state["false"] if name.lstrip("U").startswith("P") else state["zero"]
            value = blank if value is None else value
            if value.dtype != blank.dtype:
                value = value.astype(blank.dtype)
            state[name] = value if mask is None else np.where(mask, value, state.get(name, blank))

    def decide(self, k):
        """Which threads take a branch. One that depends on data is not taken, except to go around
        a call: that is where a division has its rare cases."""
        if not self.kernel.slice.data[k]:
            return self.kernel.condition[k](self.state)
        code, target = self.kernel.code, self.kernel.code[k].target
        around = target is not None and target > k and any(
            i.starts("CALL") for i in code[k:target])  # fmt: skip
        return ~self.state["false"] if around else self.state["false"]

    def meet(self, k, name, active):
        """Threads go on where all of their warp that went in are here; else these wait."""
        inside = self.inside.get(name, self.state["false"])
        here = active | (self.waits == k)
        missing = (inside & ~here & (self.pc < FAR)).reshape(-1, WARP).any(axis=1)
        released = here & ~np.repeat(missing, WARP)
        self.inside[name] = inside & ~released
        self.pc = np.where(here, k + 1, self.pc)
        self.waits = np.where(here, np.where(released, -1, k), self.waits)

    def touch(self, k, rows, active):
        kernel, state, code = self.kernel, self.state, self.kernel.code[k]
        on = active
        if kernel.condition[k] is not None and not kernel.slice.data[k]:
            on = active & kernel.condition[k](state)
        reading = on
        if code.starts("LDGSTS") and len(code.operands) > 2:
            reading = on & truth(code.operands[2])(state)

        def by_warp(x):
            return np.broadcast_to(x, active.shape).reshape(-1, WARP)[rows]

        shared, device = (None if a is None else by_warp(a(state)) for a in kernel.address[k])
        self.watch.request(k, self.warps[rows], by_warp(on), by_warp(reading), shared, device)


def shorten(x):
    return x[:1] if len(x) and (x == x[0]).all() else x
