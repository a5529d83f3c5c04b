"""What integer instructions compute, so that control flow and addresses can be followed.

Each function takes an instruction, the parts of its name and the constant banks, and gives the
registers that are written, the operands that are read, and a function of the state that returns the
values of the written registers in order. Semantics are those that disassembly of sm_80 to sm_90
shows; an instruction of another shape raises ValueError."""

import re

import numpy as np

from operands import WORD, is_predicate, pair, register_of, successive, truth, word

U64, I64 = np.uint64, np.int64
SPECIAL = ("SR_TID.X", "SR_TID.Y", "SR_TID.Z", "SR_CTAID.X", "SR_CTAID.Y", "SR_CTAID.Z",
           "SR_LANEID", "SR_CgaCtaId")  # fmt: skip


def signed(x):
    return x.view(np.int32)


def low(x):
    return (x & U64(WORD)).astype(np.uint32)


def high(x):
    return (x >> U64(32)).astype(np.uint32)


def wide(x, is_signed):
    return signed(x).astype(I64).view(U64) if is_signed else x.astype(U64)


def with_carry_outs(i, first=1):
    """Predicates after the result that take carries, and where the sources begin."""
    outs, n = [], first
    while n < len(i.operands) and is_predicate(i.operands[n]):
        outs.append(i.operands[n])
        n += 1
    return outs, n


def names(operands):
    """Register names of results; those that stand for nothing are None."""
    return [register_of(o) for o in operands]


def add(i, parts, c):
    """IADD3 and its like: up to three addends, carries out, and carries in with .X."""
    outs, n = with_carry_outs(i)
    texts = i.operands[n:]
    carries = [truth(t) for t in texts if is_predicate(t)]
    addends = [t for t in texts if not is_predicate(t)]
    extended = "X" in parts
    negative = [t.startswith(("-R", "-U")) for t in addends]
    values = [word(t.lstrip("-") if minus else t, c) for t, minus in zip(addends, negative)]

    def run(s):
        total = s["zero"].astype(U64)
        for value, minus in zip(values, negative):
            v = value(s)
            total = total + (~v).astype(U64) + U64(1) if minus else total + v.astype(U64)
        if extended:
            for carry in carries:
                total = total + carry(s).astype(U64)
        over = total >> U64(32)
        return [low(total), over >= U64(1), over >= U64(2)][: 1 + len(outs)]

    return names([i.operands[0], *outs]), texts, run


def multiply_add(i, parts, c):
    outs, n = with_carry_outs(i)
    texts = i.operands[n:]
    is_signed = "U32" not in parts
    carry = [truth(t) for t in texts if is_predicate(t)]
    texts32 = [t for t in texts if not is_predicate(t)]
    a, b = word(texts32[0], c), word(texts32[1], c)
    if "WIDE" in parts or "HI" in parts:
        base = pair(texts32[2], c)
        hi_only = "HI" in parts

        def run(s):
            product = wide(a(s), is_signed) * wide(b(s), is_signed)
            total = product + base(s)
            for k in carry:
                total = total + k(s).astype(U64)
            if hi_only:
                return [high(total)]
            return [low(total), high(total), *[total < product for _ in outs]]

        first = register_of(i.operands[0])
        written = [first] if hi_only else successive(first, 2) if first else [None, None]
        return written + names(outs), texts, run
    base = word(texts32[2], c)

    def run32(s):
        total = a(s).astype(U64) * b(s).astype(U64) + base(s).astype(U64)
        if "X" in parts:
            for k in carry:
                total = total + k(s).astype(U64)
        return [low(total), *[(total >> U64(32)) > 0 for _ in outs]]

    return names([i.operands[0], *outs]), texts, run32


def move(i, parts, c):
    value = word(i.operands[-1] if i.op.startswith("IMAD") else i.operands[1], c)
    return names(i.operands[:1]), i.operands[1:], lambda s: [value(s)]


def shifted_add(i, parts, c):
    """LEA: b + (a << shift), or the upper word of it."""
    outs, n = with_carry_outs(i)
    texts = i.operands[n:]
    carry = [truth(t) for t in texts if is_predicate(t)]
    texts32 = [t for t in texts if not is_predicate(t)]
    a, b, shift = word(texts32[0], c), word(texts32[1], c), U64(int(texts32[-1], 16))
    upper = word(texts32[2], c) if "HI" in parts and len(texts32) == 4 else None

    def run(s):
        if "HI" not in parts:
            total = low(a(s).astype(U64) << shift).astype(U64) + b(s).astype(U64)
            return [low(total), *[(total >> U64(32)) > 0 for _ in outs]]
        value = wide(a(s), "SX32" in parts)
        if upper is not None:
            value = value | upper(s).astype(U64) << U64(32)
        total = high(value << shift).astype(U64) + b(s).astype(U64)
        for k in carry:
            total = total + k(s).astype(U64)
        return [low(total), *[(total >> U64(32)) > 0 for _ in outs]]

    return names([i.operands[0], *outs]), texts, run


