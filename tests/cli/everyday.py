#!/usr/bin/env python3
"""What people type every day: lists, folders, pipes, outputs, terminals, help.

    tests/cli/everyday.py PROGRAM
"""
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import material
from run import (BACKBONE, ENV, PHOTOS, PROGRAM, ROOT, Case, read, run, setUpModule,  # noqa: F401
                 tearDownModule, train)

RED = os.path.join(PHOTOS, "red", "00.png")
BLUE = os.path.join(PHOTOS, "blue", "01.png")


class Lists(Case):
    """Paths on standard input, as other programs write them."""

    def predict(self, text, *more):
        return run("predict", self.model(), "-", "-k1", *more, input=text)

    def test_lists_of_other_systems(self):
        want = self.ok(self.predict(f"{RED}\n{BLUE}\n".encode()))
        self.assertEqual(len(want.splitlines()), 2)
        for text in (f"{RED}\r\n{BLUE}\r\n", f"\ufeff{RED}\n{BLUE}\n", f"\ufeff{RED}\r\n\r\n{BLUE}\r\n",
                     f"{RED}\r\n{BLUE}"):
            self.assertEqual(self.ok(self.predict(text.encode())), want, repr(text))
        work = tempfile.mkdtemp(dir=ROOT)  # names that are just so stay
        for name in ("\ufeffa.png", "b.png\r"):
            shutil.copy(RED, f"{work}/{name}")
        r = run("predict", self.model(), "-", "-k1", input="\ufeffa.png\nb.png\r\n".encode(), cwd=work)
        self.assertEqual(len(self.ok(r).splitlines()), 2)

    def test_names_that_end_with_nul(self):
        names = [RED, BLUE, f"{ROOT}/two\nlines\r"]
        shutil.copy(RED, names[2])
        text = "".join(n + "\0" for n in names).encode()
        for letter in ("-0", "--null"):
            rows = self.ok(self.predict(text, letter, "--json"))
            self.assertEqual(len(rows.splitlines()), 3)
        self.refused(self.predict(text), 2, "NUL", "predict -0")
        self.refused(self.predict(f"{RED}\n".encode("utf-16")), 2, "UTF-16")
        self.refused(run("predict", self.model(), RED, "-0"), 2, "-0 is for the list")

    def test_standard_input_that_cannot_be_read(self):
        folder = os.open(ROOT, os.O_RDONLY)
        r = subprocess.run([PROGRAM, "predict", self.model(), "-"], env=ENV, cwd=ROOT, stdin=folder,
                           capture_output=True, timeout=60)
        os.close(folder)
        self.refused(r, 6, "standard input cannot be read: Is a directory")
        r = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", PROGRAM, "predict", self.model(), "-"], env=ENV,
                           cwd=ROOT, capture_output=True, timeout=60)
        self.refused(r, 6, "standard input cannot be read: Bad file descriptor")


class Folders(Case):
    """What predict finds in a folder."""

    def test_what_is_no_photo_is_told(self):
        folder = f"{ROOT}/phone"
        os.makedirs(f"{folder}/empty")
        os.makedirs(f"{folder}/__MACOSX")
        for name in ("a.png", "no ending", "b.jfif", "__MACOSX/._a.png"):
            shutil.copy(RED, f"{folder}/{name}")
        for name in ("notes.txt", ".hidden", "Thumbs.db"):
            with open(f"{folder}/{name}", "w") as f:
                f.write("words")
        r = run("predict", self.model(), folder, "-k1")
        self.assertEqual([line.split(": ")[0] for line in self.ok(r).splitlines()],
                         [f"{folder}/{n}" for n in ("a.png", "b.jfif", "no ending")])
        self.assertIn(f"{folder}/notes.txt: is no photo", r.stderr.decode())
        self.assertIn(f"{folder}/empty: no photo in this folder", r.stderr.decode())
        r = run("predict", self.model(), folder, "-k1", "-q")
        self.assertEqual((r.returncode, r.stderr), (0, b""))
        with open(f"{folder}/bad.jpg", "w") as f:
            f.write("words")
        r = run("predict", self.model(), folder, "-k1", "-q")
        self.assertEqual((r.returncode, r.stderr), (3, b"headstart: 1 of 4 photos could not be used\n"))

    def test_a_folder_without_photos(self):
        os.makedirs(f"{ROOT}/hollow/b/c")
        r = run("predict", self.model(), f"{ROOT}/hollow", RED, "-q", "-k1")
        self.assertEqual(len(r.stdout.splitlines()), 1)
        self.assertEqual((r.returncode, r.stderr.decode()),
                         (3, f"headstart: {ROOT}/hollow: the folder holds no photos\n"))


