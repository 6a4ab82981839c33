#!/usr/bin/env python3
"""Models of other programs, read with their head: what Teachable Machine downloads, made here.

    tests/cli/foreign.py PROGRAM
"""
import array
import glob
import io
import json
import math
import os
import random
import struct
import unittest
import zipfile

import material
from run import PHOTOS, ROOT, Case, read, run, setUpModule, tearDownModule  # noqa: F401

PX, HIDDEN = 96, 5
LABELS = ["Daisy", "Red rose", "Tulip"]


def keras_name(name):
    """conv_stem.first_conv.convolution.weight of transformers as keras.applications calls it."""
    name = name.removeprefix("mobilenet_v2.")
    part, kind, last = name.rsplit(".", 2)
    stem, top = part.startswith("conv_stem."), part == "conv_1x1"
    layer = {"expand_1x1": "expand", "conv_3x3": "depthwise", "reduce_1x1": "project",
             "first_conv": "Conv1", "conv_1x1": "Conv_1"}[part.split(".")[-1]]
    if layer in ("Conv1", "Conv_1"):
        conv, norm = layer, "bn_Conv1" if layer == "Conv1" else "Conv_1_bn"
    else:
        front = "expanded_conv" if stem else f"block_{int(part.split('.')[1]) + 1}"
        conv, norm = f"{front}_{layer}", f"{front}_{layer}_BN"
    assert top == (layer == "Conv_1")
    if kind == "normalization":
        return norm + "/" + {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean",
                             "running_var": "moving_variance"}[last]
    return conv + ("/depthwise_kernel" if layer == "depthwise" else "/kernel")


def transposed(values, shape, order):
    step = [math.prod(shape[i + 1:]) for i in range(4)]
    out = array.array("f")
    a, b, c, d = order
    for i in range(shape[a]):
        for j in range(shape[b]):
            for k in range(shape[c]):
                at = i * step[a] + j * step[b] + k * step[c]
                out.extend(values[at + n * step[d]] for n in range(shape[d]))
    return out, [shape[n] for n in order]


def body(folder):
    """(name, shape, numbers) of the backbone in material's folder, in Keras' names and layouts."""
    data = read(f"{folder}/model.safetensors")
    n = struct.unpack_from("<Q", data)[0]
    for name, t in json.loads(data[8:8 + n]).items():
        values = array.array("f", data[8 + n + t["data_offsets"][0]:8 + n + t["data_offsets"][1]])
        name, shape = keras_name(name), t["shape"]
        if len(shape) == 4:  # [out][in][h][w] -> [h][w][in][out], depthwise -> [h][w][channels][1]
            values, shape = transposed(values, shape, (2, 3, 0, 1) if "depthwise" in name else (2, 3, 1, 0))
        yield name, shape, values


def layer(kind, name, **config):
    return {"class_name": kind, "config": dict(config, name=name)}


def model(name, kind, *layers):
    return layer(kind, name, layers=list(layers))


def teachable(tensors, rows, last="softmax"):
    """model.json, weights.bin and metadata.json as its library writes them."""
    base = model("model1", "Model", layer("InputLayer", "input_1", batch_input_shape=[None, PX, PX, 3]),
                 layer("Conv2D", "Conv1"), layer("GlobalAveragePooling2D", "average"))
    head = model("sequential_3", "Sequential",
                 layer("Dense", "dense_Dense1", units=HIDDEN, activation="relu", use_bias=True),
                 layer("Dense", "dense_Dense2", units=3, activation=last, use_bias=False))
    whole = model("sequential_4", "Sequential", model("sequential_1", "Sequential", base), head)
    whole.update(keras_version="tfjs-layers 1.3.1", backend="tensor_flow.js")
    tensors = list(tensors) + rows
    weights = [dict(name=n, shape=s, dtype="float32") for n, s, _ in tensors]
    return {"model.json": json.dumps(dict(modelTopology=whole, weightsManifest=[
                dict(paths=["weights.bin"], weights=weights)])).encode(),
            "weights.bin": b"".join(v.tobytes() for _, _, v in tensors),
            "metadata.json": json.dumps(dict(tmVersion="2.3.1", labels=LABELS, imageSize=PX)).encode()}


def zipped(name, files):
    with zipfile.ZipFile(f"{ROOT}/{name}", "w", zipfile.ZIP_DEFLATED) as z:
        for path, content in files.items():
            z.writestr(path, content)
    return f"{ROOT}/{name}"


