#!/usr/bin/env python3
"""Vision transformers, from the command line: a small one as timm writes it, with made-up weights.

    tests/cli/transformers.py PROGRAM
"""
import array
import glob
import json
import os
import random
import struct
import unittest
import zipfile

from pixels import Predicts, oblong
from run import BACKBONE, PHOTOS, ROOT, read, run, setUpModule, tearDownModule  # noqa: F401

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "vit")
CONFIG = {"architecture": "vit_small_patch16_224",
          "pretrained_cfg": {"input_size": [3, 96, 96], "mean": [.5] * 3, "std": [.5] * 3, "crop_pct": .9,
                             "interpolation": "bicubic"}}


def write(folder, names="timm_vit", config=CONFIG):
    """The tensors of a golden list."""
    rng, header, blobs, at = random.Random(5), {}, [], 0
    with open(os.path.join(GOLDEN, names + ".txt"), encoding="ascii") as f:
        rows = [line.split() for line in f]
    for name, *shape in rows:
        shape = [int(n) for n in shape]
        count, fan = 1, 1
        for i, n in enumerate(shape):
            count, fan = count * n, fan * (n if i else 1)
        norm = len(shape) == 1 and name.endswith("weight")
        scale = (2 / fan) ** .5 if len(shape) in (2, 4) else .2
        blobs.append(array.array("f", (norm + rng.gauss(0, scale) for _ in range(count))).tobytes())
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + len(blobs[-1])]}
        at += len(blobs[-1])
    text = json.dumps(header).encode()
    os.makedirs(folder)
    with open(os.path.join(folder, "model.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    with open(os.path.join(folder, "config.json"), "w", encoding="ascii") as f:
        json.dump(config, f)
    return folder


class Transformers(Predicts):
    @classmethod
    def setUpClass(cls):
        cls.vit = write(f"{ROOT}/vit")

    def features(self, *words):
        r = run("features", PHOTOS, "-b", self.vit, "-o", "vit.npy", "--json", *words)
        told = json.loads(self.ok(r))
        return told, read(f"{ROOT}/vit.npy")

    def test_what_is_read_is_said(self):
        text = self.ok(run("backbones", "import", self.vit))
        self.assertRegex(text, r"(?m)^network +vit, 2 blocks of 64$")
        self.assertRegex(text, r"(?m)^input +96 x 96 px, patches of 16$")
        self.assertRegex(text, r"(?m)^features +64 \(cls\)$")
        told = json.loads(self.ok(run("backbones", "import", self.vit, "--json", "--pool", "cls+mean")))
        self.assertEqual([told[k] for k in ("family", "pool", "patch_px", "blocks", "token", "n_features", "image_px")],
                         ["vit", "cls+mean", 16, 2, 64, 128, 96])

    def test_poolings(self):
        cls, a = self.features()
        mean, b = self.features("--pool", "mean")
        both, c = self.features("--pool", "cls+mean")
        self.assertEqual([t["pool"] for t in (cls, mean, both)], ["cls", "mean", "cls+mean"])
        self.assertEqual([t["dim"] for t in (cls, mean, both)], [64, 64, 128])
        self.assertEqual([t["stored"] for t in (mean, both)], [0, 0])
        self.assertEqual(len({a, b, c}), 3)
        again, same = self.features("--pool", "cls")
        self.assertEqual((again["stored"], same), (36, a))
        self.refused(run("features", PHOTOS, "-b", self.vit, "--pool", "max", "-o", "none.npy"), 2, "cls|mean|cls+mean|map")
        self.refused(run("features", PHOTOS, "-b", BACKBONE, "--pool", "cls", "-o", "none.npy"), 2,
                     "the mean over its last map")
        usual = run("features", PHOTOS, "-b", BACKBONE, "-o", "usual.npy")
        named = run("features", PHOTOS, "-b", BACKBONE, "--pool", "mean", "-o", "named.npy")
        self.ok(usual)
        self.ok(named)
        self.assertEqual(read(f"{ROOT}/usual.npy"), read(f"{ROOT}/named.npy"))

    def test_attention_pools(self):
        config = {**CONFIG, "architecture": "vit_base_patch32_siglip_256"}
        net = write(f"{ROOT}/siglip", "timm_siglip", config)
        text = self.ok(run("backbones", "import", net))
        self.assertRegex(text, r"(?ms)^network +siglip, 1 block of 64$.*^features +64 \(map\)$")
        self.refused(run("backbones", "import", self.vit, "--pool", "map"), 2, "this vit has no attention pool")
        self.refused(run("backbones", "import", net, "--pool", "cls"), 2, "no class token")
        one, two = ([run("features", PHOTOS, "-b", net, "-o", f"{pool}.npy", "--json", "--pool", pool),
                     read(f"{ROOT}/{pool}.npy")] for pool in ("map", "mean"))
        self.assertEqual([json.loads(self.ok(r))["pool"] for r, _ in (one, two)], ["map", "mean"])
        self.assertNotEqual(one[1], two[1])
        again = run("features", PHOTOS, "-b", net, "-o", "again.npy", "--json")
        self.assertEqual(json.loads(self.ok(again))["stored"], 36)
        folder = oblong(f"{ROOT}/siglip-photos")
        words = "train", folder, "-b", net, "--image-px", "96x64", "--final", "train"
        self.ok(run(*words, "-o", "siglip-map"))
        self.predicts_as_in_training(folder, f"{ROOT}/siglip-map")
        self.assertIn(", pool map", self.ok(run("info", "siglip-map")))
        self.refused(run("predict", "siglip-map", f"{folder}/red", "--cam", "no-cam"), 1, "siglip has no map")
        model = f"{ROOT}/siglip-map/model.safetensors"
        self.assertIn("64 (mean)", self.ok(run("backbones", "import", model, "--pool", "mean")))
        self.ok(run(*words, "--pool", "mean", "-o", "siglip-mean"))
        self.refused(run("backbones", "import", f"{ROOT}/siglip-mean/model.safetensors", "--pool", "map"), 2,
                     "no attention pool")
        self.ok(run("train", PHOTOS, "-b", net, "--recipe", "fine-tune", "--epochs", "1", "--thaw", "last:1", "-o",
                    "siglip-tuned"))

    def test_exports_are_read_back(self):
        self.ok(run("train", PHOTOS, "-b", self.vit, "-o", "vit-run", "--final", "train"))

        def predicted(model):
            rows = [row.split(",") for row in self.ok(run("predict", model, f"{PHOTOS}/red", "--format", "csv")).split()]
            return [row[:rows[0].index("probability_3") + 1] for row in rows]
        want = predicted("vit-run")
        for kind in ("onnx", "tflite", "savedmodel", "tfjs"):
            with self.subTest(kind):
                told = json.loads(self.ok(run("export", "vit-run", "--to", kind, "-o", f"vit.{kind}", "--json")))
                self.assertEqual((told["checked"], told["pictures"]), ("read back", 16))
                self.assertLess(told["difference"], 1e-4)
                self.assertEqual(predicted(f"vit.{kind}"), want)
        self.assertIn("vit", self.ok(run("info", "vit.tflite")))

    def test_a_licence_goes_with_the_weights(self):
        config = {"architecture": "vit_small_plus_patch16_dinov3_qkvb", "model_args": {"num_heads": 2}}
        net = write(f"{ROOT}/dinov3", "timm_dinov3", config)
        says = "the weights of model.safetensors are under the DINOv3 License"
        r = run("backbones", "import", net)
        self.assertRegex(self.ok(r), r"(?ms)^network +dinov3, 1 block of 64$.*^licence +DINOv3 License$")
        self.assertIn(says, r.stderr.decode())
        words = "train", PHOTOS, "-b", net, "--image-px", "64", "-o"
        r = run(*words, "dinov3-run")
        self.ok(r)
        self.assertIn(says, r.stderr.decode())
        self.ok(run(*words, "dinov3-tuned", "--recipe", "fine-tune", "--epochs", "1", "--layer-decay", "0.75"))
        for made in ("dinov3-run", "dinov3-tuned"):
            self.assertIn("DINOv3 License", read(f"{ROOT}/{made}/report.html").decode())
            told = json.loads(self.ok(run("backbones", "import", f"{ROOT}/{made}/model.safetensors", "--json")))
            self.assertEqual(told["licence"], "DINOv3 License")
        self.ok(run("eval", "dinov3-run", PHOTOS, "-o", "dinov3-eval"))
        self.assertIn("DINOv3 License", read(f"{ROOT}/dinov3-eval/report.html").decode())
        other = {**config, "pretrained_cfg": {"license": "apache-2.0"}}
        other = write(f"{ROOT}/lingbot", "timm_dinov3", {**other, "architecture": "vit_small_patch16_lingbot"})
        self.assertRegex(self.ok(run("backbones", "import", other)), r"(?m)^licence +apache-2\.0$")
        r = run("backbones", "import", self.vit)
        self.assertNotIn("licence", self.ok(r) + r.stderr.decode())

    def test_sizes(self):
        self.assertEqual(len({self.features("--image-px", size)[1] for size in ("64x96", "96x64", "64")}), 3)
        self.refused(run("features", PHOTOS, "-b", self.vit, "--image-px", "100", "-o", "none.npy"), 4,
                     "100 is no multiple of 16: choose 96 or 112")
        self.refused(run("features", PHOTOS, "-b", self.vit, "--views", "90", "-o", "none.npy"), 4,
                     "90 is no multiple of 16: choose 80 or 96")

    def test_from_training_to_a_map(self):
        folder = oblong(f"{ROOT}/vit-photos")
        self.ok(run("train", folder, "-b", self.vit, "--pool", "mean", "--image-px", "96x64", "--views", "mirror,64",
                    "--final", "train", "-o", "vit-mean"))
        self.predicts_as_in_training(folder, f"{ROOT}/vit-mean")
        text = self.ok(run("info", "vit-mean"))
        self.assertRegex(text, r"(?m)^backbone +vit, 2 blocks of 64, 96 x 64 px \(width x height\), patches of 16$")
        self.assertIn(", pool mean", text)
        self.assertIn("accuracy", self.ok(run("eval", "vit-mean", folder, "-o", "vit-eval")))
        self.ok(run("predict", "vit-mean", f"{folder}/red", "--cam", "vit-cam"))
        self.assertEqual(len(glob.glob(f"{ROOT}/vit-cam/*.cam.png")), 12)
        model = f"{ROOT}/vit-mean/model.safetensors"  # as a backbone, in another size, of other features
        text = self.ok(run("backbones", "import", model, "--image-px", "128", "--pool", "cls"))
        self.assertRegex(text, r"(?ms)^input +128 x 128 px.*^features +64 \(cls\)$")

    def test_a_class_token_has_no_map(self):
        self.ok(run("train", PHOTOS, "-b", self.vit, "-o", "vit-cls"))
        self.refused(run("predict", "vit-cls", PHOTOS, "--cam", "no-cam"), 1, "vit has no map",
                     '(with pool "mean" most are)')

    def test_the_backbone_learns(self):
        words = "train", PHOTOS, "-b", self.vit, "--recipe", "fine-tune", "--epochs", "3", "--optimizer", "adamw", \
            "--keep", "tuned"
        self.ok(run(*words, "--thaw", "last:2", "-o", "vit-tuned"))
        self.ok(run(*words, "--thaw", "from:block_0", "-o", "vit-same", "--threads", "1"))
        self.ok(run("train", PHOTOS, "-b", self.vit, "-o", "vit-frozen"))
        self.ok(run(*words, "--thaw", "last:2", "--precision", "bf16", "-o", "vit-low"))  # patches too, which stay
        one, two, low, frozen = (self.tensors(f"{ROOT}/{folder}/model.safetensors")
                                 for folder in ("vit-tuned", "vit-same", "vit-low", "vit-frozen"))
        self.assertEqual(one, two)
        for learnt in (one, low):
            same = {name for name in frozen if name.startswith("backbone/") and learnt[name] == frozen[name]}
            self.assertEqual(same, {f"backbone/{name}" for name in (
                "patches/kernel", "patches/bias", "tokens/prefix", "tokens/positions")})
        self.refused(run(*words, "--thaw", "last:4", "-o", "vit-none"), 2, "last:4", "the network has 3 layers")

    @staticmethod
    def changed(member, edit):
        """vit.keras with another text or other weights, its check sums as the rest of it."""
        with zipfile.ZipFile(f"{ROOT}/vit.keras") as old, zipfile.ZipFile(f"{ROOT}/changed.keras", "w") as new:
            for name in old.namelist():
                new.writestr(name, edit(old.read(name)) if name == member else old.read(name))

    def test_keras_files_are_computed(self):
        self.ok(run("train", PHOTOS, "-b", self.vit, "-o", "vit-keras"))
        told = json.loads(self.ok(run("export", "vit-keras", "--to", "keras", "-o", "vit.keras", "--json")))
        self.assertEqual((told["checked"], told["pictures"], told["difference"]), ("read back", 16, 0))
        self.assertRegex(self.ok(run("info", "vit.keras")), r"(?m)^backbone +vit, 2 blocks of 64, ")
        words = f"{PHOTOS}/red/01.png", "--no-store", "--no-unknown", "--format", "json"
        same = (json.loads(self.ok(run("predict", model, *words)))["top"] for model in ("vit-keras", "vit.keras"))
        self.assertEqual(*same)
        for old, new in ((b'"activation":"gelu"', b'"activation":"silu"'), (b'"epsilon":', b'"epsilon":0.3,"x":'),
                         (b'"num_heads":', b'"flash":1,"num_heads":'), (b'"Cropping1D"', b'"Reversing1D"')):
            with self.subTest(new=new):
                self.changed("config.json", lambda text, old=old, new=new: text.replace(old, new, 1))
                self.refused(run("predict", "changed.keras", *words, "--quiet"), 4, "changed.keras: its ")
        self.changed("config.json", lambda text: text.replace(b'"gelu"', b'"silu"'))
        self.refused(run("predict", "changed.keras", *words, "--quiet"), 4, "its graph computes something else")
        data = bytearray(read(f"{ROOT}/vit.keras"))
        kernel = self.tensors(f"{ROOT}/vit-keras/model.safetensors")["backbone/block_1_fc2/kernel"]
        data[data.index(kernel[:64]) + 3] ^= 1
        with open(f"{ROOT}/changed.keras", "wb") as f:
            f.write(data)
        self.refused(run("predict", "changed.keras", *words, "--quiet"), 4, "changed.keras")

    @staticmethod
    def tensors(path):
        """The bytes of each."""
        model = read(path)
        data = 8 + struct.unpack("<Q", model[:8])[0]
        header = json.loads(model[8:data])
        header.pop("__metadata__", None)
        return {name: model[data + t["data_offsets"][0]:data + t["data_offsets"][1]] for name, t in header.items()}


if __name__ == "__main__":
    unittest.main(argv=["transformers.py"])
