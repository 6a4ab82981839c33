#!/usr/bin/env python3
"""--shard I/N and merge: the tasks of a job array write what one run does.

    tests/cli/shards.py PROGRAM
"""
import glob
import json
import os
import shutil
import tempfile
import unittest

import material
from run import BACKBONE, ROOT, Case, read, run, setUpModule, tearDownModule  # noqa: F401


class Shards(Case):
    @classmethod
    def setUpClass(cls):
        """17 photos, of which the first two, which are a shard's only ones, and the last cannot be used."""
        cls.photos = material.photos(f"{ROOT}/dealt", 5)
        for name in ("blue/00.png", "blue/01.png", "red/last.png"):
            with open(f"{cls.photos}/{name}", "w") as f:
                f.write("no picture, of whatever name")
        shutil.copy(f"{cls.photos}/red/00.png", f"{cls.photos}/red/a, b \"c\".png")
        cls.n = 17

    def setUp(self):
        self.work = tempfile.mkdtemp(dir=ROOT)

    def features(self, name, *more):
        return run("features", self.photos, "--backbone", BACKBONE, "-o", f"{self.work}/{name}", *more)

    def predict(self, name, *more, photos=None):
        r = run("predict", self.model(), photos or self.photos, *more)
        with open(f"{self.work}/{name}", "wb") as f:
            f.write(r.stdout)
        return r

    def merge(self, out, *shards):
        return run("merge", f"{self.work}/{out}", *(s if s[0] == "-" else f"{self.work}/{s}" for s in shards))

    def glob(self, pattern):
        return sorted(os.path.basename(p) for p in glob.glob(f"{self.work}/{pattern}"))

    def same(self, a, b):
        self.assertEqual(read(f"{self.work}/{a}"), read(f"{self.work}/{b}"))

    def test_features_are_those_of_one_run(self):
        for ending in ("npy", "safetensors"):
            self.ok(self.features(f"whole.{ending}"))
            for n in (1, 8, self.n):
                for i in range(1, n + 1):
                    self.ok(self.features(f"part.{ending}", "--shard", f"{i}/{n}"))
                shards = self.glob(f"part-*-of-{n}.{ending}")
                self.assertEqual(len(shards), n)
                self.ok(self.merge(f"joined.{ending}", *reversed(shards)))
                self.same(f"joined.{ending}", f"whole.{ending}")
                self.same("joined.csv", "whole.csv")

    def test_parts_are_counted_from_0_as_well(self):
        for i in range(3):
            self.ok(self.features("zero.npy", "--shard", f"{i}/3"))
        self.assertEqual(self.glob("zero-*.npy"), [f"zero-{i}-of-3.npy" for i in (1, 2, 3)])

    def test_predictions_are_those_of_one_run(self):
        for words in (("--format", "csv"), ("--json", "-k2"), ("--threads", "2")):
            self.assertEqual(self.predict("whole", *words).returncode, 3)
            for i in range(1, 5):
                r = self.predict(f"rows-{i}", *words, "--shard", f"{i}/4")
                self.assertEqual(r.returncode, 3 if i in (1, 4) else 0)
            self.ok(self.merge("joined", "rows-3", "rows-1", "rows-4", "rows-2"))
            self.same("joined", "whole")

    def test_what_does_not_belong_together_is_refused(self):
        for i in (1, 2, 3):
            self.predict(f"r{i}", "--json", "--shard", f"{i}/3")
        r = self.merge("out", "r1", "r3")
        self.refused(r, 3, "shard 2 of 3 is missing")
        shutil.copy(f"{self.work}/r2", f"{self.work}/again")
        self.refused(self.merge("out", "r1", "r2", "again", "r3"), 3, "again", "both shard 2 of 3")
        self.predict("other", "--json", "-k1", "--shard", "2/3")
        self.refused(self.merge("out", "r1", "other", "r3"), 3, "other jobs", "top 5", "top 1")
        self.predict("other", "--json", "--shard", "2/4")
        self.refused(self.merge("out", "r1", "other", "r3"), 3, "one of 3 shards", "of 4")
        fewer = f"{self.work}/fewer"
        shutil.copytree(self.photos, fewer)
        self.predict("other", "--json", "--shard", "2/3", photos=fewer)
        self.refused(self.merge("out", "r1", "other", "r3"), 3, "other photos")
        whole = read(f"{self.work}/r2")
        for end, why in ((-1, "did not end"), (-30, "did not end"), (0, "did not end")):
            with open(f"{self.work}/r2", "wb") as f:
                f.write(whole[:end])
            self.refused(self.merge("out", "r1", "r2", "r3"), 3, "r2: ", why)
        with open(f"{self.work}/r2", "wb") as f:
            f.write(whole + whole)
        self.refused(self.merge("out", "r1", "r2", "r3"), 3, "one behind the other")
        self.assertFalse(os.path.exists(f"{self.work}/out"))
        with open(f"{self.work}/r2", "wb") as f:
            f.write(whole)
        self.refused(self.merge("r2", "r1", "r2", "r3"), 2, "is one of the shards")
        self.refused(self.merge("out.npy", "r1", "r2", "r3"), 2, "out.npy")
        self.refused(self.merge("out", "r1", "none", "r3"), 6, "none")
        r = self.merge("out", "r1", "r2", "r3", "--json")
        self.assertEqual(json.loads(self.ok(r)), {"merged": f"{self.work}/out", "shards": 3})

    def test_damaged_features_are_refused(self):
        for i in (1, 2):
            self.ok(self.features("f.npy", "--shard", f"{i}/2"))
        path = f"{self.work}/f-2-of-2.npy"
        table, rows = read(path), read(f"{self.work}/f-2-of-2.csv")

        def changed(bytes_, *words):
            with open(path, "wb") as f:
                f.write(bytes_)
            self.refused(self.merge("out.npy", "f-1-of-2.npy", "f-2-of-2.npy"), 3, *words)

        changed(table[:-1] + bytes([table[-1] ^ 1]), "does not hold the vectors")
        changed(table[:50], "shorter")
        self.refused(self.merge("out.csv", "f-1-of-2.csv", "f-2-of-2.csv"), 3, "give the .npy")
        last = json.loads(rows.splitlines()[-1])
        for key, value in (("rows", 1 << 62), ("rows", -1), ("dim", 0), ("dim", 1 << 31), ("sha256", "x" * 99)):
            bad = json.loads(json.dumps(last))
            bad["headstart_shard"]["vectors"][key] = value
            with open(f"{self.work}/f-2-of-2.csv", "wb") as f:
                f.write(b"\n".join(rows.splitlines()[:-1]) + b"\n" +
                        json.dumps(bad, separators=(",", ":")).encode() + b"\n")
            r = self.merge("out.npy", "f-1-of-2.npy", "f-2-of-2.npy")
            self.refused(r, 3, "f-")
        self.assertEqual(self.glob("out*"), [])

    def test_wrong_use(self):
        for text in ("", "3", "/", "1/", "/20", "4/3", "1/0", "-1/3", "1/3/4", "a/b"):
            self.refused(self.features("f.npy", "--shard", text), 2, "--shard")
        self.refused(self.features("f.npy", "--shard", "1/99"), 2, "99 shards of 17 photos")
        self.refused(self.features("f", "--shard", "1/2"), 2, ".npy or .safetensors")
        self.refused(self.predict("x", "--shard", "1/99"), 2, "99 shards of 17 photos")
        self.refused(self.predict("x", "--shard", "1/2", "--cam", "maps"), 2, "--shard is for files")
        self.refused(run("predict", self.model(), "-", "--shard", "1/2", input=b""), 2, "--shard is for files")


if __name__ == "__main__":
    import sys
    unittest.main(argv=sys.argv[:1])
