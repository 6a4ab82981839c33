#!/usr/bin/env python3
"""Models for other programs, from the command line.

    tests/cli/export.py PROGRAM

Files are read by independent code: a few lines here, and the real libraries where this Python has them
(onnx, onnxruntime, ai_edge_litert, tensorflow, numpy) or a C compiler is here, or Node with @tensorflow/tfjs in
NODE_PATH; what is absent is said.
"""
import importlib.util
import json
import math
import os
import re
import shutil
import struct
import subprocess
import sys
import unittest
import zipfile

import material
from run import BACKBONE, ENV, PHOTOS, ROOT, Case, read, run, setUpModule, tearDownModule  # noqa: F401

COMPILER = shutil.which(os.environ.get("CC", "cc").split()[-1])
STRICT = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
# Reads width, height and pixels, prints the probabilities.
MAIN = """#include "model.h"
#include <stdio.h>
int main(void)
{
    static uint8_t rgb[1 << 20];
    int size[2];
    float prob[MODEL_CLASSES];
    while (fread(size, sizeof *size, 2, stdin) == 2) {
        if (fread(rgb, 3, (size_t)(size[0] * size[1]), stdin) != (size_t)(size[0] * size[1]) ||
            model_predict(rgb, size[0], size[1], prob))
            return 1;
        for (int i = 0; i < MODEL_CLASSES; i++)
            printf("%s %.9g\\n", model_labels[i], (double)prob[i]);
    }
    return 0;
}
"""


def needs_module(*names):
    missing = [name for name in names if not importlib.util.find_spec(name)]
    return unittest.skipIf(missing, f"this Python is without {', '.join(missing)}")


NODE = shutil.which("node")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


def needs_node(*packages):
    """Node and packages below NODE_PATH."""
    resolve = "process.argv.slice(1).forEach(p => require.resolve(p))"
    r = subprocess.run([NODE, "-e", resolve, *packages], capture_output=True, check=False) if NODE else None
    return unittest.skipIf(not r or r.returncode, f"there is no Node here with {', '.join(packages)} in NODE_PATH")


def fields(message):
    """(number, value) of each field of a Protocol Buffers message; sub-messages as bytes."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            value |= (message[at] & 127) << shift
            at, shift = at + 1, shift + 7
            if message[at - 1] < 128:
                return value

    while at < len(message):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        elif key & 7 == 2:
            n = varint()
            yield key >> 3, message[at:at + n]
            at += n
        else:
            yield key >> 3, struct.unpack_from("<f", message, at)[0]
            at += 4


def properties(path):
    """The metadata of an ONNX file."""
    pairs = [dict(fields(value)) for number, value in fields(read(path)) if number == 14]
    return {pair[1].decode(): pair[2].decode() for pair in pairs}


def crc32c(data):
    """Masked, as TensorFlow's files have it."""
    x = 0xffffffff
    for byte in data:
        x ^= byte
        for _ in range(8):
            x = x >> 1 ^ (0x82f63b78 if x & 1 else 0)
    x ^= 0xffffffff
    return (x >> 15 | x << 17 & 0xffffffff) + 0xa282ead8 & 0xffffffff


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at


def block(table, handle):
    """The entries of a block of LevelDB's table, in order, its check sum compared."""
    at, end = varint(handle, 0)
    size, _ = varint(handle, end)
    data, behind = table[at:at + size], table[at + size:at + size + 5]
    assert behind[0] == 0 and struct.unpack("<I", behind[1:])[0] == crc32c(data + behind[:1])
    restarts = struct.unpack_from("<I", data, size - 4)[0]
    first = struct.unpack_from(f"<{restarts}I", data, size - 4 - 4 * restarts)
    entries, key, at, starts = [], b"", 0, []
    while at < size - 4 - 4 * restarts:
        starts.append(at)
        shared, at = varint(data, at)
        own, at = varint(data, at)
        n, at = varint(data, at)
        assert shared == 0 or starts[-1] not in first
        key = key[:shared] + data[at:at + own]
        entries.append((key, data[at + own:at + own + n]))
        at += own + n
    assert set(first) <= {0, *starts}
    return entries


def variables(folder):
    """Of a TensorBundle {name: (shape, bytes)}."""
    table, data = read(f"{folder}/variables.index"), read(f"{folder}/variables.data-00000-of-00001")
    footer = table[-48:]
    assert struct.unpack("<Q", footer[40:])[0] == 0xdb4775248b80fb57
    _, at = varint(footer, 0)
    _, at = varint(footer, at)
    entries = [e for _, handle in block(table, footer[at:40]) for e in block(table, handle)]
    assert [k for k, _ in entries] == sorted({k for k, _ in entries}) and entries[0][0] == b""
    assert dict(fields(entries[0][1])) == {1: 1, 3: b"\x08\x01"}
    found, end = {}, 0
    for key, value in entries[1:]:
        e = dict(fields(value))
        shape = [dict(fields(d))[1] for _, d in fields(e[2])]
        part = data[e.get(4, 0):e.get(4, 0) + e[5]]
        assert e[1] == 1 and e.get(4, 0) == end and len(part) == e[5]
        if len(part) < 5000:
            assert struct.unpack("<I", struct.pack("<f", e[6]))[0] == crc32c(part)
        found[key.decode()] = (shape, part)
        end += e[5]
    assert end == len(data)
    return found


class Table:
    """A table of a FlatBuffer: table[3] is the place of its field 3, or None."""
    def __init__(self, data, at):
        self.data, self.at = data, at

    def word(self, at, kind="<I"):
        return struct.unpack_from(kind, self.data, at)[0]

    def __getitem__(self, field):
        vtable = self.at - self.word(self.at, "<i")
        at = self.word(vtable + 4 + 2 * field, "<H") if 4 + 2 * field < self.word(vtable, "<H") else 0
        return self.at + at if at else None

    def follow(self, at):
        return at + self.word(at)

    def child(self, field):
        return Table(self.data, self.follow(self[field]))

    def children(self, field):
        first = self.follow(self[field])
        return [Table(self.data, self.follow(first + 4 + 4 * i)) for i in range(self.word(first))]

    def bytes(self, field):
        first = self.follow(self[field])
        return self.data[first + 4:first + 4 + self.word(first)]

    def floats(self, field):
        return struct.unpack_from(f"<{len(self.bytes(field))}f", self.data, self.follow(self[field]) + 4)


