#!/usr/bin/env python3
"""headstart doctor as its users run it.

    tests/cli/doctor.py PROGRAM
"""
import json
import os
import random
import shutil
import unittest

from run import ROOT, Case, material, needs, run, tearDownModule  # noqa: F401

HERE = os.path.dirname(os.path.abspath(__file__))


def picture(path, side=100, low=0, high=255, seed=0):
    """Squares of any colour between low and high, as sharp as can be."""
    r = random.Random(seed)
    colour = {}

    def pixel(x, y):
        cell = (x // 9, y // 7)
        if cell not in colour:
            colour[cell] = tuple(r.randrange(low, high + 1) for _ in range(3))
        return colour[cell]

    material.png(path, pixel, side)


def folder(name, classes=("ant", "bee"), per_class=10):
    """Good photos, nothing else."""
    path = os.path.join(ROOT, name)
    for k, c in enumerate(classes):
        for i in range(per_class):
            picture(os.path.join(path, c, f"{i}.png"), seed=100 * k + i)
    return path


class Doctor(Case):
    def findings(self, path, *more):
        """The whole result, and its findings by kind."""
        result = json.loads(self.ok(run("doctor", path, "--json", *more)))
        kinds = {}
        for f in result["findings"]:
            self.assertEqual(set(f), {"kind", "severity", "paths", "what", "advice"})
            kinds.setdefault(f["kind"], []).append(f)
        return result, kinds

    def test_a_good_folder(self):
        path = folder("good")
        self.assertEqual(self.ok(run("doctor", path, "-q")),
                         "20 photos in 2 classes: nothing to complain of\n")
        result, _ = self.findings(path)
        self.assertEqual({k: v for k, v in result.items() if k != "dir"},
                         {"schema": 1, "photos": 20, "usable": 20, "classes": 2, "errors": 0,
                          "warnings": 0, "remarks": 0, "findings": []})
        self.ok(run("doctor", path, "--strict"))

    @needs("giflib")
    def test_what_is_found_of_files(self):
        path = folder("files & more")
        with open(f"{path}/ant/page.jpg", "w", encoding="ascii") as f:
            f.write("<html>")
        with open(f"{path}/ant/0.png", "rb") as f:
            whole = f.read()
        with open(f"{path}/ant/cut.png", "wb") as f:
            f.write(whole[:len(whole) // 2])
        with open(f"{path}/bee/IMG_1.PSD", "wb") as f:
            f.write(b"8BPS")
        shutil.copy(f"{path}/ant/1.png", f"{path}/ant/one.jpg")
        shutil.copy(f"{path}/bee/1.png", f"{path}/loose.png")
        picture(f"{path}/ant/dark.png", high=30, seed=7)
        picture(f"{path}/ant/tiny.png", side=40, seed=8)
        images = os.path.join(HERE, "..", "golden", "images")
        for name in ("orientation_rectangle.jpg", "issue_1455_undersized.gif", "basn2c16.png"):
            shutil.copy(f"{images}/{name}", f"{path}/bee/{name}")
        result, kinds = self.findings(path)
        for kind, name in {"undecodable": "ant/page.jpg", "truncated": "ant/cut.png",
                           "unread-pictures": "bee/IMG_1.PSD", "loose": "loose.png",
                           "dark": "ant/dark.png", "extension": "ant/one.jpg",
                           "exif-rotated": "bee/orientation_rectangle.jpg",
                           "animated": "bee/issue_1455_undersized.gif",
                           "16-bit": "bee/basn2c16.png"}.items():
            self.assertEqual([f["paths"] for f in kinds[kind]], [[f"{path}/{name}"]], kind)
        self.assertIn(f"{path}/ant/tiny.png", [f["paths"][0] for f in kinds["tiny"]])
        self.assertEqual(kinds["copies"][0]["paths"], [f"{path}/ant/1.png", f"{path}/ant/one.jpg"])
        self.assertEqual((result["photos"], result["usable"], result["errors"]), (28, 26, 4))
        ranks = ["error", "warning", "remark"]
        order = [ranks.index(f["severity"]) for f in result["findings"]]
        self.assertEqual(order, sorted(order))
        text = self.ok(run("doctor", path))
        self.assertTrue(text.startswith("28 photos in 2 classes, 26 of them usable: 4 errors, "))
        for name in ("ant/page.jpg: not a picture but a web page",
                     "ant/cut.png: truncated PNG", "bee/IMG_1.PSD: .psd"):
            self.assertIn(name, text)
        self.assertLessEqual(max(map(len, text.splitlines())), 80)

    def test_copies_in_classes_and_on_sides(self):
        path = folder("copies")
        shutil.copy(f"{path}/ant/3.png", f"{path}/bee/again.png")
        _, kinds = self.findings(path)
        self.assertEqual(kinds["copies-across-classes"][0]["paths"],
                         [f"{path}/ant/3.png", f"{path}/bee/again.png"])
        self.assertEqual(kinds["copies-across-classes"][0]["what"],
                         "the same picture in ant and in bee")
        sides = folder("sides/train")
        shutil.copytree(f"{sides}/ant", f"{ROOT}/sides/val/ant")
        _, kinds = self.findings(f"{ROOT}/sides")
        self.assertEqual(len(kinds["copies-across-sides"]), 10)
        self.assertEqual(kinds["unmeasured-class"][0]["paths"], [f"{sides}/bee"])
        _, kinds = self.findings(path, "--val", sides)
        self.assertEqual(len(kinds["copies-across-sides"]), 19)

    def test_many_are_counted_and_all_named_on_demand(self):
        path = folder("many")
        for i in range(30):
            picture(f"{path}/ant/dark{i}.png", high=30, seed=500 + i)
        few, everything = self.ok(run("doctor", path)), self.ok(run("doctor", path, "--all"))
        self.assertIn("very dark (30).", few)
        self.assertIn("and 27 more: --all names them", few)
        self.assertEqual(few.count("ant/dark"), 3)
        self.assertEqual(everything.count("ant/dark"), 30)

    def test_strict(self):
        path = folder("strict", per_class=9)
        self.ok(run("doctor", path))
        done = run("doctor", path, "--strict")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"classes of few photos (2).", done.stdout)

    def test_folders_that_are_none(self):
        one = folder("one", classes=("ant",))
        _, kinds = self.findings(one)
        self.assertEqual(kinds["one-class"][0]["paths"], [one])
        os.makedirs(f"{ROOT}/nothing")
        self.refused(run("doctor", f"{ROOT}/nothing"), 3, "is empty")
        self.refused(run("doctor", f"{ROOT}/nowhere"), 3, "there is no such folder")
        self.refused(run("doctor", f"{one}/ant"), 3, "holds 10 photos but no class folders")
        self.refused(run("doctor"), 2, "headstart doctor DIR")


if __name__ == "__main__":
    unittest.main(argv=["doctor.py"])
