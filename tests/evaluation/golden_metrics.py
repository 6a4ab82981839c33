#!/usr/bin/env python3
"""Writes tests/golden/metrics/more.json: metrics that metrics.json lacks, and 95 % intervals, by
scikit-learn, SciPy and NumPy.

    tests/evaluation/golden_metrics.py tests/golden/metrics

The samples of the bootstrap are drawn by the library's generator, written out here once more; what
is computed of each is scikit-learn's. Takes two minutes.
"""
import json
import os
import sys
import warnings

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import (balanced_accuracy_score, brier_score_loss, log_loss,
                             precision_recall_fscore_support, roc_auc_score)

SEED, RESAMPLE, SAMPLES = 1, 7, 1000
warnings.filterwarnings("ignore")  # classes without photos; float32 rows do not sum to 1


def philox(counter, key):
    """Philox4x32-10 (Salmon et al. 2011)."""
    c, k = [int(v) for v in counter], list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def resample(n, draws, b):
    """Indices of the b-th sample: Lemire's 32-bit integers below n."""
    have, at, out = [], 0, []
    while len(out) < draws:
        if not have:
            have = philox([at, RESAMPLE, b, 0], [SEED, 0])
            at += 1
        m = have.pop(0) * n
        if m & 0xFFFFFFFF >= (2**32 - n) % n:
            out.append(m >> 32)
    return np.array(out)


def calibration_error(p, y, bins=15):
    sure, right = p.max(1), p.argmax(1) == y
    edges = (np.arange(1, bins + 1) / bins).astype(np.float32)
    bin_of, total = np.searchsorted(edges, sure.astype(np.float32)), 0.0
    for k in range(bins):
        here = bin_of == k
        if here.any():
            total += here.mean() * abs(right[here].mean() - sure[here].mean())
    return total


def aurocs(p, y):
    return [roc_auc_score(y == c, p[:, c]) if 0 < (y == c).sum() < len(y) else np.nan
            for c in range(p.shape[1])]


def metrics(p, y):
    """p: float32, y: labels."""
    guess, p64 = p.argmax(1), p.astype(np.float64)
    macro = precision_recall_fscore_support(y, guess, average="macro", zero_division=0)
    weighted = precision_recall_fscore_support(y, guess, average="weighted", zero_division=0)
    classes = range(p.shape[1])
    one_hot = np.eye(p.shape[1])[y]
    area = aurocs(p64, y)
    return {"balanced_accuracy": balanced_accuracy_score(y, guess),
            "log_loss": log_loss(y, p64, labels=classes),
            "brier": ((p64 - one_hot) ** 2).sum(1).mean(),
            "macro_precision": macro[0], "macro_recall": macro[1], "macro_f1": macro[2],
            "weighted_precision": weighted[0], "weighted_recall": weighted[1],
            "weighted_f1": weighted[2],
            "calibration_error": calibration_error(p64, y),
            "auroc": np.nanmean(area)}, area


def interval(name, value, drawn):
    drawn = np.array(drawn)
    low, high = np.quantile(drawn[~np.isnan(drawn)], [0.025, 0.975])
    if name == "calibration_error":
        low, high = max(0, min(value, 2 * value - high)), min(1, max(value, 2 * value - low))
    return [float(low), float(high)]


def bootstrap(p, y, draws):
    value, area = metrics(p, y)
    drawn, areas = {k: [] for k in value}, []
    for b in range(SAMPLES):
        at = resample(len(y), draws, b)
        m, a = metrics(p[at], y[at])
        areas.append(a)
        for k, v in m.items():
            drawn[k].append(v)
    areas = np.array(areas)
    return {"value": {k: float(v) for k, v in value.items()},
            "interval": {k: interval(k, value[k], d) for k, d in drawn.items()},
            "auroc": [float(a) if a == a else None for a in area],
            "auroc_interval": [interval("auroc", a, areas[:, c]) if a == a else None
                               for c, a in enumerate(area)]}


def jackknife(p, y):
    """Standard errors of the areas from all pairs of photos (DeLong et al. 1988, n for n - 1)."""
    pull, found, errors = np.zeros(len(y)), 0, []
    for c in range(p.shape[1]):
        ours, others = np.flatnonzero(y == c), np.flatnonzero(y != c)
        if not len(ours) or not len(others):
            errors.append(None)
            continue
        wins = (p[ours, c][:, None] > p[others, c]) + 0.5 * (p[ours, c][:, None] == p[others, c])
        here = np.zeros(len(y))
        here[ours] = (wins.mean(1) - wins.mean()) / len(ours)
        here[others] = (wins.mean(0) - wins.mean()) / len(others)
        errors.append(float(np.sqrt((here ** 2).sum())))
        pull += here
        found += 1
    return errors + [float(np.sqrt(((pull / found) ** 2).sum()))]


def rough(p, y):
    """The same photos with many equal probabilities, and no photo of class 3."""
    keep = y != 3
    q = np.round(p[keep] * 8) / np.float32(8)
    return q.astype(np.float32), y[keep]


def top(p, y):
    """The true class is among the first k; of equal ones the first counts as larger."""
    truth = p[np.arange(len(y)), y][:, None]
    before = (p > truth) | ((p == truth) & (np.arange(p.shape[1]) < y[:, None]))
    return [float((before.sum(1) < k).mean()) for k in range(1, p.shape[1] + 2)]


def holm(p):
    order, out, least = np.argsort(p), [0.0] * len(p), 0.0
    for i, at in enumerate(order):
        least = max(least, min(1.0, p[at] * (len(p) - i)))
        out[at] = least
    return out


def main():
    folder = sys.argv[1]
    z = np.load(os.path.join(folder, "logits.npy")).astype(np.float64)
    y = np.load(os.path.join(folder, "labels.npy")).astype(int)
    p = np.exp(z - z.max(1, keepdims=True))
    p = (p / p.sum(1, keepdims=True)).astype(np.float32)
    assert abs(brier_score_loss(y, p.astype(float)) - metrics(p, y)[0]["brier"]) < 1e-12
    q, t = rough(p, y)
    tests = [(k, n) for n in (1, 2, 5, 10, 11, 57, 1000, 30001) for k in
             sorted({0, 1, n // 3, n // 2 - 1, n // 2, n // 2 + 1, n} & set(range(n + 1)))]
    few = [0.01, 0.04, 0.03, 0.005, 0.5, 0.04]
    out = {"smooth": bootstrap(p, y, len(y)),
           "out_of_5_folds": bootstrap(p, y, int(np.rint(len(y) / 1.8))),
           "rough": bootstrap(q, t, len(t)),
           "standard_error": {"smooth": jackknife(p, y), "rough": jackknife(q, t)},
           "top": {"smooth": top(p, y), "rough": top(q, t)},
           "binomtest": [[k, n, float(binomtest(k, n).pvalue)] for k, n in tests],
           "holm": [few, holm(few)]}
    with open(os.path.join(folder, "more.json"), "w", encoding="ascii") as f:
        json.dump(out, f, indent=1, allow_nan=False)
        f.write("\n")


if __name__ == "__main__":
    main()
