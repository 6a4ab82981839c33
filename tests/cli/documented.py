#!/usr/bin/env python3
"""What docs/ says is so: its commands run, its programs compile and run, its tables are complete.

    tests/cli/documented.py PROGRAM LIBRARY

Commands of docs/guide.md run in their order in a folder with photos/, new/ and photo.png; those that
need a backbone get a small random one. CC and CXX compile the programs of docs/embedding.md, if they
are here."""
import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

import material

PROGRAM, LIBRARY = (os.path.abspath(p) for p in sys.argv[1:3])
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
LEARNS = ("train", "features", "bench")  # commands that take a backbone


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as f:
        return f.read()


def blocks(name, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", read("docs", name), re.M | re.S)


def section(text, title):
    """What stands under a heading, up to the next one of its level or above."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,3}} |\Z)", text, re.M | re.S)
    assert found, f"docs/files.md has no section {title}"
    return found.group(2)


def words(text):
    """All that is written as code."""
    return set(re.findall(r"`([^`]+)`", text))


def keys(value):
    """All keys of a JSON value."""
    if isinstance(value, dict):
        for key, inside in value.items():
            yield key
            yield from keys(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from keys(inside)


class Documented(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="headstart-docs-")
        cls.work = cls.folder.name
        material.photos(os.path.join(cls.work, "photos"), 12)
        material.photos(os.path.join(cls.work, "new"), 4, seed=8)
        shutil.copy(os.path.join(cls.work, "new", "red", "00.png"), os.path.join(cls.work, "photo.png"))
        material.backbone(os.path.join(cls.work, "backbone"))
        cls.env = {**os.environ, "HEADSTART_OFFLINE": "1",
                   "HEADSTART_CACHE": os.path.join(cls.work, "cache"),
                   "LSAN_OPTIONS": "print_suppressions=0:suppressions=" + os.path.join(
                       ROOT, "tests", "cli", "leaks.txt")}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def run_program(self, *args):
        more = ("--backbone", "backbone") if args[0] in LEARNS else ()
        return subprocess.run([PROGRAM, *args, *more], cwd=self.work, env=self.env,
                              timeout=material.patience(120), capture_output=True, text=True)

    def output(self, *args):
        r = self.run_program(*args)
        self.assertEqual(r.returncode, 0, f"{args}: {r.stderr}")
        return r.stdout

    def test_1_the_guides_commands_run(self):
        lines = [x for block in blocks("guide.md", "sh") for x in block.splitlines()]
        self.assertGreater(len(lines), 10)
        for line in lines:
            with self.subTest(line):
                command, _, to = line.partition(" > ")
                name, *args = shlex.split(command)
                self.assertEqual(name, "headstart")
                out = self.output(*args)
                if to:
                    with open(os.path.join(self.work, to), "w", encoding="utf-8") as f:
                        f.write(out)

    def columns(self, path):
        with open(os.path.join(self.work, path), encoding="utf-8", newline="") as f:
            return next(csv.reader(f))

    def test_2_columns_are_those_of_the_tables(self):
        text = read("docs", "files.md")
        for name in ("split.csv", "predictions.csv", "skipped.csv", "results.csv", "timing.csv"):
            told = re.findall(r"^\| (`.*?) \|", section(text, f"`{name}`"), re.M)
            told = [w for row in told for w in re.findall(r"`([^`]+)`", row)]
            real = [c for c in self.columns(f"run/{name}") if not c.startswith("p_")]
            self.assertEqual([w for w in told if w != "p_LABEL"], real, name)
        self.assertEqual(set(self.columns("review/review.csv")) - {"judged"},
                         words(section(text, "`review --json`")) & set(self.columns("review/review.csv")))
        for folder, title in (("run", "The run folder: `train -o RUN`"), ("review", "`review -o DIR`")):
            for file in os.listdir(os.path.join(self.work, folder)):
                self.assertIn(file, words(section(text, title)))

    def test_2_columns_of_the_other_commands(self):
        text = read("docs", "files.md")
        told = words(section(text, "`predict --format csv`"))
        for more in ((), ("--no-unknown",)):
            self.assertLessEqual(
                set(self.output("predict", "run", "new", "-f", "csv", *more).splitlines()[0].split(",")), told)
        self.output("sort", "run", "new", "--into", "out")
        told = words(section(text, "`sort --into OUT`"))
        self.assertLessEqual({"sorted.csv", *self.columns("out/sorted.csv")}, told)
        self.output("eval", "run", "new", "-o", "evaluated")
        for file in os.listdir(os.path.join(self.work, "evaluated")):
            self.assertIn(file, words(section(text, "`eval -o DIR`")))
        self.output("features", "photos", "-o", "f.npy")
        self.assertLessEqual(set(self.columns("f.csv")), words(section(text, "`features -o FILE.npy`")))
        for file in os.listdir(self.env["HEADSTART_CACHE"]):
            self.assertIn(re.sub("-(wal|shm)$", "", file), words(section(text, "The cache: `HEADSTART_CACHE`")))

    def test_3_keys_are_in_the_tables(self):
        text = read("docs", "files.md")
        jobs = [("train", "photos", "-o", "run2", "--effort", "1", "--learning-curve"),
                ("eval", "run", "new"), ("eval", "run", "better", "new"), ("predict", "run", "new"),
                ("predict", "run", "docs.md"), ("features", "photos", "-o", "x.npy"),
                ("doctor", "photos"), ("review", "run", "-o", "review2"),
                ("sort", "run", "new", "--into", "sorted", "--dry-run"), ("info", "run"),
                ("backbones", "import", "backbone/model.safetensors"), ("store", "info"),
                ("bench", "--threads", "1")]
        data = {"blue", "green", "red", "curve"}  # labels of the scene
        with open(os.path.join(self.work, "docs.md"), "w", encoding="utf-8") as f:
            f.write("no photo")
        metrics = words(read("docs", "evaluation.md"))
        record = words(read("docs", "measuring.md"))
        for job in jobs:
            told = words(section(text, f"`{job[0]} --json`")) | data
            for line in self.run_program(*job, "--json").stdout.splitlines():
                result = json.loads(line)
                result.pop("record", None)
                for metric in result.get("metrics", {}):
                    self.assertTrue(metric in metrics or re.sub(r"\d+", "K", metric) in metrics, metric)
                if "metrics" in result:
                    result["metrics"] = list(result["metrics"].values())
                for key in keys(result):
                    self.assertIn(key, told | record if job[0] == "info" else told, job)
        for job in (("backbones", "list"), ("pull",)):
            for values in json.loads(self.output(*job, "--json")).values():
                self.assertLessEqual(set(values), words(section(text, f"`{job[0]} --json`")))
        self.assertEqual(set(json.loads(self.output("info", "--devices", "--json"))),
                         words(section(text, "`info --devices --json`")))
        with open(os.path.join(self.work, "run", "args.json"), encoding="utf-8") as f:
            self.assertLessEqual(set(json.load(f)), words(section(text, "`args.json`")))

    def test_4_the_model_is_as_described(self):
        with open(os.path.join(self.work, "run", "model.safetensors"), "rb") as f:
            header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        told = words(section(read("docs", "files.md"), "The model"))
        self.assertLessEqual(set(header.pop("__metadata__")), told)
        for name in header:
            self.assertTrue(name.startswith("backbone/") or name in told, name)

    def test_5_the_programs_compile_and_run(self):
        with open(LIBRARY, "rb") as f:
            if b"__asan_init" in f.read():
                self.skipTest("a library built with sanitizers is not linked to")
        model = "run/model.safetensors"
        answers = []
        for language, compiler, args in (
                ("c", os.environ.get("CC", "cc"), [(model, "photo.png"), ("backbone", "photos", "made")]),
                ("cpp", os.environ.get("CXX", "c++"), [(model, "photo.png")])):
            compiler = shlex.split(compiler)
            if not shutil.which(compiler[0]):
                print(f"left out: no {compiler[0]} here")
                continue
            programs = blocks("embedding.md", language)
            self.assertEqual(len(programs), len(args))
            for i, (program, words_) in enumerate(zip(programs, args)):
                source = os.path.join(self.work, f"program{i}.{language}")
                with open(source, "w", encoding="utf-8") as f:
                    f.write(program)
                out = os.path.join(self.work, f"program{i}_{language}")
                subprocess.run([*compiler, "-Wall", "-Wextra", "-Werror",
                                *(["-std=c++17"] if language == "cpp" else []),
                                "-I", os.path.join(ROOT, "include"), source, "-o", out, LIBRARY,
                                f"-Wl,-rpath,{os.path.dirname(LIBRARY)}"], check=True)
                r = subprocess.run([out, *words_], cwd=self.work, env=self.env,
                                   timeout=material.patience(120), capture_output=True, text=True)
                self.assertEqual(r.returncode, 0, r.stderr)
                answers.append(r.stdout)
        self.assertRegex(answers[0], r"^(red 0\.\d{4}|red 1\.0000|unknown)\n$")
        self.assertRegex(answers[1], r"^accuracy [01]\.\d{3} \([01]\.\d{3}-[01]\.\d{3}\)\n$")
        self.assertTrue(os.path.exists(os.path.join(self.work, "made", "report.html")))
        for answer in answers[2:]:
            self.assertEqual(len(answer.splitlines()), 3)

    def test_6_what_installing_names_is_there(self):
        lines = [x for block in blocks("install.md", "sh") for x in block.splitlines()]
        lists = " ".join(re.findall(r"^(?:needs|wants)='(.*?)'$", read("scripts", "setup.sh"), re.M | re.S))
        setup = [need.split(":") for need in lists.split()]
        packages = {package for _, package in setup}
        told = {"apt-get": set(), "make": set()}
        for line in lines:
            line = re.sub(r"sudo | +#.*", "", line)
            for command in line.split(" && "):
                name, *args = shlex.split(command)
                if name == "headstart":
                    self.output(*args)
                elif name in told:
                    told[name].update(a for a in args if "=" not in a and "/" not in a)
        self.assertLessEqual(packages, told["apt-get"])
        for target in told["make"]:
            self.assertRegex(read("Makefile"), rf"(?m)^{target}:")
        modules = {need[:-3] for need, _ in setup if need.endswith(".pc")}
        modules -= {"mpi"}  # of which Fedora has several, each behind a command
        self.assertEqual(modules, set(re.findall(r"'pkgconfig\((.*?)\)'", read("docs", "install.md"))))
        text = read("docs", "install.md")
        options = re.findall(r"^option\('(\w+)'(.*)", read("meson_options.txt"), re.M)
        self.assertLessEqual(set(re.findall(r"-D(\w+)", text)), {name for name, _ in options})
        rows = dict(re.findall(r"^\| `-D(\w+)` \| `(.*?)` \|", text, re.M))
        self.assertEqual(set(rows), {name for name, rest in options if "'feature'" in rest})
        self.assertLessEqual(set(rows.values()), packages)
        building = re.search(r"^Build-Depends:\n(.*?)\n\n", read("packaging", "debian", "control"), re.M | re.S)
        self.assertLessEqual({p for p in packages if p.startswith("lib") and p != "libc6-dev" or p[:4] == "zlib"},
                             set(re.findall(r"^ ([\w.+-]+)", building.group(1), re.M)))
        built = set(re.findall(r"^Package: (.*)", read("packaging", "debian", "control"), re.M))
        self.assertLessEqual(set(re.findall(r"/tmp/deb/(\w+)_", read("Dockerfile"))), built)
        self.assertLessEqual(built, told["apt-get"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
