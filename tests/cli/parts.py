#!/usr/bin/env python3
"""What the program says in a build that lacks a library that it can do without.

    tests/cli/parts.py PROGRAM
"""
import base64
import json
import os
import subprocess
import unittest

import material
from run import (BACKBONE, ENV, PHOTOS, PROGRAM, ROOT, Case, run, setUpModule,  # noqa: F401
                 tearDownModule, train)

BUILT = json.loads(run("info", "--devices", "--json").stdout)["parts"]
GIF = "R0lGODdhCAAIAIEAAMgeKAAAAAAAAAAAACwAAAAACAAIAAAIDwABCBxIsKDBgwgTKkwYEAA7"
WEBP = "UklGRh4AAABXRUJQVlA4TBEAAAAvB8ABAAdQjyIXpf+BiOh/AAA="


def lacking(part):
    return unittest.skipIf(BUILT[part], f"this build has {part}")


class Parts(Case):
    def without(self, part, r, what):
        """One line of the command says that this build cannot do it, and why."""
        self.assertEqual(r.returncode, 1, r.stderr.decode())
        last = r.stderr.decode().splitlines()[-1]
        self.assertTrue(last.startswith("headstart: "), last)
        self.assertTrue(last.endswith(f"this build cannot {what}: it was built without {part}"),
                        last)

    def test_every_part_is_named(self):
        self.assertLessEqual({"curl", "libarchive", "SQLite", "cairo", "libwebp", "giflib"},
                             set(BUILT))
        text = self.ok(run("info", "--devices"))
        for part, is_here in BUILT.items():
            named = f"{part}: cannot" in text or f"(needs {part})" in text  # formats have their line
            self.assertEqual(named, not is_here, part)

    @lacking("curl")
    def test_downloads(self):
        for words in (["pull", "flower_photos"], ["pull", "https://example.org/photos.zip"],
                      ["backbones", "pull", "https://example.org/x.safetensors"]):
            r = subprocess.run([PROGRAM, *words], cwd=ROOT, capture_output=True, timeout=material.patience(120),
                               env={k: v for k, v in ENV.items() if k != "HEADSTART_OFFLINE"})
            self.without("curl", r, "download")

    @lacking("libarchive")
    def test_import(self):
        path = os.path.join(ROOT, "x.pth")
        with open(path, "w", encoding="ascii") as f:
            f.write("text")
        self.without("libarchive", run("backbones", "import", path),
                     "unpack archives and import weights")

    @lacking("SQLite")
    def test_store(self):
        self.without("SQLite", run("store", "info"), "keep features")
        text = self.ok(run("features", PHOTOS, "-b", BACKBONE, "-o", "x.npy", "--json"))
        self.assertEqual(json.loads(text)["stored"], 0)

    @lacking("cairo")
    def test_pictures(self):
        model = self.model()
        self.without("cairo", run("predict", model, PHOTOS, "--labelled", "-o", "sheet.png"),
                     "draw pictures")
        r = run("predict", model, PHOTOS, "--labelled")
        self.ok(r)
        self.assertIn(b"no sheet: this build cannot draw pictures", r.stderr)
        r = train("tuned", "--fine-tune", "--epochs", "2", "--batch", "8", "--lr", "0.001")
        self.ok(r)
        self.assertIn(b"no pictures of the run: this build is without cairo", r.stderr)
        self.assertIn("report.html", os.listdir(f"{ROOT}/tuned"))
        self.assertNotIn("curves.png", os.listdir(f"{ROOT}/tuned"))

    def test_formats(self):
        for part, name, data in (("giflib", "GIF", GIF), ("libwebp", "WebP", WEBP)):
            path = f"{ROOT}/photo.{name}"
            with open(path, "wb") as f:
                f.write(base64.b64decode(data))
            r = run("predict", self.model(), path)
            said = f"in format {name}, which this build does not read (install {part}"
            self.assertEqual(r.returncode, 0 if BUILT[part] else 3, r.stderr.decode())
            self.assertEqual(said in r.stdout.decode(), not BUILT[part])


if __name__ == "__main__":
    unittest.main(argv=["parts.py"])
