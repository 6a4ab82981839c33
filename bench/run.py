#!/usr/bin/env python3
"""This machine, headstart, and others beside it; a table, and the same numbers in bench.json.

    run.py --build BUILD --lite0 FILE.pth [--mobilenet FOLDER] [--rounds N] [-o bench.json] PHOTOS

What is measured, everything once a round, so that a disturbance hits all alike:
  machine   fp32 multiply-adds on registers alone, and the kernels and blocks beside that limit
  network   prepared images -> features: threads 1 and all, batches of 1, 8 and 32
  prepared  image files -> the network's input
  photos    image files -> features; headstart's side is the whole `headstart features` process
            with start-up and writing, the others' is without importing and loading
  predict   one photo from the start of a process to its answer
OpenVINO, ONNX Runtime and PyTorch run the same folded network with the same weights, and are seen to
give the same features. Each stands for the fastest of its settings: one batch on all threads, or a
batch a thread; OpenVINO for latency and for throughput; PyTorch eager with channels-last memory, and
after optimize_for_inference with either.
"""
import argparse
import concurrent.futures
import csv
import json
import os
import platform
import subprocess
import sys
import tempfile
import time

import networks
import numpy as np
import onnxruntime
import openvino
from peers import CPUS, Follower, OpenVino, Onnx, Torch, best_rate, export
from PIL import Image, ImageOps

BATCHES = (1, 8, 32)
STARTS = 5  # of `headstart predict` in a round
AHEAD = 64  # images that are decoded before the network has taken them


# ---- photos ------------------------------------------------------------------------------------


def prepare(path, mean, std):
    """As `--prepare pil`: EXIF orientation, RGB, antialiased bilinear squash to the square."""
    with Image.open(path) as image:
        image = ImageOps.exif_transpose(image).convert("RGB")
    pixels = np.asarray(image.resize((224, 224), Image.Resampling.BILINEAR), np.float32)
    return ((pixels - np.float32(mean)) / np.float32(std)).transpose(2, 0, 1)


def features(run, paths, norm, pool):
    """Files -> features: threads decode ahead while the network runs on all of them."""
    rows = []
    for i in range(0, len(paths), AHEAD):
        x = np.stack(list(pool.map(lambda p: prepare(p, *norm), paths[i:i + AHEAD])))
        rows += [run(x[k:k + 8], False) for k in range(0, len(x), 8)]
    return np.concatenate(rows)


def features_per_thread(run, paths, norm, pool):
    """Files -> features: every thread decodes and runs eight of its own."""
    def whole(part):
        return run(np.stack([prepare(p, *norm) for p in part]), True)
    return np.concatenate(list(pool.map(whole, [paths[i:i + 8] for i in range(0, len(paths), 8)])))


class Headstart:
    def __init__(self, build, backbone, folder):
        self.program = os.path.join(build, "cli", "headstart")
        self.work_of = [folder, "--backbone", backbone, "--no-store", "-q", "-o"]

    def run(self, *words):
        subprocess.run([self.program, *words], check=True, stdout=subprocess.DEVNULL)

    def train(self, out):
        self.run("train", *self.work_of, out)

    def features(self, out):
        self.run("features", *self.work_of, out)
        with open(out[:-4] + ".csv", encoding="utf-8", newline="") as file:
            return [row["path"] for row in csv.DictReader(file)], np.load(out)


# ---- all of it ---------------------------------------------------------------------------------


class Table:
    """Rows by (what, library, threads, batch): a rate for every round."""

    def __init__(self):
        self.rates, self.flops = {}, {}  # flops: of one image, where they are counted

    def add(self, what, library, threads, batch, images_s):
        self.rates.setdefault((what, library, threads, batch), []).append(images_s)

    def rows(self, peaks):
        for (what, library, threads, batch), rates in self.rates.items():
            best = max(rates)
            row = {"what": what, "library": library, "threads": threads, "batch": batch,
                   "best": round(best, 2), "median": round(float(np.median(rates)), 2)}
            if what in self.flops:
                row["percent_of_peak"] = round(100 * best * self.flops[what] / peaks[threads], 1)
            yield row


def best_of(rows, what):
    """The best rate of headstart on all threads."""
    return max(r["best"] for r in rows
               if r["what"] == what and r["library"] == "headstart" and r["threads"] == CPUS)


