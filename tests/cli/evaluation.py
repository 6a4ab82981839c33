#!/usr/bin/env python3
"""headstart eval as its users run it, and the word that names a model.

    tests/cli/evaluation.py PROGRAM
"""
import json
import os
import re
import shutil
import unittest

from run import BACKBONE, PHOTOS, ROOT, Case, material, run, train
from run import setUpModule, tearDownModule  # noqa: F401


class Model(Case):
    """A file or a run's folder; what stands in the wrong place is said."""

    def test_a_run_folder_is_a_model(self):
        folder, photo = os.path.dirname(self.model()), f"{PHOTOS}/red/00.png"
        for words in (["eval", "{}", PHOTOS, "--json"], ["predict", "{}", photo], ["info", "{}"]):
            a, b = (self.ok(run(*(w.format(m) for w in words)))
                    for m in (folder, self.model()))
            self.assertEqual(a.replace(f'"{folder}"', f'"{self.model()}"'), b)
        self.ok(run("predict", folder + "/", photo))

    def test_words_in_the_wrong_order(self):
        photo = f"{PHOTOS}/red/00.png"
        self.refused(run("predict", photo, self.model()), 4, f"{photo} is a photo (PNG); the model comes first")
        for command in ("eval", "predict"):
            self.refused(run(command, PHOTOS, self.model()), 4,
                         f"{PHOTOS} is a folder of photos; the model comes first")
        self.refused(run("info", photo), 4, "is a photo (PNG), not a model")
        self.refused(run("eval", self.model(), self.model()), 3,
                     "is a model; the folder of photos comes last")
        self.refused(run("eval", self.model(), os.path.dirname(self.model())), 3,
                     "is a model; the folder of photos comes last")

    def test_folders_that_hold_no_model(self):
        for name in ("no_model", "not_ended"):
            os.makedirs(f"{ROOT}/{name}")
        with open(f"{ROOT}/not_ended/checkpoint.safetensors", "wb"):
            pass
        self.refused(run("info", "no_model"), 4, "no_model: a folder without model.safetensors")
        self.refused(run("info", "not_ended"), 4, "has not ended", "--resume")
        self.refused(run("info", "nowhere"), 4, "nowhere")


