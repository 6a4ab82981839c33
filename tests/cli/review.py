#!/usr/bin/env python3
"""headstart review as its users run it: what it finds, what it writes, and the plan when it is run.

    tests/cli/review.py PROGRAM
"""
import csv
import json
import os
import shutil
import subprocess
import unittest

import material
from run import BACKBONE, ROOT, Case, read, run, setUpModule, tearDownModule  # noqa: F401

STRANGE = "it's <b>&\" $(touch oops)\n-n.png"


def review(*words):
    return run("review", *words, "--backbone", BACKBONE)


def listing(folder):
    return {os.path.relpath(os.path.join(at, f), folder): read(os.path.join(at, f))
            for at, _, files in os.walk(folder) for f in files}


class Review(Case):
    @classmethod
    def wrong(cls, name):
        """20 photos a class; a green and a blue one are among the red ones, a red one twice."""
        folder = f"{ROOT}/{name}"
        material.photos(folder, 20)
        os.rename(f"{folder}/green/03.png", f"{folder}/red/{STRANGE}")
        os.rename(f"{folder}/blue/07.png", f"{folder}/red/blue 07.png")
        shutil.copy(f"{folder}/red/05.png", f"{folder}/red/5 again.png")
        with open(f"{folder}/red/broken.png", "wb") as f:
            f.write(b"no picture")
        return folder

    def test_wrong_labels_come_first(self):
        folder = self.wrong("first")
        before = listing(folder)
        o = json.loads(self.ok(review("first", "-o", "look 1", "--json")))
        self.assertEqual(listing(folder), before)
        self.assertEqual((o["n"], o["skipped"], len(o["photos"])), (61, 1, 61))
        clean = STRANGE.replace("\n", "?")
        self.assertEqual({(p["path"], p["label"], p["suggested"]) for p in o["photos"][:2]},
                         {(f"first/red/{clean}", "red", "green"),
                          ("first/red/blue 07.png", "red", "blue")})
        scores = [p["score"] for p in o["photos"]]
        self.assertEqual(scores, sorted(scores, reverse=True))
        self.assertTrue(all(0 <= s <= 1 for s in scores))
        self.assertEqual(o["wrong"], sum(p["wrong"] for p in o["photos"]))
        self.assertTrue(o["photos"][0]["wrong"] and o["photos"][1]["wrong"])
        self.assertEqual(o["copies"], [["first/red/05.png", "first/red/5 again.png"]])
        for name in ("outliers", "hard"):
            self.assertEqual(sorted(p["path"] for p in o[name]),
                             sorted(p["path"] for p in o["photos"] if p[name.rstrip("s")]))
        again = json.loads(self.ok(review("first", "-o", "look 1", "--json", "--threads", "1")))
        self.assertEqual(again["photos"], o["photos"])
        rows = list(csv.DictReader(read(f"{ROOT}/look 1/review.csv").decode().splitlines(True)))
        self.assertEqual([r["path"].replace("\n", "?") for r in rows],
                         [p["path"] for p in o["photos"]])
        for r, score in zip(rows, scores):
            self.assertAlmostEqual(float(r["score"]), score, places=12)

    def test_text(self):
        self.wrong("text")
        text = self.ok(review("text"))
        self.assertRegex(text, r"^61       photos\n\d+ +labels are likely wrong\n")
        self.assertIn("\n1        picture is there more than once\n", text)
        self.assertIn("\n1        photo could not be used\n", text)
        self.assertRegex(text, r"\nscore  label  suggested  photo\n0\.\d{3}  red    (green|blue) ")
        self.assertIn("runs/review/plan.sh", text)
        self.assertEqual(set(os.listdir(f"{ROOT}/runs/review")),
                         {"plan.sh", "review.csv", "review.html"})

    def test_the_page_needs_nothing(self):
        self.wrong("page")
        self.ok(review("page", "-o", "page out"))
        page = read(f"{ROOT}/page out/review.html").decode()
        self.assertIn("default-src 'none'", page)
        self.assertNotRegex(page, r"<script|https?://|style=|onload|<b>&amp;&quot; \$")
        self.assertIn("it&#39;s &lt;b&gt;&amp;&quot; $(touch oops)?-n.png", page)
        self.assertGreaterEqual(page.count("data:image/jpeg;base64,"), 4)

    def test_the_plan_moves_what_it_says_and_nothing_else(self):
        folder = self.wrong("plan")
        before = listing(folder)
        o = json.loads(self.ok(review("plan", "-o", "plan out", "--json")))
        with open(f"{folder}/blue/blue 07.png", "wb") as f:
            f.write(b"was there before")
        r = subprocess.run(["sh", os.path.join(ROOT, "plan out/plan.sh")], cwd="/",
                           capture_output=True, check=True)
        self.assertIn(b"left, the name is taken: plan/red/blue 07.png", r.stdout)
        want = dict(before)
        for p in o["photos"]:
            if p["wrong"] and "blue 07" not in p["path"]:
                at = p["path"].split("/", 2)[2].replace("?", "\n")
                want[f"{p['suggested']}/{at}"] = want.pop(f"{p['label']}/{at}")
        self.assertIn(f"green/{STRANGE}", want)
        want["blue/blue 07.png"] = b"was there before"
        self.assertEqual(listing(folder), want)
        self.assertFalse(os.path.exists(f"{ROOT}/oops"))

    def test_copies_go_aside_where_a_folder_is_named(self):
        folder = self.wrong("copies")
        self.ok(review("copies", "-o", "copies out"))
        plan = read(f"{ROOT}/copies out/plan.sh").decode()
        plan = plan.replace("aside=''", f"aside='{ROOT}/aside'")
        subprocess.run(["sh"], input=plan.encode(), cwd="/", check=True, capture_output=True)
        self.assertIn("5 again.png", os.listdir(f"{ROOT}/aside"))
        self.assertFalse(os.path.exists(f"{folder}/red/5 again.png"))

    def test_models_and_runs(self):
        self.wrong("trained")
        self.ok(run("train", "trained", "--backbone", BACKBONE, "-o", "run 1"))
        of = [json.loads(self.ok(run("review", *words, "--json"))) for words in
              (["run 1"], ["run 1/model.safetensors"], ["run 1", "trained"])]
        of.append(json.loads(self.ok(review("trained", "--json"))))
        for o in of[1:]:
            self.assertEqual(o["photos"], of[0]["photos"])
        os.makedirs(f"{ROOT}/alone")
        shutil.copy(f"{ROOT}/run 1/model.safetensors", f"{ROOT}/alone")
        self.refused(run("review", "alone"), 2, "name the folder behind it")
        os.rename(f"{ROOT}/trained", f"{ROOT}/trained elsewhere")
        self.refused(run("review", "run 1"), 3, "trained")
        self.ok(run("review", "run 1", "trained elsewhere"))
        self.refused(review("trained elsewhere", "trained elsewhere"), 2, "holds no model")

    def test_few_photos(self):
        for name, classes, n in (("one class", ["red"], 3), ("one photo", ["red"], 1),
                                 ("one each", ["red", "blue"], 1), ("two each", ["red", "blue"], 2)):
            material.photos(f"{ROOT}/{name}", n, classes)
            o = json.loads(self.ok(review(name, "-o", "few", "--json")))
            self.assertEqual(o["n"], n * len(classes))
            self.assertEqual((o["outliers"], o["copies"]), ([], []))
            if name != "two each":
                self.assertEqual(o["wrong"], 0)
        os.makedirs(f"{ROOT}/empty")
        self.refused(review("empty"), 3)
        self.refused(review("nowhere"), 3, "nowhere")

    def test_moves_of_photos_in_sides(self):
        for side, seed in (("train", 1), ("val", 2)):
            material.photos(f"{ROOT}/sides/{side}", 15, seed=seed)
        os.rename(f"{ROOT}/sides/train/green/04.png", f"{ROOT}/sides/train/red/g.png")
        self.ok(review("sides", "-o", "sides out"))
        plan = read(f"{ROOT}/sides out/plan.sh").decode()
        self.assertIn("relabel 'sides/train/red/g.png' 'sides/train/green/g.png'\n", plan)


