#!/usr/bin/env python3
"""Runs the program as its users do: arguments in, standard output, standard error, status out.

    tests/cli/run.py PROGRAM
"""
import glob
import html
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import material  # noqa: E402

PROGRAM = os.path.abspath(sys.argv[1])
ROOT = tempfile.mkdtemp(prefix="headstart-cli-")
ENV = {**os.environ, "HEADSTART_CACHE": os.path.join(ROOT, "cache"), "HEADSTART_OFFLINE": "1",
       "LC_ALL": "C",
       # Under a leak checker: fontconfig never frees its caches. Other programs do not look at it.
       "LSAN_OPTIONS": "print_suppressions=0:suppressions=" + os.path.join(
           os.path.dirname(os.path.abspath(__file__)), "leaks.txt")}
for name in ("HEADSTART_CPU", "HEADSTART_THREADS", "HEADSTART_HELPER", "HEADSTART_DECODER"):
    ENV.pop(name, None)
PHOTOS, BACKBONE = os.path.join(ROOT, "photos"), os.path.join(ROOT, "backbone")


def run(*args, cwd=ROOT, **more):
    return subprocess.run([PROGRAM, *args], cwd=cwd, env=ENV, capture_output=True,
                          timeout=material.patience(120), **more)


def needs(*parts):
    """Skips a test where the build lacks one of these libraries, and says so."""
    built = json.loads(run("info", "--devices", "--json").stdout)["parts"]
    missing = [part for part in parts if not built[part]]
    return unittest.skipIf(missing, f"this build is without {', '.join(missing)}")


def train(output, *more):
    return run("train", PHOTOS, "--backbone", BACKBONE, "-o", output, *more)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def setUpModule():
    material.photos(PHOTOS, 12)
    material.backbone(BACKBONE)


def tearDownModule():
    shutil.rmtree(ROOT)


class Case(unittest.TestCase):
    def ok(self, r):
        self.assertEqual(r.returncode, 0, r.stderr.decode())
        return r.stdout.decode()

    def refused(self, r, status, *words):
        """One line on standard error with these words, nothing on standard output."""
        self.assertEqual(r.returncode, status, r.stderr.decode())
        lines = [s for s in r.stderr.decode().splitlines() if not s.startswith("found ")]
        self.assertEqual(len(lines), 1, lines)
        self.assertTrue(lines[0].startswith("headstart: "), lines)
        for word in words:
            self.assertIn(word, lines[0])
        self.assertEqual(r.stdout, b"")

    @classmethod
    def model(cls):
        """A model, trained once."""
        path = os.path.join(ROOT, "once")
        if not os.path.exists(path):
            r = train(path)
            assert r.returncode == 0, r.stderr
        return os.path.join(path, "model.safetensors")

    @classmethod
    def fresh(cls):
        """36 photos that no model here has learned from."""
        path = f"{ROOT}/fresh"
        return path if os.path.exists(path) else material.photos(path, 12, seed=8)


class Help(Case):
    def test_nothing_asked(self):
        r = run()
        self.assertEqual((r.returncode, r.stdout), (2, b""))
        self.assertIn(b"headstart train", r.stderr)

    def test_help_fits_80_columns(self):
        commands = re.findall(r"^  (\w+) ", self.ok(run("--help")).split("Commands")[1]
                              .split("Examples:")[0], re.M)
        self.assertLessEqual({"train", "predict", "pull", "bench"}, set(commands))
        for args in [["--help"], ["-h"], ["help"]] + [[c, "--help"] for c in commands]:
            text = self.ok(run(*args))
            self.assertIn("Examples:", text)
            self.assertLessEqual(max(map(len, text.splitlines())), 80, args)
            self.assertNotIn("\x1b", text)

    def test_version(self):
        self.assertRegex(self.ok(run("--version")), r"^headstart \d+\.\d+\.\d+\n$")

    def test_did_you_mean(self):
        self.refused(run("trian"), 2, "did you mean 'train'")
        self.refused(run("train", "x", "--sede", "1"), 2, "did you mean --seed")
        self.refused(run("train", "x", "--zzzzzz"), 2, "unknown option --zzzzzz")
        self.refused(run("backbones", "lst"), 2, "did you mean 'list'")

    def test_wrong_values(self):
        for option in (["--seed", "-1"], ["--seed", " 1"], ["--seed", "1e3"], ["--val-split", "1"],
                       ["--val-split", "nan"], ["--val-split", "0,2"], ["--split", "keras|stable"],
                       ["--threads", "0"], ["--prepare="], ["-o", ""], ["--json=1"], ["--seed"]):
            self.refused(run("train", PHOTOS, *option), 2)

    def test_ways_to_write_an_option(self):
        for way in (["-k1"], ["-k", "1"], ["--top=1"], ["--top", "1"], ["-qk1"]):
            r = run("predict", *way, self.model(), os.path.join(PHOTOS, "red/00.png"))
            self.assertNotIn(",", self.ok(r))
        r = run("predict", self.model(), "--", "--top")
        self.assertEqual(r.returncode, 3)
        self.assertIn(b"--top: error", r.stdout)

    def test_devices(self):
        text = self.ok(run("info", "--devices"))
        self.assertIn("portable", text)
        self.assertIn(ENV["HEADSTART_CACHE"], text)
        built = json.loads(self.ok(run("info", "--devices", "--json")))["parts"]
        if built["libarchive"]:
            self.assertRegex(text, r"sandbox   limits")
        if built["libtiff"] or built["libheif"]:
            self.assertRegex(text, r"; decoding: limits")
        self.assertRegex(text, r"(?m)^photos    JPEG, PNG, ")
        formats = json.loads(self.ok(run("info", "--devices", "--json")))["photo_formats"]
        self.assertTrue(formats["JPEG"])
        self.assertFalse(formats["Photoshop"])

    def test_photos_of_a_helper(self):
        """What this build reads is predicted; the rest is refused with what it takes."""
        formats = json.loads(self.ok(run("info", "--devices", "--json")))["photo_formats"]
        photos = os.path.join(ENV["HEADSTART_ROOT"], "tests/golden/decoders")
        for name, file in (("TIFF", "strips.0.tif"), ("HEIC", "rgb.2.heic"),
                           ("AVIF", "rgb.2.avif"), ("JPEG XL", "lossless.0.jxl"),
                           ("JPEG 2000", "rgb.0.jp2")):
            r = run("predict", "--json", self.model(), os.path.join(photos, file))
            if formats[name]:
                self.assertIn('"label"', self.ok(r))
            else:
                self.assertEqual(r.returncode, 3)
                self.assertIn(b"this build does not read", r.stdout)
            ENV.update(HEADSTART_DECODER="/nowhere/headstart-decode", HEADSTART_NO_STORE="1")
            wrong = run("predict", "--json", self.model(), os.path.join(photos, file))
            del ENV["HEADSTART_DECODER"], ENV["HEADSTART_NO_STORE"]
            self.assertEqual(wrong.returncode, 3)
            if formats[name]:
                self.assertIn(b"/nowhere/headstart-decode is missing", wrong.stdout)
        self.refused(run("info"), 2, "--devices")


