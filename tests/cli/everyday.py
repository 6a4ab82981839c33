#!/usr/bin/env python3
"""What people type every day: lists, folders, pipes, outputs, terminals, help.

    tests/cli/everyday.py PROGRAM
"""
import array
import csv
import json
import os
import pty
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import material
from run import (BACKBONE, ENV, PHOTOS, PROGRAM, ROOT, Case, needs, read, run,  # noqa: F401
                 setUpModule, tearDownModule, train)

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
                           capture_output=True, timeout=material.patience(60))
        os.close(folder)
        self.refused(r, 6, "standard input cannot be read: Is a directory")
        r = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", PROGRAM, "predict", self.model(), "-"], env=ENV,
                           cwd=ROOT, capture_output=True, timeout=material.patience(60))
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
        return subprocess.run([PROGRAM, *args], cwd=ROOT, env=self.env, capture_output=True, timeout=material.patience(120), **more)

    def vectors(self):
        return json.loads(self.ok(self.program("store", "info", "--json")))["vectors"]

    @needs("SQLite")
    def test_the_store_is_asked_and_filled(self):
        words = ("predict", self.model(), PHOTOS, "--format", "csv")
        plain = self.program(*words, "--no-store")
        self.assertEqual(self.vectors(), 0)
        first = self.program(*words)
        self.assertEqual(first.stdout, plain.stdout)
        self.assertNotIn(b"in the store", first.stderr)
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

    @needs("SQLite")
    def test_a_few_files_are_not_looked_up(self):
        self.ok(self.program("predict", self.model(), RED))
        self.assertEqual(self.vectors(), 0)


class Outputs(Case):
    """What cannot or must not be written is said before the work, and nothing is touched."""

    def fails_early(self, status, *words):
        """No photo was looked at: nothing of it is in a store of its own."""
        env = {**ENV, "HEADSTART_CACHE": tempfile.mkdtemp(dir=ROOT)}
        r = subprocess.run([PROGRAM, *words], cwd=ROOT, env=env, capture_output=True, timeout=material.patience(60))
        self.refused(r, status)
        self.assertFalse(os.path.exists(f"{env['HEADSTART_CACHE']}/features.sqlite"), words)
        return r.stderr.decode()

    def test_a_folder_with_files_of_others(self):
        folder = f"{ROOT}/thesis"
        os.makedirs(f"{folder}/chapter")
        for name in ("results.csv", "labels.txt"):
            with open(f"{folder}/{name}", "w") as f:
                f.write("mine")
        for words in (("train", PHOTOS, "-b", BACKBONE), ("review", PHOTOS, "-b", BACKBONE),
                      ("eval", self.model(), self.fresh())):
            self.assertIn("(labels.txt)", self.fails_early(2, *words, "-o", folder))
        for name in ("results.csv", "labels.txt"):
            self.assertEqual(read(f"{folder}/{name}"), b"mine")
        self.assertEqual(len(os.listdir(folder)), 3)

    def test_a_folder_of_ours_or_an_empty_one(self):
        os.makedirs(f"{ROOT}/kept")
        open(f"{ROOT}/kept/.gitkeep", "w").close()
        for _ in range(2):
            self.ok(train("kept"))
        for _ in range(2):
            self.ok(run("eval", self.model(), self.fresh(), "-o", "kept eval"))
            self.ok(run("review", PHOTOS, "-b", BACKBONE, "-o", "kept review"))
        self.assertIn("predictions.csv", self.fails_early(2, "train", PHOTOS, "-b", BACKBONE, "-o", "kept eval"))
        self.assertIn("training run", self.fails_early(2, "eval", self.model(), self.fresh(), "-o", "kept"))

    def test_the_photos_themselves(self):
        folder = material.photos(f"{ROOT}/project/photos", 3)
        for output in (folder, f"{ROOT}/project", f"{folder}/../photos/", ROOT):
            self.assertIn("photos", self.fails_early(2, "train", folder, "-b", BACKBONE, "-o", output))
        self.assertIn("is the folder of", self.fails_early(2, "train", PHOTOS, "-b", BACKBONE, "--val", folder,
                                                           "-o", folder))
        self.ok(run("train", folder, "-b", BACKBONE, "-o", f"{ROOT}/project/run"))

    def test_what_cannot_be_written(self):
        for words in (("features", PHOTOS, "-b", BACKBONE, "-o", "no such/x.npy"),
                      ("features", PHOTOS, "-b", BACKBONE, "-o", "photos"),
                      ("features", PHOTOS, "-b", BACKBONE, "-o", "/dev/null"),
                      ("predict", "--labelled", self.model(), PHOTOS, "-o", "no such/x.png"),
                      ("eval", self.model(), PHOTOS, "-o", "/dev/null/x"),
                      ("review", PHOTOS, "-b", BACKBONE, "-o", "/proc/x")):
            self.assertIn(words[-1].split("/x")[0], self.fails_early(6, *words))
        self.assertIn("shards", self.fails_early(2, "features", PHOTOS, "-b", BACKBONE, "-o", "x.csv", "--shard", "1/2"))

    def test_features_as_one_table(self):
        for name in ("table.npy", "alone.csv"):
            self.ok(run("features", PHOTOS, "-b", BACKBONE, "-o", f"{ROOT}/{name}"))
        with open(f"{ROOT}/table.npy", "rb") as f:
            table = f.read()
        numbers = array.array("f", table[10 + int.from_bytes(table[8:10], "little"):])
        with open(f"{ROOT}/alone.csv", encoding="utf-8", newline="") as f:
            head, *rows = list(csv.reader(f))
        with open(f"{ROOT}/table.csv", encoding="utf-8", newline="") as f:
            self.assertEqual([row[:2] for row in [head, *rows]], list(csv.reader(f)))
        self.assertEqual(head[2:], [f"f{k}" for k in range(len(head) - 2)])
        self.assertEqual(array.array("f", [float(x) for row in rows for x in row[2:]]), numbers)

    @needs("cairo")
    def test_the_sheet_lies_beside_the_model(self):
        self.ok(train("sheet"))
        for model in ("sheet", "sheet/", "sheet/model.safetensors"):
            work = tempfile.mkdtemp(dir=ROOT)
            r = run("predict", "--labelled", f"{ROOT}/{model}", PHOTOS, cwd=work)
            self.ok(r)
            self.assertIn(b"sheet/predictions.png", r.stderr.replace(b"//", b"/"))
            self.assertEqual(os.listdir(work), [])
            os.remove(f"{ROOT}/sheet/predictions.png")