class Curve(Case):
    """train --learning-curve: what more photos would bring."""

    def test_curve(self):
        words = ["train", material.photos(f"{ROOT}/curve", 20), "--backbone", BACKBONE,
                 "--learning-curve", "-o", "curve run"]
        c = json.loads(self.ok(run(*words, "--json")))["learning_curve"]
        self.assertEqual([p["part"] for p in c["points"]], [.1, .2, .4, .8, 1])
        self.assertAlmostEqual(c["points"][-1]["photos"], 48)
        for p in c["points"]:
            self.assertTrue(0 <= p["ci_low"] <= p["accuracy"] <= p["ci_high"] <= 1)
        self.assertLessEqual(c["gain_low"], c["gain_high"])
        self.assertIn(f"\ncurve    {c['words']}\n", self.ok(run(*words)))
        self.assertRegex(c["words"], rf"\b{c['more_photos']} more photos would bring about \+")
        with open(f"{ROOT}/curve run/model.safetensors", "rb") as f:
            model = f.read()
        self.ok(run(*words[:4], "-o", "curve run"))  # the curve changes no model
        self.assertEqual(read(f"{ROOT}/curve run/model.safetensors"), model)

    def test_few_photos_have_none(self):
        r = run("train", material.photos(f"{ROOT}/few to learn", 4), "--backbone", BACKBONE,
                "--learning-curve", "-o", "few run", "--json")
        self.assertNotIn("learning_curve", json.loads(self.ok(r)))
        self.assertIn(b"no learning curve", r.stderr)
        self.refused(run("train", "curve", "--recipe", "fine-tune", "--learning-curve"), 2)


if __name__ == "__main__":
    unittest.main(argv=["review.py"])
