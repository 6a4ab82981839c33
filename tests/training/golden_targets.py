#!/usr/bin/env python3
"""Writes tests/golden/targets/fits.json: ridge regression and logistic regression of several labels
by scikit-learn, on the same made-up rows.

    tests/training/golden_targets.py tests/golden/targets
"""
import json
import os
import sys

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV

N, LABELS, FOLDS = 60, 3, 5


def ridge(x, y, fold):
    """Of all rows at three strengths; the strength of RidgeCV over these folds, and what it says
    out of fold. Strengths are as ridge.h has them: 1 to 1e-6 times the mean squared distance."""
    x = x.astype(np.float64)
    square = ((x - x.mean(0)) ** 2).sum(1).mean()
    fits = []
    for l2 in (1e-1 * square, 1e-3 * square, 1e-6 * square):
        m = Ridge(alpha=l2 * len(x), solver="svd").fit(x, y)
        fits.append({"l2": l2, "kernel": m.coef_.tolist(), "bias": m.intercept_})
    # every fold keeps the same number of rows, so one alpha is one l2 in all of them
    kept = len(x) - len(x) // FOLDS
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(FOLDS)]
    tried = 10.0 ** (-0.5 * np.arange(13)) * square
    best = RidgeCV(alphas=tried * kept, cv=splits, scoring="neg_mean_squared_error").fit(x, y)
    said = np.zeros(len(x))
    for a, b in splits:
        said[b] = Ridge(alpha=best.alpha_, solver="svd").fit(x[a], y[a]).predict(x[b])
    return {"fits": fits, "l2": best.alpha_ / kept, "said": said.tolist()}


def labels(x, marks, l2):
    x = x.astype(np.float64)
    return [LogisticRegression(C=1 / (c * len(x)), tol=1e-10, max_iter=100000).fit(
        x, marks[:, k]).predict_proba(x)[:, 1].tolist() for k, c in enumerate(l2)]


def main(folder):
    r = np.random.default_rng(3)
    x = r.normal(0.5, 1, (N, 90)).astype(np.float32)
    y = 30 + x[:, :9] @ r.normal(0, 4, 9) + r.normal(0, 8, N)
    marks = (x[:, :LABELS] + r.normal(0, 1, (N, LABELS)) > [0.5, 1.2, 2]).astype(int)
    fold = np.arange(N) % FOLDS
    l2 = [0.5, 0.05, 0.2]
    out = {"x": x.astype(float).tolist(), "y": y.tolist(), "marks": marks.tolist(), "l2": l2,
           "wide": ridge(x, y, fold), "narrow": ridge(x[:, :12], y, fold),
           "prob": labels(x[:, :12], marks, l2)}
    with open(os.path.join(folder, "fits.json"), "w", encoding="ascii") as f:
        json.dump(out, f)
        f.write("\n")


main(sys.argv[1])