class Names(Case):
    def test_backbones_however_they_are_written(self):
        for name in ("Resnet-18", "RESNET18", "resnet_18"):
            self.refused(run("train", PHOTOS, "-b", name, "-q", "-o", "named"), 5, "resnet18 is not in the cache")
        for name, near in (("efficientnet-lite9", "efficientnet_lite0"), ("resnet", "resnet18"),
                           ("lite0", "efficientnet_lite0"), (f"{BACKBONE}+mobilnetv2", "mobilenet_v2")):
            for words in (("train", PHOTOS, "-q", "-o", "named", "-b"), ("bench", "-b")):
                self.refused(run(*words, name), 2, f"did you mean {near}?")
        self.refused(run("backbones", "pull", "mobilenetv4"), 2, "did you mean mobilenet_v")
        work = tempfile.mkdtemp(dir=ROOT)  # a folder of that name is what it is
        os.symlink(BACKBONE, f"{work}/ResNet-18")
        o = json.loads(self.ok(run("backbones", "import", "ResNet-18", "--json", cwd=work)))
        self.assertEqual(o["family"], "mobilenet_v2")

    def test_version(self):
        texts = {self.ok(run(word)) for word in ("version", "-V", "--version")}
        self.assertEqual(len(texts), 1)
        self.assertRegex(texts.pop(), r"^headstart \d+\.\d+\.\d+\n$")

    def test_numbers_of_threads(self):
        most = len(os.sched_getaffinity(0))
        r = run("info", "--devices", "--json", "--threads", "999")
        self.assertEqual(json.loads(self.ok(r))["threads"], most)
        self.assertEqual(r.stderr.decode().count("999 threads asked for: "), 1)
        for value in ("0", "-1", "two", "1e3", "99999999999999999999"):
            r = subprocess.run([PROGRAM, "info", "--devices"], env={**ENV, "HEADSTART_THREADS": value},
                               capture_output=True, timeout=material.patience(60))
            self.refused(r, 2, "HEADSTART_THREADS", f"'{value}'")
        env = {**ENV, "HEADSTART_THREADS": "1"}
        r = subprocess.run([PROGRAM, "info", "--devices", "--json"], env=env, capture_output=True, timeout=material.patience(60))
        self.assertEqual(json.loads(self.ok(r))["threads"], 1)


