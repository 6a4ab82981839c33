#!/usr/bin/env python3
"""The same features of the same photos by headstart and by PyTorch: how far apart, who is faster.

    pytorch_features.py --headstart BUILD/cli/headstart --network BUILD/bench/network PHOTOS
                        --lite0 FILE.pth [--mobilenet FOLDER] [--rounds N]

Two measurements for each backbone, headstart and PyTorch taking turns, the best round of each:
  network    prepared tensors -> features; headstart's side by bench/network.c
  photos     image files -> features; headstart's side is the whole `headstart features` process
             with start-up and writing, PyTorch's is without importing and loading
PyTorch runs eager, channels-last, in inference mode, batch norm folded into the convolutions, in
the best of several settings: all threads on one batch, or one batch a thread, each batch size.
"""
import argparse
import concurrent.futures
import csv
import glob
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
from PIL import Image, ImageOps
from safetensors.torch import load_file

N_CPUS = len(os.sched_getaffinity(0))
BATCHES = (1, 8, 32)
N_NETWORK = 64  # images a round of the network measurement

# ---- the networks ------------------------------------------------------------------------------


class TFConv(torch.nn.Conv2d):
    """Convolution with TensorFlow's SAME padding: the smaller half first."""

    def __init__(self, c_in, c_out, kernel, stride=1, groups=1):
        super().__init__(c_in, c_out, kernel, stride, kernel // 2 if stride == 1 else 0,
                         groups=groups, bias=True)

    def forward(self, x):
        if self.stride[0] > 1:
            (k, _), (s, _), size = self.kernel_size, self.stride, x.shape[-1]
            total = max((-(-size // s) - 1) * s + k - size, 0)
            before, after = total // 2, total - total // 2
            x = torch.nn.functional.pad(x, (before, after, before, after))
        return super().forward(x)


def folded(weights, conv, bn, c_in, kernel_groups, stride, epsilon=1e-3):
    """The convolution with its batch norm inside: w' = w g / sqrt(v + eps), b' = b - m g / ..."""
    w = weights[conv + ".weight"]
    scale = weights[bn + ".weight"] / torch.sqrt(weights[bn + ".running_var"] + epsilon)
    layer = TFConv(c_in, w.shape[0], w.shape[2], stride, kernel_groups)
    layer.weight.data = w * scale[:, None, None, None]
    layer.bias.data = weights[bn + ".bias"] - weights[bn + ".running_mean"] * scale
    return layer


class Block(torch.nn.Module):
    """Expand, depthwise, project, and the input added where shapes allow."""

    def __init__(self, layers, residual):
        super().__init__()
        self.layers, self.residual = torch.nn.Sequential(*layers), residual

    def forward(self, x):
        y = self.layers(x)
        return x + y if self.residual else y


def relu6():
    return torch.nn.ReLU6(inplace=True)


def inverted_residual(weights, expand, depthwise, project, stride):
    """Each of the three: (convolution name, batch-norm name); expand may be None."""
    layers, dw = [], weights[depthwise[0] + ".weight"]
    c_in = weights[(expand or depthwise)[0] + ".weight"].shape[1 if expand else 0]
    if expand:
        layers += [folded(weights, *expand, c_in, 1, 1), relu6()]
    layers += [folded(weights, *depthwise, dw.shape[0], dw.shape[0], stride), relu6()]
    layers += [folded(weights, *project, dw.shape[0], 1, 1)]
    c_out = weights[project[0] + ".weight"].shape[0]
    return Block(layers, stride == 1 and c_in == c_out)


def assemble(stem, blocks, head):
    layers = [stem, relu6(), *blocks, head, relu6(), torch.nn.AdaptiveAvgPool2d(1),
              torch.nn.Flatten()]
    return torch.nn.Sequential(*layers).eval().to(memory_format=torch.channels_last)


def lite0(path):
    w = torch.load(path, map_location="cpu", weights_only=True)
    strides = [s for n, s in ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))
               for s in [s] + [1] * (n - 1)]
    blocks = []
    for i, stride in enumerate(strides):
        b = f"_blocks.{i}."
        expand = (b + "_expand_conv", b + "_bn0") if i else None
        blocks.append(inverted_residual(w, expand, (b + "_depthwise_conv", b + "_bn1"),
                                        (b + "_project_conv", b + "_bn2"), stride))
    return assemble(folded(w, "_conv_stem", "_bn0", 3, 1, 2), blocks,
                    folded(w, "_conv_head", "_bn1", 320, 1, 1)), 127.0, 128.0


def mobilenet_v2(folder):
    w = load_file(os.path.join(folder, "model.safetensors"))

    def pair(name):
        return "mobilenet_v2." + name + ".convolution", "mobilenet_v2." + name + ".normalization"

    strides = [s for n, s in ((2, 2), (3, 2), (4, 2), (3, 1), (3, 2), (1, 1))
               for s in [s] + [1] * (n - 1)]
    blocks = [inverted_residual(w, None, pair("conv_stem.conv_3x3"),
                                pair("conv_stem.reduce_1x1"), 1)]
    for i, stride in enumerate(strides):
        b = f"layer.{i}."
        blocks.append(inverted_residual(w, pair(b + "expand_1x1"), pair(b + "conv_3x3"),
                                        pair(b + "reduce_1x1"), stride))
    return assemble(folded(w, *pair("conv_stem.first_conv"), 3, 1, 2), blocks,
                    folded(w, *pair("conv_1x1"), 320, 1, 1)), 127.5, 127.5


# ---- PyTorch's side ----------------------------------------------------------------------------


def prepare(path, mean, std):
    """As `--prepare pil`: EXIF orientation, RGB, antialiased bilinear squash to the square."""
    with Image.open(path) as image:
        image = ImageOps.exif_transpose(image).convert("RGB")
    pixels = np.asarray(image.resize((224, 224), Image.Resampling.BILINEAR), np.float32)
    return (pixels - np.float32(mean)) / np.float32(std)


def as_batch(arrays):
    """NHWC memory seen as NCHW: channels-last without a copy."""
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)