class Evaluation(Case):
    NAMES = {"accuracy", "top_2", "top_3", "top_5", "balanced_accuracy", "macro_precision",
             "macro_recall", "macro_f1", "weighted_precision", "weighted_recall", "weighted_f1",
             "log_loss", "brier", "auroc", "calibration_error"}

    @classmethod
    def muddled(cls):
        """The fresh photos, four of which have a wrong label."""
        path = f"{ROOT}/muddled"
        if not os.path.exists(path):
            shutil.copytree(cls.fresh(), path)
            for i in range(4):
                os.rename(f"{path}/blue/{i:02}.png", f"{path}/green/blue{i}.png")
        return path

    def json(self, *args):
        return json.loads(self.ok(run("eval", *args, "--json")))

    def test_text(self):
        """What a person looks for is there, in this order, in 80 columns."""
        text = self.ok(run("eval", self.model(), self.muddled()))
        self.assertLessEqual(max(map(len, text.splitlines())), 80)
        at = [text.index(word) for word in (
            "accuracy 0.", "balanced accuracy ", "top 2", "macro F1", "AUROC", "log loss",
            "Brier", "calibration error", "most confused", "\nclass ", "confusion matrix",
            "how often it was right")]
        self.assertEqual(at, sorted(at))
        self.assertRegex(text, r"(?m)^macro F1 +0\.\d{3}  0\.\d{3}-[01]\.\d{3}  ")
        self.assertRegex(text, r"(?m)^blue +\d\.\d{3} +\d\.\d{3}  \d\.\d{3}-\d\.\d{3} +\d\.\d{3}"
                               r" +\d\.\d{3} +8$")

    def test_json(self):
        o = self.json(self.model(), self.muddled())
        self.assertEqual((o["schema"], o["n"], o["seen"]["n"], o["copies"]), (1, 36, 0, 0))
        self.assertEqual(set(o["metrics"]), self.NAMES)
        for name, m in o["metrics"].items():
            low, high = m["interval"]
            self.assertTrue(low <= m["value"] <= high, (name, m))
        self.assertEqual(o["metrics"]["accuracy"], {"value": o["accuracy"], "interval": [o["ci_low"], o["ci_high"]]})
        self.assertEqual(o["metrics"]["log_loss"]["value"], o["log_loss"])
        for c, row, parts in zip(o["classes"], o["confusion"], o["confusion_normalised"]):
            self.assertEqual([round(p * sum(row), 9) for p in parts], row)
            for name, (low, high) in c["intervals"].items():
                self.assertTrue(low <= c[name] <= high, c)
        wrong = [(o["classes"][t]["label"], o["classes"][g]["label"], n)
                 for t, row in enumerate(o["confusion"]) for g, n in enumerate(row) if n and t != g]
        self.assertEqual([(p["label"], p["predicted"], p["n"]) for p in o["confused"]],
                         sorted(wrong, key=lambda p: -p[2]))
        bins = o["calibration"]["bins"]
        self.assertEqual((len(bins), sum(b["n"] for b in bins)), (15, 36))
        error = sum(b["n"] * abs(b["accuracy"] - b["confidence"]) for b in bins if b["n"]) / 36
        self.assertAlmostEqual(o["calibration"]["error"], error, places=12)
        record = json.loads(self.ok(run("info", self.model(), "--json")))["record"]
        self.assertAlmostEqual(o["calibration"]["temperature"], float(record["temperature"]))

    def test_threads_change_no_byte(self):
        a, b = (self.ok(run("eval", self.model(), self.fresh(), "--json", "--threads", n, "--no-store"))
                for n in ("1", "3"))
        self.assertEqual(a, b)

    def test_a_page_for_each_model(self):
        text = self.ok(run("eval", self.model(), self.muddled(), "-o", "pages/one/"))
        self.assertTrue(text.endswith("\nreport   pages/one/report.html\n"), text)
        self.assertEqual(set(os.listdir(f"{ROOT}/pages/one")), {"report.html", "predictions.csv"})
        with open(f"{ROOT}/pages/one/report.html", encoding="utf-8") as f:
            page = f.read()
        plain = re.sub("<wbr>", "", page)
        self.assertIn(f"judged by {self.model()}", plain)
        self.assertIn("Content-Security-Policy", page)
        self.assertIn("This evaluation", page)
        self.assertIn('<image id="q0"', page)  # of a wrong photo what speaks for its label
        self.assertEqual(page.count('<use href="#q0"/>'), 1)
        self.assertIn("green/blue0.png</span>", plain)  # a path from the folder on
        o = self.json(self.model(), self.model(), self.muddled(), "-o", "pages/two")
        self.assertEqual([m["report"] for m in o["models"]],
                         [f"pages/two/{c}/report.html" for c in "AB"])
        for m in o["models"]:
            self.assertTrue(os.path.exists(f"{ROOT}/{m['report']}"))

    def test_a_page_that_cannot_be_written(self):
        """Asked for, it is a failure; where nobody asked, a warning."""
        nowhere = f"{ROOT}/a_file/x"
        with open(f"{ROOT}/a_file", "wb"):
            pass
        self.refused(run("eval", "-q", self.model(), PHOTOS, "-o", nowhere), 6, "a_file")
        os.makedirs(f"{ROOT}/plain")
        with open(f"{ROOT}/plain/runs", "wb"):
            pass
        r = run("eval", self.model(), PHOTOS, "--json", cwd=f"{ROOT}/plain")
        self.assertIsNone(json.loads(self.ok(r))["report"])
        self.assertIn(b"warning: no report was written", r.stderr)

    def test_seen_and_copies_are_words(self):
        folder = shutil.copytree(self.fresh(), f"{ROOT}/words")
        for i in range(3):
            shutil.copy(f"{PHOTOS}/red/00.png", f"{folder}/red/seen{i}.png")
        shutil.copy(f"{PHOTOS}/red/01.png", f"{folder}/red/other.png")
        text = self.ok(run("eval", self.model(), folder))
        self.assertTrue(text.startswith(
            "2 of these 40 photos were trained on and 2 are copies of others; the other 36:\n"
            "accuracy "), text)
        self.assertIn(" of the 2 trained on: says nothing", text)
        shutil.rmtree(folder)
        shutil.copytree(self.fresh(), folder)
        shutil.copy(f"{folder}/red/00.png", f"{folder}/red/copy.png")
        self.assertTrue(self.ok(run("eval", self.model(), folder)).startswith(
            "1 of these 37 photos are copies of others; the other 36:\naccuracy "))
        text = self.ok(run("eval", self.model(), PHOTOS))
        self.assertTrue(text.startswith("accuracy cannot be measured"))
        self.assertRegex(text, r"in training it was \d\.\d{3} \(\d\.\d{3}-\d\.\d{3}\), out of fold\nreport   ")
        o = self.json(self.model(), PHOTOS)
        self.assertEqual((o["metrics"]["auroc"], o["confused"]), ({"value": None, "interval": None}, []))

    def test_least_accuracy(self):
        words = ("eval", self.model(), self.fresh())
        low = self.json(*words[1:])["ci_low"]
        for x, status in ((low - 1e-6, 0), (low + 1e-6, 1)):
            for more in ((), ("--json",)):
                r = run(*words, "--min-accuracy", f"{x:.9f}", "-q", *more)
                self.assertEqual(r.returncode, status, r.stderr)
                self.assertEqual(r.stdout, run(*words, *more, "-q").stdout)
                self.assertEqual(b"its interval begins at" in r.stderr, status == 1)
        r = run("eval", self.model(), PHOTOS, "--min-accuracy", "0.001", "-q")
        self.assertEqual(r.returncode, 1)
        self.assertIn(b"no accuracy could be measured", r.stderr)
        for x in ("1", "0", "1.5", "x"):
            self.refused(run(*words, "--min-accuracy", x), 2, "between 0 and 1")

    def test_few_classes_and_photos(self):
        for per_class, classes in ((1, ("red",)), (1, ("blue", "red")), (3, ("green",))):
            folder = material.photos(f"{ROOT}/few{per_class}{len(classes)}", per_class, classes, 9)
            text = self.ok(run("eval", self.model(), folder))
            self.assertRegex(text, r"\d more class(es)? of the model: no photo here|class ")
            self.assertEqual(self.json(self.model(), folder)["n"], per_class * len(classes))


