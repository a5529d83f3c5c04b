"""What requests of warps do to memory: sectors of device memory, passes over the banks of shared
memory. The rules are those of tests/emu/count.cpp, for many warps at once."""

import numpy as np

WARP, SECTOR, BANKS, BANK = 32, 32, 32, 4
NOWHERE = np.uint64((1 << 64) - 1)


def distinct(values, active):
    """How many different values each row has among its active lanes, and those values sorted with
    repetitions marked."""
    rows = np.sort(np.where(active, values, NOWHERE), axis=1)
    first = np.ones(rows.shape, bool)
    first[:, 1:] = rows[:, 1:] != rows[:, :-1]
    first &= rows != NOWHERE
    return first.sum(axis=1), rows, first


def sectors(address, active, width):
    """Of requests (a row each) to device memory: sectors of each, and all of their numbers."""
    count, rows, first = distinct(address >> np.uint64(5), active)
    del width
    return count, rows[first]


def passes(address, active, width):
    """Passes of shared memory that requests take, and how many without conflicts."""
    part = WARP // 4 if width == 16 else WARP // 2 if width == 8 else WARP
    total = np.zeros(len(address), np.int64)
    ideal = np.zeros(len(address), np.int64)
    before, was = None, None
    for lane in range(0, WARP, part):
        a, on = address[:, lane : lane + part], active[:, lane : lane + part]
        words = np.repeat(a >> np.uint64(2), max(width // BANK, 1), axis=1)
        words = words + np.tile(np.arange(max(width // BANK, 1), dtype=np.uint64), part)
        lanes = np.repeat(on, max(width // BANK, 1), axis=1)
        any_lane = on.any(axis=1)
        most = deepest(words, lanes)
        if before is not None:  # a part that repeats the first is free
            same = ((a == before) | ~on).all(axis=1) & (on == was).all(axis=1) & on.all(axis=1)
            most, any_lane = np.where(same, 0, most), any_lane & ~same
        else:
            before, was = a, on
        total += most
        ideal += any_lane
    return total, ideal


def deepest(words, lanes):
    """The most different words that any bank has, row by row."""
    _, rows, first = distinct(words, lanes)
    bank = (rows % np.uint64(BANKS)).astype(np.int64)
    flat = np.arange(len(rows))[:, None] * BANKS + bank
    count = np.bincount(flat[first], minlength=len(rows) * BANKS)
    return count.reshape(len(rows), BANKS).max(axis=1)
