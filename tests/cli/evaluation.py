#!/usr/bin/env python3
"""headstart eval as its users run it, and the word that names a model.

    tests/cli/evaluation.py PROGRAM
"""
import json
import os
import shutil
import unittest

from run import BACKBONE, PHOTOS, ROOT, Case, material, read, run, setUpModule, tearDownModule, train


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


if __name__ == "__main__":
    unittest.main(argv=["evaluation.py"])
