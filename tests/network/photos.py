#!/usr/bin/env python3
"""Data sets from a hub on this machine: headstart pull.

    tests/network/photos.py PROGRAM HELPER
"""
import io
import json
import os
import subprocess
import sys
import tarfile
import unittest
import zipfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from case import Case, KERAS, PROGRAM, ROOT, setUpModule, tearDownModule  # noqa: E402, F401
import hub as mock  # noqa: E402
import material  # noqa: E402


def tar(members, mode="w:gz"):
    """members: (name, bytes), (name, None) for a folder, or a TarInfo."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as t:
        for m in members:
            if isinstance(m, tarfile.TarInfo):
                t.addfile(m)
                continue
            info = tarfile.TarInfo(m[0])
            info.type = tarfile.DIRTYPE if m[1] is None else tarfile.REGTYPE
            info.mode = 0o755 if m[1] is None else 0o644
            info.size = len(m[1] or b"")
            t.addfile(info, io.BytesIO(m[1] or b""))
    return out.getvalue()


def special(name, kind, to=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


def zipped(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, body in members:
            z.writestr(name, body)
    return out.getvalue()


class Photos(Case):
    """headstart pull"""

    URL, AT = "https://example.com/birds.tgz", "/example.com/birds.tgz"

    def setUp(self):
        super().setUp()
        folder = material.photos(os.path.join(ROOT, "birds"), 2)
        self.members = []
        for d, _, names in sorted(os.walk(folder)):
            for n in sorted(names):
                with open(os.path.join(d, n), "rb") as f:
                    self.members.append((os.path.relpath(os.path.join(d, n), ROOT), f.read()))

    def everything(self):
        return sorted(os.path.relpath(os.path.join(d, n), self.work)
                      for d, _, names in os.walk(self.work) for n in names)

    def look(self, name, **env):
        """The photos as the program lists them."""
        self.ok("features", name, "--backbone", os.path.join(ROOT, "network"), "-o", "f.npy", **env)
        with open(self.path("f.csv")) as f:
            return f.read()

    def test_an_address_stands_for_its_folder(self):
        self.hub.put(self.AT, tar([("./", None), *((f"./{n}", b) for n, b in self.members)]))
        self.refused(3, f"headstart pull {self.URL}", "features", self.URL, "-o", "f.npy")
        folder = self.ok("pull", self.URL).stdout.strip()
        self.assertEqual(sorted(os.listdir(folder)), ["blue", "green", "red"])
        self.assertEqual(self.ok("pull", self.URL).stdout.strip(), folder)
        self.assertEqual(self.ok("pull", self.URL, "--offline").stdout.strip(), folder)
        self.assertEqual(len(self.hub.asked), 1)
        self.assertEqual(self.kept(".tgz"), [])  # the archive has done its work
        self.assertEqual(self.look(self.URL).count("green"), 4)  # in path and label

    def test_a_zip_into_a_folder_of_its_own(self):
        members = [(n.partition("/")[2], b) for n, b in self.members]
        self.hub.put("/example.com/birds.zip", zipped([*members, ("__MACOSX/._red", b"x"),
                                                       ("red/._00.png", b"x")]))
        r = self.ok("pull", "https://example.com/birds.zip", "-o", "here/birds", "--json")
        self.assertEqual(json.loads(r.stdout), {"path": "here/birds"})
        self.assertEqual(sorted(os.listdir(self.path("here/birds"))), ["blue", "green", "red"])
        self.assertEqual(sorted(os.listdir(self.path("here/birds/red"))), ["00.png", "01.png"])
        self.refused(6, "is there already", "pull", "https://example.com/birds.zip", "-o",
                     "here/birds")

    def test_the_list(self):
        listed = json.loads(self.ok("pull", "--json").stdout)
        self.assertEqual(listed["flower_photos"], {"bytes": 228813984, "cached": False})
        self.assertIn("not fetched", self.ok("pull").stdout)

    def test_another_content_than_the_known_one(self):
        where = "/storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz"
        self.hub.put(where, tar(self.members))
        self.refused(5, "flower_photos", "pull", "flower_photos")
        self.refused(3, "headstart pull flower_photos", "features", "flower_photos", "-o", "f.npy")
        self.assertEqual([f for f in self.everything() if f.endswith((".png", ".tgz"))], [])

    def test_kerass_own_cache(self):
        os.makedirs(self.path("k/datasets"))
        with open(self.path("k/datasets/flower_photos.tgz"), "wb") as f:
            f.write(tar(self.members))  # not the known one
        self.refused(5, "404", "pull", "flower_photos", KERAS_HOME=self.path("k"))
        self.assertTrue(os.path.exists(self.path("k/datasets/flower_photos.tgz")))

    def test_words_that_name_nothing(self):
        self.refused(2, "known is flower_photos", "pull", "birds")
        self.refused(2, ".zip", "pull", "https://example.com/birds.rar")
        self.refused(2, "http", "pull", "http://example.com/birds.zip")
        self.refused(5, "404", "pull", self.URL)
        self.refused(5, f"headstart: {self.URL} is not in", "pull", self.URL, "--offline")

    def test_hostile_archives(self):
        good = self.members
        hostile = {
            "above": tar([("../x.png", b"x"), *good]),
            "above, further in": tar([("birds/../../x.png", b"x"), *good]),
            "absolute": tar([(self.path("x.png"), b"x"), *good]),
            "a symbolic link": tar([*good, special("birds/link", tarfile.SYMTYPE, "/etc")]),
            "through a link": tar([special("birds/red", tarfile.SYMTYPE, self.work), *good]),
            "a hard link": tar([*good, special("birds/l", tarfile.LNKTYPE, "/etc/passwd")]),
            "a device": tar([*good, special("birds/null", tarfile.CHRTYPE)]),
            "a pipe": tar([*good, special("birds/pipe", tarfile.FIFOTYPE)]),
            "twice": tar([*good, good[0]]),
            "a file as a folder": tar([("birds", b"x"), *good]),
            "a backslash": tar([("..\\x.png", b"x"), *good]),
            "an escape sequence": tar([("\x1b[2Jx.png", b"x"), *good]),
            "deep": tar([("a/" * 40 + "x.png", b"x"), *good]),
            "a bomb": tar([*good, ("birds/red/bomb.png", bytes(100 << 20))]),
            "zip: above": zipped([("../x.png", b"x"), *good]),
            "zip: absolute": zipped([("/x.png", b"x"), *good]),
            "zip: a bomb": zipped([*good, ("red/bomb.png", bytes(100 << 20))]),
            "cut off": tar(good)[:-300],
            "a byte changed": tar(good)[:200] + b"\xff\xff" + tar(good)[202:],
            "nothing": tar([]),
            "no archive": b"x" * 1000,
            "empty": b"",
        }
        before = self.everything()
        for what, body in hostile.items():
            with self.subTest(what):
                self.hub.put(self.AT, body)
                r = self.run_program("pull", self.URL, "-o", "out")
                self.assertIn(r.returncode, (3, 5), r.stderr)
                errors = [t for t in r.stderr.splitlines() if not t.startswith("downloading ")]
                self.assertEqual(len(errors), 1, r.stderr)
                self.assertFalse(os.path.exists(self.path("out")))
                left = [f for f in self.everything() if f not in before and
                        not f.endswith((".lock", "/lock", "record.json"))]
                self.assertEqual(left, [])
        self.hub.put(self.AT, tar(good))
        self.ok("pull", self.URL, "-o", "out")

    def test_sixteen_at_once(self):
        self.hub.put(self.AT, tar(self.members)).faults.append(mock.drop(1000))
        many = [subprocess.Popen([PROGRAM, "pull", self.URL], env=self.env, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(16)]
        told = set()
        for p in many:
            out, err = p.communicate(timeout=material.patience(60))
            self.assertEqual(p.returncode, 0, err)
            told.add(out)
        self.assertEqual(len(told), 1)
        self.assertEqual(len(self.gets(self.AT)), 2)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
