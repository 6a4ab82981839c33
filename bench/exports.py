#!/usr/bin/env python3
"""Exports of every family in their formats' own runtimes: whether they answer photos as the model does.

    exports.py --build BUILD --photos FOLDER --work DIR [--python PYTHON]... [--only FORMAT,...] [--fine-tune]
               [--speed] [--markdown FILE] [NAME...]

NAME: networks below, all when none is given, or NAME=BACKBONE for one of yours. Of each class 40 photos are kept aside;
a head learns from the others, with --fine-tune the network too, and the model is exported to each format. The format's
runtime, told nothing but the file (tests/cli/readers.py), answers the photos kept aside, and `predict` does. Printed
are the largest difference of a probability, and the sizes; of 8 bits the photos answered rightly.

Networks are real where pip brings them, else of timm with made-up weights, whose statistics of batch norm come from
photos (made_up.py). --python: others with runtimes that this one has not (TensorFlow beside PyTorch). --speed: instead,
ONNX Runtime's seconds a photo of our file and of what PyTorch exports of the same network, in turn. What has been
found is kept in DIR and not done again.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import time

import made_up
import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "cli"))
import readers  # noqa: E402

ASIDE = 40  # photos of a class
SEEN = 48  # photos that made-up networks see
REAL = {"efficientnet_lite0": "efficientnet_lite0", "efficientnet_lite2": "efficientnet_lite2",
        "mobilenet_v2": "mobilenet_v2_tonylins"}
MADE_UP = {"mobilenet_v1": "mobilenetv1_100", "mobilenet_v3_small": "mobilenetv3_small_100",
           "mobilenet_v3_large": "mobilenetv3_large_100", "mobilenet_v4_small": "mobilenetv4_conv_small",
           "efficientnet_b0": "tf_efficientnet_b0", "efficientnet_v2_b0": "tf_efficientnetv2_b0",
           "resnet18": "resnet18", "resnet50": "resnet50", "bit_r50x1": "resnetv2_50x1_bit",
           "hgnet_v2_b0": "hgnetv2_b0", "regnet_y_400mf": "regnety_004", "convnext_atto": "convnext_atto",
           "inception_v3": "inception_v3", "inception_resnet_v2": "inception_resnet_v2",
           "vit_tiny": "vit_tiny_patch16_224",
           "deit_tiny": "deit_tiny_distilled_patch16_224", "dinov2_small": "vit_small_patch14_dinov2",
           "dinov3_tiny": "vit_tiny_patch16_dinov3_qkvb", "dinov3_small": "vit_small_patch16_dinov3",
           "pe_core_tiny": "vit_pe_core_tiny_patch16_384"}
FORMATS = {"onnx": "onnx", "tflite": "tflite", "savedmodel": "savedmodel", "keras": "keras", "tfjs": "tfjs",
           "page": "tfjs", "torch": "torch", "hf": "hf", "timm": "timm", "c": "c",
           "tflite float16": "tflite --weights float16",
           "tfjs float16": "tfjs --weights float16", "c float16": "c --weights float16",
           "tflite int8": "tflite --weights int8", "tflite int8 whole": "tflite --weights int8 --data",
           "c int8": "c --weights int8"}
SUFFIX = {"onnx": ".onnx", "tflite": ".tflite", "keras": ".keras", "torch": ".pth"}


class Campaign:
    def __init__(self, args):
        self.args = args
        self.program = os.path.join(args.build, "cli", "headstart")
        self.learned, self.aside = (os.path.join(args.work, "photos", side) for side in ("learned", "aside"))
        if not os.path.exists(self.aside):
            self.divide()
        self.photos = [os.path.join(folder, name) for folder, _, names in sorted(os.walk(self.aside))
                       for name in sorted(names)]
        self.true = [os.path.basename(os.path.dirname(photo)) for photo in self.photos]
        self.python = {}

    def divide(self):
        for label in sorted(os.listdir(self.args.photos)):
            for i, name in enumerate(sorted(os.listdir(os.path.join(self.args.photos, label)))):
                to = os.path.join(self.aside if i < ASIDE else self.learned, label)
                os.makedirs(to, exist_ok=True)
                shutil.copy(os.path.join(self.args.photos, label, name), to)

    def run(self, *words):
        done = subprocess.run([self.program, *words], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        return done.stdout

    # ---- models ----

    def images(self, px):
        """Photos that were learned from, [n][3][px][px], 0 to 1."""
        found = sorted(os.path.join(folder, name) for folder, _, names in os.walk(self.learned) for name in names)
        x = readers.pixels(found[::len(found) // SEEN][:SEEN], {"geometry": "squash", "as": "PIL.Image.resize",
                           "interpolation": "bilinear", "width": px, "height": px}, np.float32)
        return torch.from_numpy(x / 255).permute(0, 3, 1, 2)

    def model(self, name, backbone):
        folder = os.path.join(self.args.work, name + ("-tuned" if self.args.fine_tune else ""))
        if not os.path.exists(os.path.join(folder, "run", "model.safetensors")):
            if name in MADE_UP and not backbone:
                backbone = os.path.join(folder, "backbone")
                made_up.network(MADE_UP[name], backbone, self.images)
            tune = ["--fine-tune", "--epochs", "4"] if self.args.fine_tune else []
            self.run("train", self.learned, "--backbone", backbone or REAL[name], "-o", os.path.join(folder, "run"),
                     "--quiet", *tune)
        return folder

    def ours(self, run):
        out = self.run("predict", run, *self.photos, "--format", "json", "--top", "1000", "--no-unknown", "--no-store")
        return [{c["label"]: c["probability"] for c in json.loads(line)["top"]} for line in out.splitlines()]

    # ---- runtimes ----

    def python_for(self, kind):
        """The first Python that has what the format needs."""
        modules = readers.MODULES[kind]
        for python in [sys.executable, *self.args.python] if kind not in self.python else []:
            find = "import importlib.util as u, sys; sys.exit(not all(u.find_spec(m) for m in sys.argv[1:]))"
            if subprocess.run([python, "-c", find, *modules]).returncode == 0:
                self.python[kind] = python
                break
        return self.python.get(kind)

    def answers(self, kind, path):
        done = subprocess.run([self.python_for(kind), readers.__file__, kind, path, *self.photos], capture_output=True,
                              text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        return json.loads(done.stdout.splitlines()[-1])

    def one(self, folder, way, ours):
        kind, *words = FORMATS[way].split()
        path, run = os.path.join(folder, way.replace(" ", "-") + SUFFIX.get(kind, "")), os.path.join(folder, "run")
        if os.path.isdir(path):
            shutil.rmtree(path)
        data = [self.learned, "--max-drop", "100"] if words[-1:] == ["--data"] else []
        since = time.monotonic()
        told = json.loads(self.run("export", run, "--to", kind, "-o", path, "--json", *words, *data))
        seconds = time.monotonic() - since
        got = self.answers("page" if way == "page" else kind, path)
        assert sorted(got["labels"]) == sorted(ours[0]), got["labels"]
        a, b = np.array(got["answers"]), np.array([[row[label] for label in got["labels"]] for row in ours])
        label = np.array(got["labels"])
        return {"runtime": got["runtime"], "difference": float(np.abs(a - b).max()), "bytes": told["bytes"],
                "checked": told["checked"], "export_s": seconds, "photos": len(a),
                "right": int((label[a.argmax(1)] == self.true).sum()),
                "right_ours": int((label[b.argmax(1)] == self.true).sum())}

    def compare(self, name, backbone):
        folder, found, ours = self.model(name, backbone), {}, None
        for way in self.args.only or FORMATS:
            path = os.path.join(folder, way.replace(" ", "-") + ".json")
            if not os.path.exists(path) and self.python_for(FORMATS[way].split()[0]):
                ours = ours or self.ours(os.path.join(folder, "run"))
                try:
                    told = self.one(folder, way, ours)
                except RuntimeError as e:
                    told = {"refused": str(e)}
                print(name, way, told, file=sys.stderr, flush=True)
                with open(path, "w", encoding="utf-8") as f:
                    json.dump(told, f, indent=1)
            if os.path.exists(path):
                with open(path, encoding="utf-8") as f:
                    found[way] = json.load(f)
        return found

    # ---- speed ----

    def speed(self, name, backbone):
        """Seconds a photo: our file, and PyTorch's own of the network as the state dict has it."""
        import onnxruntime
        folder = self.model(name, backbone)
        mine, state, theirs = (os.path.join(folder, f) for f in ("speed.onnx", "speed.pth", "pytorch.onnx"))
        for kind, path in (("onnx", mine), ("torch", state)):
            self.run("export", os.path.join(folder, "run"), "--to", kind, "-o", path)
        names, told = {}, torch.load(state, weights_only=True).headstart
        exec(told["loader"].replace('"speed.pth"', repr(state)), names)
        size = json.loads(told["preprocess"])["input"]
        shape = size["height"], size["width"]
        torch.onnx.export(names["net"], torch.zeros(1, 3, *shape), theirs, opset_version=17, input_names=["x"],
                          dynamo=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        given = {mine: {"image": np.zeros((1, *shape, 3), np.uint8) + 100},
                 theirs: {"x": np.zeros((1, 3, *shape), np.float32) + 0.5}}
        session = {path: onnxruntime.InferenceSession(path, options) for path in given}
        best = dict.fromkeys(given, 1e9)
        for _ in range(self.args.rounds):
            for path, x in given.items():
                since = time.perf_counter()
                for _ in range(5):
                    session[path].run(None, x)
                best[path] = min(best[path], (time.perf_counter() - since) / 5)
        return {"ours_s": best[mine], "pytorch_s": best[theirs], "ratio": best[theirs] / best[mine]}


def cell(row):
    return "" if row is None else "-" if "refused" in row else f"{row['difference']:.1e}"


def tables(found):
    """Markdown: differences; then, a line a network, what is right in 8 bits, sizes and seconds."""
    ways = [way for way in FORMATS if "int8" not in way and any(way in rows for rows in found.values())]
    yield "| | " + " | ".join(ways) + " |"
    yield "|---" * (1 + len(ways)) + "|"
    for name, rows in found.items():
        yield f"| {name} | " + " | ".join(cell(rows.get(way)) for way in ways) + " |"
    yield ""
    for name, rows in found.items():
        done = {way: row for way, row in rows.items() if "bytes" in row}
        told = [f"{way} {row['right_ours']} -> {row['right']} of {row['photos']}" for way, row in done.items()
                if "int8" in way]
        yield f"{name}: " + ", ".join(told + [f"{way} {row['bytes']} bytes {row['export_s']:.2f} s"
                                              for way, row in done.items()])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("build", "photos", "work"):
        parser.add_argument("--" + name, required=True, type=os.path.abspath)
    parser.add_argument("--python", action="append", default=[])
    parser.add_argument("--only", type=lambda s: s.split(","))
    parser.add_argument("--fine-tune", action="store_true")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--markdown")
    parser.add_argument("name", nargs="*")
    args = parser.parse_args()
    c, found = Campaign(args), {}
    for word in args.name or [*REAL, *MADE_UP]:
        name, _, backbone = word.partition("=")
        found[name] = (c.speed if args.speed else c.compare)(name, backbone)
        if args.speed:
            print(name, found[name], flush=True)
    lines = [] if args.speed else list(tables(found))
    print("\n".join(lines))
    if args.markdown:
        with open(args.markdown, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