def on_terminal(*args, columns=80, term="xterm", cache=None, out=False):
    """What the program writes to a terminal of so many columns; out: standard output too."""
    try:
        master, slave = pty.openpty()
    except OSError as e:  # a root without /dev/pts
        raise unittest.SkipTest(f"no terminal to be had here: {e}") from e
    subprocess.run(["stty", "cols", str(columns), "-opost"], stdin=slave, check=True)
    env = {**ENV, "TERM": term, **({"HEADSTART_CACHE": cache} if cache else {})}
    env.pop("NO_COLOR", None)
    p = subprocess.Popen([PROGRAM, *args], cwd=ROOT, env=env, stdout=slave if out else subprocess.DEVNULL,
                         stderr=slave)
    os.close(slave)
    seen = b""
    while select.select([master], [], [], 60)[0]:
        try:
            part = os.read(master, 4096)
        except OSError:  # the other end has gone
            break
        if not part:
            break
        seen += part
    os.close(master)
    assert p.wait(60) == 0, seen
    return seen.decode()


class Terminals(Case):
    def features(self, columns, term):
        return on_terminal("features", PHOTOS, "-b", BACKBONE, "--threads", "1", "-o", "terminal.npy", "--no-store",
                           "--image-px", "320", "--views", "mirror", columns=columns, term=term)

    def test_the_time_left_is_never_dropped(self):
        for columns in (80, 60, 40, 30):
            drawn = [s.split("\n")[0] for s in self.features(columns, "xterm").split("\r\x1b[K")[1:]]
            drawn = [s for s in drawn if s.startswith("features ")]
            self.assertTrue(drawn)
            self.assertLess(max(map(len, drawn)), columns)
            self.assertTrue(drawn[1:] and all(" left" in s for s in drawn[1:]), drawn)
            if columns != 40: # there it depends on the numbers
                self.assertEqual("/s " in "".join(drawn), columns > 40)

    def test_a_terminal_that_cannot_redraw(self):
        seen = self.features(80, "dumb")
        self.assertNotIn("\r", seen)
        self.assertNotIn("\x1b", seen)
        self.assertIn("features: 36 photos", seen)

    def test_epochs_stay_on_a_line(self):
        words = ("train", PHOTOS, "-b", BACKBONE, "--fine-tune", "--epochs", "1", "--thaw", "last:1", "-o", "narrow")
        for columns, like in ((80, r"^epoch 1/1  loss \S+  accuracy \S+  val_loss \S+  val_accuracy \S+$"),
                              (60, r"^epoch 1/1 loss \S+ val \S+ acc \S+ val \S+$")):
            lines = re.split(r"\n|\r\x1b\[K", on_terminal(*words, columns=columns))
            self.assertTrue([s for s in lines if re.match(like, s)], lines)
            self.assertLess(max(map(len, lines)), columns)

    def test_colours(self):
        words = ("predict", "--labelled", self.model(), self.fresh(), "-o", "colours.png")
        seen = on_terminal(*words, out=True)
        self.assertIn("\x1b[32mright\x1b[0m, ", seen)
        self.assertIn("accuracy \x1b[1m", seen)
        self.assertNotIn("\x1b[3", on_terminal(*words, out=True, term="dumb"))
        self.assertNotIn("\x1b[3", on_terminal(*words, "--color", "never", out=True))
        self.assertNotIn("\x1b[3", on_terminal(*words, "--json", out=True))
        self.assertNotIn("\x1b", self.ok(run(*words)))
        self.assertIn("\x1b[32m", self.ok(run(*words, "--color=always")))
        os.environ["NO_COLOR"] = ENV["NO_COLOR"] = "1"
        try:
            seen = subprocess.run(["script", "-qec", " ".join([PROGRAM, *words]), "/dev/null"], env=ENV, cwd=ROOT,
                                  capture_output=True, timeout=material.patience(60)) if shutil.which("script") else None
            self.assertTrue(seen is None or (b"right, " in seen.stdout and b"\x1b[3" not in seen.stdout))
        finally:
            del os.environ["NO_COLOR"], ENV["NO_COLOR"]


