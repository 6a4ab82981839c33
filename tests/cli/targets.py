#!/usr/bin/env python3
"""headstart on photos with several labels, and with a number, as its users run it.

    tests/cli/targets.py PROGRAM
"""
import csv
import io
import json
import os
import unittest

import material
from run import BACKBONE, ROOT, Case, read, run, setUpModule, tearDownModule  # noqa: F401

# Of each colour of material.COLOURS: its labels, and a number.
LABELS = {"blue": "cold", "green": "", "red": "cold|lively"}
NUMBERS = {"blue": 10, "green": 20, "red": 60}


def lists(name, per_class, seed):
    """NAME/labels.csv and NAME/numbers.csv over new photos; every number is a little off."""
    folder = f"{ROOT}/{name}"
    material.photos(f"{folder}/images", per_class, seed=seed)
    with open(f"{folder}/labels.csv", "w") as f, open(f"{folder}/numbers.csv", "w") as g:
        f.write("path,labels\n")
        g.write("path,warmth\n")
        for colour, labels in LABELS.items():
            for i in range(per_class):
                f.write(f"images/{colour}/{i:02}.png,{labels}\n")
                g.write(f"images/{colour}/{i:02}.png,{NUMBERS[colour] + i % 5 / 2}\n")


def train(name, output, *more):
    return run("train", name, "--backbone", BACKBONE, "-o", output, *more)


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


