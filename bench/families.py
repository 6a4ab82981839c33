#!/usr/bin/env python3
"""Networks of every family, prepared images -> features, beside OpenVINO, ONNX Runtime and PyTorch.

    families.py --build BUILD [--rounds N] [--work FOLDER] [-o families.json] [NAME...]

NAME: short names of the networks below; all when none is given. Their weights are made up: timm writes
them, batch norm's statistics from random images, and headstart reads timm's folder. Everybody's features
of the same images are compared first. Then in every round each library runs one image (its latency) and
a batch of eight, on one thread and on all; the best round counts, of the fastest of its settings
(peers.py). In int8 OpenVINO's file is made by NNCF, ONNX Runtime's by its own quantiser, with ranges of
made-up images: enough to time them, not to say what they cost in accuracy.
"""
import argparse
import concurrent.futures
import json
import os
import platform
import subprocess
import sys
import tempfile

import made_up
import numpy as np
import onnxruntime
import openvino
from peers import (CPUS, Follower, OpenVino, Onnx, Torch, best_rate, export, onnx_int8,
                   openvino_int8)

NAMES = {"mobilenet_v1": "mobilenetv1_100", "mobilenet_v2": "mobilenetv2_100",
         "mobilenet_v3_small": "mobilenetv3_small_100", "mobilenet_v3_large": "mobilenetv3_large_100",
         "efficientnet_lite0": "tf_efficientnet_lite0", "efficientnet_b0": "efficientnet_b0",
         "efficientnet_v2_b0": "tf_efficientnetv2_b0", "resnet18": "resnet18", "resnet50": "resnet50",
         "mobilenet_v4_small": "mobilenetv4_conv_small", "mobilenet_v4_medium": "mobilenetv4_conv_medium",
         "hgnet_v2_b0": "hgnetv2_b0", "convnext_atto": "convnext_atto", "convnext_tiny": "convnext_tiny",
         "bit_r50x1": "resnetv2_50x1_bit",
         "regnet_y_400mf": "regnety_004", "regnet_y_800mf": "regnety_008_tv", "regnet_y_1_6gf": "regnety_016",
         "inception_v3": "inception_v3", "inception_resnet_v2": "inception_resnet_v2",
         "dinov2_small": "vit_small_patch14_dinov2", "vit_small_augreg": "vit_small_patch16_224"}
BATCHES = (1, 8)
SAME = {"fp32": 1e-3, "bf16": 0.2, "int8": 0.5}  # of the largest feature


class Contest:
    """One network by everybody."""

    def __init__(self, name, args, work):
        folder = os.path.join(work, name)
        net, self.px = made_up.network(NAMES[name], folder)
        path = os.path.join(folder, "network.onnx")
        export(net, self.px, path)
        self.name, self.rates = name, {}
        self.program = [os.path.join(args.build, "bench", "network"), folder]
        self.ours = {p: Follower(*self.program, p) for p in args.precision}
        torch_ways, self.others = Torch(net, self.px), {}
        openvino_name = "OpenVINO " + openvino.__version__.split("-")[0]
        onnx_name = "ONNX Runtime " + onnxruntime.__version__
        seen = [self.images(1) * scale for scale in np.linspace(0.5, 1, 10, dtype=np.float32)]
        for p in args.precision:
            low = p == "int8"
            self.others[f"{openvino_name} {p}", p] = OpenVino(openvino_int8(path, seen) if low else path, p)
            if p != "bf16":
                self.others[f"{onnx_name} {p}", p] = Onnx(onnx_int8(path, seen) if low else path)
            if not low:
                for way in ("eager", "optimised"):
                    self.others[f"PyTorch {way} {p}", p] = torch_ways

    def images(self, n):
        return np.random.default_rng(n).uniform(-1, 1, (n, 3, self.px, self.px)).astype(np.float32)

    def check(self):
        """Everybody's features of the same image are the same."""
        x = self.images(1)
        with tempfile.NamedTemporaryFile() as file:
            file.write(x.transpose(0, 2, 3, 1).tobytes())
            file.flush()
            ours = np.frombuffer(subprocess.run([*self.program, "fp32", file.name], check=True,
                                                capture_output=True).stdout, np.float32)
        for (library, precision), other in self.others.items():
            for run in other.runs(library):
                far = np.abs(run(x, False)[0] - ours).max() / np.abs(ours).max()
                if not far < SAME[precision]:
                    sys.exit(f"{self.name}: {library} does not do the same work ({far:.1e})")

    def add(self, library, threads, batch, images_s):
        self.rates.setdefault((library, threads, batch), []).append(images_s)

    def round(self, pool):
        for precision, ours in self.ours.items():
            for row in ours.round():
                if row["batch"] in BATCHES:
                    self.add(f"headstart {precision}", row["threads"], row["batch"], row["images_s"])
        for batch in BATCHES:
            x = self.images(batch)
            for threads in sorted({1, CPUS}):
                for (library, _), other in self.others.items():
                    self.add(library, threads, batch, best_rate(other, library, x, threads, pool))

    def rows(self):
        for (library, threads, batch), rates in self.rates.items():
            yield {"network": self.name, "library": library, "threads": threads, "batch": batch,
                   "best": max(rates), "median": float(np.median(rates))}

    def close(self):
        for ours in self.ours.values():
            ours.close()