class Known(Case):
    """predict and sort compute nothing that an earlier job has."""

    def setUp(self):
        self.env = {**ENV, "HEADSTART_CACHE": tempfile.mkdtemp(dir=ROOT)}

    def program(self, *args, **more):
        return subprocess.run([PROGRAM, *args], cwd=ROOT, env=self.env, capture_output=True, timeout=120, **more)

    def vectors(self):
        return json.loads(self.ok(self.program("store", "info", "--json")))["vectors"]

    def test_the_store_is_asked_and_filled(self):
        words = ("predict", self.model(), PHOTOS, "--format", "csv")
        plain = self.program(*words, "--no-store")
        self.assertEqual(self.vectors(), 0)
        first = self.program(*words)
        self.assertEqual((first.stdout, first.stderr), (plain.stdout, b""))
        self.assertEqual(self.vectors(), 36)
        for again in (words, (*words, "--rehash"), (*words[:2], "-", *words[3:])):
            r = self.program(*again, input=f"{PHOTOS}\n".encode())
            self.assertEqual(self.ok(r), plain.stdout.decode())
            self.assertIn(b"features of 36 of 36 photos were in the store", r.stderr)
        r = self.program("sort", self.model(), PHOTOS, "--into", f"{ROOT}/known", "--dry-run", "--no-store")
        self.assertEqual(self.ok(self.program("sort", self.model(), PHOTOS, "--into", f"{ROOT}/known",
                                              "--dry-run")), r.stdout.decode())
        r = self.program("eval", self.model(), PHOTOS, "--json")
        self.assertEqual(json.loads(self.ok(r))["stored"], 36)

    def test_a_few_files_are_not_looked_up(self):
        self.ok(self.program("predict", self.model(), RED))
        self.assertEqual(self.vectors(), 0)


class Signals(Case):
    def test_a_closed_terminal_ends_it_cleanly(self):
        work = tempfile.mkdtemp(dir=ROOT)
        many = material.photos(f"{work}/many", 120)
        words = [PROGRAM, "train", many, "--backbone", BACKBONE, "--no-store", "--threads", "1"]
        p = subprocess.Popen(words, cwd=work, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertIn(b"found", p.stderr.readline())
        p.send_signal(signal.SIGHUP)
        _, err = p.communicate(timeout=60)
        self.assertEqual(p.returncode, 129, err)
        self.assertIn(b"headstart: interrupted", err)
        self.assertEqual(os.listdir(work), ["many"])
        p = subprocess.Popen(["nohup", *words], cwd=work, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while b"found" not in p.stderr.readline():
            pass
        p.send_signal(signal.SIGHUP)
        p.communicate(timeout=60)
        self.assertEqual(p.returncode, 0)

    def test_a_limit_on_the_size_of_files(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000000, 1000000))
        r = run("train", PHOTOS, "--backbone", BACKBONE, "-o", "limited", "-q", "--no-store", preexec_fn=limit)
        self.refused(r, 6, "limited/model.safetensors cannot be written: File too large")
        self.assertFalse([n for n in os.listdir(f"{ROOT}/limited") if n.endswith(".tmp")])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