class Teachable(Case):
    @classmethod
    def setUpClass(cls):
        rng = random.Random(11)
        cls.folder = material.backbone(f"{ROOT}/mobilenet")
        cls.w1 = array.array("f", (rng.gauss(0, .2) for _ in range(1280 * HIDDEN)))
        cls.b1 = array.array("f", (rng.gauss(0, .2) for _ in range(HIDDEN)))
        cls.w2 = array.array("f", (rng.gauss(0, 1) for _ in range(HIDDEN * 3)))
        cls.tensors = list(body(cls.folder))
        cls.rows = [("dense_Dense1/kernel", [1280, HIDDEN], cls.w1), ("dense_Dense1/bias", [HIDDEN], cls.b1),
                    ("dense_Dense2/kernel", [HIDDEN, 3], cls.w2)]
        cls.files = teachable(cls.tensors, cls.rows)
        cls.zip = zipped("tm-my-image-model.zip", cls.files)
        cls.photos = sorted(glob.glob(f"{PHOTOS}/*/*"))[:4]

    def expected(self):
        """The head by hand on the features of the same network."""
        r = run("features", PHOTOS, "-b", self.folder, "-o", "f.npy", "--fit", "crop")
        self.ok(r)
        data = read(f"{ROOT}/f.npy")
        x = array.array("f", data[-(len(data) - data.index(b"\n") - 1):])
        for i in range(len(self.photos)):
            row = x[1280 * i:1280 * (i + 1)]
            hidden = [max(0, b + sum(v * self.w1[k * HIDDEN + j] for k, v in enumerate(row)))
                      for j, b in enumerate(self.b1)]
            z = [sum(h * self.w2[j * 3 + c] for j, h in enumerate(hidden)) for c in range(3)]
            e = [math.exp(v - max(z)) for v in z]
            yield [v / sum(e) for v in e]

    def probabilities(self, name, *words):
        rows = self.ok(run("predict", name, *self.photos, "--json", *words)).splitlines()
        for row in map(json.loads, rows):
            said = {t["label"]: t["probability"] for t in row["top"]}
            yield [said[label] for label in LABELS]

    def test_predicts_what_its_layers_say(self):
        want = list(self.expected())
        self.assertGreater(max(abs(a - b) for a, b in zip(want[0], want[3])), 1e-4)
        for got, row in zip(self.probabilities(self.zip), want):
            for a, b in zip(got, row):
                self.assertAlmostEqual(a, b, delta=1e-5)

    def test_unpacked_and_said(self):
        folder = f"{ROOT}/unpacked"
        os.makedirs(folder)
        for name, content in self.files.items():
            with open(f"{folder}/{name}", "wb") as f:
                f.write(content)
        want = list(self.probabilities(self.zip))
        self.assertEqual(list(self.probabilities(folder)), want)
        self.assertEqual(list(self.probabilities(f"{folder}/model.json")), want)
        text = self.ok(run("info", folder))
        self.assertRegex(text, r"(?m)^backbone +mobilenet_v2, width 0.35, 96 x 96 px")
        self.assertRegex(text, r"(?m)^read from +TensorFlow.js layers model, Teachable Machine$")
        self.assertRegex(text, r"(?m)^labels +Daisy, Red rose, Tulip$")

    def test_where_it_looked(self):
        self.ok(run("predict", self.zip, self.photos[0], "--cam", "cams"))
        self.assertTrue(glob.glob(f"{ROOT}/cams/*.cam.png"))

    def test_labels_are_given_or_numbers(self):
        bare = {k: v for k, v in self.files.items() if k != "metadata.json"}
        r = run("predict", zipped("bare.zip", bare), self.photos[0], "--json")
        self.assertEqual({t["label"] for t in json.loads(self.ok(r))["top"]}, {"0", "1", "2"})
        self.assertIn(b"does not name its 3 classes", r.stderr)
        with open(f"{ROOT}/three.txt", "w", encoding="utf-8") as f:
            f.write("0 a\n1 b\n2 c\n")
        r = run("predict", f"{ROOT}/bare.zip", self.photos[0], "--json", "--labels", "three.txt")
        self.assertEqual({t["label"] for t in json.loads(self.ok(r))["top"]}, {"a", "b", "c"})
        self.assertNotIn(b"warning", r.stderr)

    def bad(self, name, *words, **change):
        files = {**self.files, **{k.replace("_", "."): v for k, v in change.items()}}
        r = run("predict", zipped(name, files), self.photos[0], "-q")
        self.assertEqual((r.returncode, r.stdout), (4, b""), r.stderr)
        last = r.stderr.decode().splitlines()[-1]
        for word in words:
            self.assertIn(word, last)

    def test_what_does_not_fit_is_refused(self):
        self.bad("two.zip", "names 2 classes, the network tells 3 apart",
                 metadata_json=json.dumps({"labels": ["a", "b"]}).encode())
        self.bad("same.zip", "two labels are 'a'", metadata_json=json.dumps({"labels": ["a", "a", "b"]}).encode())
        self.bad("act.zip", "its classifier cannot be read", "activation 'tanh'",
                 model_json=teachable(self.tensors, self.rows, last="tanh")["model.json"])
        self.bad("blank.zip", "labels.txt: line 2 is empty", labels_txt=b"a\n\nb\nc\n", metadata_json=b"{}")
        self.bad("cut.zip", "reaches past the end", weights_bin=self.files["weights.bin"][:-4])
        rows = [self.rows[0], self.rows[1], ("dense_Dense2/kernel", [3, HIDDEN], self.w2)]
        self.bad("turned.zip", "do not fit one another",
                 model_json=teachable(self.tensors, rows)["model.json"])

    def test_hostile_archives(self):
        out = zipped("out.zip", {**self.files, "../labels.txt": b"a\nb\nc\n"})
        self.refused(run("predict", out, self.photos[0], "-q"), 4, "leads out of the archive")
        bomb = zipped("bomb.zip", {**self.files, "labels.txt": bytes(200 << 20)})
        self.refused(run("predict", bomb, self.photos[0], "-q"), 4, "bomb.zip")
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w") as z:
            z.writestr("b.keras", b"PK\3\4")
        nested = zipped("nested.zip", {"a.keras": inner.getvalue()})
        self.refused(run("predict", nested, self.photos[0], "-q"), 4, "nested.zip")

    def test_a_model_of_ours_says_it_all(self):
        r = run("predict", self.model(), self.photos[0], "--labels", "three.txt")
        self.refused(r, 2, "a model file says how it sees")

    def test_evaluated(self):
        with open(f"{ROOT}/colours.txt", "w", encoding="utf-8") as f:
            f.write("blue\ngreen\nred\n")
        told = json.loads(self.ok(run("eval", self.zip, PHOTOS, "--json", "--labels", "colours.txt")))
        self.assertIn("accuracy", json.dumps(told))


if __name__ == "__main__":
    unittest.main(argv=["foreign"])