def tflite_metadata(path):
    """By name what a TFLite file says of itself."""
    data = read(path)
    model = Table(data, Table(data, 0).follow(0))
    buffers = model.children(4)
    return {m.bytes(0).decode(): buffers[m.word(m[1])].bytes(0) for m in model.children(6)}


def pnm(path, w, h):
    """A picture of slopes in three colours, w x h, and its pixels."""
    pixels = bytes(v & 255 for y in range(h) for x in range(w)
                   for v in (x * 255 // w, y * 255 // h, (x * 7 + y * 3) * 2))
    with open(path, "wb") as f:
        f.write(b"P6 %d %d 255\n" % (w, h) + pixels)
    return pixels


class Export(Case):
    def probabilities(self, model, *files):
        """By predict: of each file a dict of label and probability."""
        out = self.ok(run("predict", model, *files, "--format", "json", "--top", "3", "--no-unknown", "--no-store"))
        return [{c["label"]: c["probability"] for c in json.loads(line)["top"]} for line in out.splitlines()]

    def close(self, got, want):
        self.assertEqual(set(got), set(want))
        for label in want:
            self.assertAlmostEqual(got[label], want[label], delta=1e-4)

    def onnx(self, *words):
        path = f"{ROOT}/made.onnx"
        told = json.loads(self.ok(run("export", self.model(), "--to", "onnx", "-o", path, "--json", *words)))
        self.assertEqual((told["path"], told["format"], told["bytes"]), (path, "onnx", os.path.getsize(path)))
        self.assertEqual((told["checked"], told["pictures"]), ("read back", 16))
        self.assertLess(told["difference"], 1e-4)
        return path

    def test_a_file_beside_the_model(self):
        model = self.model()
        self.assertIn("read back", self.ok(run("export", model, "--to", "onnx")))
        beside = model.replace(".safetensors", ".onnx")
        first = read(beside)
        self.ok(run("export", os.path.dirname(model) + "/", "--to", "onnx", "--threads", "1"))
        self.assertEqual(read(beside), first)
        self.assertEqual([f for f in os.listdir(os.path.dirname(model)) if "onnx." in f], [])

    def test_what_the_file_tells(self):
        told = properties(self.onnx())
        self.assertEqual(json.loads(told["labels"]), ["blue", "green", "red"])
        self.assertEqual(told["names"], "{0: 'blue', 1: 'green', 2: 'red'}")
        prepare = json.loads(told["preprocess"])
        self.assertEqual(prepare["input"]["dtype"], "uint8")
        self.assertEqual(prepare["resize"]["geometry"], "squash")
        self.assertEqual(told["Image.NominalPixelRange"], "NominalRange_0_255")
        self.assertIn("mobilenet_v2", told["description"])
        accuracy, low, high, n = re.search(r"(?m)^accuracy +(\S+) \(95 % interval (\S+)-(\S+), (\d+) photos",
                                           self.ok(run("info", self.model()))).groups()
        self.assertIn(f"| accuracy | {accuracy} (95 % interval {low} to {high}, {n} photos ", told["description"])

    def test_predict_and_eval_take_it(self):
        files = [f"{PHOTOS}/{c}/0{i}.png" for c in material.COLOURS for i in range(2)]
        want = self.probabilities(self.model(), *files)
        for words in ([], ["--layout", "nchw", "--input", "float"], ["--batch", "2", "--logits"]):
            with self.subTest(words):
                path = self.onnx(*words)
                for a, b in zip(self.probabilities(path, *files), want):
                    self.close(a, b)
        told = [json.loads(self.ok(run("eval", model, self.fresh(), "--json"))) for model in (path, self.model())]
        self.assertEqual(told[0]["accuracy"], told[1]["accuracy"])
        self.assertIn("mobilenet_v2", self.ok(run("info", path)))

    @needs_module("onnx")
    def test_onnx_takes_it(self):
        import onnx
        for words in ([], ["--layout", "nchw"], ["--batch", "3"]):
            model = onnx.load(self.onnx(*words))
            onnx.checker.check_model(model, full_check=True)
            self.assertEqual((model.ir_version, model.opset_import[0].version), (8, 17))

    @needs_module("numpy", "onnxruntime")
    def test_onnxruntime_agrees(self):
        import numpy
        import onnxruntime
        photo, side = f"{ROOT}/exact.ppm", json.loads(properties(self.onnx())["preprocess"])["input"]["width"]
        x = numpy.frombuffer(pnm(photo, side, side), numpy.uint8).reshape(1, side, side, 3)
        want = self.probabilities(self.model(), photo)[0]
        for words in ([], ["--input", "float"], ["--layout", "nchw"], ["--batch", "1"]):
            path = self.onnx("--check", *words)
            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            given = x.transpose(0, 3, 1, 2) if "nchw" in words else x
            given = given.astype(numpy.float32) if "float" in words else given
            got = session.run(None, {"image": given})[0][0]
            self.close(dict(zip(["blue", "green", "red"], got.tolist())), want)

    # ---- TFLite ----

    def tflite(self, *words, checked="read back", most=1e-4):
        path = f"{ROOT}/made.tflite"
        told = json.loads(self.ok(run("export", self.model(), "--to", "tflite", "-o", path, "--json", *words)))
        self.assertEqual((told["format"], told["bytes"], told["checked"]), ("tflite", os.path.getsize(path), checked))
        if checked:
            self.assertLessEqual(told["difference"], most)
        return path

    def test_what_a_tflite_file_tells(self):
        path = self.tflite()
        with zipfile.ZipFile(path) as inside:
            self.assertEqual(inside.namelist(), ["labels.txt"])
            self.assertIsNone(inside.testzip())
            self.assertEqual(inside.read("labels.txt"), b"blue\ngreen\nred\n")
        if shutil.which("unzip"):
            r = subprocess.run(["unzip", "-p", path, "labels.txt"], capture_output=True, check=True)
            self.assertEqual((r.stdout, r.stderr), (b"blue\ngreen\nred\n", b""))
        told = tflite_metadata(path)
        self.assertEqual(json.loads(told["headstart"])["exported"], "1")
        data = told["TFLITE_METADATA"]
        self.assertEqual(data[4:8], b"M001")
        model = Table(data, Table(data, 0).follow(0))
        self.assertIn(b"mobilenet_v2", model.bytes(1))
        graph = model.children(3)[0]
        image, answer = graph.children(2)[0], graph.children(3)[0]
        self.assertEqual((image.bytes(0), answer.bytes(0)), (b"image", b"probabilities"))
        self.assertEqual(json.loads(image.bytes(1))["resize"]["geometry"], "squash")
        norm = image.children(4)[0].child(1)
        self.assertEqual((norm.floats(0), norm.floats(1)), ((0,), (1,)))
        labels = answer.children(6)[0]
        self.assertEqual((labels.bytes(0), data[labels[2]]), (b"labels.txt", 2))

    def test_predict_takes_tflite(self):
        files = [f"{PHOTOS}/{c}/0{i}.png" for c in material.COLOURS for i in range(2)]
        want = self.probabilities(self.model(), *files)
        for words in ([], ["--input", "float"], ["--batch", "2", "--logits"]):
            with self.subTest(words):
                path = self.tflite(*words)
                first = read(path)
                for a, b in zip(self.probabilities(path, *files), want):
                    self.close(a, b)
                self.assertEqual(read(self.tflite(*words, "--threads", "1")), first)

    def test_fewer_bits(self):
        whole = os.path.getsize(self.tflite())
        self.assertLess(os.path.getsize(self.tflite("--weights", "float16", most=1e-2)), 0.75 * whole)
        r = run("export", self.model(), "--to", "tflite", "-o", "int8.tflite", "--weights", "int8")
        self.assertIn("is not checked", r.stderr.decode())
        self.assertLess(os.path.getsize(f"{ROOT}/int8.tflite"), 0.5 * whole)
        self.refused(run("export", self.model(), "--to", "onnx", "--weights", "int8"), 2, "no weights in int8")

    def calibrated(self, *words):
        """TFLite in int8, with the run's photos: its path, and what the command said."""
        path = f"{ROOT}/calibrated.tflite"
        run_folder = os.path.dirname(self.model())
        r = run("export", run_folder, "--to", "tflite", "-o", path, "--weights", "int8", "--data", PHOTOS, "--json",
                *words)
        return path, r

    def test_int8_with_photos_computes_in_whole_numbers(self):
        path, r = self.calibrated()
        self.ok(r)
        data = read(path)
        graph = Table(data, Table(data, 0).follow(0)).children(2)[0]
        types = {t.bytes(3).decode(): data[t[1]] if t[1] else 0 for t in graph.children(0)}
        self.assertEqual(set(types.values()), {2, 3, 9})  # int32, uint8, int8
        self.assertEqual((types["image"], types["probabilities"]), (3, 3))
        told = {t.bytes(3).decode(): t.child(4) for t in graph.children(0) if t[4]}
        self.assertEqual((told["image"].floats(2), told["probabilities"].floats(2)), ((1,), (1 / 256,)))
        first = data
        self.ok(self.calibrated("--input", "int8")[1])
        graph = Table(read(path), Table(read(path), 0).follow(0)).children(2)[0]
        told = {t.bytes(3).decode(): t for t in graph.children(0)}
        for name, scale in (("image", 1), ("probabilities", 1 / 256)):
            t = told[name]
            self.assertEqual((t.data[t[1]], t.child(4).floats(2)), (9, (scale,)))
        self.refused(run("export", self.model(), "--to", "tflite", "--input", "int8"), 2, "whole numbers")
        self.ok(self.calibrated("--threads", "1")[1])
        self.assertEqual(read(path), first)

    def with_python(self, text, words):
        """calibrated(), whose python3 is that script."""
        os.makedirs(f"{ROOT}/fake", exist_ok=True)
        with open(f"{ROOT}/fake/python3", "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(f"{ROOT}/fake/python3", 0o755)
        path = ENV["PATH"]
        try:
            ENV["PATH"] = f"{ROOT}/fake:{path}"
            return self.calibrated(*words)
        finally:
            ENV["PATH"] = path

    def fake_python(self, words):
        """A runtime that says 0 for every class of every picture."""
        return self.with_python(f"#!{sys.executable}\nimport re, sys\n"
                                "head = open(sys.argv[4], 'rb').read(128)\n"
                                "n = int(re.search(rb'shape.: .([0-9]+)', head).group(1))\n"
                                "open(sys.argv[5], 'wb').write(bytes(n * 3 * 4))\nprint('made-up 1.0')\n", words)

    def test_what_costs_accuracy_is_not_kept(self):
        with open(f"{ROOT}/calibrated.tflite", "w", encoding="utf-8") as f:
            f.write("what was there")
        path, r = self.fake_python([])
        self.refused(r, 1, "accuracy falls from", "95 % interval", "not kept", "--max-drop")
        self.assertEqual(read(path), b"what was there")
        path, r = self.fake_python(["--max-drop", "100"])
        told = json.loads(self.ok(r))
        self.assertGreater(told["photos"], 0)
        self.assertLess(told["export_accuracy"], told["accuracy"])
        change = told["export_accuracy"] - told["accuracy"]
        self.assertTrue(told["change_low"] <= change <= told["change_high"])
        self.refused(run("export", self.model(), "--to", "tflite", "--max-drop", "-1"), 2, "from 0 to 100")

    def test_an_export_beside_its_run_is_not_taken_for_it(self):
        """A run has labels.txt, as Teachable Machine's folders with a TFLite file have."""
        run_folder = os.path.dirname(self.model())
        self.ok(run("export", run_folder, "--to", "tflite"))
        self.assertTrue(os.path.exists(f"{run_folder}/model.tflite"))
        r = run("predict", run_folder, f"{PHOTOS}/red/01.png", "--no-store")
        self.ok(r)
        self.assertNotIn(b"importing", r.stderr)

    def test_photos_must_be_the_runs(self):
        os.makedirs(f"{ROOT}/others", exist_ok=True)
        for colour in material.COLOURS:
            shutil.copytree(f"{PHOTOS}/{colour}", f"{ROOT}/others/{colour}", dirs_exist_ok=True)
            for name in os.listdir(f"{ROOT}/others/{colour}"):
                os.rename(f"{ROOT}/others/{colour}/{name}", f"{ROOT}/others/{colour}/x{name}")
        run_folder = os.path.dirname(self.model())
        self.refused(run("export", run_folder, "--to", "onnx", "-o", "x.onnx", "--data", f"{ROOT}/others"), 3,
                     "split.csv")
        told = json.loads(self.ok(run("export", run_folder, "--to", "onnx", "-o", "x.onnx", "--data", PHOTOS,
                                      "--json")))
        self.assertLess(told["difference"], 1e-4)
        self.assertEqual(told["photos"], 0)

    @unittest.skipUnless(importlib.util.find_spec("numpy") and importlib.util.find_spec("ai_edge_litert"),
                         "this Python is without numpy or ai_edge_litert")
    def test_litert_computes_in_whole_numbers(self):
        for words in ([], ["--input", "float"], ["--batch", "3"]):
            told = json.loads(self.ok(self.with_python(f'#!/bin/sh\nexec {sys.executable} "$@"\n', words)[1]))
            self.assertIn("ai_edge_litert", told["runtime"])
            self.assertLess(told["runtime_difference"], 0.1)
            self.assertLessEqual(told["accuracy"] - told["export_accuracy"], 0.01)

    @unittest.skipUnless(importlib.util.find_spec("numpy") and importlib.util.find_spec("ai_edge_litert"),
                         "this Python is without numpy or ai_edge_litert")
    def test_litert_agrees(self):
        import numpy
        from ai_edge_litert.interpreter import Interpreter
        photo = f"{ROOT}/exact.ppm"
        for words in ([], ["--input", "float"], ["--batch", "3"]):
            net = Interpreter(model_path=self.tflite("--check", *words))
            net.allocate_tensors()
            given, made = net.get_input_details()[0], net.get_output_details()[0]
            n, h, w, _ = given["shape"]
            x = numpy.frombuffer(pnm(photo, w, h), numpy.uint8).reshape(1, h, w, 3).astype(given["dtype"])
            net.set_tensor(given["index"], x.repeat(n, 0))
            net.invoke()
            want = self.probabilities(self.model(), photo)[0]
            for got in net.get_tensor(made["index"]):
                self.close(dict(zip(["blue", "green", "red"], got.tolist())), want)

    # ---- Keras ----

    def keras(self, *words):
        path = f"{ROOT}/made.keras"
        told = json.loads(self.ok(run("export", self.model(), "--to", "keras", "-o", path, "--json", *words)))
        self.assertEqual((told["format"], told["bytes"]), ("keras", os.path.getsize(path)))
        self.assertEqual(told["checked"], "read back")
        self.assertLess(told["difference"], 1e-4)
        return path

    def test_what_a_keras_file_tells(self):
        path = self.keras()
        with zipfile.ZipFile(path) as inside:
            self.assertIsNone(inside.testzip())
            self.assertEqual(inside.read("labels.txt"), b"blue\ngreen\nred\n")
            prepare = json.loads(inside.read("preprocess.json"))
            self.assertEqual((prepare["input"]["dtype"], prepare["resize"]["geometry"]), ("float32", "squash"))
            self.assertIn(b"mobilenet_v2", inside.read("README.md"))
            config = json.loads(inside.read("config.json"))
            self.assertEqual(inside.read("model.weights.h5")[:8], b"\x89HDF\r\n\x1a\n")
        layers = {layer["name"]: layer for layer in config["config"]["layers"]}
        self.assertLessEqual({"Conv1", "bn_Conv1", "Conv1_relu", "block_1_expand", "block_2_add", "block_16_project_BN",
                              "Conv_1_bn", "out_relu", "avg_pool", "predictions"}, set(layers))
        self.assertEqual(layers["predictions"]["config"], {"activation": "softmax", "name": "predictions", "units": 3})
        self.assertEqual(layers["block_2_add"]["inbound_nodes"][0]["args"][0][0]["config"]["keras_history"],
                         ["block_2_project_BN", 0, 0])

    def test_predict_takes_keras(self):
        files = [f"{PHOTOS}/{c}/0{i}.png" for c in material.COLOURS for i in range(2)]
        want = self.probabilities(self.model(), *files)
        for words in ([], ["--input", "uint8"], ["--batch", "2", "--logits"]):
            with self.subTest(words):
                path = self.keras(*words)
                first = read(path)
                for a, b in zip(self.probabilities(path, *files), want):
                    self.close(a, b)
                self.assertEqual(read(self.keras(*words, "--threads", "1")), first)
        self.refused(run("export", self.model(), "--to", "keras", "--layout", "nchw"), 2, "no other layout")

    def test_a_keras_file_whose_layers_were_changed(self):
        """Weights alone do not make the network: the layers are read too."""
        path, other = self.keras(), f"{ROOT}/changed.keras"
        for old, new in ((b'"relu6"', b'"relu"'), (b'"strides":[2,2]', b'"strides":[1,1]')):
            with zipfile.ZipFile(path) as inside, zipfile.ZipFile(other, "w") as made:
                for name in inside.namelist():
                    made.writestr(name, inside.read(name).replace(old, new, 1) if name == "config.json"
                                  else inside.read(name))
            self.refused(run("predict", other, f"{PHOTOS}/red/01.png", "--no-store", "-q"), 4, "changed.keras")

    @needs_module("numpy", "keras")
    def test_keras_agrees_and_learns_on(self):
        import keras
        import numpy
        photo = f"{ROOT}/exact.ppm"
        for words in ([], ["--input", "uint8"]):
            path = self.keras("--check", *words)
            net = keras.saving.load_model(path)
            n, h, w, _ = net.input_shape
            x = numpy.frombuffer(pnm(photo, w, h), numpy.uint8).reshape(1, h, w, 3).astype(net.inputs[0].dtype)
            want = self.probabilities(self.model(), photo)[0]
            got = keras.ops.convert_to_numpy(net(x))[0].tolist()
            self.close(dict(zip(["blue", "green", "red"], got)), want)
            net.compile(keras.optimizers.SGD(1e-3), "sparse_categorical_crossentropy")
            x = numpy.random.default_rng(1).integers(0, 256, (8, h, w, 3)).astype(x.dtype)
            loss = net.fit(x, numpy.arange(8) % 3, epochs=4, verbose=0).history["loss"]
            self.assertLess(loss[-1], loss[0])

    # ---- SavedModel ----

    def savedmodel(self, *words):
        path = f"{ROOT}/made-savedmodel"
        shutil.rmtree(path, ignore_errors=True)
        told = json.loads(self.ok(run("export", self.model(), "--to", "savedmodel", "-o", path, "--json", *words)))
        files = [os.path.join(d, f) for d, _, names in os.walk(path) for f in names]
        self.assertEqual((told["format"], told["bytes"]), ("savedmodel", sum(map(os.path.getsize, files))))
        self.assertEqual((told["checked"], told["pictures"]), ("read back", 16))
        self.assertLess(told["difference"], 1e-4)
        return path

    def test_what_a_savedmodel_tells(self):
        path = self.savedmodel()
        self.assertEqual(read(f"{path}/assets.extra/labels.txt"), b"blue\ngreen\nred\n")
        self.assertEqual(json.loads(read(f"{path}/assets.extra/preprocess.json"))["input"]["dtype"], "uint8")
        self.assertIn(b"mobilenet_v2", read(f"{path}/assets.extra/README.md"))
        saved = dict(fields(read(f"{path}/saved_model.pb")))
        self.assertEqual(saved[1], 1)
        meta = list(fields(saved[2]))
        self.assertEqual(dict(fields(dict(meta)[1]))[4], b"serve")
        name, signature = (value for _, value in fields(dict(meta)[5]))
        ends = {number: list(fields(value)) for number, value in fields(signature)}
        self.assertEqual((name, ends[1][0][1], ends[2][0][1]), (b"serving_default", b"image", b"probabilities"))
        self.assertEqual(list(fields(ends[1][1][1]))[:2], [(1, b"image:0"), (2, 4)])  # of type uint8
        nodes = [list(fields(value)) for number, value in fields(dict(meta)[2]) if number == 1]
        names = [dict(node)[1].decode() for node in nodes]
        self.assertEqual(len(names), len(set(names)))
        held = variables(f"{path}/variables")
        self.assertEqual({n for n, node in zip(names, nodes) if dict(node)[2] == b"VarHandleOp"}, set(held))
        self.assertEqual(held["head/kernel"][0][1], 3)
        for _, value in (pair for node in nodes for pair in node if pair[0] == 3):
            self.assertIn(re.sub(r"^\^|:\d+$", "", value.decode()), names)

    def test_predict_takes_a_savedmodel(self):
        files = [f"{PHOTOS}/{c}/0{i}.png" for c in material.COLOURS for i in range(2)]
        want = self.probabilities(self.model(), *files)
        for words in ([], ["--input", "float", "--layout", "nchw"], ["--batch", "2", "--logits"]):
            with self.subTest(words):
                path = self.savedmodel(*words)
                first = [read(f"{path}/{f}") for f in ("saved_model.pb", "variables/variables.index")]
                for a, b in zip(self.probabilities(path, *files), want):
                    self.close(a, b)
                self.savedmodel(*words, "--threads", "1")
                self.assertEqual([read(f"{path}/{f}") for f in ("saved_model.pb", "variables/variables.index")], first)

    @needs_module("numpy", "tensorflow")
    def test_tensorflow_agrees(self):
        import numpy
        import tensorflow as tf
        photo = f"{ROOT}/exact.ppm"
        side = json.loads(read(f"{self.savedmodel()}/assets.extra/preprocess.json"))["input"]["width"]
        x = numpy.frombuffer(pnm(photo, side, side), numpy.uint8).reshape(1, side, side, 3)
        want = self.probabilities(self.model(), photo)[0]
        for words in ([], ["--input", "float"], ["--layout", "nchw"], ["--batch", "3"]):
            path = self.savedmodel("--check", *words)
            given = x.transpose(0, 3, 1, 2) if "nchw" in words else x
            given = given.astype(numpy.float32 if "float" in words else numpy.uint8).repeat(3, 0)
            made = [tf.saved_model.load(path).signatures["serving_default"](image=tf.constant(given))]
            with tf.compat.v1.Session(graph=tf.Graph()) as session:  # as TensorFlow Serving loads it
                loaded = tf.compat.v1.saved_model.load(session, ["serve"], path)
                ends = loaded.signature_def["serving_default"]
                made.append({"probabilities": session.run(ends.outputs["probabilities"].name,
                                                          {ends.inputs["image"].name: given})})
            for answers in made:
                for got in numpy.asarray(answers["probabilities"]):
                    self.close(dict(zip(["blue", "green", "red"], got.tolist())), want)

    # ---- TensorFlow.js ----

    def tfjs(self, *words, model=None, most=1e-4):
        path = f"{ROOT}/made-tfjs"
        shutil.rmtree(path, ignore_errors=True)
        told = json.loads(self.ok(run("export", model or self.model(), "--to", "tfjs", "-o", path, "--json", *words)))
        self.assertEqual((told["checked"], told["pictures"]), ("read back", 16))
        self.assertLess(told["difference"], most)
        return path

    def in_node(self, how, *words):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tfjs.js")
        r = subprocess.run([NODE, script, how, *words], capture_output=True, check=False)
        self.assertEqual(r.returncode, 0, r.stderr.decode())
        return json.loads(r.stdout.decode().splitlines()[-1])

    def test_what_a_tfjs_model_tells(self):
        path = self.tfjs()
        told = json.loads(read(f"{path}/model.json"))
        self.assertEqual(told["format"], "graph-model")
        self.assertEqual(told["userDefinedMetadata"]["labels"], ["blue", "green", "red"])
        self.assertEqual(told["userDefinedMetadata"]["preprocess"]["resize"]["geometry"], "squash")
        self.assertIn("mobilenet_v2", told["userDefinedMetadata"]["card"])
        self.assertEqual(list(told["signature"]["inputs"]), ["image"])
        group = told["weightsManifest"][0]
        held = [os.path.getsize(f"{path}/{name}") for name in group["paths"]]
        wide = [4 * math.prod(w["shape"]) for w in group["weights"]]
        self.assertEqual((sum(held), set(held[:-1]) - {4 << 20}), (sum(wide), set()))
        nodes = {node["name"]: node for node in told["modelTopology"]["node"]}
        constants = {name for name, node in nodes.items() if node["op"] == "Const"}
        self.assertEqual(constants, {w["name"] for w in group["weights"]})
        self.assertLess({re.sub(r":\d+$", "", i) for node in nodes.values() for i in node.get("input", [])}, set(nodes))
        self.assertEqual(sorted(os.listdir(path)), sorted(["index.html", "model.json", *group["paths"]]))

    def test_predict_takes_tfjs(self):
        files = [f"{PHOTOS}/{c}/0{i}.png" for c in material.COLOURS for i in range(2)]
        want = self.probabilities(self.model(), *files)
        for words in ([], ["--input", "float", "--layout", "nchw"], ["--batch", "2", "--logits"]):
            with self.subTest(words):
                path = self.tfjs(*words)
                first = [read(f"{path}/{name}") for name in sorted(os.listdir(path))]
                for a, b in zip(self.probabilities(path, *files), want):
                    self.close(a, b)
                self.tfjs(*words, "--threads", "1")
                self.assertEqual([read(f"{path}/{name}") for name in sorted(os.listdir(path))], first)
        whole = os.path.getsize(f"{self.tfjs()}/group1-shard1of1.bin")
        narrow = os.path.getsize(f"{self.tfjs('--weights', 'float16', most=1e-2)}/group1-shard1of1.bin")
        self.assertLess(narrow, 0.75 * whole)

    @needs_node("@tensorflow/tfjs")
    def test_tfjs_and_its_page_answer_as_predict(self):
        sizes = ((32, 32), (40, 33), (61, 17), (9, 64), (300, 40), (20, 500), (32, 100), (1, 1))
        files = [f"{ROOT}/{w}x{h}.ppm" for w, h in sizes]
        for file, (w, h) in zip(files, sizes):
            pnm(file, w, h)
        for i, words in enumerate(([], ["--fit", "crop"], ["--fit", "pad"], ["--prepare", "tf"])):
            with self.subTest(words):
                self.ok(run("train", PHOTOS, "--backbone", BACKBONE, "-o", f"js{i}", *words))
                ends = [[], ["--input", "float"], ["--layout", "nchw"], ["--batch", "3"]][i]
                path = self.tfjs(*ends, model=f"{ROOT}/js{i}")
                for got, want in zip(self.in_node("node", path, *files), self.probabilities(f"js{i}", *files)):
                    self.close(got, want)

    @unittest.skipUnless(BROWSER, "there is no Chromium here")
    @needs_node("@tensorflow/tfjs", "puppeteer-core")
    def test_the_page_in_a_browser(self):
        files = [f"{PHOTOS}/{c}/00.png" for c in material.COLOURS]
        for got, want in zip(self.in_node("page", self.tfjs(), BROWSER, *files),
                             self.probabilities(self.model(), *files)):
            self.close(got, want)

    # ---- C ----

    def compiled(self, folder):
        with open(f"{ROOT}/main.c", "w", encoding="utf-8") as f:
            f.write(MAIN)
        r = subprocess.run([COMPILER, *STRICT, "-I", folder, "-o", f"{ROOT}/main", f"{ROOT}/main.c",
                            f"{folder}/model.c", "-lm"], capture_output=True, check=False)
        self.assertEqual((r.returncode, r.stderr.decode()), (0, ""))
        return f"{ROOT}/main"

    @unittest.skipUnless(COMPILER, "there is no C compiler here")
    def test_c_prepares_and_answers_as_predict(self):
        for i, words in enumerate(([], ["--fit", "crop"], ["--fit", "pad"], ["--prepare", "tf"])):
            with self.subTest(words):
                self.ok(run("train", PHOTOS, "--backbone", BACKBONE, "-o", f"c{i}", *words))
                told = json.loads(self.ok(run("export", f"c{i}", "--to", "c", "-o", f"c{i}/code", "--json")))
                self.assertLess(told["difference"], 1e-4)
                program, given, files = self.compiled(f"{ROOT}/c{i}/code"), b"", []
                for w, h in ((32, 32), (40, 33), (61, 17), (9, 64), (300, 40), (20, 500), (32, 100), (1, 1)):
                    files.append(f"{ROOT}/{w}x{h}.ppm")
                    given += struct.pack("<ii", w, h) + pnm(files[-1], w, h)
                r = subprocess.run([program], input=given, capture_output=True, check=True)
                lines = [line.split() for line in r.stdout.decode().splitlines()]
                for k, want in enumerate(self.probabilities(f"c{i}", *files)):
                    self.close({label: float(p) for label, p in lines[3 * k:3 * k + 3]}, want)

    @unittest.skipUnless(COMPILER, "there is no C compiler here")
    def test_c_with_fewer_bits(self):
        photo, sizes = f"{ROOT}/narrow.ppm", []
        for weights, most in (("float32", 1e-4), ("float16", 2e-3), ("int8", 0.3)):
            folder = f"{ROOT}/narrow-{weights}"
            told = json.loads(self.ok(run("export", self.model(), "--to", "c", "-o", folder, "--weights", weights,
                                          "--data", PHOTOS, "--max-drop", "30", "--json")))
            self.assertLess(told["difference"], most)
            self.assertEqual(told["photos"] > 0, weights != "float32")
            sizes.append(os.path.getsize(f"{folder}/model.c"))
            given = struct.pack("<ii", 45, 37) + pnm(photo, 45, 37)
            r = subprocess.run([self.compiled(folder)], input=given, capture_output=True, check=True)
            got = [line.split() for line in r.stdout.decode().splitlines()]
            want = self.probabilities(self.model(), photo)[0]
            for label, p in got:
                self.assertAlmostEqual(float(p), want[label], delta=most)
        self.assertLess(sizes[1], sizes[0])
        self.assertLess(sizes[2], 0.6 * sizes[0])

    @unittest.skipUnless(COMPILER, "there is no C compiler here")
    def test_what_answers_otherwise_is_not_kept(self):
        """A compiler whose programs say 0 for everything."""
        os.makedirs(f"{ROOT}/bin", exist_ok=True)
        with open(f"{ROOT}/bin/cc", "w", encoding="utf-8") as f:
            f.write('#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\n'
                    'printf \'#!/bin/sh\\nhead -c 192 /dev/zero > "$2"\\n\' > "$2"\nchmod +x "$2"\n')
        os.chmod(f"{ROOT}/bin/cc", 0o755)
        path = ENV["PATH"]
        try:
            ENV["PATH"] = f"{ROOT}/bin:{path}"
            self.refused(run("export", self.model(), "--to", "c", "-o", "not-kept"), 4, "answers otherwise",
                         "not kept")
        finally:
            ENV["PATH"] = path
        self.assertFalse([f for f in os.listdir(ROOT) if f.startswith("not-kept")])

    # ---- docs/deploy.md ----

    def page(self):
        return read(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "deploy.md")).decode()

    def documented(self, language):
        return re.findall(rf"^```{language}\n(.*?)^```$", self.page(), re.M | re.S)

    def exported_as_documented(self):
        """The folder of a run after the commands of the page."""
        self.model()
        os.makedirs(f"{ROOT}/runs", exist_ok=True)
        if not os.path.exists(f"{ROOT}/runs/train"):
            os.symlink(f"{ROOT}/once", f"{ROOT}/runs/train")
        for made in ("c", "hf", "savedmodel", "tfjs"):
            shutil.rmtree(f"{ROOT}/once/model-{made}", ignore_errors=True)
        for line in "".join(self.documented("sh")).splitlines():
            command, *words = line.split()
            self.assertEqual(command, "headstart")
            self.ok(run(*words))
        return f"{ROOT}/runs/train"

    @unittest.skipUnless(COMPILER, "there is no C compiler here")
    def test_the_pages_commands_and_its_program_in_c(self):
        folder, picture = self.exported_as_documented(), f"{ROOT}/deploy.ppm"
        with open(f"{ROOT}/deploy.c", "w", encoding="utf-8") as f:
            f.write(self.documented("c")[0])
        subprocess.run([COMPILER, *STRICT, "-O3", f"{ROOT}/deploy.c", f"{folder}/model-c/model.c", "-I", f"{folder}/model-c",
                        "-o", f"{ROOT}/deploy", "-lm"], check=True)
        pnm(picture, 70, 41)
        r = subprocess.run([f"{ROOT}/deploy"], input=read(picture), capture_output=True, check=True)
        self.assertEqual(r.stdout.decode().split()[0], max(*self.probabilities(self.model(), picture)[0].items(),
                                                           key=lambda x: x[1])[0])

    @needs_node("@tensorflow/tfjs")
    def test_the_pages_program_in_javascript(self):
        folder, picture = self.exported_as_documented(), f"{ROOT}/deploy-96.ppm"
        pnm(picture, 96, 96)
        got = self.in_node("snippet", f"{folder}/model-tfjs", picture, self.documented("js")[0])
        self.close(got, self.probabilities(self.model(), picture)[0])

    def test_the_pages_request_to_tensorflow_serving(self):
        """A list of pictures is what the signature's only input takes."""
        request = re.search(r'`/v1/models/flowers:predict` is `({"instances": \[PIXELS\]})`, PIXELS a list of rows of\s'
                            r"`\[red, green, blue\]`", self.page())
        body = json.loads(request[1].replace("PIXELS", json.dumps([[[0, 0, 0]] * 96] * 96)))
        shape, at = [], body["instances"]
        while isinstance(at, list):
            shape.append(len(at))
            at = at[0]
        meta = dict(fields(dict(fields(read(f"{self.exported_as_documented()}/model-savedmodel/saved_model.pb")))[2]))
        inputs = [value for number, value in fields(dict(fields(meta[5]))[2]) if number == 1]
        (_, name), (_, tensor) = fields(inputs[0])
        tensor = dict(fields(tensor))
        dims = [dict(fields(dim)).get(1, 0) for number, dim in fields(tensor[3]) if number == 2]
        self.assertEqual((len(inputs), name, tensor[2]), (1, b"image", 4))  # of type uint8
        self.assertEqual((dims[0], dims[1:]), ((1 << 64) - 1, shape[1:]))  # -1: of any number

    @needs_module("numpy", "onnxruntime", "PIL")
    def test_the_pages_program_in_python(self):
        folder, photo = self.exported_as_documented(), f"{PHOTOS}/red/01.png"
        r = subprocess.run([sys.executable, "-c", self.documented("python")[0], f"{folder}/model.onnx", photo],
                           capture_output=True, check=True)
        label, prob = r.stdout.decode().split()[1:]
        self.assertAlmostEqual(float(prob), self.probabilities(self.model(), photo)[0][label], delta=2e-4)

    @needs_module("numpy", "keras", "PIL")
    def test_the_pages_program_for_keras(self):
        folder, photo = self.exported_as_documented(), f"{PHOTOS}/red/01.png"
        program = [text for text in self.documented("python") if "import keras" in text][0]
        r = subprocess.run([sys.executable, "-c", program, f"{folder}/model.keras", photo], capture_output=True,
                           check=True)
        label, prob = r.stdout.decode().split()[1:]
        self.assertAlmostEqual(float(prob), self.probabilities(self.model(), photo)[0][label], delta=2e-4)

    @needs_module("numpy", "tensorflow", "PIL")
    def test_the_pages_program_for_tensorflow(self):
        folder, photo = self.exported_as_documented(), f"{PHOTOS}/red/01.png"
        program = [text for text in self.documented("python") if "import numpy, tensorflow" in text][0]
        r = subprocess.run([sys.executable, "-c", program, f"{folder}/model-savedmodel", photo],
                           capture_output=True, check=True)
        label, prob = r.stdout.decode().split()[1:]
        self.assertAlmostEqual(float(prob), self.probabilities(self.model(), photo)[0][label], delta=2e-4)

    # ---- models of other programs ----

    def test_a_model_of_another_program(self):
        """A folder as timm's are, whose file is told what it does not say."""
        self.ok(run("export", self.model(), "--to", "timm", "-o", "as-timm"))
        with open(f"{ROOT}/other.txt", "w", encoding="utf-8") as f:
            f.write("a\nb\nc\n")
        words = "--labels", "other.txt", "--scaling", "01", "--prepare", "tf", "--fit", "crop"
        self.ok(run("export", "as-timm", "--to", "onnx", "-o", "of-timm.onnx", *words))
        told = properties(f"{ROOT}/of-timm.onnx")
        self.assertEqual(json.loads(told["labels"]), ["a", "b", "c"])
        self.assertEqual(json.loads(told["preprocess"])["resize"]["as"], "tf.image.resize")
        photo = f"{PHOTOS}/red/01.png"
        want, got = (json.loads(self.ok(run("predict", *of, photo, "--json", "--no-store")))["top"]
                     for of in (("as-timm", *words), ("of-timm.onnx",)))
        self.close({c["label"]: c["probability"] for c in got}, {c["label"]: c["probability"] for c in want})
        self.refused(run("export", self.model(), "--to", "onnx", "--labels", "other.txt"), 2, "labels")

    # ---- refused ----

    def test_refused(self):
        model = self.model()
        self.refused(run("export", model), 2, "--to is missing")
        self.refused(run("export", "--to", "onnx"), 2, "a model is missing")
        self.refused(run("export", model, "--to", "onxx"), 2, "'onxx' is no format", "onnx")
        self.refused(run("export", f"{ROOT}/nothing", "--to", "onnx"), 4, "nothing")
        self.refused(run("export", f"{PHOTOS}/red/00.png", "--to", "onnx"), 4, "is a photo")
        self.refused(run("export", model, "--to", "c", "-o", PHOTOS), 6, "not empty")
        self.refused(run("export", model, "--to", "onnx", "-o", PHOTOS), 6, "is a folder")
        self.refused(run("export", model, "--to", "c", "--batch", "4"), 2, "one picture at a time")
        self.refused(run("export", model, "--to", "onnx", "-o", f"{ROOT}/no/such/folder.onnx"), 6, "folder.onnx")
        self.ok(run("train", PHOTOS, "--backbone", BACKBONE, "--views", "mirror", "-o", "views"))
        self.refused(run("export", "views", "--to", "onnx"), 1, "more than one way")
        self.assertFalse(os.path.exists(f"{ROOT}/views/model.onnx"))

    def test_other_targets(self):
        with open(f"{ROOT}/list.csv", "w", encoding="utf-8") as f:
            f.write("path,size,labels\n")
            for c, name in enumerate(material.COLOURS):
                for i in range(12):
                    f.write(f"photos/{name}/{i:02}.png,{c + i / 20},{name}{'|odd' if i % 2 else ''}\n")
        photo = f"{PHOTOS}/red/03.png"
        for words, key in ((["--multi-label", "--label-column", "labels"], "labels"), (["--target", "size"], "value")):
            with self.subTest(words):
                self.ok(run("train", "list.csv", "--backbone", BACKBONE, "-o", key, *words))
                for kind in ("keras", "onnx", "savedmodel", "tfjs", "tflite"):
                    self.ok(run("export", key, "--to", kind))
                told = [self.ok(run("predict", f"{key}/model{kind}", photo, "--no-store"))
                        for kind in (".safetensors", ".keras", ".onnx", "-savedmodel", "-tfjs", ".tflite")]
                for other in told[1:]:
                    self.assertEqual(other.split()[1:4:2], told[0].split()[1:4:2])


if __name__ == "__main__":
    unittest.main(argv=["export.py", *sys.argv[2:]])
