#!/usr/bin/env python3
"""Features of lower precision, from the command line.

    tests/cli/precision.py PROGRAM
"""
import json
import os
import subprocess
import unittest

import material
from pixels import Predicts
from run import BACKBONE, ENV, PHOTOS, PROGRAM, ROOT, read, run, setUpModule, tearDownModule  # noqa: F401


def faster():
    """The precisions that are faster with the kernels in use, as info tells."""
    told = json.loads(run("info", "--devices", "--json").stdout)
    return [name for name in ("bf16", "int8") if told["precisions"][name] == "faster"]


class Precision(Predicts):
    def features(self, *words):
        r = run("features", PHOTOS, "--backbone", BACKBONE, "-o", "precision.npy", *words)
        self.ok(r)
        return r.stderr.decode(), read(f"{ROOT}/precision.npy")

    def train(self, to, *words):
        r = run("train", PHOTOS, "--backbone", BACKBONE, "-o", to, *words)
        self.ok(r)
        return r.stderr.decode(), read(f"{ROOT}/{to}/model.safetensors")

    def test_no_precisions(self):
        for command in ("train", "features"):
            for word in ("fp16", "BF16", "", "8", "INT8"):
                self.refused(run(command, PHOTOS, "--backbone", BACKBONE, "--precision", word), 2, "--precision",
                             "fp32|bf16|int8|auto")
        self.refused(run("bench", "--precision", "auto"), 2, "fp32|bf16|int8")
        for words in (["--fine-tune"], ["--recipe", "fine-tune"], ["--recipe", "tutorial", "--fine-tune"]):
            with self.subTest(words):
                self.refused(run("train", PHOTOS, "--backbone", BACKBONE, "--precision", "int8", "-o", "refused", *words),
                             2, "learns in fp32 or bf16, not in int8")
        self.assertFalse(os.path.exists(f"{ROOT}/refused"))

    def test_features_are_of_their_own(self):
        _, usual = self.features()
        _, low = self.features("--precision", "bf16")
        self.assertNotEqual(usual, low)
        self.assertEqual(self.features("--precision", "fp32")[1], usual)
        said, again = self.features("--precision", "bf16", "--threads", "1")
        self.assertIn("36 of 36 photos were in the store", said)
        self.assertEqual((again, self.features("--precision", "bf16", "--no-store", "--threads", "1")[1]), (low, low))
        both = self.ok(run("features", PHOTOS, "--backbone", f"{BACKBONE}+{BACKBONE}", "--precision", "bf16", "-o",
                           "both.npy", "--json"))
        self.assertEqual(json.loads(both)["precision"], "bf16")
        size = len(low) - 128
        self.assertEqual(len(read(f"{ROOT}/both.npy")) - 128, 2 * size)

    def test_the_model_says_it(self):
        _, usual = self.train("usual")
        self.assertEqual(self.train("said", "--precision", "fp32")[1], usual)
        self.assertNotIn(b'"precision"', usual)
        _, low = self.train("low", "--precision", "bf16", "--final", "train")
        self.assertIn(b'"precision":"bf16"', low)
        self.assertIn(b'"format_version":"5"', low)
        model = f"{ROOT}/low/model.safetensors"
        self.predicts_as_in_training(PHOTOS, f"{ROOT}/low")
        self.assertIn("per photo, bf16", self.ok(run("info", model)))
        told = json.loads(self.ok(run("info", model, "--json")))
        self.assertEqual((told["precision"], told["record"]["precision"]), ("bf16", "bf16"))
        self.assertIn("accuracy", self.ok(run("eval", model, PHOTOS, "-o", "low-eval")))
        r = run("features", PHOTOS, "--backbone", model, "-o", "model.npy")  # as the model has it
        self.ok(r)
        self.assertEqual(read(f"{ROOT}/model.npy"), self.features("--precision", "bf16")[1])
        self.ok(run("features", PHOTOS, "--backbone", model, "-o", "model.npy", "--precision", "fp32"))
        self.assertEqual(read(f"{ROOT}/model.npy"), self.features()[1])

    def test_auto(self):
        said, model = self.train("chosen", "--precision", "auto")
        line = [s for s in said.splitlines() if s.startswith("precision ")]
        self.assertEqual(len(line), 1, said)
        if faster():
            self.assertRegex(line[0], r"^precision (bf16|int8): accuracy [\d.]+ %, in fp32 [\d.]+ % \(cross-validated, "
                                      r"\d+ photos\)(; int8 would cost [\d.]+ points of accuracy \(\d+ photos\))?$|"
                                      r"^precision fp32: (int8|bf16) would cost [\d.]+")
        else:
            self.assertEqual(line[0], "precision fp32: nothing is faster on this processor")
        for name in ("bf16", "int8"):
            self.assertEqual(f'"precision":"{name}"'.encode() in model, line[0].startswith(f"precision {name}"))

    def test_fine_tuning(self):
        words = ["--fine-tune", "--epochs", "1", "--batch", "8", "--keep", "tuned"]
        low = ["--precision", "bf16"]
        said, usual = self.train("tuned", *words)
        self.assertEqual("bf16 is faster on this processor: --precision auto learns in it" in said, "bf16" in faster())
        self.assertNotIn(b'"precision"', usual)
        _, model = self.train("tuned low", *words, *low)
        self.assertIn(b'"precision":"bf16"', model)
        self.assertEqual(self.train("again", *words, *low, "--threads", "1")[1], model)
        self.predicts_as_in_training(PHOTOS, f"{ROOT}/tuned low")
        said, chosen = self.train("either", *words, "--precision", "auto")
        if "bf16" in faster():
            self.assertIn("precision bf16: a backbone learns faster in bf16 on this processor", said)
        else:
            self.assertIn("precision fp32: a backbone learns no faster in bf16 on this processor", said)
        self.assertEqual(chosen, model if "bf16" in faster() else usual)
        usable = json.loads(self.ok(run("info", "--devices", "--json")))["usable"]
        if usable.get("avx512bf16"):
            for cpu in ("avx512", "avx512bf16"):
                self.on(cpu, "train", PHOTOS, "--backbone", BACKBONE, "-o", f"on {cpu}", *words, *low)
            self.assertEqual(read(f"{ROOT}/on avx512/model.safetensors"), read(f"{ROOT}/on avx512bf16/model.safetensors"))

    def on(self, cpu, *words):
        r = subprocess.run([PROGRAM, *words], cwd=ROOT, env={**ENV, "HEADSTART_CPU": cpu}, capture_output=True,
                           timeout=material.patience(120))
        return self.ok(r), r.stderr.decode()

    def test_every_instruction_set(self):
        usable = json.loads(self.ok(run("info", "--devices", "--json")))["usable"]
        seen = {}
        for cpu in (name for name, there in usable.items() if there):
            self.on(cpu, "features", PHOTOS, "--backbone", BACKBONE, "-o", "cpu.npy", "--precision", "bf16", "--no-store")
            seen[cpu] = read(f"{ROOT}/cpu.npy")
            self.assertIn(f"{cpu} in use", self.on(cpu, "info", "--devices")[0])
        if "avx512bf16" in seen:
            self.assertEqual(seen["avx512bf16"], seen["avx512"])
        told = self.on("portable", "info", "--devices")[0]
        self.assertIn("precision fp32, bf16 (slower: these kernels have no instructions for it), int8 (slower", told)
        said = self.on("portable", "train", PHOTOS, "--backbone", BACKBONE, "-o", "slow", "--precision", "auto")[1]
        self.assertIn("precision fp32: nothing is faster on this processor", said)

    def test_8_bits(self):
        _, usual = self.features()
        _, low = self.features("--precision", "int8")
        self.assertNotEqual(usual, low)
        said, again = self.features("--precision", "int8", "--threads", "1")
        self.assertIn("36 of 36 photos were in the store", said)
        self.assertEqual((again, self.features("--precision", "int8", "--no-store", "--threads", "1")[1]), (low, low))
        said, bytes_of_model = self.train("eight", "--precision", "int8", "--final", "train")
        self.assertRegex(said, r"(?m)^precision int8: accuracy [\d.]+ %, in fp32 [\d.]+ % \(cross-validated, \d+ photos\)$")
        self.assertIn(b'"precision":"int8"', bytes_of_model)
        self.assertIn(b'"format_version":"5"', bytes_of_model)
        self.assertIn(b"/input_range", bytes_of_model)
        self.assertEqual(self.train("eight", "--precision", "int8", "--final", "train", "--threads", "1")[1],
                         bytes_of_model)
        model = f"{ROOT}/eight/model.safetensors"
        self.predicts_as_in_training(PHOTOS, f"{ROOT}/eight")
        told = json.loads(self.ok(run("info", model, "--json")))
        self.assertEqual((told["precision"], told["record"]["precision"]), ("int8", "int8"))
        self.assertIn("accuracy", self.ok(run("eval", model, PHOTOS, "-o", "eight-eval")))
        self.ok(run("features", PHOTOS, "--backbone", model, "-o", "model.npy"))  # with the model's ranges
        self.ok(run("features", PHOTOS, "--backbone", model, "-o", "model.npy", "--precision", "fp32"))
        self.assertEqual(read(f"{ROOT}/model.npy"), usual)
        both = self.ok(run("features", PHOTOS, "--backbone", f"{BACKBONE}+{BACKBONE}", "--precision", "int8", "-o",
                           "both.npy", "--json"))
        self.assertEqual(json.loads(both)["precision"], "int8")
        self.ok(run("features", PHOTOS, "--backbone", BACKBONE, "--precision", "int8", "--views", "mirror,crop", "-o",
                    "views.npy"))
        self.refused(run("train", PHOTOS, "--backbone", BACKBONE, "--precision", "int8", "-o", "refused", "--fine-tune"),
                     2, "not in int8")

    def test_what_is_faster_is_said_once(self):
        names, line = faster(), "faster on this processor: --precision auto takes"
        said, _ = self.train("plain")
        self.assertEqual(said.count(line), bool(names))
        if names:
            self.assertIn(" and ".join(names), said)
        for words in (["--quiet"], ["--precision", "fp32"], ["--precision", "bf16"]):
            self.assertNotIn(line, self.train("plain", *words)[0])


if __name__ == "__main__":
    unittest.main(argv=["precision.py"])
