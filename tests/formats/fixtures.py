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

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import material  # noqa: E402

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


QUANTISED = {  # file: what `backbones import` says of it
    "mobilenet_v1_0.25_128_quant": ("mobilenet_v1, width 0.25", "(pixel - 128 128 128) / 128 128 128"),
    "mobilenet_v1_1.0_224_quant_embedding_extractor":
        ("mobilenet_v1, width 1", "(pixel - 128 128 128) / 128 128 128"),
    "mobilenet_v2_1.0_224_inat_bird_quant":
        ("mobilenet_v2, width 1", "(pixel - 128 128 128) / 128 128 128"),
    "mobilenet_v2_1.0_224_quant": ("mobilenet_v2, width 1", "(pixel - 128 128 128) / 128 128 128"),
    "tf2_mobilenet_v2_1.0_224_ptq":
        ("mobilenet_v2, width 1", "(pixel - 127 127 127) / 127.5 127.5 127.5"),
}


def npy(path):
    """The rows of a float32 or uint8 matrix."""
    with open(path, "rb") as f:
        data = f.read()
    end = 10 + int.from_bytes(data[8:10], "little")
    header = ast.literal_eval(data[10:end].decode("latin-1"))
    assert header["descr"] in ("<f4", "|u1") and not header["fortran_order"], header
    n, dim = header["shape"]
    numbers = array.array({"<f4": "f", "|u1": "B"}[header["descr"]], data[end:])
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

    def run_program(self, *words):
        env = {**os.environ, "HEADSTART_HELPER": HELPER, "HEADSTART_OFFLINE": "1",
               "HEADSTART_CACHE": os.path.join(self.work.name, "cache")}
        r = subprocess.run([PROGRAM, *words], env=env, capture_output=True, text=True,
                           timeout=material.patience(120))
        self.assertEqual(r.returncode, 0, f"{words}: {r.stderr}")
        return r.stdout

    def features(self, backbone, prepare="tf"):
        out = os.path.join(self.work.name, "f.npy")
        self.run_program("features", os.path.dirname(self.photos), "--backbone",
                         os.path.join(FIXTURES, backbone), "--prepare", prepare, "-q", "-o", out)
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

    def test_quantised_networks_load_and_see(self):
        for name, (network, scaling) in QUANTISED.items():
            with self.subTest(name):
                path = os.path.join("..", "quantised_tflite", name + ".tflite")
                said = self.run_program("backbones", "import", os.path.join(FIXTURES, path))
                self.assertIn(f"network     {network}\n", said)
                self.assertIn(f"scaling     {scaling}\n", said)
                rows = self.features(path)
                self.assertTrue(all(math.isfinite(x) for row in rows for x in row))
                self.assertNotEqual(rows[0], rows[1])

    def test_a_quantised_network_agrees_with_its_own_interpreter(self):
        """Its activations are rounded to 1 in 256 after every operator, ours are not."""
        got = self.features("../quantised_tflite/mobilenet_v1_1.0_224_quant_embedding_extractor.tflite",
                            "pil")
        want = npy(os.path.join(os.environ["HEADSTART_ROOT"], "tests/golden/formats/embedding.npy"))
        for i, (g, w) in enumerate(zip(got, want)):
            mean_g, mean_w = sum(g) / len(g), sum(w) / len(w)
            both = sum((a - mean_g) * (b - mean_w) for a, b in zip(g, w))
            size = math.sqrt(sum((a - mean_g) ** 2 for a in g) * sum((b - mean_w) ** 2 for b in w))
            print(f"photo {i}: correlation {both / size:.4f}")
            self.assertGreater(both / size, 0.99)


if __name__ == "__main__":
    if not os.path.isdir(FIXTURES):
        print("skipped: the reference data is not here (fixtures/mobilenet_v2_1.0_224)")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=1)
