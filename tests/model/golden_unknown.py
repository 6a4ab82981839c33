#!/usr/bin/env python3
"""Writes tests/golden/unknown/measures.json: what NumPy makes of the formulas in
src/model/unknown.h, for made-up photos of two backbones.

    tests/model/golden_unknown.py tests/golden/unknown
"""
import json
import os
import sys

import numpy as np

BRANCHES = [(0, 6), (6, 10)]
CLASSES = 3  # the last one has no photo to compare with
ROWS, ASKED = 7, 4


def cut(v, branch):
    return v[..., branch[0]:branch[1]]


def root(x):
    """Fourth roots in 8 bits, branch by branch."""
    out = np.zeros(x.shape)
    for b in BRANCHES:
        r = np.sqrt(np.sqrt(np.abs(cut(x, b))))
        top = r.max(-1, keepdims=True)
        cut(out, b)[:] = np.sign(cut(x, b)) * np.floor(r / np.where(top > 0, top, 1) * 127 + 0.5)
    return out


def plain(root):
    return np.sign(root) * np.floor((np.abs(root) / 127) ** 4 * 127 + 0.5)


def distances(a, b):
    """Of every row of a from every row of b."""
    cosine = np.zeros((len(a), len(b)))
    for branch in BRANCHES:
        u, v = cut(a, branch), cut(b, branch)
        length = np.linalg.norm(u, axis=1)[:, None] * np.linalg.norm(v, axis=1)
        cosine += np.where(length > 0, u @ v.T / np.where(length > 0, length, 1), 0)
    return np.sqrt(np.maximum(1 - cosine / len(BRANCHES), 0))


def measures(x, prob, rows, label, there):
    near = distances(root(x[None]), root(rows))[0][there]
    far = distances(plain(root(x[None])), plain(root(rows)))[0][there]
    of = {c: near[label[there] == c].min() for c in set(label[there])}
    apart = sum(prob[c] * d for c, d in of.items()) / sum(prob[c] for c in of)
    return [np.log(np.maximum(prob, np.finfo(np.float32).tiny)).mean(), apart,
            np.sort(far)[:3].mean()]


def main(folder):
    rng = np.random.default_rng(5)
    rows = (np.maximum(rng.normal(size=(ROWS, 10)), -0.3) ** 3).astype(np.float32)
    rows[2, 6:] = 0  # nothing from the second backbone
    x = (np.maximum(rng.normal(size=(ASKED, 10)), -0.3) ** 3).astype(np.float32)
    x[0] = rows[4]
    prob = rng.dirichlet(np.ones(CLASSES), ASKED).astype(np.float32)
    prob[1] = [1, 0, 0]
    label = np.array([0, 0, 1, 1, 0, 1, 0])
    fold = np.array([0, 1, 2, 0, 1, 2, 0])
    mean, deviation = np.array([-2.0, 0.5, 0.4]), np.array([1.5, 0.2, 0.1])
    cases = []
    for i in range(ASKED):
        for left_out in (-1, 0, 1):
            m = np.array(measures(x[i].astype(float), prob[i].astype(float), rows.astype(float),
                                  label, fold != left_out))
            z = (m - mean) / deviation
            cases.append({"asked": i, "left_out": left_out, "measures": m.tolist(),
                          "score": z[0] + z[1] + 8 * max(z[2] - 1.5, 0) ** 2})
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "measures.json"), "w") as f:
        json.dump({"rows": rows.tolist(), "x": x.tolist(), "prob": prob.tolist(),
                   "label": label.tolist(), "fold": fold.tolist(), "mean": mean.tolist(),
                   "deviation": deviation.tolist(), "cases": cases}, f, indent=1)
        f.write("\n")


main(sys.argv[1])
