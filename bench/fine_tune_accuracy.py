#!/usr/bin/env python3
"""What fine-tuning adds to the accuracy of --recipe auto, on the same photos kept aside.

    bench/fine_tune_accuracy.py PROGRAM BACKBONE FOLDER... [--seeds 1,2,3,4,5] [--json FILE]
                                [-- OPTIONS of train --recipe fine-tune]

For every folder of photos and every seed, both recipes train on the same photos and are measured on
the same others; no photo that is measured on is looked at by either. The difference of each pair, its
mean over seeds, and the 95 % interval of Student's t are printed. Splits of different seeds share
photos, so the interval is that of training anew, not that of other photos.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile

# two-sided 95 % quantiles of Student's t by degrees of freedom
T95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def accuracy(args, folder, seed, work, *more):
    done = subprocess.run([args.program, "train", folder, "--backbone", args.backbone, "--seed", str(seed), "-o",
                           os.path.join(work, "run"), "--json", "--quiet", *more], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    told = json.loads(done.stdout)
    return told["holdout"]["accuracy"], told["holdout"]["n"]


def study(args, folder, options):
    pairs = []
    with tempfile.TemporaryDirectory() as work:
        for seed in args.seeds:
            auto, n = accuracy(args, folder, seed, work, "--recipe", "auto")
            tuned, _ = accuracy(args, folder, seed, work, "--recipe", "fine-tune", *options)
            pairs.append((auto, tuned))
            print(f"{os.path.basename(folder):12} seed {seed:4}  auto {auto:.4f}  fine-tune {tuned:.4f}  "
                  f"{100 * (tuned - auto):+.2f} points of {n} photos", flush=True)
    apart = [tuned - auto for auto, tuned in pairs]
    mean = statistics.mean(apart)
    half = T95[len(apart) - 1] * statistics.stdev(apart) / math.sqrt(len(apart)) if len(apart) > 1 else math.nan
    print(f"{os.path.basename(folder):12} mean       auto {statistics.mean(p[0] for p in pairs):.4f}  fine-tune "
          f"{statistics.mean(p[1] for p in pairs):.4f}  {100 * mean:+.2f} points, 95 % interval "
          f"{100 * (mean - half):+.2f} .. {100 * (mean + half):+.2f}", flush=True)
    return {"folder": os.path.basename(folder), "options": options, "seeds": args.seeds, "pairs": pairs, "mean": mean,
            "interval": [mean - half, mean + half]}


def main():
    words = sys.argv[1:]
    cut = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("backbone")
    parser.add_argument("folder", nargs="+")
    parser.add_argument("--seeds", type=lambda s: [int(v) for v in s.split(",")], default=[1, 2, 3, 4, 5])
    parser.add_argument("--json")
    args = parser.parse_args(words[:cut])
    if len(args.seeds) > 1 and len(args.seeds) - 1 not in T95:
        parser.error("at most ten seeds")
    rows = [study(args, folder.rstrip("/"), words[cut + 1:]) for folder in args.folder]
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump(rows, f, indent=1)


if __name__ == "__main__":
    main()
