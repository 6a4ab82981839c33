#!/usr/bin/env python3
"""Writes tests/golden/metrics/targets.json: metrics of several labels and of numbers, with 95 %
intervals, by scikit-learn and NumPy.

    tests/evaluation/golden_targets.py tests/golden/metrics

The samples of the bootstrap are drawn by the library's generator (golden_metrics.py); what is
computed of each is scikit-learn's.
"""
import json
import os
import sys
import warnings

import numpy as np
from sklearn.metrics import (average_precision_score, f1_score, hamming_loss, mean_absolute_error,
                             median_absolute_error, precision_score, r2_score, recall_score)

from golden_metrics import SAMPLES, resample

warnings.filterwarnings("ignore")  # labels without photos in a sample
N, LABELS = 120, 4


def label_measures(y, p, t):
    said, mark = p >= t, {"y_true": y.astype(int), "y_pred": (p >= t).astype(int)}
    some = [c for c in range(y.shape[1]) if y[:, c].any()]
    areas = [average_precision_score(y[:, c], p[:, c]) if c in some else np.nan
             for c in range(y.shape[1])]
    out = {"map": np.nanmean(areas) if some else np.nan}
    for kind in ("micro", "macro"):
        here = [c for c in range(y.shape[1]) if y[:, c].any() or said[:, c].any()]
        a, b = (mark["y_true"][:, here], mark["y_pred"][:, here])
        for name, score in (("f1", f1_score), ("precision", precision_score),
                            ("recall", recall_score)):
            out[f"{kind}_{name}"] = score(a, b, average=kind, zero_division=0)
    out["subset_accuracy"] = (said == (y > 0)).all(1).mean()
    out["hamming_loss"] = hamming_loss(**mark)
    q = np.clip(np.where(y > 0, p.astype(np.float64), 1 - p.astype(np.float64)),
                np.finfo(np.float64).eps, None)
    out["log_loss"] = -np.log(q).mean()
    return out, areas


def number_measures(y, v):
    return {"mae": mean_absolute_error(y, v), "rmse": np.sqrt(((y - v) ** 2).mean()),
            "r2": r2_score(y, v), "median_absolute_error": median_absolute_error(y, v)}


def intervals(measure, n, draws):
    drawn = [measure(resample(n, draws, b)) for b in range(SAMPLES)]
    return [[*np.nanpercentile(np.array([d[k] for d in drawn], float), [2.5, 97.5])]
            for k in range(len(drawn[0]))]


def main(folder):
    r = np.random.default_rng(5)
    y = (r.random((N, LABELS)) < [0.5, 0.2, 0.08, 0.03]).astype(np.uint8)
    y[:, 3] = 0
    y[[7, 50, 99], 3] = 1
    p = 1 / (1 + np.exp(-(1.7 * y - 1 + r.normal(0, 1.2, y.shape))))
    p[:, 1] = np.round(p[:, 1], 1)  # equal ones
    p = p.astype(np.float32)
    t = np.array([0.5, 0.4, 0.3, 0.9], np.float32)
    values, areas = label_measures(y, p, t)
    draws = round(N / (2 - 1 / 5))

    def flat(i):
        of_all, of_each = label_measures(y[i], p[i], t)
        return [*of_all.values(), *of_each]

    number = r.normal(40, 15, N)
    said = (number + r.normal(2, 6, N)).astype(np.float32)
    out = {
        "labels": {"marks": y.tolist(), "prob": p.astype(float).tolist(),
                   "threshold": t.astype(float).tolist(), "value": values, "ap": areas,
                   "interval": intervals(flat, N, N)},
        "number": {"true": number.tolist(), "said": said.astype(float).tolist(),
                   "value": number_measures(number, said.astype(float)),
                   "interval": intervals(lambda i: [*number_measures(
                       number[i], said[i].astype(float)).values()], N, draws)},
    }
    with open(os.path.join(folder, "targets.json"), "w", encoding="utf-8") as f:
        json.dump(out, f)
        f.write("\n")


main(sys.argv[1])