class HelpPages(Case):
    def test_everyday_options_come_first_and_the_others_by_name(self):
        text = self.ok(run("train", "--help"))
        for name in ("--output", "--val", "--fine-tune", "--class-weight"):
            self.assertRegex(text, rf"(?m)^ +(-., )?{name} ?.*")
        full = self.ok(run("train", "--help", "all"))
        told = set(re.findall(r"(?m)^ {2,6}(?:-., )?--([\w-]+)", full))
        named = set(re.findall(r"--([\w-]+)", text))
        self.assertGreater(len(told), 45)
        self.assertEqual(told - named, set())
        self.assertLess(len(text.splitlines()), 0.4 * len(full.splitlines()))
        for section, has in (("accuracy", "--effort N"), ("fine-tuning", "--epochs N"), ("expert", "--seed N")):
            page = self.ok(run("train", "--help", section))
            self.assertRegex(page, rf"(?m)^ +{has.split()[0]} ")
            self.assertEqual(page, self.ok(run("help", "train", section)))
            self.assertNotIn("--output", page.split("Examples")[0])

    def test_options_that_mean_nothing_are_not_listed(self):
        for command, absent in (("store", ("threads", "offline", "color")), ("predict", ("offline",)),
                                ("pull", ("threads",)), ("doctor", ("offline", "color"))):
            text = self.ok(run(command, "--help"))
            for name in absent:
                self.assertNotIn(f"--{name}", text, command)
        self.ok(run("store", "info", "--offline", "--threads", "1"))  # scripts may give them to all

    def test_pages_fit_narrow_terminals(self):
        for columns in ("40", "60", "100"):
            env = {**ENV, "COLUMNS": columns}
            for command in ("train", "predict", "backbones"):
                r = subprocess.run([PROGRAM, command, "--help", "all"], env=env, capture_output=True, timeout=material.patience(60))
                body = self.ok(r).split("Examples:")[0].splitlines()[1:]  # commands are not broken
                wide = [s for s in body if len(s) > min(int(columns), 80) and not re.match(" +(-., )?--", s)]
                self.assertEqual(wide, [], command)


