#!/usr/bin/env python3
"""Networks whose input is no square, from the command line.

    tests/cli/sizes.py PROGRAM
"""
import glob
import json
import os
import unittest

from pixels import Predicts, oblong
from run import BACKBONE, PHOTOS, ROOT, Case, read, run, setUpModule, tearDownModule  # noqa: F401


class Sizes(Predicts):
    def features(self, size, *words):
        r = run("features", PHOTOS, "--backbone", BACKBONE, "--image-px", size, "-o", "sizes.npy", *words)
        self.ok(r)
        return r.stderr.decode(), read(f"{ROOT}/sizes.npy")

    def test_no_sizes(self):
        for size in ("0x20", "160x", "x160", "320x160x3", "x", "0", "320X160", "-64x64", "64 x 64", "1e2",
                     "99999999999x64"):
            with self.subTest(size):
                self.refused(run("features", PHOTOS, "--backbone", BACKBONE, "--image-px", size, "-o", "none.npy"), 2,
                             "--image-px", "WIDTHxHEIGHT", f"'{size}'")
        for size in ("1024x31", "31x1024", "2147483647x64"):
            with self.subTest(size):
                self.refused(run("features", PHOTOS, "--backbone", BACKBONE, "--image-px", size, "-o", "none.npy"), 4,
                             f"image size {size} (width x height), expected 32 to 1024")
        for views in ("64x", "x", "64x31", "64x32x3"):
            with self.subTest(views):
                self.refused(run("features", PHOTOS, "--backbone", BACKBONE, "--views", views, "-o", "none.npy"), 2,
                             "view")

    def test_features(self):
        said, wide = self.features("96x48")
        self.assertNotIn("in the store", said)
        _, tall = self.features("48x96")
        _, square = self.features("96x96")
        self.assertEqual(len({wide, tall, square}), 3)
        self.assertEqual(self.features("96")[1], square)
        said, again = self.features("96x48")
        self.assertIn("36 of 36 photos were in the store", said)
        self.assertEqual((again, self.features("96x48", "--no-store", "--threads", "1")[1]), (wide, wide))

    def test_what_is_read_is_said(self):
        words = "backbones", "import", BACKBONE, "--image-px", "96x48"
        self.assertIn("input       96 x 48 px (width x height), padding", self.ok(run(*words)))
        told = json.loads(self.ok(run(*words, "--json")))
        self.assertEqual((told["image_px"], told["image_width_px"], told["image_height_px"]), (None, 96, 48))
        told = json.loads(self.ok(run("backbones", "import", BACKBONE, "--json")))
        self.assertEqual((told["image_px"], told["image_width_px"], told["image_height_px"]), (96, 96, 96))

    def test_from_training_to_a_map(self):
        folder = oblong(f"{ROOT}/sizes")
        self.ok(run("train", folder, "--backbone", BACKBONE, "--image-px", "96x48", "--views", "mirror,64x32,crop",
                    "--final", "train", "-o", "wide"))
        model = f"{ROOT}/wide/model.safetensors"
        self.predicts_as_in_training(folder, f"{ROOT}/wide")
        text = self.ok(run("info", model))
        self.assertIn("96 x 48 px (width x height)", text)
        self.assertIn("96x48, 64x32, 96x48 crop, 96x48 mirrored", text)
        told = json.loads(self.ok(run("info", model, "--json")))
        self.assertEqual((told["image_px"], told["image_width_px"], told["image_height_px"]), (None, 96, 48))
        self.assertIn(b'"format_version":"5"', read(model))
        self.assertIn("accuracy", self.ok(run("eval", model, folder, "-o", "wide-eval")))
        self.assertGreater(os.path.getsize(f"{ROOT}/wide-eval/report.html"), 1000)
        self.ok(run("predict", model, f"{folder}/red", "--cam", "wide-cam"))
        self.assertEqual(len(glob.glob(f"{ROOT}/wide-cam/*.cam.png")), 12)
        # a model is a backbone of its size; the caller may want another
        for more, size in ((), "96 x 48 px (width"), (("--image-px", "64"), "64 x 64 px,"):
            self.assertIn(size, self.ok(run("backbones", "import", model, *more)))

    def test_the_backbone_learns(self):
        folder = oblong(f"{ROOT}/sizes-tuned")
        for name, more in (("mixed", ("--mixup", "0.2", "--cutmix", "1")), ("cut", ("--augment", "auto", "--fit", "crop")),
                           ("padded", ("--augment", "tutorial", "--fit", "pad"))):
            self.ok(run("train", folder, "--backbone", BACKBONE, "--image-px", "96x48", "--recipe", "fine-tune",
                        "--epochs", "2", "--batch", "8", *more, "-o", name))
            self.predicts_as_in_training(folder, f"{ROOT}/{name}")
        self.ok(run("train", folder, "--backbone", BACKBONE, "--image-px", "48x96", "--recipe", "tutorial",
                    "--augment", "tutorial", "--epochs", "1", "-o", "tutorial-tall"))

    def test_squares_are_written_as_ever(self):
        self.ok(run("train", PHOTOS, "--backbone", BACKBONE, "--image-px", "64", "-o", "square"))
        self.ok(run("train", PHOTOS, "--backbone", BACKBONE, "--image-px", "64x64", "-o", "square-too"))
        model = read(f"{ROOT}/square/model.safetensors")
        self.assertEqual(model, read(f"{ROOT}/square-too/model.safetensors"))
        self.assertIn(b'\\"image_px\\":64', model)
        self.assertNotIn(b"width_px", model)


if __name__ == "__main__":
    unittest.main(argv=["sizes.py"])
