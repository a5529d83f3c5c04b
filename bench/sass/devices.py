"""What is assumed of devices: rates, latencies, and where each figure is from.

Sources: V the vendor's data sheets; G the CUDA programming guide's table of throughputs; P what
ptxas encodes (stall counts between instructions); B published microbenchmarks; A assumed. None was
measured by this project."""


class Device:
    def __init__(self, **values):
        self.__dict__.update(values)


H100 = Device(
    name="H100 SXM5",
    sms=132, ghz=1.755, dram=3.35e12,   # V: multiprocessors, boost clock, bytes a second
    l2_bytes=50 << 20,                  # V
    l2_kept=0.5,                        # A: part of the L2 that streams leave for reuse
    l2_rate=5.5e12,                     # B: bytes a second of the L2, to all multiprocessors
    port_l2=64,                         # B: bytes a cycle of the L2, to one of them
    efficiency=0.90,                    # A: of the DRAM's rate; 0.85 is shown beside it
    tensor=6,                           # P: cycles of mma.m16n8k16 on a sub-partition, sm_90
    dram_latency=800, l2_latency=270,   # B: cycles, the first under load
    l1_latency=33, shared_latency=29, shuffle_latency=24, tensor_latency=33,  # B
    special_latency=30,                 # A: MUFU, S2R
    stores_ahead=6000,                  # A: cycles of stores that the L2 takes before they stall
    port_ahead=24,                      # A: cycles that the data port queues
    launch_us=1.5,                      # A: from the end of a launch to the next one's first block
    registers=65536, warps=64, blocks=32, shared=227 << 10,  # V: of a multiprocessor
    shared_reserved=1024,               # G: of each block
)  # fmt: skip
# The other parts differ in what the data sheets say; the mma intervals are ptxas's for them.
A100 = Device(**{**H100.__dict__, "name": "A100 SXM4 80GB", "sms": 108, "ghz": 1.41,
                 "dram": 2.04e12, "l2_bytes": 40 << 20, "l2_rate": 4.0e12, "tensor": 8,
                 "shared": 163 << 10})  # fmt: skip
H200 = Device(**{**H100.__dict__, "name": "H200 SXM", "dram": 4.8e12})

# By architecture: the device, and where constant bank 0 has the launch: the first argument, the
# size of a block and of the grid (as read from code that nvcc makes).
ARCHITECTURES = {
    "sm_80": (A100, 0x160, 0x0, 0xC),
    "sm_90": (H100, 0x210, 0x0, 0xC),
    "sm_90a": (H100, 0x210, 0x0, 0xC),
}

FMA, FMA2 = ("FFMA", "FMUL", "FADD"), ("IMAD", "HFMA2")
SPECIAL = ("MUFU", "I2F", "F2I", "F2F")
LOADS = ("LDS", "STS", "LDSM", "STSM", "LDG", "STG", "LDGSTS", "SHFL", "LDL", "STL", "LDC")
DOUBLE = ("DADD", "DMUL", "DFMA", "DSETP")
FREE = ("BRA", "BAR", "NOP", "BSSY", "BSYNC", "EXIT", "DEPBAR", "LDGDEPBAR", "WARPSYNC", "S2R",
        "CS2R")  # fmt: skip


def pipe(op, device):
    """The unit of a sub-partition that an instruction occupies, and for how many cycles (G; 2 for
    integers, logic and conversions to bf16, 2 for the load unit: A)."""
    base = op.split(".")[0]
    if base == "HMMA":
        return "tensor", device.tensor
    if base in FMA:
        return "fma", 1
    if base in FMA2:
        return "fma", 2
    if base in SPECIAL:
        return "special", 8
    if base in LOADS:
        return "lsu", 2
    if base in DOUBLE:
        return "double", 2
    if base in FREE or base.startswith("U"):
        return None, 0
    return "alu", 2


def resident(device, registers, shared, threads):
    """Blocks of a kernel that a multiprocessor holds: a warp's registers come in units of 256, and
    its four sub-partitions each have a quarter of them."""
    warps = -(-threads // 32)
    per_warp = -(-registers * 32 // 256) * 256
    by_registers = 4 * (device.registers // 4 // per_warp) // (-(-warps // 4) * 4)
    by_shared = device.shared // (shared + device.shared_reserved) if shared else device.blocks
    return max(1, min(by_registers, by_shared, device.warps // warps, device.blocks))
