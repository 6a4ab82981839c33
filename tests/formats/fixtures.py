#!/usr/bin/env python3
"""Every published weight file of the reference data, by its path alone.

    tests/formats/fixtures.py PROGRAM HELPER

`headstart features PHOTOS --backbone PATH --prepare tf` must give the features that the format's own
library gave. The references of the small networks are of photos that were resized twice, which no
photo file holds: test_foreign.c feeds them; here they must load and see something. Skipped, with a
word, where the reference data is not there."""
import array
import ast
import json
import math
import os
import subprocess
import sys
import tempfile
import unittest

PROGRAM, HELPER = (os.path.abspath(p) for p in sys.argv[1:3])
SHARED = os.environ.get("HEADSTART_SHARED", "")
FIXTURES = os.path.join(SHARED, "fixtures", "mobilenet_v2_1.0_224")

AGREE = {  # path below FIXTURES: golden/features_NAME.npy
    "keras_h5/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5": "keras_h5",
    "keras3/model.keras": "keras3_keras",
    "keras3/model.weights.h5": "keras3_weights_h5",
    "saved_model/imagenet_mobilenet_v2_100_224_feature_vector_5.tar.gz": "saved_model",
    "tflite/mobilenet_v2_1.0_224.tflite": "tflite",
    "tfjs/layers_model": "tfjs_layers",
    "tfjs/layers_model/model.json": "tfjs_layers",
    "tfjs/graph_model_float16": "tfjs_graph_float16",
    "torchvision/mobilenet_v2-b3cad60d.pth": "torchvision",
    "huggingface/google--mobilenet_v2_1.0_224": "huggingface",
    "huggingface/google--mobilenet_v2_1.0_224/model.safetensors": "huggingface",
    "timm/mobilenetv2_100": "timm",
    "onnx/mobilenet_v2_1.0_224.onnx": "onnx",
}
SMALL = ("keras_h5/full_model_mobilenet_v2_0.35_96_head5.h5",
         "tflite/mobilenet_v2_0.35_96_float16.tflite", "onnx/mobilenet_v2_0.35_96_tfpad_dynamo.onnx",
         "torchvision/tiny_0.1_legacy.pth", "torchvision/tiny_0.1_checkpoint.pth.tar")


def npy(path):
    """The rows of a float32 matrix."""
    with open(path, "rb") as f:
        data = f.read()
    end = 10 + int.from_bytes(data[8:10], "little")
    header = ast.literal_eval(data[10:end].decode("latin-1"))
    assert header["descr"] == "<f4" and not header["fortran_order"], header
    n, dim = header["shape"]
    numbers = array.array("f", data[end:])
    return [numbers[i * dim:(i + 1) * dim] for i in range(n)]


class Fixtures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = tempfile.TemporaryDirectory(prefix="headstart-fixtures-")
        cls.photos = os.path.join(cls.work.name, "photos", "all")
        os.makedirs(cls.photos)
        with open(os.path.join(FIXTURES, "golden", "photos.json"), encoding="utf-8") as f:
            for i, path in enumerate(json.load(f)):
                os.symlink(os.path.abspath(os.path.join(SHARED, path)),
                           os.path.join(cls.photos, f"{i}.jpg"))

    @classmethod
    def tearDownClass(cls):
        cls.work.cleanup()

    def features(self, backbone):
        out = os.path.join(self.work.name, "f.npy")
        env = {**os.environ, "HEADSTART_HELPER": HELPER, "HEADSTART_OFFLINE": "1",
               "HEADSTART_CACHE": os.path.join(self.work.name, "cache")}
        r = subprocess.run([PROGRAM, "features", os.path.dirname(self.photos), "--backbone",
                            os.path.join(FIXTURES, backbone), "--prepare", "tf", "-q", "-o", out],
                           env=env, capture_output=True, text=True, timeout=120)
        self.assertEqual(r.returncode, 0, f"{backbone}: {r.stderr}")
        return npy(out)

    def test_features_are_those_of_the_library(self):
        for backbone, name in AGREE.items():
            with self.subTest(backbone):
                want = npy(os.path.join(FIXTURES, "golden", f"features_{name}.npy"))
                got = self.features(backbone)
                self.assertEqual([len(r) for r in got], [len(r) for r in want])
                largest = max(map(max, want))
                far = max(abs(a - b) for g, w in zip(got, want) for a, b in zip(g, w)) / largest
                print(f"{backbone}: {far:.1e} of the largest feature")
                self.assertLess(far, 1e-4)

    def test_small_networks_load_and_see(self):
        for backbone in SMALL:
            with self.subTest(backbone):
                rows = self.features(backbone)
                self.assertEqual(len(rows), 8)
                for row in rows:
                    self.assertTrue(all(map(math.isfinite, row)))
                    self.assertGreater(max(row), min(row))
                self.assertNotEqual(rows[0], rows[1])


if __name__ == "__main__":
    if not os.path.isdir(FIXTURES):
        print("skipped: the reference data is not here (fixtures/mobilenet_v2_1.0_224)")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=1)
