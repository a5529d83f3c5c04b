"""Operands of instructions: which registers they are, and their values for many lanes at once.

A state is a dict of register name to an array with an element a lane, or one for all: uint32 for R
and UR, bool for P and UP. Names that are missing are zero."""

import re

import numpy as np

REGISTER = re.compile(r"^(UR\d+|R\d+|UP\d+|P\d+)\b")
INNER = re.compile(r"\b(UR\d+|R\d+)(\.64)?")
CONSTANT = re.compile(r"c\[(0x[0-9a-f]+)\]\s*\[([^\]]*)\]")
ZERO = ("RZ", "URZ", "SRZ")
TRUE = ("PT", "UPT")
WORD = (1 << 32) - 1


def register_of(operand):
    found = REGISTER.match(operand.lstrip("-~!|"))
    return found.group(1) if found else None


def is_predicate(operand):
    name = operand.lstrip("!")
    return name in TRUE or bool(re.match(r"U?P\d$", name))


def successive(register, n):
    kind, number = re.match(r"(U?[RP])(\d+)", register).groups()
    return [f"{kind}{int(number) + k}" for k in range(n)]


def reads_of(operand, n=1):
    """Registers that an operand of n words reads."""
    if "[" in operand:
        found = INNER.findall(operand)
        return [r for name, pair in found for r in successive(name, 2 if pair else 1)]
    name = register_of(operand)
    if name is None:
        return []
    return successive(name, 1 if is_predicate(operand) else n)


def immediate(text):
    """A number as 32 bits, or None."""
    if re.match(r"^-?0x[0-9a-f]+$", text):
        return int(text, 16) & WORD
    if re.match(r"^-?\d+(\.\d+)?(e[-+]?\d+)?$", text):
        return int(np.float32(float(text)).view(np.uint32))
    return None


def word(operand, constants):
    """A function of the state that gives the operand's 32 bits. `constants` is a function of bank
    and offset. Raises ValueError where the operand is not understood."""
    text = operand.strip()
    if text.startswith("-") and immediate(text) is None:
        inner = word(text[1:], constants)
        return lambda s: np.uint32(0) - inner(s)
    if text.startswith("~"):
        inner = word(text[1:], constants)
        return lambda s: ~inner(s)
    if text.startswith("|"):
        inner = word(text.strip("|"), constants)
        return lambda s: np.abs(inner(s).view(np.int32)).view(np.uint32)
    name = text.split(".")[0]
    if name in ZERO:
        return lambda s: s["zero"]
    if REGISTER.match(name):
        return lambda s: s.get(name, s["zero"])
    number = immediate(text)
    if number is not None:
        value = np.uint32(number)
        return lambda s: s["zero"] + value
    found = CONSTANT.match(text)
    if found and immediate(found.group(2)) is not None:
        value = np.uint32(constants(int(found.group(1), 16), immediate(found.group(2))))
        return lambda s: s["zero"] + value
    raise ValueError(f"operand {operand}")


def pair(operand, constants):
    """The same of 64 bits: two registers, or a sign-extended number."""
    text = operand.strip()
    name = text.lstrip("-~").split(".")[0]
    if name in ZERO or not REGISTER.match(name):
        number = immediate(text)
        found = CONSTANT.match(text)
        if found:
            bank, at = int(found.group(1), 16), immediate(found.group(2))
            value = np.uint64(constants(bank, at) | constants(bank, at + 4) << 32)
        elif number is not None:
            value = np.int64(np.int32(np.uint32(number))).view(np.uint64)
        else:
            value = np.uint64(0)
        return lambda s: s["zero"].astype(np.uint64) + value
    low, high = successive(name, 2)
    sign = text[0] if text[0] in "-~" else ""

    def get(s):
        zero = s["zero"]
        upper = s.get(high, zero).astype(np.uint64) << np.uint64(32)
        value = s.get(low, zero).astype(np.uint64) | upper
        return value if not sign else ~value + np.uint64(sign == "-")

    return get


def truth(operand):
    """The value of a predicate."""
    text = operand.strip()
    name, negated = text.lstrip("!"), text.startswith("!")
    if name in TRUE:
        return lambda s: s["false"] if negated else ~s["false"]
    return lambda s: ~s.get(name, s["false"]) if negated else s.get(name, s["false"])