def shift(i, parts, c):
    lo, by, hi = (word(t, c) for t in i.operands[1:4])
    left, upper = "L" in parts, "HI" in parts
    is_signed = "S32" in parts or "S64" in parts
    both = "64" in "".join(parts)

    def run(s):
        n = by(s).astype(U64)
        n = n & U64(63 if both else 31) if "W" in parts else np.minimum(n, U64(64 if both else 32))
        value = lo(s).astype(U64) | hi(s).astype(U64) << U64(32)
        if left:
            value = np.where(n >= 64, U64(0), value << np.minimum(n, U64(63)))
        elif is_signed:
            value = (value.view(I64) >> np.minimum(n, U64(63)).astype(I64)).view(U64)
        else:
            value = np.where(n >= 64, U64(0), value >> np.minimum(n, U64(63)))
        return [high(value) if upper else low(value)]

    return names(i.operands[:1]), i.operands[1:], run


def term(k, x, y, z):
    """A row of a table of three values."""
    return (x if k & 4 else ~x) & (y if k & 2 else ~y) & (z if k & 1 else ~z)


def logic(i, parts, c):
    """LOP3: any function of three, given by its table."""
    texts = i.operands[1:] if is_predicate(i.operands[0]) else i.operands
    outs = i.operands[:1] if is_predicate(i.operands[0]) else []
    a, b, d = (word(t, c) for t in texts[1:4])
    table, also = int(texts[4], 16), truth(texts[5]) if len(texts) > 5 else None

    def run(s):
        x, y, z = a(s), b(s), d(s)
        value = s["zero"]
        for k in range(8):
            if table >> k & 1:
                value = value | term(k, x, y, z)
        test = (value != 0) | also(s) if also else value != 0
        return [value, test][: 1 + len(outs)]

    return names([texts[0], *outs]), texts[1:], run


def predicate_logic(i, parts, c):
    values = [truth(t) for t in i.operands[2:5]]
    tables = [int(t, 16) for t in i.operands[5:7]]

    def run(s):
        x, y, z = (v(s) for v in values)
        results = []
        for table in tables:
            value = s["false"]
            for k in range(8):
                if table >> k & 1:
                    value = value | term(k, x, y, z)
            results.append(value)
        return results

    return names(i.operands[:2]), i.operands[2:5], run


COMPARE = {"LT": np.less, "LE": np.less_equal, "GT": np.greater, "GE": np.greater_equal,
           "EQ": np.equal, "NE": np.not_equal}  # fmt: skip
STRICT = {"LE": "LT", "GE": "GT"}  # of the upper words, where the lower ones decide a tie


def compare(i, parts, c):
    how = next(p for p in parts if p in COMPARE)
    combine = next((p for p in parts if p in ("AND", "OR", "XOR")), "AND")
    a, b = word(i.operands[2], c), word(i.operands[3], c)
    third = truth(i.operands[4]) if len(i.operands) > 4 else None
    below = truth(i.operands[5]) if "EX" in parts else None
    is_signed = "U32" not in parts

    def run(s):
        x, y = a(s), b(s)
        if is_signed:
            x, y = signed(x), signed(y)
        if below is None:
            value = COMPARE[how](x, y)
        elif how == "NE":
            value = (x != y) | below(s)
        elif how == "EQ":
            value = (x == y) & below(s)
        else:
            value = COMPARE[STRICT.get(how, how)](x, y) | (x == y) & below(s)
        p = third(s) if third else ~s["false"]
        joined = {"AND": np.logical_and, "OR": np.logical_or, "XOR": np.logical_xor}[combine]
        return [joined(value, p), joined(~value, p)]

    return names(i.operands[:2]), i.operands[2:], run


def select(i, parts, c):
    a, b, p = word(i.operands[1], c), word(i.operands[2], c), truth(i.operands[3])
    return names(i.operands[:1]), i.operands[1:], lambda s: [np.where(p(s), a(s), b(s))]


