#!/usr/bin/env python3
"""Photos of every format and shape as users of the program see them.

    tests/cli/pixels.py PROGRAM
"""
import json
import os
import random
import shutil
import struct
import unittest
import zlib

import material
from run import BACKBONE, PHOTOS, ROOT, Case, read, run, setUpModule, tearDownModule  # noqa: F401


def oblong(folder, w=60, h=24):
    """Photos that are wider than high, plain but for a ramp: PNM by content, .png by name."""
    for name, colour in material.COLOURS.items():
        os.makedirs(f"{folder}/{name}")
        for i in range(12):
            pixels = bytes(min(255, c // 2 + x + 3 * i) for _ in range(h) for x in range(w) for c in colour)
            with open(f"{folder}/{name}/{i:02}.png", "wb") as f:
                f.write(b"P6 %d %d 255\n" % (w, h) + pixels)
    return folder


def vectors(folder, *words):
    r = run("features", folder, "--backbone", BACKBONE, "-o", "pixels.npy", *words)
    assert r.returncode == 0, r.stderr
    return read(f"{ROOT}/pixels.npy")


class Predicts(Case):
    def predicts_as_in_training(self, folder, run_folder):
        """What train wrote of the validation photos is what predict says of them, digit by digit."""
        out = self.ok(run("predict", f"{run_folder}/model.safetensors", folder, "--format", "csv"))
        rows = {line.split(",")[0]: line.split(",") for line in out.splitlines()[1:]}
        predictions = read(f"{run_folder}/predictions.csv").decode().splitlines()
        labels = [n[2:] for n in predictions[0].split(",")[3:]]
        self.assertGreater(len(predictions), 3)
        for line in predictions[1:]:
            path, _, guess, *p = line.split(",")
            row = rows[path if path in rows else os.path.join(folder, path)]
            self.assertEqual(row[1:3], [guess, p[labels.index(guess)]])


class Fit(Predicts):
    def test_features(self):
        folder = oblong(f"{ROOT}/oblong")
        seen = {fit: vectors(folder, "--fit", fit) for fit in ("squash", "crop", "pad")}
        self.assertEqual(len(set(seen.values())), 3)
        self.assertEqual(vectors(folder), seen["squash"])
        self.assertEqual(vectors(folder, "--fit", "pad", "--threads", "1", "--no-store"), seen["pad"])
        # of a square photo nothing is lost and nothing added
        self.assertEqual(vectors(PHOTOS, "--fit", "pad"), vectors(PHOTOS))
        self.assertEqual(vectors(PHOTOS, "--fit", "crop"), vectors(PHOTOS))

    def test_a_model_remembers(self):
        folder = oblong(f"{ROOT}/remembered")
        for fit, geometry in (("pad", b'\\"geometry\\": \\"letterbox\\"'),
                              ("crop", b'\\"geometry\\": \\"crop-torchvision\\"')):
            out = self.ok(run("train", folder, "--backbone", BACKBONE, "--fit", fit, "-o", f"fit-{fit}",
                              "--final", "train", "--json"))
            self.assertIn("accuracy", json.loads(out))
            model = f"{ROOT}/fit-{fit}/model.safetensors"
            self.assertIn(geometry.replace(b" ", b""), read(model).replace(b" ", b""))
            record = json.loads(self.ok(run("info", model, "--json")))["record"]
            self.assertEqual((record["fit"], record["prepare"]), (fit, "pil"))
            self.predicts_as_in_training(folder, f"{ROOT}/fit-{fit}")
        squashed = self.ok(run("train", folder, "--backbone", BACKBONE, "-o", "fit-none", "--json"))
        self.assertIn("accuracy", json.loads(squashed))
        self.assertNotIn(b"geometry", read(f"{ROOT}/fit-none/model.safetensors"))
        self.assertNotIn("fit", json.loads(self.ok(run("info", f"{ROOT}/fit-none/model.safetensors", "--json")))["record"])

    def test_the_backbone_learns_of_padded_photos(self):
        folder = oblong(f"{ROOT}/learning")
        self.ok(run("train", folder, "--backbone", BACKBONE, "--fit", "pad", "--recipe", "fine-tune", "--epochs", "1",
                    "--batch", "8", "-o", "fit-tuned"))
        self.predicts_as_in_training(folder, f"{ROOT}/fit-tuned")

    def test_refusals(self):
        self.refused(run("train", PHOTOS, "--backbone", BACKBONE, "--fit", "stretch"), 2, "squash, crop or pad")
        self.refused(run("train", PHOTOS, "--backbone", BACKBONE, "--fit", "pad", "--recipe", "tutorial"), 2, "fit")
        self.refused(run("features", PHOTOS, "--backbone", BACKBONE, "--fit", "pad", "--prepare", "hub"), 2, "hub")


def xrays(folder, save=None, ending="png"):
    """Pictures of 16-bit gray: values about 7000, blotches, brighter at one side; two classes."""
    rng = random.Random(5)
    for name in ("left", "right"):
        os.makedirs(f"{folder}/{name}")
        for i in range(12):
            spots = [[rng.randrange(400) for _ in range(8)] for _ in range(8)]
            bright = range(20) if name == "left" else range(20, 40)
            values = [[7000 + 13 * i + spots[y // 5][x // 5] + 600 * (x in bright) for x in range(40)] for y in range(40)]
            with open(f"{folder}/{name}/{i:02}.{ending}", "wb") as f:
                f.write((save or deep_png)(values))
    return folder


def deep_png(values):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + struct.pack(f">{len(row)}H", *row) for row in values)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 40, 16, 0, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def tiff(bits, pixels, photometric, order="<"):
    """One strip, its directory last, as most programs write it."""
    tags = ((256, 4, 40), (257, 4, 40), (258, 3, bits), (259, 3, 1), (262, 3, photometric), (273, 4, 8),
            (277, 3, 1), (278, 4, 40), (279, 4, len(pixels)))
    entries = b"".join(struct.pack(order + "HHI", tag, kind, 1) +
                       struct.pack(order + ("I" if kind == 4 else "HH"), value, *[0] * (kind == 3))
                       for tag, kind, value in tags)
    return ((b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(pixels)) + pixels +
            struct.pack(order + "H", len(tags)) + entries + bytes(4))


def tiff_16(values):
    return tiff(16, b"".join(struct.pack(f"<{len(row)}H", *row) for row in values), 1)


def tiff_white_is_0(values):
    return tiff(16, b"".join(struct.pack(f">{len(row)}H", *(65535 - v for v in row)) for row in values), 0, ">")


def tiff_12(values):
    pairs = [(a - 6000, b - 6000) for row in values for a, b in zip(row[::2], row[1::2])]
    return tiff(12, b"".join(bytes((a >> 4, (a & 15) << 4 | b >> 8, b & 255)) for a, b in pairs), 1)


class Deep(Case):
    def test_16_bit_gray_is_not_white(self):
        folder = xrays(f"{ROOT}/xrays")
        r = run("train", folder, "--backbone", BACKBONE, "-o", "deep", "--json", "--final", "train")
        self.assertEqual(json.loads(self.ok(r))["accuracy"], 1)
        self.assertIn(b"24 photos are 16-bit gray", r.stderr)
        record = json.loads(self.ok(run("info", f"{ROOT}/deep/model.safetensors", "--json")))["record"]
        self.assertEqual(record["prepare"], "scaled")
        said = self.ok(run("predict", f"{ROOT}/deep/model.safetensors", f"{folder}/left/00.png", "--format", "json"))
        self.assertIn("left", said.splitlines()[0])
        self.assertEqual(vectors(folder), vectors(folder, "--prepare", "scaled"))
        self.assertEqual(vectors(folder, "--fit", "pad"), vectors(folder))

    def test_pil_says_that_it_clips(self):
        folder = xrays(f"{ROOT}/clipped")
        r = run("features", folder, "--backbone", BACKBONE, "--prepare", "pil", "-o", "clipped.npy")
        self.ok(r)
        self.assertIn(b"which 'pil' clips to white as Pillow does; prepare them as 'scaled'", r.stderr)
        self.assertIn(b"left/00.png", r.stderr)
        r = run("features", PHOTOS, "--backbone", BACKBONE, "-o", "clipped.npy")
        self.assertNotIn(b"16-bit", r.stderr)

    def test_tiff(self):
        if not json.loads(self.ok(run("info", "--devices", "--json")))["parts"]["libtiff"]:
            self.skipTest("this build is without libtiff")
        want = vectors(xrays(f"{ROOT}/as-png"))
        for save in (tiff_16, tiff_white_is_0, tiff_12):
            folder = xrays(f"{ROOT}/{save.__name__}", save, "tif")
            r = run("features", folder, "--backbone", BACKBONE, "-o", "deep-tiff.npy")
            self.ok(r)
            self.assertIn(b"24 photos are 16-bit gray", r.stderr)
            self.assertEqual(vectors(folder), want, save.__name__)
        r = run("features", folder, "--backbone", BACKBONE, "--prepare", "pil", "-o", "deep-tiff.npy")
        self.assertIn(b"which 'pil' clips to white", r.stderr)

    def test_a_model_of_pil_says_that_it_clips(self):
        """Once a run, not once a photo."""
        folder = xrays(f"{ROOT}/clipped-later")
        for name, like in (("left", "red"), ("right", "blue")):
            shutil.copytree(f"{PHOTOS}/{like}", f"{ROOT}/of-8-bits/{name}")
        self.ok(run("train", f"{ROOT}/of-8-bits", "--backbone", BACKBONE, "-o", "of-8"))
        model = f"{ROOT}/of-8/model.safetensors"
        for command in (("eval", model, folder, "-o", "of-16"), ("predict", model, folder)):
            r = run(*command)
            self.ok(r)
            self.assertEqual(r.stderr.count(b"16-bit gray"), 1, r.stderr)
            self.assertIn(b"24 photos are 16-bit gray (", r.stderr)
            self.assertIn(b"train the model with 'scaled'", r.stderr)
        r = run("predict", model, PHOTOS)
        self.assertNotIn(b"16-bit", r.stderr)

    def test_doctor(self):
        text = self.ok(run("doctor", xrays(f"{ROOT}/looked-at")))
        self.assertIn("16 bits a channel", text)
        self.assertNotIn("the same picture", text)


class Formats(Case):
    def test_predict_names_what_a_file_is(self):
        model = self.model()
        self.write("page.jpg", b"<!DOCTYPE html><html>404</html>")
        self.write("scan.dcm", bytes(128) + b"DICM" + bytes(50))
        self.write("film.jpg", struct.pack(">I", 24) + b"ftypisom" + bytes(40))
        self.write("gray.pgm", b"P5 40 40 255\n" + bytes(range(40)) * 40)
        r = run("predict", model, *(f"{ROOT}/{n}" for n in ("page.jpg", "scan.dcm", "film.jpg", "gray.pgm")),
                "--format", "json")
        self.assertEqual(r.returncode, 3)
        said = [json.loads(line) for line in r.stdout.decode().splitlines()]
        self.assertEqual([o.get("error") for o in said],
                         ["not a picture but a web page (HTML)", "a picture in format DICOM, which is not read; convert it",
                          "not a picture but a film", None])

    @staticmethod
    def write(name, data):
        with open(f"{ROOT}/{name}", "wb") as f:
            f.write(data)


class Folders(Case):
    def test_predict_takes_what_features_takes(self):
        """One rule says what a photo is, for folders to learn from and for folders to name."""
        folder = f"{ROOT}/taken"
        os.makedirs(f"{folder}/a")
        os.makedirs(f"{folder}/b")
        picture = b"P6 24 24 255\n" + bytes(range(192)) * 9
        for name in ("a/plain.ppm", "a/no_ending", "b/saved.jpg_large", "b/wrong.png", "a/notes.txt",
                     "b/._hidden.png", "b/film.mov"):
            with open(f"{folder}/{name}", "wb") as f:
                f.write(b"text" if name[2:] in ("notes.txt", "film.mov") else picture)
        taken = [f"{folder}/{name}" for name in
                 ("a/no_ending", "a/plain.ppm", "b/saved.jpg_large", "b/wrong.png")]
        self.ok(run("features", folder, "--backbone", BACKBONE, "-o", "taken.npy"))
        rows = [line.split(",")[0] for line in read(f"{ROOT}/taken.csv").decode().splitlines()[1:]]
        self.assertEqual(rows, taken)
        out = self.ok(run("predict", self.model(), folder, "--format", "csv"))
        self.assertEqual([line.split(",")[0] for line in out.splitlines()[1:]], taken)


if __name__ == "__main__":
    unittest.main(argv=["pixels.py"])