class Facts(Case):
    """info, backbones list, and messages that say what to do."""

    def test_what_a_model_is(self):
        text = self.ok(run("info", os.path.dirname(self.model())))
        self.assertRegex(text, r"(?m)^accuracy +[01]\.\d{3} \(95 % interval [01]\.\d{3}-[01]\.\d{3}, 36 photos out of fold\)")
        self.assertRegex(text, r"(?m)^log_loss_uncalibrated \d")  # longer than its column
        self.assertNotIn("KerasLayer", text)
        self.ok(train("facts", "--recipe", "tutorial", "--epochs", "1", "--batch", "8"))
        text = self.ok(run("info", "facts"))
        self.assertIn("KerasLayer", text)
        self.assertIn("photos kept aside)", text)

    def test_devices(self):
        text = self.ok(run("info", "--devices"))
        self.assertRegex(text, r"(?m)^graphics  (none found|.*\n.* not used)")
        self.assertIsInstance(json.loads(self.ok(run("info", "--devices", "--json")))["graphics"], list)

    def test_backbones_to_choose_from(self):
        text = self.ok(run("backbones", "list"))
        rows = text.splitlines()
        self.assertTrue(20 <= len(rows) <= 60, text)
        self.assertRegex(text, r"(?m)^efficientnet_lite0 +3\.4 M +0\.8 +1280 75\.1 %  Apache-2\.0 ")
        self.assertRegex(text, r"(?ms)^networks of convolutions$.*^transformers$.*^dinov2_small .* 12 +384 81\.1 %")
        self.assertLessEqual(max(map(len, rows)), 80)
        every = self.ok(run("backbones", "list", "--all")).splitlines()
        self.assertGreater(len(every), 30)
        self.assertIn("keras:mobilenet_v2_0.35_96", "\n".join(every))
        for name, entry in json.loads(self.ok(run("backbones", "list", "--json"))).items():
            self.assertTrue(entry["licence"] and entry["parameters"] > 3e5, name)
            self.assertTrue(entry["top1"] == 0 or 0.4 < entry["top1"] < 0.9, name)
            self.assertTrue(entry["gflop"] > 0 and entry["features"] >= 192, name)

    def test_what_is_missing_is_said(self):
        for words, what in ((["predict"], "a model and photos are missing: headstart predict MODEL"),
                            (["predict", "m"], "a photo, a folder of photos or - is missing"),
                            (["eval", "m"], "or the folder of photos, is missing"),
                            (["sort", "m"], "a photo or a folder of photos is missing"),
                            (["features"], "a folder of photos is missing: headstart features DIR"),
                            (["train"], "a folder of photos is missing"), (["doctor"], "a folder of photos is missing"),
                            (["review"], "a folder of photos, or a run, is missing"),
                            (["store"], "what to do is missing: headstart store info | clear"),
                            (["backbones"], "what to do is missing")):
            self.refused(run(*words), 2, what)

    def test_a_file_of_a_run_stands_for_it(self):
        self.ok(train("whole run"))
        for name in ("whole run/model.safetensors", f"{ROOT}/whole run/model.safetensors", "whole run"):
            r = run("train", "--resume", name)
            self.assertEqual(r.returncode, 0, r.stderr)
            self.assertIn(b"is complete", r.stderr)
        r = run("train", "--resume", "model.safetensors", cwd=f"{ROOT}/whole run")
        self.assertIn(b"is complete", r.stderr)
        self.refused(run("train", "--resume", "whole run/args.json"), 3, "is a file; --resume wants the folder")

    @unittest.skipUnless(os.geteuid() == 0, "only root can become another user")
    def test_a_cache_that_cannot_be_written(self):
        cache = tempfile.mkdtemp()
        os.chmod(cache, 0o755)
        env = {**ENV, "HEADSTART_CACHE": cache}
        env.pop("HEADSTART_OFFLINE", None)
        subprocess.run([PROGRAM, "predict", self.model(), PHOTOS], env=env, capture_output=True, timeout=material.patience(60))
        self.addCleanup(shutil.rmtree, cache)
        try:
            probe = subprocess.run([PROGRAM, "--version"], user=65534, capture_output=True, timeout=material.patience(60))
        except (OSError, subprocess.SubprocessError):
            probe = None
        if not probe or probe.returncode:
            self.skipTest("the program is not readable by others here")
        r = subprocess.run([PROGRAM, "backbones", "pull", "https://localhost:1/x.pth"], env=env, user=65534,
                           capture_output=True, timeout=material.patience(60))
        self.refused(r, 6, "cannot be made: Permission denied")
        r = subprocess.run([PROGRAM, "store", "info"], env=env, user=65534, capture_output=True, timeout=material.patience(60))
        self.assertIn("of 36 photos", self.ok(r))


class Signals(Case):
    def test_a_closed_terminal_ends_it_cleanly(self):
        work = tempfile.mkdtemp(dir=ROOT)
        many = material.photos(f"{work}/many", 120)
        words = [PROGRAM, "train", many, "--backbone", BACKBONE, "--no-store", "--threads", "1"]

        def heeds_it():  # even where these tests were started by nohup
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
        p = subprocess.Popen(words, cwd=work, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             preexec_fn=heeds_it)
        self.assertIn(b"found", p.stderr.readline())
        p.send_signal(signal.SIGHUP)
        _, err = p.communicate(timeout=material.patience(60))
        self.assertEqual(p.returncode, 129, err)
        self.assertIn(b"headstart: interrupted", err)
        self.assertEqual(os.listdir(work), ["many"])
        p = subprocess.Popen(["nohup", *words], cwd=work, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while b"found" not in p.stderr.readline():
            pass
        p.send_signal(signal.SIGHUP)
        p.communicate(timeout=material.patience(60))
        self.assertEqual(p.returncode, 0)

    def test_a_limit_on_the_size_of_files(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000000, 1000000))
        r = run("train", PHOTOS, "--backbone", BACKBONE, "-o", "limited", "-q", "--no-store", preexec_fn=limit)
        self.refused(r, 6, "limited/model.safetensors cannot be written: File too large")
        self.assertFalse([n for n in os.listdir(f"{ROOT}/limited") if n.endswith(".tmp")])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