def smaller(i, parts, c):
    """VIMNMX, and VIADDMNMX, which adds its first two before."""
    adds = i.op.startswith("VIADDMNMX")
    values = [word(t, c) for t in i.operands[1 : 4 if adds else 3]]
    least = truth(i.operands[4 if adds else 3])
    is_signed = "U32" not in parts

    def run(s):
        v = [x(s) for x in values]
        if adds:
            v = [v[0] + v[1], v[2]]
        if is_signed:
            v = [signed(x) for x in v]
        return [np.where(least(s), np.minimum(*v), np.maximum(*v)).view(np.uint32)]

    return names(i.operands[:1]), i.operands[1:], run


def permute(i, parts, c):
    a, chosen, b = (word(t, c) for t in i.operands[1:4])

    def run(s):
        both = a(s).astype(U64) | b(s).astype(U64) << U64(32)
        how = chosen(s)
        value = s["zero"]
        for k in range(4):
            n = how >> np.uint32(4 * k) & np.uint32(15)
            byte = both >> ((n & np.uint32(7)).astype(U64) * U64(8))
            byte = byte.astype(np.uint32) & np.uint32(255)
            byte = np.where(n & np.uint32(8), np.where(byte & np.uint32(128), 255, 0), byte)
            value = value | byte.astype(np.uint32) << np.uint32(8 * k)
        return [value]

    return names(i.operands[:1]), i.operands[1:], run


def special(i, parts, c):
    name = i.operands[1]
    if name == "SRZ":
        n = 2 if i.op.startswith("CS2R") and "32" not in parts else 1
        first = register_of(i.operands[0])
        return successive(first, n), [], lambda s: [s["zero"]] * n
    if name not in SPECIAL:
        raise ValueError(f"special register {name}")
    return names(i.operands[:1]), [], lambda s: [s[name]]


def constant(i, parts, c):
    n = 2 if "64" in parts else 4 if "128" in parts else 1
    text = i.operands[1].replace("[RZ]", "[0x0]")
    found = re.match(r"c\[(0x[0-9a-f]+)\]\[(0x[0-9a-f]+)\]", text)
    if not found:
        raise ValueError(f"constant {i.operands[1]}")
    bank, at = (int(x, 16) for x in found.groups())
    values = [np.uint32(c(bank, at + 4 * k)) for k in range(n)]
    first = register_of(i.operands[0])
    return successive(first, n), [], lambda s: [s["zero"] + v for v in values]


def absolute(i, parts, c):
    a = word(i.operands[1], c)
    return names(i.operands[:1]), i.operands[1:], lambda s: [np.abs(signed(a(s))).view(np.uint32)]


def predicates_to_register(i, parts, c):
    mask = int(i.operands[-1], 16)

    def run(s):
        value = s["zero"]
        for k in range(7):
            if mask >> k & 1:
                value = value | s.get(f"P{k}", s["false"]).astype(np.uint32) << np.uint32(k)
        return [value]

    return names(i.operands[:1]), [f"P{k}" for k in range(7) if mask >> k & 1], run


def register_to_predicates(i, parts, c):
    a, mask = word(i.operands[1], c), int(i.operands[-1], 16)
    bits = [k for k in range(7) if mask >> k & 1]

    def run(s):
        return [(a(s) >> np.uint32(k) & np.uint32(1)) != 0 for k in bits]

    return [f"P{k}" for k in bits], i.operands[1:2], run


def of_floats(function):
    """A float made of, or turned into, an integer: divisions of integers go through these."""

    def build(i, parts, c):
        a = word(i.operands[1], c)
        return names(i.operands[:1]), i.operands[1:], lambda s: [function(a(s), parts)]

    return build


def to_float(x, parts):
    return (signed(x) if "S32" in parts else x).astype(np.float32).view(np.uint32)


def reciprocal(x, parts):
    with np.errstate(all="ignore"):
        return (np.float32(1) / x.view(np.float32)).astype(np.float32).view(np.uint32)


def to_integer(x, parts):
    with np.errstate(all="ignore"):
        value = np.nan_to_num(np.trunc(x.view(np.float32).astype(np.float64)))
        if "U32" in parts:
            return np.clip(value, 0, WORD).astype(np.uint32)
        return np.clip(value, -(2.0**31), 2.0**31 - 1).astype(np.int32).view(np.uint32)


def half_constant(i, parts, c):
    """HFMA2 of zeros and a constant: how ptxas loads a number at times."""
    if [t.lstrip("-") for t in i.operands[1:3]] != ["RZ", "RZ"]:
        return None
    bits = [int(np.float16(float(t)).view(np.uint16)) for t in i.operands[3:5]]
    value = np.uint32(bits[0] << 16 | bits[1])
    return names(i.operands[:1]), [], lambda s: [s["zero"] + value]
