#!/usr/bin/env python3
"""What is exported, in its format's own runtime that is told nothing but the file, and the programs of docs/deploy.md
that export.py leaves.

    tests/cli/exported.py PROGRAM

What this machine has no runtime for is left out, which is said.
"""
import ast
import importlib.util
import json
import os
import subprocess
import sys
import unittest

import export
import material
from run import PHOTOS, ROOT, Case, run, setUpModule, tearDownModule  # noqa: F401

HERE = os.path.dirname(os.path.abspath(__file__))
# Behind all that is installed, as tests/cli has a transformers.py.
WITH_TORCH = f"import sys\nsys.path.append({HERE!r})\nimport readers\nreaders.with_torch()\n"
BARE = [name for name in ("numpy", "PIL") if not importlib.util.find_spec(name)]
if not BARE:
    import readers


@unittest.skipIf(BARE, f"this Python is without {', '.join(BARE)}")
class Exported(Case):
    def answers(self, kind):
        """Labels are in the file, and probabilities are predict's, of photos that have not the network's size."""
        missing = [name for name in readers.MODULES[kind] if not importlib.util.find_spec(name)]
        if missing:
            self.skipTest(f"this Python is without {', '.join(missing)}")
        suffix = {"keras": ".keras", "torch": ".pth", "tflite": ".tflite", "onnx": ".onnx"}.get(kind, "")
        path = f"{ROOT}/read-{kind}{suffix}"
        self.ok(run("export", self.model(), "--to", kind, "-o", path))
        photos = [f"{PHOTOS}/{colour}/0{i}.png" for colour in material.COLOURS for i in range(2)]
        r = subprocess.run([sys.executable, readers.__file__, kind, path, *photos], capture_output=True, check=False,
                           env={**os.environ, "HF_HUB_OFFLINE": "1"})
        self.assertEqual(r.returncode, 0, r.stderr.decode())
        told = json.loads(r.stdout.decode().splitlines()[-1])
        self.assertEqual(told["labels"], ["blue", "green", "red"])
        for got, want in zip(told["answers"], export.Export.probabilities(self, self.model(), *photos)):
            export.Export.close(self, dict(zip(told["labels"], got)), want)

    def test_onnx(self):
        self.answers("onnx")

    def test_tflite(self):
        self.answers("tflite")

    def test_savedmodel(self):
        self.answers("savedmodel")

    def test_keras(self):
        self.answers("keras")

    def test_torch(self):
        self.answers("torch")

    def test_transformers(self):
        self.answers("hf")

    def test_timm(self):
        self.answers("timm")

    @export.needs_node("@tensorflow/tfjs")
    def test_tfjs(self):
        self.answers("tfjs")

    @unittest.skipUnless(export.COMPILER, "there is no C compiler here")
    def test_c(self):
        self.answers("c")


class Page(Case):
    """docs/deploy.md's programs."""

    def program(self, word):
        found = [text for text in export.Export.documented(self, "python") if word in text]
        self.assertEqual(len(found), 1)
        return found[0]

    def ran(self, text, *words):
        r = subprocess.run([sys.executable, "-c", text, *words], capture_output=True, check=False, cwd=ROOT,
                           env={**os.environ, "HF_HUB_OFFLINE": "1"})
        self.assertEqual(r.returncode, 0, r.stderr.decode())
        return r.stdout.decode()

    documented = export.Export.documented

    def photo(self):
        return export.Export.exported_as_documented(self), f"{PHOTOS}/red/01.png"

    @export.needs_module("numpy", "ai_edge_litert", "PIL")
    def test_litert(self):
        folder, photo = self.photo()
        label, prob = self.ran(self.program("ai_edge_litert"), f"{folder}/model.tflite", photo).split()[1:]
        want = export.Export.probabilities(self, self.model(), photo)[0]
        self.assertAlmostEqual(float(prob), want[label], delta=2e-4)

    @export.needs_module("torch", "transformers", "PIL")
    def test_transformers(self):
        _, photo = self.photo()
        text = self.program("import AutoImageProcessor, pipeline").replace('"photo.jpg"', repr(photo))
        told = ast.literal_eval(self.ran(WITH_TORCH + text).splitlines()[-1])
        want = export.Export.probabilities(self, self.model(), photo)[0]
        for row in told:
            self.assertAlmostEqual(row["score"], want[row["label"]], delta=1e-4)

    @export.needs_module("numpy", "torch", "PIL")
    def test_the_loader_of_a_state_dict(self):
        folder, photo = self.photo()
        text = self.program("torchvision.models").replace("=len(labels))", "=len(labels), width_mult=0.35)")
        text = WITH_TORCH + text.replace('"model.pth"', repr(f"{folder}/model.pth")) + (
            "resize = json.loads(state.headstart['preprocess'])['resize']\n"
            f"rgb = torch.from_numpy(readers.pixels([{photo!r}], resize, 'float32'))\n"
            "print(json.dumps(dict(zip(labels, predict(rgb)[0].tolist()))))\n")
        export.Export.close(self, json.loads(self.ran(text)), export.Export.probabilities(self, self.model(), photo)[0])


if __name__ == "__main__":
    unittest.main(argv=["exported.py", *sys.argv[2:]])
