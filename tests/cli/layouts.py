#!/usr/bin/env python3
"""Folders as people have them, from the scan to the result.

    tests/cli/layouts.py PROGRAM
"""
import csv
import json
import os
import shutil
import unittest

from run import BACKBONE, PHOTOS, ROOT, Case, material, run, setUpModule  # noqa: F401
from run import tearDownModule  # noqa: F401

CLASSES = ("blue", "green", "red")


def parts(name, **counts):
    """A folder of parts with that many photos a class in each."""
    base = os.path.join(ROOT, name)
    for seed, (part, n) in enumerate(counts.items()):
        material.photos(f"{base}/{part}", n, seed=100 + seed)
    return base


class Layouts(Case):
    def train(self, data, output, *more, cwd=ROOT):
        done = run("train", data, "-b", BACKBONE, "-o", output, "--json", *more, cwd=cwd)
        return json.loads(self.ok(done)), done.stderr.decode()

    def test_a_run_inside_the_photos_is_no_class(self):
        base = f"{ROOT}/inside"
        shutil.copytree(PHOTOS, base)
        for _ in range(2):
            self.ok(run("train", ".", "-b", BACKBONE, cwd=base))
        result, _ = self.train(base, f"{base}/my run")
        self.assertEqual(result["photos"], 36)
        result, _ = self.train(base, "again")
        self.assertEqual((result["photos"], result["left_out"]), (36, {"folder": 2}))
        with open(f"{ROOT}/again/labels.txt", encoding="utf-8") as f:
            self.assertEqual(f.read().split(), list(CLASSES))

    def test_what_is_left_out_is_listed(self):
        base = f"{ROOT}/left"
        shutil.copytree(PHOTOS, base)
        os.rename(f"{base}/red/00.png", f"{base}/red/00.jfif")
        shutil.copy(f"{base}/red/01.png", f"{base}/loose.png")
        for name, content in (("red/a.mov", b"movie"), ("red/b.psd", b"8BPS"), ("red/c", b""),
                              ("red/Thumbs.db", b"x"), ("blue/bad.png", b"no picture")):
            with open(f"{base}/{name}", "wb") as f:
                f.write(content)
        os.makedirs(f"{base}/empty, so far")
        result, log = self.train(base, "left out")
        self.assertEqual((result["photos"], result["skipped"], result["understood"]), (37, 1, None))
        self.assertEqual(result["left_out"], {"format": 1, "no_photo": 1, "empty": 1, "outside": 1,
                                              "class": 1, "junk": 1})
        line = "3 files are not photos that can be read: 1 .psd, 1 empty, 1 .mov; 1 photo lies " \
            "outside the class folders; 1 class folder holds no photos: empty, so far; 1 hidden " \
            "file or one of a system's own: 1 Thumbs.db"
        self.assertIn(line, log)
        with open(f"{ROOT}/left out/skipped.csv", encoding="utf-8", newline="") as f:
            rows = {r["path"]: r["reason"] for r in csv.DictReader(f)}
        self.assertEqual(set(rows), {"blue/bad.png", "red/a.mov", "red/b.psd", "red/c",
                                     "red/Thumbs.db", "loose.png", "empty, so far"})
        self.assertEqual(rows["red/a.mov"], "not a photo: .mov")
        done = run("features", base, "-b", BACKBONE, "-o", "left.npy", "--json")
        self.assertEqual(json.loads(self.ok(done))["left_out"], result["left_out"])
        self.assertIn(line, done.stderr.decode())
        done = run("eval", "left out", base, "-o", "left eval", "--json")
        self.assertEqual(json.loads(self.ok(done))["left_out"], result["left_out"])

    def test_parts_are_sides_and_the_rest_is_for_eval(self):
        base = parts("roboflow", train=6, valid=3, test=2)
        result, log = self.train(base, "sides")
        self.assertEqual((result["n_train"], result["n"]), (18, 9))
        says = "train/ and valid/ are the two sides; test/ (6 photos) is kept for eval"
        self.assertEqual(result["understood"], says)
        self.assertIn(says, log)

        def evaluated(*more):
            done = run("eval", "sides", base, "-o", "sides eval", "--json", *more)
            o = json.loads(self.ok(done))
            return o["n"] + o["copies"] + o["seen"]["n"], o["understood"], done.stderr.decode()
        n, says, log = evaluated()
        self.assertEqual((n, says), (6, "of its parts test/ is used"))
        self.assertIn(says, log)
        self.assertEqual(evaluated("--part", "val")[0], 9)
        self.assertEqual(evaluated("--part", "train")[0], 18)
        shutil.rmtree(f"{base}/test")
        self.assertEqual(evaluated()[:2], (9, "of its parts valid/ is used"))

    def test_the_same_photos_on_both_sides_and_under_two_labels_are_told(self):
        base = parts("both", train=5)
        shutil.copytree(f"{base}/train", f"{base}/val")
        self.assertIn("validation", self.warnings(base, "both out"))
        base = parts("twice", all=5)
        for i in range(5):
            shutil.copy(f"{base}/all/red/{i:02}.png", f"{base}/all/blue/r{i}.png")
        self.assertIn("the same picture", self.warnings(f"{base}/all", "twice out"))

    def warnings(self, base, output):
        _, log = self.train(base, output)
        return "\n".join(line for line in log.splitlines() if "warning: " in line)

    def test_classes_of_two_photos_train_whatever_the_seed(self):
        base = parts("few", all=2)
        for seed in range(12):
            result, _ = self.train(f"{base}/all", f"few {seed}", "--seed", str(seed))
            self.assertEqual(result["photos"], 6)

    def test_many_classes_alike_in_something_are_one_line(self):
        base = f"{ROOT}/many"
        for k in range(40):
            material.photos(f"{base}/{k}", 1, ("red",), seed=k)
            os.rename(f"{base}/{k}/red/00.png", f"{base}/{k}/0.png")
            os.rmdir(f"{base}/{k}/red")
        shutil.copytree(f"{PHOTOS}/blue", f"{base}/blue")
        shutil.copytree(f"{PHOTOS}/green", f"{base}/green")
        told = self.warnings(base, "many out").splitlines()
        self.assertEqual(len(told), 1)
        self.assertIn("40 classes have one photo only, which was always learned from "
                      "(0, 1, 10, 11, 12, ...)", told[0])

    def test_what_cannot_be_is_said_before_the_work(self):
        flat = f"{ROOT}/flat"
        for part in ("train", "test"):
            shutil.copytree(f"{PHOTOS}/red", f"{flat}/{part}")
        self.refused(run("train", flat, "-b", BACKBONE, "-o", "no"), 3, "say --part none")
        self.assertFalse(os.path.exists(f"{ROOT}/no"))
        self.ok(run("train", flat, "-b", BACKBONE, "-o", "yes", "--part", "none"))


if __name__ == "__main__":
    unittest.main(argv=["layouts.py"])