class Contest:
    """One backbone by everybody."""

    def __init__(self, name, backbone, network, args, work):
        self.name, (self.net, *self.norm) = name, network
        self.work, self.photos = work, []
        self.follower = Follower(os.path.join(args.build, "bench", "network"), backbone, "fp32")
        self.preparing = Follower(os.path.join(args.build, "bench", "prepare"), backbone,
                                  args.photos)
        self.ours = Headstart(args.build, backbone, args.photos)
        path, torch = os.path.join(work, name + ".onnx"), Torch(self.net, 224)
        export(self.net, 224, path)
        self.others = [(f"OpenVINO {openvino.__version__.split('-')[0]}", OpenVino(path, "fp32")),
                       (f"ONNX Runtime {onnxruntime.__version__}", Onnx(path)),
                       ("PyTorch eager", torch), ("PyTorch optimised", torch)]

    def check(self, pool):
        """Everybody's features of the photos are the same."""
        self.ours.train(os.path.join(self.work, self.name))
        self.photos, want = self.ours.features(os.path.join(self.work, self.name + ".npy"))
        largest = np.abs(want).max()
        for library, other in self.others:
            for run in other.runs(library):
                far = np.abs(features(run, self.photos, self.norm, pool) - want).max()
                print(f"  {library}: largest difference {far:.1e} of {largest:.2f}", flush=True)
                if far > 1e-3 * largest:
                    sys.exit(f"{library} does not do the same work")

    def round(self, table, pool):
        what = "network " + self.name
        for row in self.follower.round():
            table.add(what, "headstart", row["threads"], row["batch"], row["images_s"])
        for batch in BATCHES:
            x = np.random.default_rng(batch).uniform(-1, 1, (batch, 3, 224, 224))
            x = x.astype(np.float32)
            for threads in sorted({1, CPUS}):
                for library, other in self.others:
                    table.add(what, library, threads, batch,
                              best_rate(other, library, x, threads, pool))
        self.photo_round(table, pool)

    def photo_round(self, table, pool):
        what, n = "photos " + self.name, len(self.photos)
        for row in self.preparing.round():
            table.add("prepared " + self.name, "headstart", row["threads"], 1, row["images_s"])

        def once(function, *arguments, images=n):
            start = time.perf_counter()
            function(*arguments)
            return images / (time.perf_counter() - start)

        model = os.path.join(self.work, self.name, "model.safetensors")
        for path in self.photos[:STARTS]:
            table.add("predict " + self.name, "headstart", CPUS, 1,
                      once(self.ours.run, "predict", model, path, images=1))

        table.add(what, "headstart", CPUS, 1,
                  once(self.ours.features, os.path.join(self.work, self.name + ".npy")))
        for library, other in self.others:
            other.threads = CPUS
            table.add(what, library, CPUS, 8,
                      max(once(way, run, self.photos, self.norm, pool)
                          for run in other.runs(library)
                          for way in (features, features_per_thread)))

    def summary(self, rows):
        """What preparation leaves of the network's rate, and what of that `features` reaches."""
        network, prepared, photos, predict = (
            best_of(rows, what + " " + self.name)
            for what in ("network", "prepared", "photos", "predict"))
        both = 1 / (1 / network + 1 / prepared)
        return {"backbone": self.name, "network_images_s": network,
                "prepared_images_s": prepared,
                "preparation_percent": round(100 * both / prepared, 1),
                "network_and_preparation_images_s": round(both, 2), "photos_images_s": photos,
                "photos_percent_of_network": round(100 * photos / network, 1),
                "photos_percent_of_both": round(100 * photos / both, 1),
                "cold_predict_ms": round(1000 / predict, 1)}

    def close(self):
        self.follower.close()
        self.preparing.close()


def machine_rows(rounds):
    """Best and median GFLOP/s of each kernel and block, and the limit for each number of threads
    in FLOP/s."""
    rows, peaks = [], {}
    for same in zip(*rounds):
        rates = [row["gflops"] for row in same]
        row = {"what": same[0]["what"], "library": "headstart", "kernels": same[0]["kernels"],
               "threads": same[0]["threads"], "best_gflops": max(rates),
               "median_gflops": float(np.median(rates))}
        if same[0]["limit"]:
            peaks[row["threads"]] = row["best_gflops"] * 1e9
        row["percent_of_peak"] = round(1e11 * row["best_gflops"] / peaks[row["threads"]], 1)
        rows.append(row)
    return rows, peaks