class Comparison(Case):
    @classmethod
    def other(cls):
        path = f"{ROOT}/other"
        if not os.path.exists(path):
            r = train(path, "--recipe", "tutorial", "--epochs", "1", "--batch", "8", "--split", "stable")
            assert r.returncode == 0, r.stderr
        return path

    def test_two_models(self):
        words = [os.path.dirname(self.model()), self.other(), self.fresh()]
        o = json.loads(self.ok(run("eval", *words, "--json")))
        a, b = o["models"]
        self.assertEqual((o["schema"], o["n"], a["model"], b["model"]), (1, 36, words[0], words[1]))
        self.assertEqual(b["right"] - a["right"], b["only_this"] - b["only_first"])
        self.assertEqual(len(o["differ"]), b["only_this"] + b["only_first"])
        for m, word in ((a, words[0]), (b, words[1])):
            alone = json.loads(self.ok(run("eval", word, words[2], "--json")))
            self.assertEqual((m["accuracy"], m["ci_low"]), (alone["accuracy"], alone["ci_low"]))
        self.assertEqual((o["p_value"], o["p_value"]), (b["p_value"], b["p_adjusted"]))
        for p in o["differ"]:
            self.assertEqual(sum(p["label"] == guess for guess in p["predicted"]), 1)
        text = self.ok(run("eval", *words))
        self.assertTrue(text.startswith(o["verdict"] + "\n36 of 36 photos count: "), text)
        self.assertLessEqual(max(map(len, text.splitlines()[1:])), 80)
        if b["verdict"] == "not distinguishable":
            self.assertRegex(o["verdict"], r"^not distinguishable: \d+ photos? right only with .*, p = ")
        else:
            better = words[b["verdict"] == "better"]
            self.assertTrue(o["verdict"].startswith(better + " is better: "))

    def test_a_model_is_as_good_as_itself(self):
        o = json.loads(self.ok(run("eval", *[self.model()] * 3, self.fresh(), "--json")))
        self.assertEqual((o["p_value"], o["differ"], len(o["models"])), (1, [], 3))
        self.assertIn("not distinguishable from ", o["verdict"])

    def test_only_what_no_model_has_seen(self):
        part = material.photos(f"{ROOT}/part", 12, seed=8) # the fresh ones
        material.photos(f"{ROOT}/part", 14, seed=10)
        self.ok(run("train", part, "--backbone", BACKBONE, "-o", "learned_part"))
        o = json.loads(self.ok(run("eval", self.model(), "learned_part", part, "--json")))
        self.assertEqual((o["n"], o["p_value"], o["differ"]), (0, None, []))
        self.assertTrue(o["verdict"].startswith("nothing to compare"))
        self.assertEqual([m["accuracy"] for m in o["models"]], [None, None])
        r = run("eval", self.model(), "learned_part", part, "--min-accuracy", "0.1")
        self.assertEqual((r.returncode, r.stdout[:18]), (1, b"nothing to compare"))

    def test_what_cannot_be_compared(self):
        self.refused(run("eval", *[self.model()] * 27, self.fresh()), 2, "at most 26 models")
        self.refused(run("eval", self.model(), self.fresh(), self.model()), 4,
                     "is a folder of photos; the model comes first")
        self.refused(run("eval", self.model(), "nowhere", self.fresh()), 4, "nowhere")
        two = material.photos(f"{ROOT}/two", 3, ("blue", "red"))
        self.ok(run("train", two, "--backbone", BACKBONE, "-o", "of_two"))
        self.refused(run("eval", "-q", self.model(), "of_two", self.fresh()), 3,
                     "of_two: class green is none of the model's 2")


if __name__ == "__main__":
    unittest.main(argv=["evaluation.py"])