def batches(items, size):
    return [items[i:i + size] for i in range(0, len(items), size)]


def run_network(net, x, per_thread, size):
    """x -> features, `size` images at a time; per_thread: N_CPUS Python threads, one batch each."""
    torch.set_num_threads(1 if per_thread else N_CPUS)

    def one(part):
        with torch.inference_mode():
            return net(part)

    with concurrent.futures.ThreadPoolExecutor(N_CPUS if per_thread else 1) as pool:
        return torch.cat(list(pool.map(one, batches(x, size)))).numpy()


def run_photos(net, paths, norm, per_thread, size):
    torch.set_num_threads(1 if per_thread else N_CPUS)

    def whole(part):
        with torch.inference_mode():
            return net(as_batch([prepare(p, *norm) for p in part]))

    with concurrent.futures.ThreadPoolExecutor(N_CPUS) as pool:
        if per_thread:
            parts = list(pool.map(whole, batches(paths, size)))
        else:  # threads decode ahead while the network runs
            arrays = pool.map(lambda p: prepare(p, *norm), paths)
            parts, part = [], []
            with torch.inference_mode():
                for array in arrays:
                    part.append(array)
                    if len(part) == size:
                        parts.append(net(as_batch(part)))
                        part = []
                if part:
                    parts.append(net(as_batch(part)))
    return torch.cat(parts).numpy()


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def best_setting(net, x):
    """Of (one batch a thread?, batch size), the fastest for the network alone."""
    settings = [(p, b) for b in BATCHES for p in (False, True)]
    for setting in settings:
        run_network(net, x[:2 * setting[1]], *setting)
    return min(settings, key=lambda s: min(seconds(lambda: run_network(net, x, *s))
                                           for _ in range(2)))


# ---- headstart's side --------------------------------------------------------------------------


def headstart_photos(program, folder, backbone, out):
    """Without the feature store, which would answer the second round without the network."""
    subprocess.run([program, "features", folder, "-o", out, "--backbone", backbone, "--no-store",
                    "-q"], check=True, stdout=subprocess.DEVNULL)


def headstart_network(program, backbone):
    """Seconds for N_NETWORK images, as the program measures them."""
    answer = subprocess.run([program, backbone, str(N_NETWORK)], check=True, capture_output=True)
    return float(answer.stdout)


# ---- both --------------------------------------------------------------------------------------


def report(what, n, ours, theirs):
    print(f"  {what:8} headstart {n / ours:7.1f} images/s   PyTorch {n / theirs:7.1f} images/s"
          f"   ratio {theirs / ours:.2f}", flush=True)


def compare(name, backbone, network, args, work):
    net, *norm = network
    out = os.path.join(work, name + ".npy")
    headstart_photos(args.headstart, args.photos, backbone, out)
    ours = np.load(out)
    with open(out[:-4] + ".csv", encoding="utf-8", newline="") as file:
        paths = [row["path"] for row in csv.DictReader(file)]
    x = as_batch([prepare(p, *norm) for p in (paths * N_NETWORK)[:N_NETWORK]])
    setting = best_setting(net, x)
    how = "a batch of {1} on each thread" if setting[0] else "batches of {1} on all threads"
    print(f"{name}: {len(paths)} photos, {N_CPUS} processors; PyTorch's best: "
          + how.format(*setting), flush=True)
    theirs = run_photos(net, paths, norm, *setting)
    print(f"  largest difference {np.abs(ours - theirs).max():.2e}, "
          f"largest feature {np.abs(theirs).max():.2f}")
    times = [[], [], [], []]
    for _ in range(args.rounds):
        times[0].append(headstart_network(args.network, backbone))
        times[1].append(seconds(lambda: run_network(net, x, *setting)))
        times[2].append(seconds(lambda: headstart_photos(args.headstart, args.photos, backbone,
                                                         out)))
        if not np.array_equal(np.load(out), ours):
            sys.exit(f"{name}: the features of two runs differ")
        times[3].append(seconds(lambda: run_photos(net, paths, norm, *setting)))
    report("network", N_NETWORK, min(times[0]), min(times[1]))
    report("photos", len(paths), min(times[2]), min(times[3]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("photos")
    parser.add_argument("--headstart", required=True)
    parser.add_argument("--network", required=True)
    parser.add_argument("--lite0")
    parser.add_argument("--mobilenet")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    if not glob.glob(os.path.join(args.photos, "*")):
        sys.exit(f"{args.photos}: no photos to measure with")
    print(f"PyTorch {torch.__version__}, best of {args.rounds} rounds each", flush=True)
    with tempfile.TemporaryDirectory() as work:
        if args.lite0:
            compare("efficientnet_lite0", args.lite0, lite0(args.lite0), args, work)
        if args.mobilenet:
            compare("mobilenet_v2", args.mobilenet, mobilenet_v2(args.mobilenet), args, work)


if __name__ == "__main__":
    main()
