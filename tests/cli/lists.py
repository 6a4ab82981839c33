#!/usr/bin/env python3
"""Lists of photos as users give them to the program: what is learned, and what is said.

    tests/cli/lists.py PROGRAM
"""
import csv
import json
import os
import unittest

import material
from run import BACKBONE, ROOT, Case, read, run, setUpModule, tearDownModule  # noqa: F401

COLOURS = ("blue", "green", "red")


def write(name, rows):
    with open(f"{ROOT}/{name}", "w", newline="") as f:
        csv.writer(f).writerows(rows)


def rows(path):
    with open(f"{ROOT}/{path}", newline="") as f:
        return list(csv.DictReader(f))


class Lists(Case):
    made = False

    def setUp(self):
        if not Lists.made:
            material.photos(f"{ROOT}/listed", 8, seed=5)
        Lists.made = True
        self.photos = [(f"listed/{c}/{i:02}.png", c, i) for c in COLOURS for i in range(8)]

    def train(self, *words):
        return run("train", *words, "--backbone", BACKBONE, "--json")

    def test_labels_and_sides(self):
        write("labels.csv", [("image_id", "species", "split")] +
              [(p[:-4], c, ("train", "train", "val", "test")[i % 4]) for p, c, i in self.photos] +
              [("listed/none", "red", "train")])
        r = self.train("labels.csv", "-o", "of list")
        o = json.loads(self.ok(r))
        self.assertEqual((o["photos"], o["n_train"]), (18, 12))
        self.assertIn(b"photos in column image_id, labels in species, sides in split", r.stderr)
        self.assertIn(b"test (6 photos) is kept for eval", r.stderr)
        self.assertIn(b"1 photo of the list is not there: listed/none", r.stderr)
        self.assertIn("listed/none", [s["path"] for s in rows("of list/skipped.csv")])
        r = run("eval", "of list", "labels.csv", "--json")
        self.assertEqual(json.loads(self.ok(r))["n"], 6)
        self.assertIn(b"of its parts test is used", r.stderr)
        self.ok(run("features", "labels.csv", "--backbone", BACKBONE, "-o", "x.npy"))
        self.assertEqual(len(rows("x.csv")), 24)
        for out in ("labels.csv", "labels.npy"):  # what would replace the list
            before = read(f"{ROOT}/labels.csv")
            r = run("features", "labels.csv", "--backbone", BACKBONE, "-o", out)
            self.assertIn(b"labels.csv is the list of the photos", r.stderr)
            self.assertEqual((r.returncode, read(f"{ROOT}/labels.csv")), (2, before))
            self.assertFalse(os.path.exists(f"{ROOT}/labels.npy"))
        found = json.loads(self.ok(run("doctor", "labels.csv", "--json")))["findings"]
        self.assertIn("list", [f["kind"] for f in found])
        self.ok(run("review", "labels.csv", "--backbone", BACKBONE, "-o", "reviewed"))

    def test_columns_in_doubt(self):
        write("doubt.csv", [("file", "one", "two")] + [(p, c, i) for p, c, i in self.photos])
        self.refused(self.train("doubt.csv"), 3, "--label-column NAME says it; it has file, one")
        o = json.loads(self.ok(self.train("doubt.csv", "--label-column", "one")))
        self.assertEqual(o["photos"], 24)
        self.refused(self.train("doubt.csv", "--label-column", "none"), 3, "has no column 'none'")
        self.refused(self.train("listed", "--label-column", "one"), 2, "is a folder")
        write("elsewhere.csv", [("file", "label")] + [(p[7:], c) for p, c, i in self.photos])
        os.makedirs(f"{ROOT}/far", exist_ok=True)
        os.replace(f"{ROOT}/elsewhere.csv", f"{ROOT}/far/l.csv")
        self.refused(self.train("far/l.csv"), 3, "--images DIR says where they are")
        self.ok(self.train("far/l.csv", "--images", "listed"))

    def test_names(self):
        for p, c, i in self.photos:
            os.makedirs(f"{ROOT}/flat", exist_ok=True)
            os.link(f"{ROOT}/{p}", f"{ROOT}/flat/{c}_{i}.png")
        o = json.loads(self.ok(self.train("flat", "--label-from", "([a-z]+)_[0-9]+.png$")))
        self.assertEqual(o["photos"], 24)
        self.refused(self.train("flat", "--label-from", "[a-z]+"), 2, "has no group")
        self.refused(self.train("flat", "--label-from", "^(x)"), 3, "matches none of its 24 photos")

    def test_several_labels(self):
        write("tags.csv", [("path", "tags")] +
              [(p, c + "|even" if i % 2 == 0 else c) for p, c, i in self.photos])
        self.assertIn(b"--multi-label takes them for several", self.train("tags.csv").stderr)
        self.ok(run("train", "tags.csv", "--multi-label", "--backbone", BACKBONE, "-o", "tagged"))
        with open(f"{ROOT}/tagged/labels.txt") as f:
            self.assertEqual(f.read().split(), ["blue", "even", "green", "red"])

    def test_numbers(self):
        write("ages.csv", [("path", "age")] + [(p, i) for p, c, i in self.photos] +
              [("listed/none.png", 3)])
        r = run("train", "ages.csv", "--target", "age", "--backbone", BACKBONE, "-o", "aged")
        self.ok(r)
        self.assertIn(b"found 24 photos with their age", r.stderr)

    def test_class_weights(self):
        for text in ("power:0.5", "balanced"):
            self.ok(self.train("listed", "--class-weight", text, "-o", "weighed"))
            with open(f"{ROOT}/weighed/args.json") as f:
                self.assertEqual(json.load(f)["class_weight"], text)
        write("weights.csv", [("label", "weight"), ("blue", 1), ("green", 2), ("red", 3)])
        self.ok(self.train("listed", "--class-weight", "weights.csv"))
        self.refused(self.train("listed", "--class-weight", "power:x"), 2, "power:X wants")


if __name__ == "__main__":
    unittest.main(argv=["lists.py"])
