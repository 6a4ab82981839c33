#!/usr/bin/env python3
"""Models as Python's libraries load them, from the command line.

    tests/cli/names.py PROGRAM

Files are read by a few lines of Python; the real libraries (torch, torchvision, timm, transformers) are asked where
this Python has them, and skipped, saying so, where not.
"""
import collections
import importlib.util
import json
import os
import pickle
import re
import shutil
import struct
import subprocess
import sys
import unittest
import zipfile

import material
from run import BACKBONE, PHOTOS, ROOT, Case, read, run, setUpModule, tearDownModule  # noqa: F401


def works(*modules):
    """Skips where one of them is not there, or is but cannot be imported."""
    for name in modules:
        if not importlib.util.find_spec(name):
            return unittest.skip(f"this Python is without {name}")
        r = subprocess.run([sys.executable, "-c", f"import {name}"], capture_output=True)
        if r.returncode:
            return unittest.skip(f"this Python cannot import {name}")
    return lambda test: test


def safetensors(path):
    """{name: (shape, numbers)} of a file's float32 tensors."""
    data = read(path)
    n, = struct.unpack_from("<Q", data)
    head = json.loads(data[8:8 + n])
    head.pop("__metadata__")
    found = {}
    for name, t in head.items():
        begin, end = (8 + n + at for at in t["data_offsets"])
        if t["dtype"] == "F32":
            found[name] = (t["shape"], struct.unpack_from(f"<{(end - begin) // 4}f", data, begin))
    return found


class StateDict(pickle.Unpickler):
    """A state dict without torch: {name: (size, member of the archive)}."""

    class Attributes(collections.OrderedDict):
        pass

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return self.Attributes
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, size, stride, grad, hooks: (size, storage)
        if module == "torch" and name in ("FloatStorage", "LongStorage"):
            return name
        raise pickle.UnpicklingError(f"{module}.{name}")

    def persistent_load(self, pid):
        return f"archive/data/{pid[2]}"