class Targets(Case):
    @classmethod
    def setUpClass(cls):
        lists("many", 16, 21)
        lists("held", 6, 22)
        for kind, options in (("labels", ["--multi-label"]), ("numbers", ["--target", "warmth"])):
            r = train(f"many/{kind}.csv", f"of {kind}", *options)
            assert r.returncode == 0, r.stderr
            setattr(cls, kind, r.stdout.decode())
        cls.photos = [f"held/images/{c}/00.png" for c in LABELS]

    def test_labels_are_learned(self):
        self.assertRegex(self.labels, r"^mAP +[01]\.\d+ \(95 % interval .*48 photos, out of fold\)")
        self.assertIn("\nF1 ", self.labels)
        self.assertIn("\nhold-out ", self.labels)
        self.assertEqual(read(f"{ROOT}/of labels/labels.txt"), b"cold\nlively\n")
        rows = table(read(f"{ROOT}/of labels/split.csv").decode())
        self.assertEqual({r["labels"] for r in rows}, set(LABELS.values()))
        rows = table(read(f"{ROOT}/of labels/predictions.csv").decode())
        self.assertEqual(len(rows), 48)
        self.assertEqual(set(rows[0]), {"path", "true", "predicted", "p_cold", "p_lively"})
        right = sum(r["true"] == r["predicted"] for r in rows)
        self.assertGreater(right, 40)
        self.assertEqual(json.loads(read(f"{ROOT}/of labels/args.json"))["target"], "labels")

    def test_a_number_is_learned(self):
        self.assertRegex(self.numbers, r"^error +\d+(\.\d+)? in the mean \(95 % interval .*48 photos")
        self.assertIn("\nR2 ", self.numbers)
        rows = table(read(f"{ROOT}/of numbers/predictions.csv").decode())
        self.assertEqual(set(rows[0]), {"path", "true", "predicted"})
        off = sorted(abs(float(r["true"]) - float(r["predicted"])) for r in rows)
        self.assertLess(off[24], 12)
        self.assertEqual(read(f"{ROOT}/of numbers/labels.txt"), b"warmth\n")

    def test_the_result_as_json(self):
        r = json.loads(self.ok(train("many/labels.csv", "json labels", "--multi-label", "--json")))
        self.assertEqual(r["target"], "labels")
        self.assertTrue(r["ci_low"] <= r["map"] <= r["ci_high"])
        self.assertEqual([c["label"] for c in r["classes"]], ["cold", "lively"])
        self.assertNotIn("confusion", r)
        self.assertNotIn("accuracy", r)
        self.assertEqual(r["estimate"], "out-of-fold")
        self.assertIn("map", r["holdout"])
        r = json.loads(self.ok(train("many/numbers.csv", "json numbers", "--target", "warmth",
                                     "--json")))
        self.assertEqual((r["target"], r["name"]), ("number", "warmth"))
        self.assertEqual(set(r["metrics"]), {"mae", "rmse", "r2", "median_absolute_error",
                                             "coverage_80", "coverage_95"})

    def test_the_same_bytes(self):
        self.ok(train("many/labels.csv", "again", "--multi-label", "--threads", "3"))
        self.assertEqual(read(f"{ROOT}/again/model.safetensors"),
                         read(f"{ROOT}/of labels/model.safetensors"))

    def test_pages(self):
        for kind, has, has_not in (("labels", "id=\"classes\"", "id=\"numbers\""),
                                   ("numbers", "id=\"numbers\"", "id=\"classes\"")):
            page = read(f"{ROOT}/of {kind}/report.html").decode()
            self.assertIn(has, page)
            for section in (has_not, "id=\"matrix\"", "id=\"pairs\"", "id=\"calibration\"",
                            "id=\"growth\""):
                self.assertNotIn(section, page)

    def test_labels_are_evaluated(self):
        r = json.loads(self.ok(run("eval", "of labels", "held/labels.csv", "--json")))
        self.assertEqual((r["n"], r["seen"]["n"]), (18, 0))
        self.assertEqual(set(r["metrics"]), {
            "map", "micro_f1", "macro_f1", "micro_precision", "micro_recall", "macro_precision",
            "macro_recall", "subset_accuracy", "hamming_loss", "log_loss"})
        self.assertEqual(r["metrics"]["map"]["value"], r["map"])
        text = self.ok(run("eval", "of labels", "held/labels.csv"))
        for word in ("mAP", "micro F1", "Hamming loss", "threshold", "lively"):
            self.assertIn(word, text)
        r = json.loads(self.ok(run("eval", "of labels", "many/labels.csv", "--json")))
        self.assertEqual((r["n"], r["seen"]["n"], r["map"]), (0, 48, None))

    def test_a_number_is_evaluated(self):
        r = json.loads(self.ok(run("eval", "of numbers", "held/numbers.csv", "--json")))
        self.assertEqual(r["n"], 18)
        self.assertGreater(r["metrics"]["r2"]["value"], 0.5)
        self.assertIn("RMSE", self.ok(run("eval", "of numbers", "held/numbers.csv")))

    def test_labels_are_predicted(self):
        lines = self.ok(run("predict", "of labels", *self.photos)).splitlines()
        for line, said in zip(lines, LABELS.values()):
            got = {w.split()[0] for w in line.split(": ")[1].split(", ")}
            self.assertEqual(got, set(said.split("|")) if said else {"no"}, line)
        some = [json.loads(s) for s in
                self.ok(run("predict", "of labels", *self.photos, "--json")).splitlines()]
        for o, said in zip(some, LABELS.values()):
            self.assertEqual("|".join(sorted(x["label"] for x in o["labels"])), said)
            self.assertEqual([x["label"] for x in o["all"]], ["cold", "lively"])
        rows = table(self.ok(run("predict", "of labels", *self.photos, "-f", "csv")))
        self.assertEqual([sorted(r["labels"].split("|")) for r in rows],
                         [s.split("|") for s in LABELS.values()])
        self.assertAlmostEqual(float(rows[0]["p_cold"]), some[0]["all"][0]["probability"], 8)

    def test_a_threshold_of_ones_own(self):
        self.assertTrue(self.ok(run("predict", "of labels", self.photos[1])).endswith(
            ": no label\n"))
        line = self.ok(run("predict", "of labels", self.photos[1], "--threshold", "1e-9"))
        self.assertIn("cold", line)
        self.assertIn("lively", line)

    def test_a_number_is_predicted(self):
        o = json.loads(self.ok(run("predict", "of numbers", self.photos[2], "--json")))
        self.assertEqual(o["name"], "warmth")
        self.assertLess(abs(o["number"] - NUMBERS["red"]), 20)
        low, high = o["interval_95"]
        self.assertTrue(low < o["interval_80"][0] < o["number"] < o["interval_80"][1] < high)
        row = table(self.ok(run("predict", "of numbers", self.photos[2], "-f", "csv")))[0]
        self.assertAlmostEqual(float(row["number"]), o["number"], 6)
        self.assertLess(abs(float(row["low_95"]) - low), 1e-5)
        self.assertRegex(self.ok(run("predict", "of numbers", self.photos[2])),
                         r": warmth [\d.]+ \(95 % interval [\d.-]+ to [\d.]+\)")

    def test_where_a_label_was_seen(self):
        self.ok(run("predict", "of labels", self.photos[0], "--cam", "maps"))
        self.assertEqual(os.listdir(f"{ROOT}/maps"), ["00.cam.png"])

    def test_info(self):
        o = json.loads(self.ok(run("info", "of labels", "--json")))
        self.assertEqual(o["target"]["kind"], "labels")
        self.assertEqual(len(o["target"]["thresholds"]), 2)
        o = json.loads(self.ok(run("info", "of numbers", "--json")))
        self.assertEqual(o["target"]["range"], [10, 62])
        self.assertIn("warmth", self.ok(run("info", "of numbers")))

    def test_what_is_for_one_class_is_refused(self):
        for options, words in ((("--recipe", "tutorial"), "recipe tutorial"),
                               (("--fine-tune",), "recipe fine-tune"),
                               (("--prior", "balanced"), "prior"),
                               (("--class-weight", "balanced"), "class-weight"),
                               (("--augmented", "1"), "augmented"),
                               (("--robust", "drop"), "robust"),
                               (("--effort", "1"), "effort"),
                               (("--learning-curve",), "learning-curve")):
            for kind, target in (("labels", ["--multi-label"]), ("numbers", ["--target", "warmth"])):
                r = train(f"many/{kind}.csv", "none", *target, *options)
                self.assertEqual(r.returncode, 2, r.stderr)
                self.assertIn(words, r.stderr.decode().splitlines()[-1])
                self.assertFalse(os.path.exists(f"{ROOT}/none"))
        for kind in ("labels", "numbers"):
            m = f"of {kind}"
            self.refused(run("sort", m, "held", "--into", "sorted"), 2, m, "one folder")
            self.refused(run("predict", m, "held", "--labelled"), 2, "--labelled")
            self.refused(run("eval", m, m, f"held/{kind}.csv"), 2, "comparing")
            self.refused(run("eval", m, f"held/{kind}.csv", "--min-accuracy", ".5"), 2,
                         "--min-accuracy")
            self.refused(run("eval", m, f"held/{kind}.csv", "--unknown", "held"), 2, "unknown")
        self.refused(run("predict", "of numbers", self.photos[0], "--threshold", ".5"), 2,
                     "--threshold")
        self.refused(run("predict", self.model(), self.photos[0], "--threshold", ".5"), 2,
                     "--threshold")


if __name__ == "__main__":
    unittest.main(argv=["targets.py"], verbosity=1)