def show(machine, rows):
    print(f"\n{'':46} {'GFLOP/s':>8} {'median':>8} {'% of peak':>9}")
    for r in machine:
        print(f"{r['what']:46} {r['best_gflops']:8.1f} {r['median_gflops']:8.1f} "
              f"{r['percent_of_peak']:9.0f}")
    print(f"\n{'':28} {'library':22} {'threads':>7} {'batch':>5} {'images/s':>8} {'median':>8} "
          f"{'% of peak':>9} {'headstart':>9}")
    ours = {(r["what"], r["threads"]): 0.0 for r in rows}
    for r in rows:
        if r["library"] == "headstart":
            ours[r["what"], r["threads"], r["batch"]] = r["best"]
    for r in sorted(rows, key=lambda r: (r["what"], r["threads"], r["batch"])):
        part = f"{r['percent_of_peak']:9.0f}" if "percent_of_peak" in r else " " * 9
        own = ours.get((r["what"], r["threads"], r["batch"] if "network" in r["what"] else 1))
        times = "" if r["library"] == "headstart" or not own else f"{own / r['best']:8.2f}x"
        print(f"{r['what']:28} {r['library']:22} {r['threads']:7} {r['batch']:5} {r['best']:8.1f} "
              f"{r['median']:8.1f} {part} {times}")


def show_summary(s):
    print(f"\n{s['backbone']}, from files to features on all {CPUS} threads: "
          f"{s['photos_images_s']:.1f} images/s\n"
          f"  the network alone {s['network_images_s']:.1f}, preparation alone "
          f"{s['prepared_images_s']:.1f}, one after the other "
          f"{s['network_and_preparation_images_s']:.1f} images/s,\n"
          f"  {s['preparation_percent']:.0f} % of it preparation: features reaches "
          f"{s['photos_percent_of_both']:.0f} % of that, {s['photos_percent_of_network']:.0f} % of "
          f"the network alone\n"
          f"  one photo, from the start of `headstart predict` to its answer: "
          f"{s['cold_predict_ms']:.1f} ms")


def told(build, *words):
    """What the program says in JSON."""
    return json.loads(subprocess.run([os.path.join(build, "cli", "headstart"), *words, "--json"],
                                     check=True, capture_output=True).stdout)


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("photos")
    parser.add_argument("--build", required=True)
    parser.add_argument("--lite0")
    parser.add_argument("--mobilenet")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("-o", "--output", default="bench.json")
    return parser.parse_args()


def main():
    args = options()
    about = told(args.build, "info", "--devices")
    memory = told(args.build, "bench", "--backbone", args.lite0 or args.mobilenet)["copy_gb_s"]
    engine = Follower(os.path.join(args.build, "bench", "bench_engine"), "--follow",
                      about["kernels"])
    table, machine = Table(), []
    with tempfile.TemporaryDirectory() as work, \
            concurrent.futures.ThreadPoolExecutor(CPUS) as pool:
        contests = []
        if args.lite0:
            contests.append(Contest("efficientnet_lite0", args.lite0, networks.lite0(args.lite0),
                                    args, work))
        if args.mobilenet:
            contests.append(Contest("mobilenet_v2", args.mobilenet,
                                    networks.mobilenet_v2(args.mobilenet), args, work))
        for c in contests:
            print(f"{c.name}, on {args.photos}:", flush=True)
            table.flops["network " + c.name] = networks.flops(c.net)
            c.check(pool)
        for i in range(args.rounds):
            print(f"round {i + 1} of {args.rounds}", flush=True)
            machine.append(engine.round())
            for c in contests:
                c.round(table, pool)
        for c in contests:
            c.close()
    engine.close()
    limits, peaks = machine_rows(machine)
    rows = list(table.rows(peaks))
    print(f"\nmemory read and written: {memory['best']:.1f} GB/s")
    show(limits, rows)
    summaries = [c.summary(rows) for c in contests]
    for s in summaries:
        show_summary(s)
    with open(args.output, "w", encoding="utf-8") as file:
        json.dump({"machine": {"processor": platform.processor() or platform.machine(),
                               "kernels": about["kernels"], "processors": CPUS,
                               "rounds": args.rounds, "memory_copy_gb_s": memory["best"]},
                   "peak_flops": {str(k): v for k, v in peaks.items()}, "kernels": limits,
                   "rows": rows, "summary": summaries}, file, indent=1)
    print(f"\nthe same in {args.output}")


if __name__ == "__main__":
    main()