def rates_of(rows, network, threads, batches, key):
    """The largest rate over the batches, by library."""
    rates = {}
    for r in rows:
        if r["network"] == network and r["threads"] == threads and r["batch"] in batches:
            rates[r["library"]] = max(rates.get(r["library"], 0), r[key])
    return rates


def table(rows, precision, title, threads, batches):
    """A row a network and number of threads: our rate, and how many times that of each other."""
    ours = f"headstart {precision}"
    libraries = sorted({r["library"] for r in rows if not r["library"].startswith("headstart") and
                        r["library"].endswith(precision)})
    if precision != "fp32":
        libraries.insert(0, "headstart fp32")
    heads = [f"x {name}" for name in libraries]
    yield f"\n| {title}, {precision} | threads | images/s | " + " | ".join(heads) + " |"
    yield "|" + "---|" * (3 + len(libraries))
    for network in dict.fromkeys(r["network"] for r in rows):
        for n in threads:
            best, median = (rates_of(rows, network, n, batches, k) for k in ("best", "median"))
            times = (f"{best[ours] / best[name]:.2f} ({median[ours] / median[name]:.2f})"
                     for name in libraries)
            yield (f"| {network} | {n} | {best[ours]:.1f} ({median[ours]:.1f}) | "
                   + " | ".join(times) + " |")


def options():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--build", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precision", nargs="+", default=["fp32"], choices=[*SAME])
    parser.add_argument("--work", help="keep the networks here")
    parser.add_argument("-o", "--output", default="families.json")
    args = parser.parse_args()
    args.names = args.names or list(NAMES)
    if unknown := [n for n in args.names if n not in NAMES]:
        parser.error(f"no network here is called {unknown[0]}: {', '.join(NAMES)}")
    return args


def main():
    args = options()
    about = json.loads(subprocess.run(
        [os.path.join(args.build, "cli", "headstart"), "info", "--devices", "--json"], check=True,
        capture_output=True).stdout)
    rows = []
    with tempfile.TemporaryDirectory() as temporary, \
            concurrent.futures.ThreadPoolExecutor(CPUS) as pool:
        for name in args.names:
            contest = Contest(name, args, args.work or temporary)
            contest.check()
            for i in range(args.rounds):
                print(f"{name}: round {i + 1} of {args.rounds}", file=sys.stderr, flush=True)
                contest.round(pool)
            contest.close()
            rows += contest.rows()
            with open(args.output, "w", encoding="utf-8") as file:
                json.dump({"processor": platform.processor() or platform.machine(),
                           "processors": CPUS, "kernels": about["kernels"], "rounds": args.rounds,
                           "rows": rows}, file, indent=1)
    for precision in args.precision:
        for words in (("many images", sorted({1, CPUS}), BATCHES), ("one image", [CPUS], (1,))):
            print("\n".join(table(rows, precision, *words)))
    print("best of the rounds (median of the rounds); x: times the other's")


if __name__ == "__main__":
    main()
