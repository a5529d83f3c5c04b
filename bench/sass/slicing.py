"""Which instructions decide where a kernel goes and which addresses it touches, and whether that
depends on data. Only those are executed; the others are counted.

Two flows over the code: backward, which registers are needed at a point; forward, which registers
hold data (what was loaded, exchanged, or computed in floating point)."""

from operands import INNER, register_of, successive

MEMORY = ("LDG", "STG", "LDS", "STS", "LDSM", "STSM", "LDGSTS")


class Slice:
    """`needed[k]`: instruction k is executed. `data[k]`: its branch, guard or address depends on
    data, so what follows from it is assumed."""

    def __init__(self, code, steps):
        bits = {}
        self.masks = [(mask_of(bits, s.writes), mask_of(bits, s.reads)) for s in steps]
        self.decides = [decisive(bits, i, s) for i, s in zip(code, steps)]
        follows = successors(code)
        self.needed = needed_of(code, steps, self.masks, self.decides, follows)
        self.data = data_of(steps, self.masks, self.decides, self.needed, follows)


def mask_of(bits, registers):
    mask = 0
    for name in registers:
        if name:
            mask |= 1 << bits.setdefault(name, len(bits))
    return mask


def decisive(bits, i, step):
    """Registers that a branch, a guard or an address depends on."""
    if i.starts("BRA", "EXIT", "BREAK"):
        return mask_of(bits, [r for r in step.reads if "P" in r])
    if not i.starts(*MEMORY):
        return 0
    own = [i.guard[0]] if i.guard else []
    for operand in i.operands:
        if "[" in operand or i.starts("LDGSTS") and "P" in operand:
            own += addresses(operand)
    return mask_of(bits, [r for r in own if r not in ("PT", "UPT")])


def addresses(operand):
    if "[" not in operand:
        return [register_of(operand)]
    inside = operand[operand.rfind("[") :]
    return [r for name, pair in INNER.findall(inside) for r in successive(name, 2 if pair else 1)]


def successors(code):
    follows = []
    for k, i in enumerate(code):
        ends = i.starts("EXIT", "BRA", "RET") and not i.guard and not conditional(i)
        to = [] if ends or k + 1 == len(code) else [k + 1]
        if i.starts("BRA") and i.target is not None:
            to.append(i.target)
        follows.append(to)
    return follows


def conditional(i):
    """Whether a branch has a condition besides its guard."""
    own = len(i.operands) > 1 and i.operands[0].lstrip("!") not in ("PT", "UPT")
    return i.starts("BRA") and own


def needed_of(code, steps, masks, decides, follows):
    n = len(code)
    live = [0] * (n + 1)
    needed = [False] * n
    changed = True
    while changed:
        changed = False
        for k in range(n - 1, -1, -1):
            out = 0
            for t in follows[k]:
                out |= live[t]
            writes, reads = masks[k]
            use = bool(writes & out)
            now = out | decides[k]
            if use:
                now = (now if steps[k].guard else now & ~writes) | reads | decides[k]
            if now != live[k] or use != needed[k]:
                live[k], needed[k], changed = now, use, True
    return needed


def data_of(steps, masks, decides, needed, follows):
    """Where a result is data. A guarded instruction counts as if it always wrote: ptxas guards what
    is read under the same guard."""
    n = len(steps)
    into = [0] * n
    work = list(range(n))
    tainted = [False] * n
    while work:
        k = work.pop()
        writes, reads = masks[k]
        known = into[k]
        tainted[k] = bool(known & decides[k])
        is_data = needed[k] and (steps[k].data or bool(known & reads))
        known = known | writes if is_data else known & ~writes
        for t in follows[k]:
            if into[t] | known != into[t]:
                into[t] |= known
                work.append(t)
    return tainted