class Names(Case):
    def export(self, to, path, *words):
        for remove in (shutil.rmtree, os.remove):
            try:
                remove(f"{ROOT}/{path}")
            except OSError:
                pass
        told = json.loads(self.ok(run("export", self.model(), "--to", to, "-o", f"{ROOT}/{path}", "--json", *words)))
        self.assertEqual((told["format"], told["checked"], told["pictures"]), (to, "read back", 16))
        self.assertLess(told["difference"], 1e-6)
        return told

    def head(self):
        """The model's classifier: rows of weights, and biases."""
        t = safetensors(self.model())
        (features, classes), kernel = t["head/kernel"]
        return [kernel[c::classes] for c in range(classes)], t["head/bias"][1], features

    def labels(self):
        return ["blue", "green", "red"]

    def test_transformers_folder(self):
        told = self.export("hf", "as-hf")
        folder = f"{ROOT}/as-hf"
        self.assertEqual(sorted(os.listdir(folder)),
                         ["README.md", "config.json", "model.safetensors", "preprocessor_config.json"])
        self.assertEqual(told["bytes"], sum(os.path.getsize(f"{folder}/{f}") for f in os.listdir(folder)))
        config = json.loads(read(f"{folder}/config.json"))
        self.assertEqual(config["architectures"], ["MobileNetV2ForImageClassification"])
        self.assertEqual(config["id2label"], {str(i): name for i, name in enumerate(self.labels())})
        self.assertEqual(config["problem_type"], "single_label_classification")
        prepare = json.loads(read(f"{folder}/preprocessor_config.json"))
        self.assertEqual(prepare["size"], {"height": config["image_size"], "width": config["image_size"]})
        self.assertEqual((prepare["image_mean"], prepare["image_std"]), ([0.5] * 3, [0.5] * 3))
        self.assertIn(b"library_name: transformers", read(f"{folder}/README.md"))
        rows, bias, features = self.head()
        shape, weights = safetensors(f"{folder}/model.safetensors")["classifier.weight"]
        self.assertEqual(shape, [3, features])
        self.assertEqual(weights[:features], rows[0])
        self.assertEqual(safetensors(f"{folder}/model.safetensors")["classifier.bias"][1], bias)

    def test_it_is_a_backbone_again(self):
        self.export("hf", "backbone-hf")
        for name, backbone in (("ours", BACKBONE), ("again", f"{ROOT}/backbone-hf")):
            self.ok(run("features", PHOTOS, "--backbone", backbone, "-o", f"{name}.npy", "--no-store"))
        self.assertEqual(read(f"{ROOT}/ours.npy"), read(f"{ROOT}/again.npy"))

    def test_state_dict(self):
        told = self.export("torch", "as.pth")
        with zipfile.ZipFile(f"{ROOT}/as.pth") as z:
            self.assertIsNone(z.testzip())
            state = StateDict(z.open("archive/data.pkl")).load()
            size, member = state["classifier.1.weight"]
            rows, bias, features = self.head()
            self.assertEqual(size, (3, features))
            self.assertEqual(struct.unpack(f"<{3 * features}f", z.read(member)), sum(rows, ()))
            self.assertEqual(struct.unpack("<3f", z.read(state["classifier.1.bias"][1])), bias)
        self.assertEqual(state["features.0.0.weight"][0][1:], (3, 3, 3))
        self.assertEqual(state["features.0.1.num_batches_tracked"][0], ())
        self.assertEqual(json.loads(state.headstart["labels"]), self.labels())
        self.assertEqual(state.headstart["loader"], told["loader"])
        self.assertIn("torchvision.models.mobilenet_v2(", told["loader"])
        page = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "deploy.md")
        as_shown = re.sub(", width_mult=[0-9.]*", "", told["loader"]).replace("as.pth", "model.pth")
        as_shown = re.sub(r"\[\d+\]\[\d+\]\[3\]", "[224][224][3]", as_shown)
        self.assertIn(as_shown, read(page).decode())
        printed = self.ok(run("export", self.model(), "--to", "torch", "-o", f"{ROOT}/as.pth"))
        self.assertIn(told["loader"], printed)

    def test_predict_takes_them(self):
        files = [f"{PHOTOS}/{c}/0{i}.png" for c in ("red", "green", "blue") for i in range(2)]

        def told(model):
            return [line.split(": ", 1)[1] for line in
                    self.ok(run("predict", model, *files, "--no-store", "-q")).splitlines()]
        for to, path in (("torch", "again.pth"), ("timm", "again-timm"), ("hf", "again-hf")):
            with self.subTest(to):
                self.export(to, path)
                self.assertEqual(told(f"{ROOT}/{path}"), told(self.model()))

    def test_the_same_bytes(self):
        folder = ["/README.md", "/config.json", "/model.safetensors"]
        for to, files in (("torch", [""]), ("hf", folder), ("timm", folder)):
            made = []
            for words in ((), ("--threads", "1")):
                self.export(to, "same", *words)
                made.append([read(f"{ROOT}/same{f}") for f in files])
            self.assertEqual(*made)

    def test_timm_folder(self):
        self.export("timm", "as-timm")
        folder = f"{ROOT}/as-timm"
        self.assertEqual(sorted(os.listdir(folder)), ["README.md", "config.json", "model.safetensors"])
        config = json.loads(read(f"{folder}/config.json"))
        self.assertRegex(config["architecture"], "^mobilenetv2_0")
        self.assertEqual(config["model_args"], {"pad_type": "same", "bn_eps": 0.001})
        self.assertEqual((config["label_names"], config["num_classes"]), (self.labels(), 3))
        self.assertEqual(config["pretrained_cfg"]["crop_mode"], "squash")
        self.assertEqual(config["pretrained_cfg"]["mean"], [0.5] * 3)
        rows, _, features = self.head()
        shape, weights = safetensors(f"{folder}/model.safetensors")["classifier.weight"]
        self.assertEqual((shape, weights[:features]), ([3, features], rows[0]))

    def test_timm_refused(self):
        self.export("timm", "full-timm")
        for words, status, told in ((["--to", "timm", "-o", "full-timm"], 6, "not empty"),
                                    (["--to", "timm", "--input", "uint8"], 2, "no other input than float"),
                                    (["--to", "timm", "--layout", "nhwc"], 2, "no other layout than nchw"),
                                    (["--to", "timm", "--weights", "int8"], 2, "no weights in int8")):
            self.refused(run("export", self.model(), *words), status, told)

    def test_labels_and_numbers(self):
        """What a photo has several of, and from where on; and what is no class."""
        with open(f"{ROOT}/list.csv", "w", encoding="utf-8") as f:
            f.write("path,size,labels\n")
            for c, name in enumerate(material.COLOURS):
                for i in range(12):
                    f.write(f"photos/{name}/{i:02}.png,{c + i / 20},{name}{'|odd' if i % 2 else ''}\n")
        photos = [f"{PHOTOS}/{c}/0{i}.png" for c in material.COLOURS for i in range(3)]
        for words, problem in ((["--multi-label", "--label-column", "labels"], "multi_label_classification"),
                               (["--target", "size"], "regression")):
            self.ok(run("train", "list.csv", "--backbone", BACKBONE, "-o", problem, *words))
            want = self.ok(run("predict", problem, *photos, "--no-store"))
            for to in ("hf", "timm"):
                with self.subTest(problem, to=to):
                    told = json.loads(self.ok(run("export", problem, "--to", to, "-o", f"{problem}-{to}", "--json")))
                    self.assertEqual(told["checked"], "read back")
                    config = json.loads(read(f"{ROOT}/{problem}-{to}/config.json"))
                    self.assertEqual(config["problem_type"], problem)
                    self.assertEqual(len(config.get("thresholds", [])), 4 if problem[0] == "m" else 0)
                    got = self.ok(run("predict", f"{problem}-{to}", *photos, "--no-store"))
                    self.assertEqual([line.split()[1::2] for line in got.splitlines()],
                                     [line.split()[1::2] for line in want.splitlines()])

    @works("torch", "torchvision")
    def test_torch(self):
        told = self.export("torch", "real.pth", "--check")
        self.assertRegex(told["runtime"], "^torch ")
        self.assertLess(told["runtime_difference"], 1e-4)

    @works("torch", "timm")
    def test_timm(self):
        told = self.export("timm", "real-timm", "--check")
        self.assertRegex(told["runtime"], "^timm ")
        self.assertLess(told["runtime_difference"], 1e-4)

    @works("torch", "transformers")
    def test_transformers(self):
        told = self.export("hf", "real-hf", "--check")
        self.assertRegex(told["runtime"], "^transformers ")
        self.assertLess(told["runtime_difference"], 1e-4)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
