"""Convolutions by shape: rxgen's kernels, with the batch norms and ReLUs that are fused into them,
against oneDNN's bare convolutions. Part of make bench-peers (PEERS=shapes)."""

import re
import statistics

import common

NAME = re.compile(r"rx_g?conv(\d+)x\d+_.*?c(\d+)k(\d+)g(\d+)_(\d+)x\d+_")
WAYS = ["forward", "backward"]


def ours_by_shape(report):
    """Milliseconds of a step by what names kernels: (window, c, k, groups, size), and way."""
    total = {}
    for kernel in report["kernels"]:
        found = NAME.match(kernel["name"])
        if found:
            way = "backward" if "grad" in kernel["name"] else "forward"
            key = (*map(int, found.groups()), way)
            total[key] = total.get(key, 0) + kernel["ms"]
    return total


def rows_of(shapes, ours, theirs):
    """`ours` and `theirs` are lists of measurements, one a round."""
    rows = []
    for i, s in enumerate(shapes):
        row = dict(s)
        for way in WAYS:
            key = (s["window"], s["c"], s["k"], s["groups"], s["size"], way)
            row[f"{way}_ms"] = statistics.median(o.get(key, 0) for o in ours) / s["layers"]
            row[f"onednn_{way}_ms"] = statistics.median(t[i][f"{way}_ms"] for t in theirs)
        rows.append(row)
    return rows


def show(rows):
    cells = []
    for r in rows:
        stride = f"/{r['stride']}" if r["stride"] > 1 else ""
        groups = f" g{r['groups']}" if r["groups"] > 1 else ""
        name = f"{r['window']}x{r['window']}{stride} {r['c']} to {r['k']}{groups} at {r['size']}"
        cells.append([name, str(r["layers"])])
        for way in WAYS:
            ours, theirs = r[f"{way}_ms"], r[f"onednn_{way}_ms"]
            cells[-1] += [ours, theirs, f"{theirs / ours:.2f}x" if ours else ""]
    head = ["convolution", "layers", "forward", "oneDNN", "ratio", "backward", "oneDNN", "ratio"]
    common.table(head, cells)
