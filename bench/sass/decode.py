"""Which registers an instruction writes and reads, and what it computes where that is no data."""

import re

from operands import is_predicate, reads_of, register_of, successive, truth
from semantics import (
    absolute, add, compare, constant, half_constant, logic, move, multiply_add, of_floats, permute,
    predicate_logic, predicates_to_register, reciprocal, register_to_predicates, select, shift,
    shifted_add, smaller, special, to_float, to_integer,
)  # fmt: skip

NO_RESULT = {
    "STG", "STS", "STSM", "STL", "BRA", "BSSY", "BSYNC", "BAR", "EXIT", "LDGSTS", "NOP", "DEPBAR",
    "LDGDEPBAR", "WARPSYNC", "CALL", "RET", "BREAK", "RED", "MEMBAR", "ERRBAR", "CCTL", "YIELD",
    "ARRIVES", "BPT",
}  # fmt: skip


class Step:
    """`run` gives the values of `writes`; None: they are data (loaded, exchanged, floating point).
    `guard` is a function of the state, or None."""

    __slots__ = ("writes", "reads", "run", "guard", "data")

    def __init__(self, writes, reads, run=None):
        self.writes, self.reads, self.run = writes, reads, run
        self.guard = None
        self.data = run is None and bool(writes)


BUILD = {
    "IADD3": add, "VIADD": add, "IADD": add, "IMAD": multiply_add, "LEA": shifted_add, "SHF": shift,
    "LOP3": logic, "PLOP3": predicate_logic, "SEL": select, "ISETP": compare, "MOV": move,
    "LDC": constant, "LDCU": constant, "S2R": special, "S2UR": special, "CS2R": special,
    "PRMT": permute, "IABS": absolute, "VIMNMX": smaller, "IMNMX": smaller, "VIADDMNMX": smaller,
    "P2R": predicates_to_register, "R2P": register_to_predicates, "R2UR": move,
    "HFMA2": half_constant,
}  # fmt: skip


def family(i):
    """The builder of an integer instruction; uniform ones compute what the others do."""
    base, *parts = i.op.split(".")
    if base == "MUFU" and parts[0] == "RCP":
        return of_floats(reciprocal), parts
    if base in ("I2F", "I2FP") and "F64" not in parts:
        return of_floats(to_float), parts
    if base == "F2I" and "F64" not in parts:
        return of_floats(to_integer), parts
    if base == "IMAD" and parts[:1] == ["MOV"]:
        return move, parts
    plain = base[1:] if base.startswith("U") and base[1:] in BUILD else base
    return BUILD.get(plain), parts


def data_width(base, i):
    """Words of a result that is data."""
    if ".128" in i.op or base == "HMMA" or base == "LDSM" and i.op.endswith(".4"):
        return 4
    if ".64" in i.op or base in ("DADD", "DMUL", "DFMA"):
        return 2
    return 2 if re.search(r"^(F2F|I2F)\.F64", i.op) else 1


def decode_data(i, base):
    if base in NO_RESULT:
        return Step([], [r for o in i.operands for r in reads_of(o, 2)])
    n = data_width(base, i)
    written, first = [], 0
    while first < len(i.operands) and is_predicate(i.operands[first]):
        written += [register_of(i.operands[first])]
        first += 1
    if first < len(i.operands) and "SETP" not in base:
        name = register_of(i.operands[first])
        written += successive(name, n) if name else []
        first += 1
    return Step([w for w in written if w], [r for o in i.operands[first:] for r in reads_of(o, n)])


def decode(i, constants):
    base = i.op.split(".")[0]
    build, parts = family(i)
    built = build(i, parts, constants) if build else None
    if built is None:
        step = decode_data(i, base)
    else:
        written, texts, run = built
        double = "WIDE" in parts or "HI" in parts and base.endswith("IMAD")
        reads = [r for n, t in enumerate(texts)
                 for r in reads_of(t, 2 if double and n == len(texts) - 1 else 1)]  # fmt: skip
        step = Step(written, reads, run)
    if i.guard:
        step.guard = truth(("!" if i.guard[1] else "") + i.guard[0])
        step.reads = step.reads + ([] if i.guard[0] in ("PT", "UPT") else [i.guard[0]])
    return step
