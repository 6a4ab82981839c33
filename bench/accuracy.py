#!/usr/bin/env python3
"""How accurate each recipe and effort is, beside recipe auto, on the same photos kept aside.

    bench/accuracy.py PROGRAM FOLDER... [--backbone NAME]... [--seeds 1,2,3,4,5] [--only NAME,...]
                      [--keep DIR] [--markdown FILE]
    bench/accuracy.py PROGRAM FOLDER... --name mine --options "--fine-tune --epochs 8"

For every folder of photos, backbone and seed, every way to train is run on the same photos and measured
on the same others (--seed draws both; holdout of --json), which none of them looks at. Printed are means
over the seeds, the difference of each pair to recipe auto with the 95 % interval of Student's t, and the
seconds of a run whose photos have not been seen before (--no-store), of the first seed. Splits of
different seeds share photos, so the interval is that of training anew, not that of other photos.

--keep: results are kept there, a file a run, and not computed again. Nothing is downloaded.
"""
import argparse
import json
import math
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

WAYS = {
    "auto": [],
    "effort 1": ["--effort", "1"],
    "effort 2": ["--effort", "2"],
    "effort 3": ["--effort", "3"],
    "fine-tune": ["--fine-tune"],
    "tutorial": ["--recipe", "tutorial", "--split", "stable"],
}
# two-sided 95 % quantiles of Student's t by degrees of freedom
T95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def train(args, folder, backbone, seed, options, fresh):
    """The JSON of one run, and its seconds."""
    with tempfile.TemporaryDirectory() as work:
        since = time.monotonic()
        done = subprocess.run([args.program, "train", folder, "--backbone", backbone, "--seed", str(seed), "-o",
                               os.path.join(work, "run"), "--json", "--quiet", *options,
                               *(["--no-store"] if fresh else [])],
                              capture_output=True, text=True, env={**os.environ, "HEADSTART_OFFLINE": "1"})
        if done.returncode:
            sys.exit(done.stderr)
        return {**json.loads(done.stdout), "wall_s": time.monotonic() - since}


def result(args, folder, backbone, seed, way, fresh=False):
    name = "-".join([os.path.basename(folder), os.path.basename(backbone.rstrip("/")), str(seed),
                     way.replace(" ", "_")]) + ("-fresh" if fresh else "") + ".json"
    path = os.path.join(args.keep, name) if args.keep else None
    if path and os.path.exists(path):
        with open(path) as f:
            return json.load(f)
    told = train(args, folder, backbone, seed, args.ways[way], fresh)
    if path:
        with open(path, "w") as f:
            json.dump(told, f)
    print(f"{name:60} accuracy {told['holdout']['accuracy']:.4f}", file=sys.stderr, flush=True)
    return told


def interval(apart):
    if len(apart) < 2:
        return statistics.mean(apart), math.nan
    return statistics.mean(apart), T95[len(apart) - 1] * statistics.stdev(apart) / math.sqrt(len(apart))


def rows(args, folder, backbone):
    aside = {way: [result(args, folder, backbone, s, way)["holdout"] for s in args.seeds] for way in args.ways}
    for way in args.ways:
        if way == "tutorial" and "mobilenet_v2" not in backbone:
            continue
        points, half = interval([100 * (a["accuracy"] - b["accuracy"]) for a, b in zip(aside[way], aside["auto"])])
        fresh = result(args, folder, backbone, args.seeds[0], way, True)
        yield {"way": way, "accuracy": 100 * statistics.mean(a["accuracy"] for a in aside[way]), "points": points,
               "half": half, "log_loss": statistics.mean(a["log_loss"] for a in aside[way]),
               "seconds": fresh["wall_s"], "passes": fresh["passes"]}


def table(args, folder, backbone):
    yield f"| {os.path.basename(folder)}, {os.path.basename(backbone.rstrip('/'))} | accuracy | against auto | log loss | seconds | passes |"
    yield "|---|---|---|---|---|---|"
    for r in rows(args, folder, backbone):
        apart = "" if r["way"] == "auto" else f"{r['points']:+.1f} ({r['points'] - r['half']:+.1f} to {r['points'] + r['half']:+.1f})"
        yield (f"| {r['way']} | {r['accuracy']:.1f} % | {apart} | {r['log_loss']:.3f} | {r['seconds']:.1f} | "
               f"{r['passes']:.1f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("folder", nargs="+")
    parser.add_argument("--backbone", action="append")
    parser.add_argument("--seeds", type=lambda s: [int(v) for v in s.split(",")], default=[1, 2, 3, 4, 5])
    parser.add_argument("--only", help="some of: " + ", ".join(WAYS))
    parser.add_argument("--name", help="of a way of your own")
    parser.add_argument("--options", default="", help="and its options")
    parser.add_argument("--keep")
    parser.add_argument("--markdown")
    args = parser.parse_args()
    ways = [w for w in WAYS if not args.only or w in args.only.split(",")]
    args.ways = {"auto": WAYS["auto"], **{w: WAYS[w] for w in ways}}
    if args.name:
        args.ways = {"auto": WAYS["auto"], args.name: shlex.split(args.options)}
    args.folder = [os.path.abspath(f) for f in args.folder]
    if args.keep:
        os.makedirs(args.keep, exist_ok=True)
    lines = []
    for folder in args.folder:
        for backbone in args.backbone or ["efficientnet_lite0"]:
            if "mobilenet_v2" not in backbone:
                args.ways.pop("tutorial", None)
            elif not args.only and not args.name:
                args.ways["tutorial"] = WAYS["tutorial"]
            lines += [*table(args, folder, backbone), ""]
    print("\n".join(lines))
    if args.markdown:
        with open(args.markdown, "w") as f:
            f.write("\n".join(lines))


if __name__ == "__main__":
    main()
