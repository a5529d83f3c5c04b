"""Reads what nvdisasm prints of a cubin: instructions, their operands and their control codes."""

import re

LINE = re.compile(r"^\s+/\*([0-9a-f]{4,})\*/\s+(.*?);\s+/\* 0x([0-9a-f]{16}) \*/")
SECOND = re.compile(r"^\s+/\* 0x([0-9a-f]{16}) \*/")
LABEL = re.compile(r"^(\S+):")
GUARD = re.compile(r"^@(!?)(U?P\w+)\s+(.*)$")
TARGET = re.compile(r"`\((.+?)\)")


class Instruction:
    """One instruction. `guard` is (predicate, negated) or None; `target` an index into the list.

    Of the control code: `stall` cycles until the next instruction of the warp may issue, the
    scoreboard that is set when the result (`write`) is there or the operands (`read`) were read,
    and the mask of scoreboards that have to be clear before it issues."""

    __slots__ = ("address", "op", "operands", "guard", "target", "label", "stall", "write", "read",
                 "wait", "text", "base")  # fmt: skip

    def __init__(self, address, text, control):
        self.address, self.text = address, text
        found = GUARD.match(text)
        self.guard = (found.group(2), found.group(1) == "!") if found else None
        body = found.group(3) if found else text
        self.op, _, rest = body.partition(" ")
        self.base = self.op.partition(".")[0]
        self.operands = [o.strip().replace(".reuse", "") for o in split(rest)]
        found = TARGET.search(rest)
        self.label = found.group(1) if found else None
        self.target = None
        self.stall, self.write, self.read = control & 15, control >> 5 & 7, control >> 8 & 7
        self.wait = control >> 11 & 63

    def starts(self, *names):
        return self.base in names


def split(rest):
    """Operands, at the commas outside brackets."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(rest):
        depth += (c == "[") - (c == "]")
        if c == "," and depth == 0:
            parts.append(rest[start:i])
            start = i + 1
    return parts + [rest[start:]] if rest.strip() else []


def read(text):
    """The instructions of a listing of `nvdisasm -hex -c`, of the first section that has code."""
    code, labels, pending, first, constants = [], {}, [], None, None
    for line in text.splitlines():
        if line.startswith("//----") and code:
            break
        found = LINE.match(line)
        if found:
            first = found.group(1), found.group(2).strip()
            for name in pending:
                labels[name] = len(code)
            pending = []
            continue
        found = SECOND.match(line)
        if found and first:
            control = int(found.group(1), 16) >> 41
            code.append(Instruction(int(first[0], 16), first[1], control))
            first = None
            continue
        found = LABEL.match(line)
        if found:
            pending.append(found.group(1))
    for i in code:
        if i.starts("BRA", "CALL", "BSSY") and i.label is not None:
            i.target = labels.get(i.label)
    return code
