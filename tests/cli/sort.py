#!/usr/bin/env python3
"""headstart sort as its users run it: what goes where, and that no file is ever lost or replaced.

    tests/cli/sort.py PROGRAM
"""
import csv
import json
import os
import tempfile
import unittest

import material
from run import BACKBONE, ROOT, Case, read, run, setUpModule, tearDownModule, train  # noqa: F401

STRANGE = "it's <b>&\" (1)\nx.png"


def listing(folder):
    return {os.path.relpath(os.path.join(at, f), folder): read(os.path.join(at, f))
            for at, _, files in os.walk(folder) for f in files}


def rows(path):
    with open(path, newline="") as f:
        return list(csv.DictReader(f))


class Sort(Case):
    def new(self, name):
        """Six photos at several depths, two of the same name, one with a strange one, one broken."""
        material.photos(f"{ROOT}/{name}/deep", 2, seed=11)
        os.rename(f"{ROOT}/{name}/deep/red/01.png", f"{ROOT}/{name}/{STRANGE}")
        with open(f"{ROOT}/{name}/broken.jpg", "wb") as f:
            f.write(b"no picture")
        return name

    def sort(self, name, *more, status=3):
        """Sorts, one photo being broken. The result of --json."""
        r = run("sort", self.model(), name, "--into", f"{name} out", "--json", *more)
        self.assertEqual(r.returncode, status, r.stderr.decode())
        self.assertIn(b"broken.jpg", r.stderr)
        return json.loads(r.stdout)

    def check(self, name, o):
        """The listing of OUT is what the result and sorted.csv say."""
        have = listing(f"{ROOT}/{name} out")
        table = rows(f"{ROOT}/{o['csv']}")
        have = {k: v for k, v in have.items() if not k.startswith("sorted")}
        placed = [r for r in table if r["to"]]
        self.assertEqual({os.path.relpath(r["to"], f"{name} out") for r in placed}, set(have))
        self.assertEqual(len(have), 6)
        self.assertEqual(sum(o["sorted"].values()) + o["unsure"], 6)
        self.assertEqual((o["n"], o["left"]), (7, 1))
        self.assertEqual([r["path"] for r in table if r["error"]], [f"{name}/broken.jpg"])
        return placed, have

    def test_copies(self):
        name = self.new("copied")
        before = listing(f"{ROOT}/{name}")
        o = self.sort(name, "--min", "0.01")
        self.assertEqual(listing(f"{ROOT}/{name}"), before)
        placed, have = self.check(name, o)
        for r in placed:
            self.assertEqual(read(f"{ROOT}/{r['to']}"), read(f"{ROOT}/{r['path']}"))
            self.assertEqual(os.path.dirname(r["to"]), f"{name} out/{r['label']}")
        self.assertIn(STRANGE, {os.path.basename(k) for k in have})
        self.assertEqual(o["unsure"], 0)
        self.assertEqual(int(os.stat(f"{ROOT}/{placed[0]['to']}").st_mtime),
                         int(os.stat(f"{ROOT}/{placed[0]['path']}").st_mtime))
        self.assertFalse([k for k in have if os.path.basename(k).startswith(".")])

    def test_names_that_are_taken_get_numbers(self):
        name = self.new("again")
        first = self.check(name, self.sort(name))[1]
        self.assertEqual(self.sort(name)["csv"], "again out/sorted-2.csv")
        have = listing(f"{ROOT}/{name} out")
        for k, v in first.items():
            stem, dot = os.path.splitext(k)
            self.assertEqual(have[k], v)
            self.assertIn(v, [have[n] for n in have if n.startswith(stem + "-")])
        self.assertEqual(len(have), 6 + 6 + 2)

    def test_unsure(self):
        name = self.new("unsure")
        o = self.sort(name, "--min", "0.999999")
        self.assertEqual((o["unsure"], len(os.listdir(f"{ROOT}/{name} out/unsure"))), (6, 6))
        self.assertEqual(sum(o["sorted"].values()), 0)

    def test_unknown_photos_are_unsure(self):
        self.ok(train("doubting", "--unknown-rate", "0.5"))
        folder = self.fresh()
        unknown = [json.loads(s)["unknown"] for s in
                   self.ok(run("predict", "doubting", folder, "--json")).splitlines()]
        self.assertTrue(0 < sum(unknown) < 36)
        words = ("sort", "doubting", folder, "--min", "0.01", "--json", "--into")
        o = json.loads(self.ok(run(*words, "doubted")))
        self.assertEqual((o["unsure"], o["n"]), (sum(unknown), 36))
        for r, doubt in zip(rows(f"{ROOT}/doubted/sorted.csv"), unknown):
            self.assertEqual((r["label"] == "unknown", "/unsure/" in r["to"]), (doubt, doubt))
        self.assertEqual(json.loads(self.ok(run(*words, "trusted", "--no-unknown")))["unsure"], 0)

    def test_moves_and_links(self):
        name = self.new("moved")
        before = listing(f"{ROOT}/{name}")
        placed = self.check(name, self.sort(name, "--move"))[0]
        self.assertEqual(set(listing(f"{ROOT}/{name}")), {"broken.jpg"})
        self.assertEqual(sorted(read(f"{ROOT}/{r['to']}") for r in placed),
                         sorted(v for k, v in before.items() if k != "broken.jpg"))
        name = self.new("linked")
        for r in self.check(name, self.sort(name, "--link"))[0]:
            self.assertTrue(os.path.islink(f"{ROOT}/{r['to']}"))
            self.assertTrue(os.path.samefile(f"{ROOT}/{r['to']}", f"{ROOT}/{r['path']}"))

    def test_moves_between_file_systems(self):
        if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == os.stat(ROOT).st_dev:
            self.skipTest("there is no second file system")
        name = self.new("far")
        before = listing(f"{ROOT}/{name}")
        with tempfile.TemporaryDirectory(dir="/dev/shm") as there:
            r = run("sort", self.model(), name, "--into", there, "--move", "--json")
            self.assertEqual(r.returncode, 3, r.stderr)
            self.assertEqual(set(listing(f"{ROOT}/{name}")), {"broken.jpg"})
            self.assertEqual(sorted(v for k, v in listing(there).items() if k != "sorted.csv"),
                             sorted(v for k, v in before.items() if k != "broken.jpg"))

    def test_a_link_that_is_moved_becomes_a_photo(self):
        material.photos(f"{ROOT}/links", 1, ["red"])
        os.makedirs(f"{ROOT}/of links")
        os.symlink("../links/red/00.png", f"{ROOT}/of links/l.png")
        o = json.loads(self.ok(run("sort", self.model(), "of links", "--into", "links out", "--move",
                                   "--json")))
        to = f"{ROOT}/{o['photos'][0]['to']}"
        self.assertFalse(os.path.islink(to))
        self.assertEqual(read(to), read(f"{ROOT}/links/red/00.png"))
        self.assertEqual(os.listdir(f"{ROOT}/of links"), [])

    def test_dry_run(self):
        name = self.new("dry")
        before = listing(f"{ROOT}/{name}")
        o = self.sort(name, "--dry-run")
        to = [p["to"] for p in o["photos"] if p["to"]]
        self.assertEqual((len(to), len(set(to)), o["csv"]), (6, 6, None))
        self.assertFalse(os.path.exists(f"{ROOT}/{name} out"))
        self.assertEqual(listing(f"{ROOT}/{name}"), before)
        r = run("sort", self.model(), name, "--into", "dry out", "--dry-run", "--move")
        self.assertIn(b"6 photos would be moved into dry out; nothing was done\n", r.stdout)
        self.assertEqual(r.stdout.count(b" -> "), 6)
        done = self.sort(name)
        self.assertEqual([p["to"] for p in done["photos"]], [p["to"] for p in o["photos"]])

    def test_out_inside_of_the_photos(self):
        name = self.new("inside")
        for n in (1, 2):
            r = run("sort", self.model(), name, "--into", f"{name}/sorted", "--json")
            self.assertEqual(json.loads(r.stdout)["n"], 7)
            self.assertEqual(len(listing(f"{ROOT}/{name}/sorted")), 7 * n)
        self.refused(run("sort", self.model(), name, "--into", name), 2, "into itself")
        self.refused(run("sort", self.model(), name), 2, "--into")
        self.refused(run("sort", self.model(), name, "--into", "x", "--move", "--link"), 2, "one")

    def test_what_is_in_its_place_stays(self):
        name = self.new("kept")
        self.sort(name, "--move", "--min", "0.999999")
        before = listing(f"{ROOT}/kept out/unsure")
        self.ok(run("sort", self.model(), "kept out/unsure", "--into", "kept out", "--move", "--min",
                    "0.999999"))
        self.assertEqual(listing(f"{ROOT}/kept out/unsure"), before)

    def test_labels_are_safe_names(self):
        for label in ("a\\b", "unsure", "UNSURE"):
            material.photos(f"{ROOT}/odd labels/x", 3, ["red"], seed=len(label))
            os.rename(f"{ROOT}/odd labels/x/red", f"{ROOT}/odd labels/{label}")
            os.rmdir(f"{ROOT}/odd labels/x")
        self.ok(run("train", "odd labels", "--backbone", BACKBONE, "-o", "odd run"))
        o = json.loads(self.ok(run("sort", "odd run", "odd labels", "--into", "odd out", "--min",
                                   "0.01", "--json")))
        names = {os.path.relpath(p["to"], "odd out").split("/")[0] for p in o["photos"]}
        self.assertLessEqual(names, {"a_b", "unsure", "unsure-2", "UNSURE", "UNSURE-2",
                                     "unsure-3"})
        self.assertEqual(len(listing(f"{ROOT}/odd out")), 10)


if __name__ == "__main__":
    unittest.main(argv=["sort.py"])