class Train(Case):
    def test_result_and_files(self):
        r = train("result")
        text, err = self.ok(r), r.stderr.decode()
        self.assertRegex(text, r"^accuracy \d\.\d{3} \(95 % interval \d\.\d{3}-\d\.\d{3}, "
                               r"\d+ of 36 photos, out of fold\)\n")
        self.assertRegex(text, r"\nhold-out \d\.\d{3} \(\d\.\d{3}-\d\.\d{3}\), \d+ photos kept aside ")
        self.assertIn("result/model.safetensors", text)
        self.assertIn("result/report.html", text)
        self.assertIn("found 36 photos in 3 classes", err)
        self.assertNotIn("\x1b", err)
        self.assertNotIn("\r", err)
        have = set(os.listdir(os.path.join(ROOT, "result")))
        self.assertLessEqual({"model.safetensors", "labels.txt", "args.json", "results.csv",
                              "split.csv", "predictions.csv", "skipped.csv", "report.html"}, have)

    def test_reports_of_equal_runs_differ_in_one_section(self):
        pages = []
        for name in ("report a", "report b"):
            self.ok(train(name))
            pages.append(read(f"{ROOT}/{name}/report.html").decode())
        job = [re.search('<section id="job".*?</section>', p, re.S).group() for p in pages]
        self.assertIn("<code>headstart train ", job[0])
        self.assertIn(" -o 'report a'", html.unescape(re.sub("<.*?>", "", job[0])))
        self.assertRegex(job[0], r"<dt>date</dt><dd>\d{4}-\d\d-\d\d \d\d:\d\d UTC</dd>")
        self.assertEqual(*(p.replace(j, "") for p, j in zip(pages, job)))

    def test_json_is_one_object(self):
        r = train("json", "--json")
        o = json.loads(self.ok(r))
        self.assertLessEqual({"accuracy", "n", "ci_low", "ci_high", "model"}, set(o))
        self.assertLessEqual(o["ci_low"], o["accuracy"])
        self.assertGreater(o["n"], 0)
        self.assertTrue(os.path.exists(os.path.join(ROOT, o["model"])))

    def test_final_model_learns_from_all_photos(self):
        o = json.loads(self.ok(train("final", "--json")))
        aside = o["holdout"]["n"]
        self.assertEqual((o["estimate"], o["n"], o["n_train"]), ("out-of-fold", 36, 36))
        self.assertTrue(0 < aside < 36)
        self.assertEqual(sum(c["support"] for c in o["classes"]), 36)
        record = json.loads(self.ok(run("info", o["model"], "--json")))["record"]
        self.assertEqual([record[k] for k in ("final", "n_train", "oof_n", "val_n")], ["all", "36", "36", str(aside)])
        self.assertAlmostEqual(float(record["oof_accuracy"]), o["accuracy"], places=12)
        self.assertAlmostEqual(float(record["log_loss_calibrated"]), o["log_loss"], places=6)
        self.assertLessEqual(o["log_loss"], float(record["log_loss_uncalibrated"]) + 1e-9)
        self.assertAlmostEqual(float(record["val_ci_low"]), o["holdout"]["ci_low"], places=12)
        rows = [r.split(",") for r in read(f"{ROOT}/final/split.csv").decode().splitlines()]
        self.assertEqual(rows[0][3:], ["side", "fold"])
        self.assertEqual({r[4] for r in rows[1:]}, set("12345"))
        self.assertEqual(len(read(f"{ROOT}/final/predictions.csv").decode().splitlines()), 37)
        page = read(f"{ROOT}/final/report.html").decode()
        self.assertIn("Out of fold: each photo", page)
        self.assertIn(f"divided by the temperature {float(record['temperature']):.3f}", page)
        self.assertIn("is called unknown; so are, by mistake, about 5.0\u00a0%", page)
        self.assertEqual(json.loads(read(f"{ROOT}/final/args.json"))["final"], "all")

    def test_final_model_learns_from_the_training_side(self):
        for options in (["--final", "train"], ["--split", "keras"], ["--val", self.fresh()]):
            o = json.loads(self.ok(train("sides", "--json", *options)))
            self.assertEqual((o["estimate"], o["n"]), ("hold-out", o["holdout"]["n"]))
            self.assertEqual(o["n_train"], o["photos"] - o["n"])
            self.assertTrue(read(f"{ROOT}/sides/split.csv").startswith(b"path,label,sha256,side\n"))
            self.assertNotIn(b"Out of fold", read(f"{ROOT}/sides/report.html"))
            record = json.loads(self.ok(run("info", o["model"], "--json")))["record"]
            self.assertEqual((record["final"], record.get("oof_n")), ("train", None))
        o = json.loads(self.ok(train("sides", "--json", "--split", "keras", "--final", "all")))
        self.assertEqual((o["estimate"], o["n"], o["n_train"]), ("out-of-fold", 36, 36))
        self.refused(train("sides", "--recipe", "tutorial", "--final", "all"), 2, "has no final to set")
        o = json.loads(self.ok(train("sides", "--json", "--val", PHOTOS)))
        self.assertEqual((o["n"], o["accuracy"], o["n_train"]), (0, None, 36))
        self.assertIn("learned from all 36", self.ok(train("sides", "--val", PHOTOS)))

    def test_copies_and_the_only_photo_of_a_class(self):
        folder = shutil.copytree(PHOTOS, f"{ROOT}/copies")
        for i in range(9):
            shutil.copy(f"{folder}/red/00.png", f"{folder}/red/copy{i}.png")
        for i in range(3): # the one photo of its class, on both sides
            os.makedirs(f"{folder}/alone", exist_ok=True)
            shutil.copy(f"{PHOTOS}/blue/03.png", f"{folder}/alone/{i}.png")
        os.remove(f"{folder}/blue/03.png")
        r = run("train", folder, "--backbone", BACKBONE, "-o", "copied", "--json", "--seed", "1")
        if r.returncode == 3: # the split put that class on the other side
            r = run("train", folder, "--backbone", BACKBONE, "-o", "copied", "--json", "--seed", "2")
        o = json.loads(self.ok(r))
        self.assertEqual((o["n"], o["n_train"]), (35, 47)) # the nine copies count once
        self.assertIn(b"class alone has one photo only", r.stderr)
        fold = {p: f for p, _, _, _, f in (s.split(",") for s in read(f"{ROOT}/copied/split.csv").decode().splitlines())}
        self.assertEqual(len({fold[f"red/copy{i}.png"] for i in range(9)} | {fold["red/00.png"]}), 1)
        self.assertEqual({fold[f"alone/{i}.png"] for i in range(3)}, {""})

    def test_tutorial(self):
        r = train("tutorial", "--recipe", "tutorial", "--epochs", "3", "--batch", "8", "--lr",
                  "0.01")
        self.ok(r)
        lines = [s for s in r.stderr.decode().splitlines() if s.startswith("epoch ")]
        self.assertEqual(len(lines), 3)
        self.assertRegex(lines[2], r"^epoch 3/3  loss \d+\.\d{4}  accuracy [01]\.\d{4}  "
                                   r"val_loss \d+\.\d{4}  val_accuracy [01]\.\d{4}$")
        rows = read(f"{ROOT}/tutorial/results.csv").decode().splitlines()
        self.assertEqual(len(rows), 4)
        self.assertTrue(rows[3].startswith("3,") and rows[3].endswith(",0.01"), rows[3])
        have = json.loads(read(f"{ROOT}/tutorial/args.json"))
        want = {"recipe": "tutorial", "prepare": "tf", "split": "keras", "seed": 123,
                "split_seed": 123, "epochs": 3, "batch": 8, "optimizer": "sgd",
                "learning_rate": 0.01, "momentum": 0.9, "l2": 0.0001, "label_smoothing": 0.1,
                "dropout": 0.2}
        self.assertEqual({k: have.get(k) for k in want}, want)
        self.ok(train("tutorial2", "--recipe", "tutorial", "--split", "stable", "--seed", "5"))
        have = json.loads(read(f"{ROOT}/tutorial2/args.json"))
        self.assertEqual((have["split"], have["seed"], have["split_seed"]), ("stable", 5, 5))
        self.assertNotIn("augment", have)

    @needs("cairo")
    def test_tutorial_with_augmentation(self):
        r = train("augmented", "--recipe", "tutorial", "--epochs", "2", "--batch", "8", "--augment",
                  "tutorial", "--threads", "3")
        self.ok(r)
        self.assertRegex(r.stderr.decode(), r"training: \d+ photos")
        self.assertIn("augmented.png", os.listdir(f"{ROOT}/augmented"))
        self.assertEqual(json.loads(read(f"{ROOT}/augmented/args.json"))["augment"], "tutorial")
        one = train("augmented1", "--recipe", "tutorial", "--epochs", "2", "--batch", "8",
                    "--augment", "tutorial", "--threads", "1")
        self.ok(one)
        self.assertEqual(read(f"{ROOT}/augmented/model.safetensors"),
                         read(f"{ROOT}/augmented1/model.safetensors"))

    def test_settings_of_the_tutorial_only(self):
        for name, value in (("epochs", "5"), ("batch", "16"), ("optimizer", "sgd"), ("lr", "0.1"),
                            ("momentum", "0"), ("l2", "0"), ("label-smoothing", "0"),
                            ("dropout", "0"), ("augment", "none")):
            self.refused(train("x", "--" + name, value), 2,
                         f"recipe auto has no {name} to set; recipes fine-tune and tutorial have")
        tutorial = ["--recipe", "tutorial"]
        self.refused(train("x", *tutorial, "--prepare", "pil"), 2, "'tf', not as 'pil'")
        self.refused(train("x", "-q", *tutorial, "--batch", "400"), 3, "fewer than a batch of 400")
        self.refused(run("train", PHOTOS, *tutorial), 5, "mobilenet_v2", "switched off")
        for option in (["--lr", "-1"], ["--lr", "nan"], ["--lr", "1e999"], ["--epochs", "0"],
                       ["--dropout", "1"], ["--optimizer", "SGD"], ["--l2", "0x1"]):
            self.refused(train("x", *tutorial, *option), 2)

    @needs("cairo")
    def test_fine_tuning(self):
        words = ["--fine-tune", "--epochs", "2", "--batch", "8", "--lr", "0.001", "--thaw",
                 "from:block_12", "--augment", "none", "--keep", "tuned"]
        r = train("tuned", *words)
        self.ok(r)
        lines = [s for s in r.stderr.decode().splitlines() if s.startswith("epoch ")]
        self.assertEqual([s[:9] for s in lines], ["epoch 0/2", "epoch 1/2", "epoch 2/2"])
        self.assertLessEqual({"curves.png", "curves.svg", "results.csv"},
                             set(os.listdir(f"{ROOT}/tuned")))
        self.assertFalse({"checkpoint.safetensors", "command.json"} &
                         set(os.listdir(f"{ROOT}/tuned")))
        have = json.loads(read(f"{ROOT}/tuned/args.json"))
        want = {"recipe": "fine-tune", "prepare": "pil", "epochs": 2, "batch": 8,
                "optimizer": "adamw", "learning_rate": 0.001, "thaw": "from:block_12",
                "batch_norm": "frozen", "augment": "none", "schedule": "one-cycle",
                "keep": "tuned"}
        self.assertEqual({k: have.get(k) for k in want}, want)
        model = f"{ROOT}/tuned/model.safetensors"
        info = json.loads(self.ok(run("info", model, "--json")))
        self.assertGreater(info["trainable"], 3 * 1281)
        self.assertGreater(info["non_trainable"], 0)
        e = json.loads(self.ok(run("eval", model, PHOTOS, "--json")))
        self.assertEqual(e["n"] + e["seen"]["n"], 36)
        self.assertLess(0, e["n"])
        self.ok(run("predict", model, os.path.join(PHOTOS, "red/00.png")))
        r = train("judged", "--fine-tune", "--epochs", "1", "--lr", "1e-6", "--augment", "none",
                  "--mixup", "0.2")
        self.ok(r)
        self.assertRegex(r.stderr.decode(), r"log loss on \d+ training photos kept from the "
                         r"backbone: [\d.]+ before it learned, [\d.]+ after, [\d.]+ halfway: it ")
        info = json.loads(self.ok(run("info", f"{ROOT}/judged/model.safetensors", "--json")))
        self.assertEqual(info["record"]["mixup"], "0.2")
        losses = {k: float(info["record"]["kept_aside_loss_" + k])
                  for k in ("frozen", "halfway", "tuned")}
        self.assertEqual(losses[info["record"]["kept"]], min(losses.values()))
        self.assertNotIn("keep", info["record"])
        r = train("found", "--fine-tune", "--epochs", "1", "--batch", "4", "--thaw", "last:2",
                  "--augment", "none", "--keep", "tuned", "--lr", "auto")
        self.ok(r)
        record = json.loads(self.ok(run("info", f"{ROOT}/found/model.safetensors",
                                        "--json")))["record"]
        self.assertEqual(record["learning_rate_from"], "range test")
        self.assertRegex(r.stderr.decode(), r"learning rate [\d.e-]+, found in \d+ steps")
        self.assertEqual(json.loads(read(f"{ROOT}/found/args.json"))["learning_rate"],
                         float(record["learning_rate"]))
        self.assertIn("--lr X|auto", run("train", "--help", "all").stdout.decode())
        self.refused(train("x", "--recipe", "tutorial", "--lr", "auto"), 2, "for fine-tuning")
        self.ok(train("all", "--recipe", "tutorial", "--fine-tune", "--epochs", "1",
                      "--warmup", "0.5", "--ema", "0.9"))
        info = json.loads(self.ok(run("info", f"{ROOT}/all/model.safetensors", "--json")))
        self.assertEqual((info["record"]["warmup"], info["record"]["ema"]), ("0.5", "0.9"))
        self.assertEqual(info["non_trainable"], 14080)  # the statistics, and nothing else
        self.assertEqual((info["record"]["thaw"], info["record"]["batch_norm"],
                          info["record"]["learning_rate"]), ("all", "batch", "0.005"))

    def interrupted(self, output, *words):
        """A run stopped by Ctrl-C as soon as it has a checkpoint; what it said."""
        p = subprocess.Popen([PROGRAM, "train", PHOTOS, "--backbone", BACKBONE, "-o", output,
                              "--fine-tune", "--batch", "4", "--checkpoint-steps", "1", *words],
                             cwd=ROOT, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        until = time.monotonic() + 60
        while time.monotonic() < until and p.poll() is None and not os.path.exists(
                f"{ROOT}/{output}/checkpoint.safetensors"):
            time.sleep(0.005)
        p.send_signal(signal.SIGINT)
        _, err = p.communicate(timeout=material.patience(60))
        self.assertEqual(p.returncode, 130, err.decode())
        return err.decode()

    @needs("cairo")
    def test_an_interrupted_run_goes_on(self):
        words = ["--epochs", "2", "--lr", "0.001", "--split", "keras", "--warmup", "0.5", "--ema",
                 "0.9"]
        self.ok(train("whole", "--fine-tune", "--batch", "4", *words))
        err = self.interrupted("halted", *words)
        self.assertIn("headstart train --resume halted", err)
        self.refused(run("train", "-q", "--resume", "halted", "--epochs", "3"), 2,
                     "begun with epochs=2 and cannot go on with epochs=3")
        self.refused(run("train", "--resume", "halted", "-o", "x"), 2, "leave -o out")
        r = run("train", "--resume", "halted", *words)  # scripts repeat all their options
        self.assertIn("halted/model.safetensors", self.ok(r))
        have = json.loads(read(f"{ROOT}/halted/args.json"))
        self.assertEqual((have["warmup"], have["ema"]), (0.5, 0.9))
        for name in ("model.safetensors", "results.csv", "predictions.csv", "curves.png"):
            self.assertEqual(read(f"{ROOT}/halted/{name}"), read(f"{ROOT}/whole/{name}"), name)
        self.assertNotIn("command.json", os.listdir(f"{ROOT}/halted"))
        r = run("train", "--resume", "halted")
        self.assertEqual((r.returncode, r.stdout), (0, b""))
        self.assertIn(b"is complete", r.stderr)

    def test_a_run_that_was_killed_at_its_very_end(self):
        self.ok(train("ended", "--fine-tune", "--epochs", "1"))
        before = sorted(os.listdir(f"{ROOT}/ended"))
        with open(f"{ROOT}/ended/command.json", "w") as f:
            f.write("{}")
        os.utime(f"{ROOT}/ended/command.json", (1, 1))
        r = run("train", "--resume", f"{ROOT}/ended")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn(b"is complete", r.stderr)
        self.assertEqual(sorted(os.listdir(f"{ROOT}/ended")), before)

    def test_an_older_model_is_no_end(self):
        words = ["--split", "keras", "--epochs", "2"]
        self.ok(train("older", "--fine-tune", "--epochs", "1"))
        os.utime(f"{ROOT}/older/model.safetensors", (4102444800, 4102444800))  # 2100
        self.interrupted("older", *words)
        os.remove(f"{ROOT}/older/checkpoint.safetensors")
        r = run("train", "--resume", "older")
        self.assertNotIn(b"is complete", r.stderr)
        self.assertIn("older/model.safetensors", self.ok(r))
        self.assertEqual(json.loads(read(f"{ROOT}/older/args.json"))["epochs"], 2)

    def test_a_checkpoint_is_not_trained_over(self):
        for name, words in (("lost", []), ("other", ["--recipe", "auto"])):
            self.interrupted(name, "--epochs", "2")
            os.remove(f"{ROOT}/{name}/command.json")
            if words:
                with open(f"{ROOT}/{name}/command.json", "w") as f:
                    json.dump({"data": os.path.abspath(f"{ROOT}/{PHOTOS}"), "options": words}, f)
            before = read(f"{ROOT}/{name}/checkpoint.safetensors")
            self.refused(run("train", PHOTOS, "--backbone", BACKBONE, "--resume", name), 2,
                         "holds the checkpoint of a run with --fine-tune")
            self.assertEqual(read(f"{ROOT}/{name}/checkpoint.safetensors"), before)
            self.assertNotIn("model.safetensors", os.listdir(f"{ROOT}/{name}"))

    def test_nothing_to_go_on_with(self):
        os.makedirs(f"{ROOT}/empty")
        self.refused(run("train", "--resume", "empty"), 3, "type the whole command")
        self.refused(run("train", "--resume", "nowhere"), 3, "nowhere")
        self.refused(run("train"), 2, "folder of photos")
        r = run("train", PHOTOS, "--backbone", BACKBONE, "--fine-tune", "--epochs", "1",
                "--resume", "empty")
        self.assertIn("empty/model.safetensors", self.ok(r))

    def test_settings_of_fine_tuning_only(self):
        for name, value in (("thaw", "all"), ("batch-norm", "batch"), ("schedule", "cosine"),
                            ("layer-decay", "0.9"), ("clip", "1"), ("patience", "2"),
                            ("checkpoint-steps", "5"), ("mixup", "0.2"), ("cutmix", "1")):
            for recipe in ("auto", "tutorial"):
                self.refused(train("x", "--recipe", recipe, "--" + name, value), 2,
                             f"has no {name} to set; recipes fine-tune and tutorial with "
                             "fine-tuning have")
        self.refused(train("x", "--keep", "tuned"), 2,
                     "recipe auto has no keep to set; recipe fine-tune has")
        self.refused(train("x", "--recipe", "auto", "--fine-tune"), 2,
                     "recipe auto has no fine-tune to set")
        self.refused(train("x", "-q", "--fine-tune", "--thaw", "from:nowhere"), 2, "'nowhere'",
                     "Conv1 .. ")
        self.refused(train("x", "-q", "--fine-tune", "--layer-decay", "2"), 2, "layer-decay")
        self.refused(train("x", "--fine-tune", "--epochs", "2", "--warmup", "3"), 2,
                     "a warm-up of 3 epochs is longer than training, which has 2")
        self.refused(train("x", "--fine-tune", "--ema", "1"), 2, "--ema wants a number from 0, "
                     "less than 1, not '1'")

    def test_quiet(self):
        r = train("quiet", "-q")
        self.assertEqual(len(self.ok(r).splitlines()), 2)
        for line in r.stderr.decode().splitlines():
            self.assertTrue(line.startswith("headstart: warning: "), line)

    def test_runs_are_numbered(self):
        cwd = os.path.join(ROOT, "numbered")
        os.mkdir(cwd)
        for name in ("train", "train2", "train3"):
            self.ok(run("train", PHOTOS, "--backbone", BACKBONE, cwd=cwd))
            self.assertTrue(os.path.exists(f"{cwd}/runs/{name}/model.safetensors"))
        self.refused(run("train", "nowhere", cwd=cwd), 3, "nowhere")
        self.assertEqual(len(os.listdir(f"{cwd}/runs")), 3)

    def test_threads_change_nothing(self):
        for n in ("1", "2"):
            env = {**ENV, "HEADSTART_CACHE": os.path.join(ROOT, "cache-" + n)}
            subprocess.run([PROGRAM, "train", PHOTOS, "--backbone", BACKBONE, "-o", "threads" + n,
                            "--threads", n], cwd=ROOT, env=env, check=True, capture_output=True)
        for name in ("model.safetensors", "predictions.csv", "split.csv", "results.csv"):
            self.assertEqual(read(f"{ROOT}/threads1/{name}"), read(f"{ROOT}/threads2/{name}"), name)

    def test_bad_photos_are_skipped(self):
        folder = os.path.join(ROOT, "some-bad")
        shutil.copytree(PHOTOS, folder)
        with open(f"{folder}/red/text.jpg", "w") as f:
            f.write("no photo\n")
        open(f"{folder}/blue/empty.png", "w").close()
        with open(f"{folder}/green/cut.png", "wb") as f:
            f.write(read(f"{folder}/green/00.png")[:300])
        o = json.loads(self.ok(run("train", folder, "--backbone", BACKBONE, "-o", "skips",
                                   "--json")))
        self.assertEqual(o["skipped"], 3)
        listed = read(f"{ROOT}/skips/skipped.csv").decode()
        for name in ("red/text.jpg", "blue/empty.png", "green/cut.png"):
            self.assertIn(name, listed)

    def test_bad_folders(self):
        base = os.path.join(ROOT, "bad")
        os.makedirs(f"{base}/empty")
        material.photos(f"{base}/one", 3, ["red"])
        os.makedirs(f"{base}/hollow/a")
        os.makedirs(f"{base}/hollow/b")
        for name in ("missing", "empty", "one", "hollow"):
            self.refused(run("train", f"{base}/{name}", "--backbone", BACKBONE), 3, name)
        if os.geteuid() != 0:
            os.makedirs(f"{base}/closed", 0)
            self.refused(run("train", f"{base}/closed", "--backbone", BACKBONE), 3, "closed")

    def test_bad_backbones(self):
        self.assertEqual(run("train", PHOTOS, "--backbone", "no_such_name").returncode, 2)
        self.refused(run("train", PHOTOS, "--backbone", PHOTOS), 4)

    def test_nowhere_to_write(self):
        self.refused(train("/dev/null/run"), 6, "/dev/null")
        self.refused(run("train", PHOTOS, "--backbone", BACKBONE, "-o",
                         os.path.join(PHOTOS, "red/00.png")), 6)

    def test_interrupted(self):
        folder = material.photos(os.path.join(ROOT, "many"), 400)
        env = {**ENV, "HEADSTART_CACHE": os.path.join(ROOT, "cache-none")}
        for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            p = subprocess.Popen([PROGRAM, "train", folder, "--backbone", BACKBONE, "-o", "stopped",
                                  "--threads", "1"], cwd=ROOT, env=env, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
            self.assertIn(b"found", p.stderr.readline())
            time.sleep(0.1)
            p.send_signal(number)
            out, err = p.communicate(timeout=material.patience(60))
            self.assertEqual((p.returncode, out), (status, b""), err)
            self.assertTrue(err.decode().endswith("headstart: interrupted; what was seen on the photos is "
                                                  "kept: the same command goes on\n"), err)
            self.assertFalse(os.path.exists(f"{ROOT}/stopped"))


class Few(Case):
    """Photos that are too few to measure, or too unequal."""

    @classmethod
    def setUpClass(cls):
        for n in (1, 2, 3, 5):
            material.photos(f"{ROOT}/few{n}", n)

    def few(self, n, *more):
        return run("train", f"{ROOT}/few{n}", "--backbone", BACKBONE, *more)

    def test_any_number_trains_with_any_seed(self):
        for n in (1, 2, 3, 5):
            for seed in range(6):
                out = f"{ROOT}/few-{n}-{seed}"
                o = json.loads(self.ok(self.few(n, "-o", out, "--json", "--seed", str(seed))))
                rows = read(f"{out}/predictions.csv").decode().splitlines()[1:]
                self.assertEqual(o["n"], len(rows))
                for key in ("accuracy", "ci_low", "ci_high", "balanced_accuracy", "log_loss"):
                    self.assertEqual(o[key] is None, o["n"] == 0, (n, seed, key))

    @needs("cairo")
    def test_what_cannot_be_measured_says_so(self):
        r = self.few(1, "-o", f"{ROOT}/one")
        self.assertIn("accuracy cannot be measured", self.ok(r))
        self.assertIn("the accuracy cannot be measured", r.stderr.decode())
        self.assertIn("The accuracy cannot be measured", read(f"{ROOT}/one/report.html").decode())
        self.assertRegex(read(f"{ROOT}/one/results.csv").decode().splitlines()[1],
                         r"^1,[\d.e-]+,1,,,0$")
        model = f"{ROOT}/one/model.safetensors"
        record = json.loads(self.ok(run("info", model, "--json")))["record"]
        self.assertEqual((record["val_n"], record["n_train"]), ("0", "3"))
        self.assertFalse({"val_accuracy", "val_ci_low", "val_ci_high"} & set(record))
        o = json.loads(self.ok(run("eval", model, PHOTOS, "--json")))
        self.assertEqual((o["n"], o["seen"]["n"], o["copies"]), (35, 1, 0))
        r = self.few(1, "-o", f"{ROOT}/one-tuned", "--fine-tune", "--epochs", "2")
        self.assertIn("accuracy cannot be measured", self.ok(r))
        self.assertRegex(r.stderr.decode(), r"epoch 2/2  loss \d\.\d{4}  accuracy \d\.\d{4}\n")
        self.assertTrue(os.path.exists(f"{ROOT}/one-tuned/curves.png"))
        self.assertFalse(os.path.exists(f"{ROOT}/one-tuned/photo.png"))

    def test_what_must_be_measured_is_refused(self):
        self.refused(self.few(1, "--split", "keras", "-q"), 3, "at least 2 per class")
        self.refused(self.few(1, "--recipe", "tutorial"), 3, "at least 2 per class")
        tutorial = ("--recipe", "tutorial", "--split", "stable", "--batch", "2", "-q")
        self.refused(self.few(1, *tutorial), 3, "no usable photo is on the validation side")
        self.refused(self.few(1, "--fine-tune", "--patience", "1", "-q"), 3,
                     "no usable photo is on the validation side")

    def test_unequal_classes(self):
        folder = material.photos(f"{ROOT}/unequal", 14, ("red",))
        material.photos(folder, 2, ("blue", "green"))
        args = ("train", folder, "--backbone", BACKBONE)
        r = run(*args, "-o", f"{ROOT}/unequal0")
        self.ok(r)
        self.assertRegex(r.stderr.decode(), r"class red has \d+ photos to learn from, \w+ has [12]: "
                                            "--prior balanced has the model expect all alike")
        for more in (["--prior", "balanced"], ["--class-weight", "balanced"]):
            r = run(*args, "-o", f"{ROOT}/unequal1", *more)
            self.ok(r)
            self.assertNotIn("--prior", r.stderr.decode())
        with open(f"{ROOT}/prior.csv", "w") as f:
            f.write("label,share\nred,1\ngreen,1\nblue,2\n")
        out = f"{ROOT}/unequal2"
        self.ok(run(*args, "-o", out, "--prior", f"{ROOT}/prior.csv"))
        record = json.loads(self.ok(run("info", f"{out}/model.safetensors", "--json")))["record"]
        self.assertEqual(record["prior"], "0.5,0.25,0.25")
        self.assertEqual(json.loads(read(f"{out}/args.json"))["prior"], f"{ROOT}/prior.csv")
        other = material.photos(f"{ROOT}/unequal-new", 14, ("red",), 8)
        material.photos(other, 2, ("blue", "green"), 8)
        words = "; the largest has 7 photos for one of the smallest)"
        self.assertIn(words, self.ok(run("eval", f"{out}/model.safetensors", other)))
        self.assertNotIn(words, self.ok(run("eval", f"{out}/model.safetensors", PHOTOS)))
        with open(f"{ROOT}/prior.csv", "a") as f:
            f.write("red,-1\n")
        wrong = ("-o", f"{ROOT}/none", "-q", "--prior")
        self.refused(run(*args, *wrong, f"{ROOT}/prior.csv"), 2, "line 5", "a number above 0")
        self.refused(run(*args, *wrong, "balance"), 2, "balanced, as-trained or a file", "'balance'")
        self.refused(run(*args, *wrong, "balanced", "--recipe", "tutorial"), 2, "has no prior")
        self.assertFalse(os.path.exists(f"{ROOT}/none"))

    def test_a_wide_interval_is_a_sentence(self):
        text = self.ok(run("eval", self.model(), material.photos(f"{ROOT}/few-new", 5, seed=8)))
        right, low, high = re.match(r"accuracy \S+ \(95 % interval ([\d.]+)-([\d.]+), (\d+) of 15 ",
                                    text).group(3, 1, 2)
        self.assertIn(f"15 photos: the accuracy is between {100 * float(low):.0f} and "
                      f"{100 * float(high):.0f} %\n", text, right)


class Predict(Case):
    def test_another_process_gives_the_same(self):
        self.ok(train("aside", "--final", "train"))
        model = os.path.join(ROOT, "aside", "model.safetensors")
        first = self.ok(run("predict", model, PHOTOS, "--format", "csv"))
        again = self.ok(run("predict", model, PHOTOS, "--format", "csv", "--threads", "1"))
        self.assertEqual(first, again)
        self.predicts_as_in_training(first, f"{ROOT}/aside")

    def predicts_as_in_training(self, csv, folder):
        rows = {r.split(",")[0]: r.split(",") for r in csv.splitlines()[1:]}
        predictions = read(f"{folder}/predictions.csv").decode().splitlines()
        labels = [n[2:] for n in predictions[0].split(",")[3:]]
        for line in predictions[1:]:
            path, _, guess, *p = line.split(",")
            row = rows[path if path in rows else os.path.join(PHOTOS, path)]
            self.assertEqual(row[1], guess)
            self.assertEqual(row[2], p[labels.index(guess)])

    def test_prepared_as_published(self):
        said = shutil.copytree(BACKBONE, f"{ROOT}/said")
        self.refused(run("features", PHOTOS, "--backbone", said, "--prepare", "hub"), 2, "does not say how photos")
        with open(f"{said}/preprocessor_config.json", "w") as f:
            json.dump({"image_mean": [.5] * 3, "image_std": [.5] * 3, "size": {"shortest_edge": 112},
                       "do_center_crop": True, "crop_size": {"height": 96, "width": 96}, "resample": 3}, f)
        self.assertIn("shorter edge 112 px", self.ok(run("backbones", "import", said)))
        # nothing is published of another size
        self.assertNotIn("\nhub ", self.ok(run("backbones", "import", said, "--image-px", "64")))
        self.ok(train("published", "--backbone", said, "--prepare", "hub", "--final", "train"))
        model = os.path.join(ROOT, "published", "model.safetensors")
        self.assertEqual(json.loads(self.ok(run("info", model, "--json")))["record"]["prepare"], "hub")
        vectors = []
        for prepare in ("hub", "pil"):
            self.ok(run("features", PHOTOS, "--backbone", said, "--prepare", prepare, "-o", f"{prepare}.npy"))
            vectors.append(read(f"{ROOT}/{prepare}.npy"))
        self.assertNotEqual(*vectors)
        self.predicts_as_in_training(self.ok(run("predict", model, PHOTOS, "--format", "csv")), f"{ROOT}/published")

    def test_order_and_errors(self):
        names = [f"{PHOTOS}/red/03.png", f"{ROOT}/no.jpg", f"{PHOTOS}/blue/01.png",
                 f"{PHOTOS}/green"]
        r = run("predict", self.model(), *names, "--format", "json")
        self.assertEqual(r.returncode, 3)
        rows = [json.loads(line) for line in r.stdout.decode().splitlines()]
        greens = [f"{PHOTOS}/green/{i:02}.png" for i in range(12)]
        self.assertEqual([o["path"] for o in rows], names[:3] + greens)
        self.assertIn("error", rows[1])
        self.assertNotIn("error", rows[0])
        self.assertIn(b"1 of 15 photos could not be used", r.stderr)

    def test_standard_input(self):
        red = f"{PHOTOS}/red/00.png"
        alone = self.ok(run("predict", self.model(), red))
        listed = self.ok(run("predict", self.model(), "-", input=red.encode() + b"\n\n"))
        unended = self.ok(run("predict", self.model(), "-", input=red.encode()))
        image = self.ok(run("predict", self.model(), "-", input=read(red)))
        self.assertEqual(alone, listed)
        self.assertEqual(alone, unended)
        self.assertEqual(alone, image.replace("-:", red + ":", 1))
        self.assertEqual(self.ok(run("predict", self.model(), "-", input=b"")), "")
        self.refused(run("predict", self.model(), "-", "-"), 2, "once")

    def test_formats(self):
        csv = self.ok(run("predict", self.model(), f"{PHOTOS}/red", "-k2", "--format", "csv"))
        lines = csv.splitlines()
        self.assertEqual(lines[0], "path,label,probability,label_2,probability_2,guess,"
                                   "unknown_score,error")
        self.assertEqual(len(lines), 13)
        text = self.ok(run("predict", self.model(), f"{PHOTOS}/red", "-k9"))
        self.assertEqual(text.splitlines()[0].count(","), 2)

    @needs("cairo")
    def test_labelled(self):
        r = run("predict", "--labelled", self.model(), PHOTOS, "-o", "sheet.png")
        text = self.ok(r)
        self.assertEqual(text.count(": right,") + text.count(": WRONG ("), 36)
        self.assertEqual(read(f"{ROOT}/sheet.png")[:8], b"\x89PNG\r\n\x1a\n")
        text = self.ok(r)
        self.assertIn("accuracy cannot be measured: the model has learned from all 36 photos", text)
        self.assertRegex(text, r"\nseen +[01]\.\d{3} of the 36 trained on")
        folder = shutil.copytree(self.fresh(), f"{ROOT}/labelled-mix")
        shutil.copy(f"{PHOTOS}/red/00.png", f"{folder}/red/known.png")
        text = self.ok(run("predict", "--labelled", self.model(), folder, "-o", "sheet.png"))
        self.assertIn("1 of these 37 photos were trained on; the other 36:\naccuracy ", text)
        self.refused(run("predict", self.model(), PHOTOS, "-o", "x.png"), 2, "--labelled")

    @needs("cairo")
    def test_cam(self):
        """A picture for each photo, whose row tells where it is and is else the same."""
        red = [f"{PHOTOS}/red/{i:02}.png" for i in range(3)]
        words = [*red, f"{ROOT}/no.jpg", f"{PHOTOS}/blue/01.png"]
        plain = run("predict", self.model(), *words, "--json")
        r = run("predict", self.model(), *words, "--json", "--cam", "new/folder/maps")
        self.assertEqual((plain.returncode, r.returncode), (3, 3))
        rows = [json.loads(line) for line in r.stdout.decode().splitlines()]
        cams = [o.pop("cam", None) for o in rows]
        self.assertEqual(rows, [json.loads(line) for line in plain.stdout.decode().splitlines()])
        self.assertEqual(cams, [f"new/folder/maps/{name}.cam.png" if name else None
                                for name in ("00", "01", "02", None, "01-2")])
        folder = f"{ROOT}/new/folder/maps"
        self.assertEqual({f"{ROOT}/{c}" for c in cams if c}, set(glob.glob(f"{folder}/*")))
        for path in glob.glob(f"{folder}/*"):
            self.assertEqual(read(path)[:8], b"\x89PNG\r\n\x1a\n")
        first = read(f"{folder}/00.cam.png")
        csv = self.ok(run("predict", self.model(), red[0], "-k1", "--format", "csv", "--threads", "1",
                          "--cam", folder))
        self.assertEqual(csv.splitlines()[0], "path,label,probability,guess,unknown_score,cam,error")
        self.assertEqual(csv.splitlines()[1].split(",")[5:], [f"{folder}/00.cam.png", ""])
        self.assertEqual(read(f"{folder}/00.cam.png"), first)
        self.ok(run("predict", self.model(), "-", "--cam", folder, input=read(red[0])))
        self.assertEqual(read(f"{folder}/stdin.cam.png"), first)
        self.refused(run("predict", self.model(), red[0], "--cam", red[1]), 6, "01.png")

    @needs("cairo")
    def test_cam_below_the_photos(self):
        """What is drawn is no photo, neither now nor the next time."""
        folder = f"{ROOT}/below"
        shutil.copytree(f"{PHOTOS}/red", f"{folder}/photos")
        for _ in range(2):
            text = self.ok(run("predict", self.model(), folder, "--cam", f"{folder}/maps"))
            self.assertEqual(len(text.splitlines()), 12)
            self.assertEqual(len(os.listdir(f"{folder}/maps")), 12)

    @needs("cairo")
    def test_cam_of_labelled_photos(self):
        words = ("predict", "--labelled", self.model(), PHOTOS, "--json")
        plain = self.ok(run(*words))
        rows = [json.loads(line) for line in self.ok(run(*words, "--cam", "labelled")).splitlines()]
        cams = [o.pop("cam") for o in rows]
        self.assertEqual(rows, [json.loads(line) for line in plain.splitlines()])
        self.assertEqual(len(set(cams)), 36)
        self.assertEqual(sorted(os.listdir(f"{ROOT}/labelled")), sorted(map(os.path.basename, cams)))

    def test_bad_models(self):
        good = read(self.model())
        for name, data in (("empty", b""), ("cut", good[:-1]), ("flip", good[:-9] + bytes(
                [good[-9] ^ 1]) + good[-8:]), ("text", b"hello")):
            path = f"{ROOT}/{name}.safetensors"
            with open(path, "wb") as f:
                f.write(data)
            self.refused(run("predict", path, f"{PHOTOS}/red/00.png"), 4, name)
        self.refused(run("predict", "missing.safetensors", PHOTOS), 4, "missing")

    def test_output_that_cannot_be_written(self):
        for args in (["--help"], ["info", self.model()], ["predict", self.model(), PHOTOS]):
            with open("/dev/full", "wb") as full:
                p = subprocess.run([PROGRAM, *args], cwd=ROOT, env=ENV, stdout=full,
                                   stderr=subprocess.PIPE, timeout=material.patience(60))
            self.assertEqual(p.returncode, 6, p.stderr)
            self.assertIn(b"No space left", p.stderr)

    def test_reader_that_goes_away(self):
        p = subprocess.Popen([PROGRAM, "predict", self.model(), PHOTOS], cwd=ROOT, env=ENV,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        p.stdout.close()
        with p.stderr:
            err = p.stderr.read()
        self.assertEqual((p.wait(60), err), (141, b""))

    def test_waiting_for_input_can_be_interrupted(self):
        p = subprocess.Popen([PROGRAM, "predict", self.model(), "-"], cwd=ROOT, env=ENV,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        red = f"{PHOTOS}/red/00.png".encode()
        p.stdin.write(red + b"\n")
        p.stdin.flush()
        self.assertIn(red, p.stdout.readline())  # a row comes while input goes on
        p.send_signal(signal.SIGINT)
        time.sleep(0.3)  # communicate() ends the input: that must not come first
        _, err = p.communicate(timeout=material.patience(60))
        self.assertEqual((p.returncode, err), (130, b"headstart: interrupted\n"))


class NothingLeft(Case):
    def test_a_failed_run_leaves_no_folder(self):
        work = tempfile.mkdtemp(dir=ROOT)
        self.refused(run("train", "nowhere", cwd=work), 3)
        self.assertEqual(os.listdir(work), [])


@needs("SQLite")
class Store(Case):
    """Features of 36 photos in a store of its own."""

    def setUp(self):
        self.env = {**ENV, "HEADSTART_CACHE": tempfile.mkdtemp(dir=ROOT)}

    def features(self, *more):
        return self.program("features", PHOTOS, "-b", BACKBONE, "-o", "stored.npy", *more)

    def program(self, *args):
        return subprocess.run([PROGRAM, *args], cwd=ROOT, env=self.env, capture_output=True,
                              timeout=material.patience(120))

    def stored(self, *more):
        return json.loads(self.ok(self.features("--json", *more)))["stored"]

    def vectors(self):
        return json.loads(self.ok(self.program("store", "info", "--json")))["vectors"]

    def test_second_time_no_forward_pass(self):
        first = self.features()
        self.ok(first)
        self.assertNotIn(b"in the store", first.stderr)
        self.assertRegex(first.stderr.decode(), r"features: 36 photos")
        again = self.features()
        self.assertEqual(self.ok(again), first.stdout.decode())
        self.assertIn(b"features of 36 of 36 photos were in the store",
                      again.stderr)
        r = self.program("train", PHOTOS, "-b", BACKBONE, "-o", "stored_run", "--json")
        self.assertEqual(json.loads(self.ok(r))["stored"], 36)
        r = self.program("eval", "stored_run/model.safetensors", PHOTOS, "--json", "--rehash")
        self.assertEqual(json.loads(self.ok(r))["stored"], 36)

    def test_info_clear_and_options(self):
        self.assertEqual(self.vectors(), 0)
        self.assertEqual(self.stored("--no-store"), 0)
        self.assertEqual(self.vectors(), 0)
        self.assertEqual(self.stored("--store-max", "1G"), 0)
        self.assertEqual(self.vectors(), 36)
        self.assertIn("of 36 photos", self.ok(self.program("store", "info")))
        self.ok(self.program("store", "clear"))
        self.assertEqual(self.vectors(), 0)

    def test_wrong_use(self):
        for size in ("0", "2X", "1.5G", "G", "2GB", "9999999999T", "-1M"):
            self.refused(self.features("--store-max", size), 2, "500M or 2G")
        self.refused(run("store", "clean"), 2, "did you mean 'clear'")
        self.refused(run("store", "xyz"), 2, "info and clear")
        self.refused(run("store", "info", "x"), 2, "too much")


@needs("libarchive")
class HostileFiles(Case):
    """Weight files made to harm whoever reads them (tests of one reader are elsewhere)."""

    def test_each_is_refused_in_one_line(self):
        folder = os.path.join(os.environ.get("HEADSTART_SHARED", ""), "fixtures", "bad")
        if not os.path.isdir(folder):
            self.skipTest("the shared reference files are not here")
        empty = os.path.join(ROOT, "an", "empty", "folder")
        os.makedirs(empty)
        cached = set(os.listdir(ENV["HEADSTART_CACHE"]) if os.path.isdir(ENV["HEADSTART_CACHE"])
                     else [])
        names = sorted(n for n in os.listdir(folder) if n != "README.md")
        self.assertGreater(len(names), 60)
        for name in names:
            with self.subTest(name):
                self.refused(run("backbones", "import", os.path.join(folder, name), "--quiet",
                                 cwd=empty), 4, name)
        self.assertEqual(os.listdir(empty), [])
        self.assertEqual(glob.glob(f"{ROOT}/**/headstart_*", recursive=True), [])
        left = set(os.listdir(ENV["HEADSTART_CACHE"])) - cached - {"backbones"}
        self.assertEqual(left, set())
        self.assertEqual(glob.glob(f"{ENV['HEADSTART_CACHE']}/backbones/*.tmp*"), [])


class Unknown(Case):
    @classmethod
    def half(cls):
        """A model that calls about half of the photos of its own classes unknown."""
        path = os.path.join(ROOT, "half")
        if not os.path.exists(path):
            r = train(path, "--unknown-rate", "0.5")
            assert r.returncode == 0, r.stderr
        return path

    def rows(self, *args):
        text = self.ok(run("predict", self.half(), self.fresh(), *args, "--json"))
        return [json.loads(line) for line in text.splitlines()]

    @needs("cairo")
    def test_a_stranger_is_called_unknown(self):
        rows = self.rows()
        unknown = [r for r in rows if r["unknown"]]
        self.assertTrue(3 < len(unknown) < 33)
        for r in rows:
            self.assertEqual(r["unknown"], r["unknown_score"] > 0)
            self.assertEqual(r["label"], "unknown" if r["unknown"] else r["guess"])
            self.assertEqual([r["guess"], r["probability"]], list(r["top"][0].values()))
            self.assertEqual({t["label"] for t in r["top"]}, {"blue", "green", "red"})
        text = self.ok(run("predict", self.half(), self.fresh(), "-k1")).splitlines()
        for line, r in zip(text, rows):
            first = "unknown, " if r["unknown"] else ""
            self.assertEqual(line, f"{r['path']}: {first}{r['guess']} {r['probability']:.4f}")
        csv = [line.split(",") for line in self.ok(
            run("predict", self.half(), self.fresh(), "-k1", "--format", "csv")).splitlines()]
        self.assertEqual(csv[0], ["path", "label", "probability", "guess", "unknown_score", "error"])
        for line, r in zip(csv[1:], rows):
            self.assertEqual([line[1], line[3]], [r["label"], r["guess"]])
            self.assertAlmostEqual(float(line[4]), r["unknown_score"], places=6)
        marked = self.ok(run("predict", self.half(), self.fresh(), "--labelled", "-o", "u.png"))
        self.assertEqual(marked.count(", unknown, "), len(unknown))

    @needs("cairo")
    def test_other_ways_to_predict_say_the_same(self):
        first = self.rows("-k1")[0]
        image = read(first["path"])
        piped = json.loads(self.ok(run("predict", self.half(), "-", "-k1", "--json", input=image)))
        self.assertEqual({**piped, "path": first["path"]}, first)
        drawn = self.rows("-k1", "--cam", "cams")[0]
        self.assertAlmostEqual(drawn["unknown_score"], first["unknown_score"], places=3)

    def test_not_wanted(self):
        plain = self.rows("--no-unknown")
        self.assertNotIn("unknown", [r["label"] for r in plain])
        self.assertEqual(set(plain[0]), {"path", "label", "probability", "top"})
        self.assertEqual([r["label"] for r in plain], [r["guess"] for r in self.rows()])
        self.ok(train("never", "--unknown-rate", "0"))
        row = json.loads(self.ok(run("predict", "never", f"{PHOTOS}/red/00.png", "--json")))
        self.assertEqual(set(row), {"path", "label", "probability", "top"})
        self.refused(run("eval", "never", self.fresh(), "--unknown", PHOTOS), 2, "train it again")
        self.refused(train("never", "--recipe", "tutorial", "--unknown-rate", "0.1"), 2, "unknown-rate")
        self.refused(train("never", "--unknown-rate", "0.6"), 2, "from 0 to 0.5")
        few = material.photos(f"{ROOT}/18 photos", 6)
        r = run("train", few, "--backbone", BACKBONE, "-o", "few photos", "--json")
        self.ok(r)
        self.assertIn(b"too few to tell unknown photos", r.stderr)

    def test_a_class_of_that_name(self):
        folder = f"{ROOT}/named so"
        shutil.copytree(PHOTOS, folder)
        os.rename(f"{folder}/blue", f"{folder}/unknown")
        self.ok(run("train", folder, "--backbone", BACKBONE, "-o", "named", "--unknown-rate", "0.5"))
        text = self.ok(run("predict", "named", self.fresh(), "--json"))
        rows = [json.loads(line) for line in text.splitlines()]
        self.assertEqual({r["unknown"] for r in rows if r["label"] == "unknown"}, {False, True})
        self.assertEqual({r["guess"] for r in rows}, {"green", "red", "unknown"})

    def test_eval(self):
        rows = self.rows()
        o = json.loads(self.ok(run("eval", self.half(), self.fresh(), "--json")))
        self.assertEqual((o["refused"], o["n"]), (sum(r["unknown"] for r in rows), 36))
        self.assertNotIn("unknown", o)
        strange = f"{ROOT}/strangers/with, odd <names>"
        for i in range(8):
            material.png(f"{strange}/{i}.png", lambda x, y: (255 * (x // (i + 1) % 2),) * 3, 40)
        shutil.copy(f"{strange}/0.png", f"{strange}/copy.png")
        shutil.copy(f"{PHOTOS}/red/00.png", f"{strange}/known.png")
        with open(f"{strange}/bad.png", "wb") as f:
            f.write(b"no picture")
        args = ["eval", self.half(), self.fresh(), "--unknown", f"{ROOT}/strangers"]
        u = json.loads(self.ok(run(*args, "--json")))["unknown"]
        self.assertEqual([u[k] for k in ("n", "known_n", "seen", "skipped")], [8, 36, 1, 1])
        self.assertEqual(u["known_refused"], o["refused"])
        self.assertTrue(0 <= u["auroc_low"] <= u["auroc"] <= u["auroc_high"] <= 1)
        text = self.ok(run(*args))
        self.assertIn(f"{u['found']} of 8 unknown photos found", text)
        self.assertLessEqual(max(map(len, text.splitlines())), 80)
        os.makedirs(f"{ROOT}/nothing here", exist_ok=True)
        self.assertEqual(run(*args[:-1], f"{ROOT}/nothing here").returncode, 3)
        self.assertEqual(run(*args[:-1], f"{ROOT}/no such folder").returncode, 3)
        self.refused(run("eval", self.half(), self.half(), *args[2:]), 2, "one model")


class Others(Case):
    def test_eval(self):
        text = self.ok(run("eval", self.model(), self.fresh()))
        self.assertLessEqual(max(map(len, text.splitlines())), 80)
        o = json.loads(self.ok(run("eval", self.model(), self.fresh(), "--json")))
        self.assertEqual(o["n"], 36)
        self.assertEqual(sum(map(sum, o["confusion"])), 36)
        self.assertEqual([c["label"] for c in o["classes"]], ["blue", "green", "red"])
        material.photos(f"{ROOT}/strange", 1)
        os.rename(f"{ROOT}/strange/red", f"{ROOT}/strange/pink")
        self.refused(run("eval", self.model(), f"{ROOT}/strange"), 3, "class pink is none of")
        os.rename(f"{ROOT}/strange/pink", f"{ROOT}/strange/R\u00e9d")
        self.refused(run("eval", self.model(), f"{ROOT}/strange"), 3,
                     "is written otherwise than the model's red")

    def test_eval_of_what_was_seen(self):
        o = json.loads(self.ok(run("eval", self.model(), PHOTOS, "--json")))
        self.assertEqual((o["accuracy"], o["n"], o["ci_low"], o["log_loss"]), (None, 0, None, None))
        self.assertEqual((o["seen"]["n"], o["copies"]), (36, 0))
        self.assertGreaterEqual(o["seen"]["accuracy"], 0.5)
        self.assertIn("learned from all 36", self.ok(run("eval", self.model(), PHOTOS)))
        folder = shutil.copytree(self.fresh(), f"{ROOT}/mixed")
        for i in range(4): # of two photos that were seen, the second under several names
            shutil.copy(f"{PHOTOS}/red/{0 if i == 0 else 1:02}.png", f"{folder}/red/seen{i}.png")
        with open(f"{folder}/red/00.png", "rb") as f, open(f"{folder}/blue/more.png", "wb") as g:
            g.write(f.read() + b"other bytes, the same picture, and in another class")
        r = run("eval", self.model(), folder, "--json")
        o = json.loads(self.ok(r))
        self.assertEqual((o["n"], o["seen"]["n"], o["copies"]), (36, 2, 3))
        self.assertIn(b"the same picture is in two classes: blue/more.png and red/00.png", r.stderr)

    def test_features(self):
        self.ok(run("features", PHOTOS, "--backbone", BACKBONE, "-o", "x.npy"))
        self.assertEqual(read(f"{ROOT}/x.npy")[:6], b"\x93NUMPY")
        self.assertEqual(len(read(f"{ROOT}/x.csv").splitlines()), 37)

    def test_info(self):
        text = self.ok(run("info", self.model()))
        self.assertIn("blue, green, red", text)
        o = json.loads(self.ok(run("info", self.model(), "--json")))
        self.assertEqual(o["trainable"], 3 * 1281)
        self.assertEqual(o["parameters"], o["trainable"] + o["non_trainable"])

    def test_bench(self):
        text = self.ok(run("bench", "--backbone", BACKBONE))
        self.assertRegex(text, r"(?m)^all threads +[0-9.]+ images/s ")
        o = json.loads(self.ok(run("bench", "--backbone", BACKBONE, "--json")))
        self.assertEqual(o["images_one_s"].keys(), {"best", "median"})
        self.assertTrue(0 < o["part_of_peak_one"] < 2)
        self.assertEqual(o["steps"], [])
        self.assertIn("step by step", self.ok(run("bench", "--backbone", BACKBONE, "--steps")))
        o = json.loads(self.ok(run("bench", "--backbone", BACKBONE, "--steps", "--json")))
        self.assertAlmostEqual(sum(s["gflop"] for s in o["steps"]), o["image_gflop"])
        self.refused(run("bench", "--backbone", "no_such_name"), 2)

    def test_what_a_file_does_not_say(self):
        told = [json.loads(self.ok(run("backbones", "import", BACKBONE, "--json", *more)))
                for more in ((), ("--scaling", "01", "--image-px", "64"))]
        self.assertEqual([t["scaling"] for t in told], ["pm1", "01"])
        self.assertEqual(told[1]["std"], [255, 255, 255])
        self.assertEqual(told[1]["image_px"], 64)
        self.assertEqual(told[0]["sha256"], told[1]["sha256"])
        self.ok(train("unscaled", "--scaling", "01"))
        model = os.path.join(ROOT, "unscaled", "model.safetensors")
        self.assertEqual(json.loads(self.ok(run("info", model, "--json")))["std"], [255, 255, 255])
        self.refused(run("backbones", "import", BACKBONE, "--scaling", "7"), 2, "pm1|01")
        self.refused(run("backbones", "import", BACKBONE, "--image-px", "9999"), 4, "1024")

    def test_backbones(self):
        self.assertIn("efficientnet_lite0", self.ok(run("backbones", "list")))
        told = self.ok(run("backbones", "import", BACKBONE))
        for word in ("safetensors", "mobilenet_v2, width 0.35", "padding tf", "pm1", "0.001",
                     "sha256 "):
            self.assertIn(word, told)
        self.refused(run("backbones", "pull", "no_such_name"), 2)
        self.refused(run("backbones", "pull"), 2)

    def test_a_terminal_sees_one_line_within_its_width(self):
        try:
            master, slave = pty.openpty()
        except OSError as e:
            self.skipTest(f"no pseudo terminal: {e}")
        subprocess.run(["stty", "cols", "40"], stdin=slave, check=True)
        env = {**ENV, "HEADSTART_CACHE": os.path.join(ROOT, "cache-terminal")}
        p = subprocess.Popen([PROGRAM, "features", PHOTOS, "--backbone", BACKBONE, "--threads", "1",
                              "-o", "t.npy"], cwd=ROOT, env=env, stdout=subprocess.DEVNULL,
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
        self.assertEqual(p.wait(60), 0)
        drawn = [s.split("\r\n")[0] for s in seen.decode().split("\r\x1b[K")[1:]]
        self.assertTrue(drawn)
        self.assertLess(max(map(len, (s for s in drawn if "%" in s or "..." in s))), 40)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
