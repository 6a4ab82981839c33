#!/usr/bin/env python3
"""Folders as people have them, and what the scan makes of each.

    tests/dataset/layouts.py SCAN

A layout is a list of files; photos are the beginning of a PNG, as the scan decodes nothing.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unicodedata
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import material  # noqa: E402

SCAN = os.path.abspath(sys.argv[1])
ROOT = tempfile.mkdtemp(prefix="headstart-layouts-")
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0"
NOT_READ = b"8BPS\0\1"  # a Photoshop file, which no build reads
PICTURES = (".png", ".jpg", ".jpeg", ".JPEG", ".JPG", ".webp", ".bmp", ".gif")


def tearDownModule():
    shutil.rmtree(ROOT)


def put(base, name, content=None):
    path = os.path.join(os.fsencode(base), os.fsencode(name))
    if name.endswith("/"):
        os.makedirs(path, exist_ok=True)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if content is None:
        content = PNG if name.endswith(PICTURES) else b"text\n"
    with open(path, "wb") as f:
        f.write(content)


def scan(path, **options):
    words = [f"{k}={v}" for k, v in options.items()]
    done = subprocess.run([SCAN, path, *words], capture_output=True, check=True,
                          timeout=material.patience(60))
    return json.loads(done.stdout)


def some(folder, n=3, ending=".jpg"):
    return [f"{folder}/{i}{ending}" for i in range(n)]


def each(folders, n=3, ending=".jpg"):
    return [f for folder in folders for f in some(folder, n, ending)]


def classes(base, names=("cat", "dog"), n=3):
    return each([f"{base}/{c}" if base else c for c in names], n)


def sides(train, val, names=("cat", "dog"), n=(3, 2), **more):
    files = classes(train, names, n[0]) + classes(val, names, n[1])
    for base, count in more.items():
        files += classes(base, names, count)
    return files


UNSPLIT = {"cat": [0, 0, 3], "dog": [0, 0, 3]}
SIDES = {"cat": [3, 2, 0], "dog": [3, 2, 0]}

# name: (files, classes -> [train, validation, to be split], more that must be in the result)
LAYOUTS = {
    "class folders": (classes(""), UNSPLIT, {"understood": None, "summary": None}),
    "photos in folders below a class": (
        classes("") + some("cat/indoor/evening", 2), {"cat": [0, 0, 5], "dog": [0, 0, 3]}, {}),
    "train and val": (sides("train", "val"), SIDES,
                      {"understood": "train/ and val/ are the two sides"}),
    "Train and Val": (sides("Train", "Val"), SIDES, {}),
    "TRAIN and TEST": (sides("TRAIN", "TEST"), SIDES,
                       {"understood": "TRAIN/ and TEST/ are the two sides"}),
    "train and dev": (sides("train", "dev"), SIDES, {}),
    "train and validation": (sides("train", "validation"), SIDES, {}),
    "training_set and test_set": (sides("training_set", "test_set"), SIDES, {}),
    "Roboflow export": (
        sides("train", "valid", test=1) + ["README.roboflow.txt", "README.dataset.txt"], SIDES,
        {"understood": "train/ and valid/ are the two sides; test/ (2 photos) is kept for eval"}),
    "Roboflow export without a test part": (sides("train", "valid"), SIDES, {}),
    "Kaggle brain tumour": (
        sides("Training", "Testing", ("glioma", "meningioma", "notumor", "pituitary")),
        {c: [3, 2, 0] for c in ("glioma", "meningioma", "notumor", "pituitary")}, {}),
    "Intel image classification": (
        classes("seg_train/seg_train") + classes("seg_test/seg_test", n=2) +
        some("seg_pred/seg_pred", 5), SIDES, {"left": ["seg_pred"]}),
    "imagenette": (
        [f"imagenette2/{f}" for f in sides("train", "val", ("n01440764", "n02102040"))] +
        ["imagenette2/noisy_imagenette.csv"],
        {"n01440764": [3, 2, 0], "n02102040": [3, 2, 0]}, {}),
    "ImageNet, its validation photos flat": (
        each(["ILSVRC/Data/CLS-LOC/train/n01440764", "ILSVRC/Data/CLS-LOC/train/n02102040"], 3,
             ".JPEG") + some("ILSVRC/Data/CLS-LOC/val", 4, ".JPEG") +
        some("ILSVRC/Data/CLS-LOC/test", 4, ".JPEG") +
        each(["ILSVRC/Annotations/CLS-LOC/val"], 4, ".xml"),
        {"n01440764": [0, 0, 3], "n02102040": [0, 0, 3]},
        {"left": ["ILSVRC/Data/CLS-LOC/val", "ILSVRC/Data/CLS-LOC/test"]}),
    "Kaggle: labelled train, flat unlabelled test": (
        classes("train") + some("test", 5) + ["sample_submission.csv"], UNSPLIT,
        {"left": ["test"], "summary": "1 folder is not used: test (5 photos)"}),
    "Teachable Machine export": (
        each(["Class 1", "Class 2"]), {"Class 1": [0, 0, 3], "Class 2": [0, 0, 3]}, {}),
    "Lobe export": (
        [f"My Project/{f}" for f in classes("")] + ["My Project/signature.json"], UNSPLIT, {}),
    "one folder too high": (["archive/flowers/" + f for f in classes("")], UNSPLIT,
                            {"understood": "the classes are the folders in "}),
    "one folder too high, with a README": (
        ["flowers/" + f for f in classes("")] + ["LICENSE.txt"], UNSPLIT, {"left": ["LICENSE.txt"]}),
    "images beside labels of boxes": (
        ["images/" + f for f in sides("train", "val")] + each(["labels/train", "labels/val"], 3,
                                                              ".txt"), SIDES, {}),
    "Stanford dogs": (
        ["Images/" + f for f in classes("")] + each(["Annotation/cat", "Annotation/dog"], 3, ""),
        UNSPLIT, {}),
    "Food-101": (["food-101/images/" + f for f in classes("")] +
                 ["food-101/meta/train.txt", "food-101/README.txt"], UNSPLIT, {}),
    "train and a flat val of no use": (classes("train") + some("val", 2), UNSPLIT,
                                       {"left": ["val"]}),
    "only train": (classes("train"), UNSPLIT, {}),
    "a class that is called train": (
        each(["bus", "car", "train"]), {c: [0, 0, 3] for c in ("bus", "car", "train")}, {}),
    "an empty class": (classes("") + ["bird/"], UNSPLIT,
                       {"summary": "1 class folder holds no photos: bird"}),
    "many empty classes": (classes("") + [f"x{i:03}/" for i in range(200)], UNSPLIT,
                           {"summary": "200 class folders hold no photos: x000, x001, x002, x003, "
                                       "x004, and 195 more"}),
    "an empty class on the validation side": (
        sides("train", "val") + ["val/bird/"], SIDES, {"left": ["val/bird"]}),
    "a class without validation photos": (
        sides("train", "val") + some("train/emu"), {**SIDES, "emu": [3, 0, 0]}, {}),
    "a Mac's zip unpacked": (
        classes("") + ["__MACOSX/cat/._0.jpg", "cat/.DS_Store", ".DS_Store", "cat/._0.jpg"],
        UNSPLIT, {"left": [".DS_Store", "__MACOSX", "cat/.DS_Store", "cat/._0.jpg"]}),
    "systems' own folders": (
        classes("") + some("@eaDir") + some("$RECYCLE.BIN") + some("lost+found") +
        some("System Volume Information") + ["cat/@eaDir/0.jpg/SYNOPHOTO_THUMB.jpg"], UNSPLIT,
        {"left": ["$RECYCLE.BIN", "@eaDir", "System Volume Information", "cat/@eaDir",
                  "lost+found"]}),
    "Windows' own files": (classes("") + ["cat/Thumbs.db", "cat/desktop.ini"], UNSPLIT,
                           {"left": ["cat/Thumbs.db", "cat/desktop.ini"]}),
    "checkpoints of notebooks": (
        classes("") + ["cat/.ipynb_checkpoints/0-checkpoint.jpg", ".ipynb_checkpoints/x.ipynb"],
        UNSPLIT, {"left": [".ipynb_checkpoints", "cat/.ipynb_checkpoints"]}),
    "our own runs inside": (
        classes("") + ["runs/train/model.safetensors", "runs/train/photo.png",
                       "runs/train/report.html", "runs/train2/"], UNSPLIT, {"left": ["runs"]}),
    "a run with -o inside": (
        classes("") + ["my run/model.safetensors", "my run/curves.png"], UNSPLIT,
        {"left": ["my run"]}),
    "photos sorted inside": (classes("") + ["sorted/sorted.csv"] + classes("sorted"), UNSPLIT,
                             {"left": ["sorted"]}),
    "names that need care": (
        each(["a <b> & \"c\"", "été photo", "日本", "-dash", "with, comma"]),
        {c: [0, 0, 3] for c in ("a <b> & \"c\"", "été photo", "日本", "-dash", "with, comma")},
        {}),
    "sixty classes": (each([f"class {i:02}" for i in range(60)], 2),
                      {f"class {i:02}": [0, 0, 2] for i in range(60)}, {}),
}

# name: (files, what the one line says)
REFUSED = {
    "nothing": ([], "is empty; expected one sub-folder of photos per class"),
    "photos without classes": (some(".", 4), "holds 4 photos but no class folders"),
    "one class": (some("cat"), "photos of one class only (cat)"),
    "unlabelled train and test": (some("train") + some("test1"),
                                  "test1, train look like parts of a data set"),
    "a flat test folder beside classes": (
        classes("") + some("test"), "test looks like a part of a data set and not like a class, but holds"),
    "train with classes beside other classes": (
        classes("train") + some("bird"), "train looks like a part of a data set and not like a class, but lies beside"),
    "two validation folders": (
        sides("train", "val", valid=1), "several are the same part"),
    "only val and test": (sides("val", "test"), "none of them is one to train on"),
    "folds with the same classes": (
        classes("fold1") + classes("fold2") + classes("fold3"),
        "each of its folders (fold1, fold2, fold3) holds the same class folders"),
    "empty classes only": (["cat/", "dog/"], "no photos in its 2 class folders"),
    "a class that only validates": (
        sides("train", "val") + some("val/emu"), "its class, emu, has no photos to train on"),
}


def fill(name, files):
    base = os.path.join(ROOT, "".join(c if c.isalnum() else "_" for c in name))
    os.makedirs(base)
    for f in files:
        put(base, f)
    return base


class Layouts(unittest.TestCase):
    def test_each_layout_is_understood(self):
        for name, (files, want, more) in LAYOUTS.items():
            with self.subTest(name):
                base = fill(name, files)
                got = scan(base)
                self.assertEqual(got.get("classes"), want, got.get("error"))
                for key, value in more.items():
                    if key == "left":
                        left = [path for path, _, _ in got["left"]]
                        self.assertEqual([p for p in value if p not in left], [], left)
                    elif value is None or key == "summary":
                        self.assertEqual(got[key], value)
                    else:
                        self.assertTrue((got[key] or "").startswith(value), got[key])
                self.lost_nothing(base, files, got)

    def lost_nothing(self, base, files, got):
        """Every file is a photo, is left out with a reason, or lies in a folder that is."""
        left = {path for path, _, reason in got["left"] if reason}
        taken = sum(sum(n) for n in got["classes"].values())
        told = 0
        for f in files:
            f = os.path.normpath(f)
            above = [f] + [f[:i] for i, c in enumerate(f) if c == "/"]
            told += not f.endswith("/") and not os.path.isdir(os.path.join(base, f)) and \
                any(a in left for a in above)
        held = got["understood"] and "kept for eval" in got["understood"]
        there = sum(not f.endswith("/") for f in files)
        if not held:
            self.assertEqual(taken + told, there, got["left"])

    def test_what_fits_no_layout_is_refused_in_one_line(self):
        for name, (files, says) in REFUSED.items():
            with self.subTest(name):
                got = scan(fill("not " + name, files))
                self.assertIn(says, got.get("error", got.get("classes")))
                self.assertNotIn("\n", got["error"])

    def test_names_of_parts_are_classes_where_it_is_said(self):
        base = fill("said to be classes", some("train") + some("test"))
        self.assertEqual(scan(base, part="none")["classes"],
                         {"test": [0, 0, 3], "train": [0, 0, 3]})

    def test_one_part_alone(self):
        base = fill("parts", sides("train", "valid", n=(3, 2), test=1))
        for part, n in {"train": 3, "val": 2, "test": 1}.items():
            got = scan(base, part=part, split="none")
            self.assertEqual(got["classes"], {c: [0, 0, n] for c in ("cat", "dog")})
        got = scan(base, part="held", split="none")
        self.assertEqual(got["classes"], {"cat": [0, 0, 1], "dog": [0, 0, 1]})
        self.assertEqual(got["understood"], "of its parts test/ is used")
        self.assertEqual(scan(base, split="none")["classes"],
                         {"cat": [3, 2, 1], "dog": [3, 2, 1]})
        base = fill("two parts", sides("train", "valid"))
        self.assertEqual(scan(base, part="held", split="none")["understood"],
                         "of its parts valid/ is used")
        self.assertIn("has no photos of the part test", scan(base, part="test")["error"])
        self.assertIn("unknown part 'x'", scan(base, part="x")["error"])
        plain = fill("no parts", classes(""))
        self.assertEqual(scan(plain, part="held", split="none")["classes"], UNSPLIT)
        self.assertIn("it is not divided into parts", scan(plain, part="test")["error"])

    def test_files_are_known_by_content(self):
        base = fill("content", classes(""))
        for name in ("a.jfif", "b.jpe", "c.jpg_large", "no ending", "e.tmp", "f.jpg~"):
            put(base, f"cat/{name}", JPEG)
        put(base, "cat/BMW notes", b"BMW, all of them")
        put(base, "cat/clip.MOV", b"\0\0\0\x14ftypqt  ")
        put(base, "cat/page", b"<html>")
        put(base, "cat/layers.psd", NOT_READ)
        put(base, "cat/layers.jpg.part", NOT_READ)
        put(base, "cat/nothing.dat", b"")
        put(base, "cat/notes.txt", b"x")
        got = scan(base)
        self.assertEqual(got["classes"], {"cat": [0, 0, 9], "dog": [0, 0, 3]})
        self.assertEqual(
            got["summary"], "7 files are not photos that can be read: 1 .psd, 1 Photoshop named "
            ".part, 2 without an ending, 1 empty, 1 .mov, and 1 other kind")
        self.assertIn(["cat/BMW notes", "not a photo: without an ending"],
                      [[p, r] for p, _, r in got["left"]])
        self.assertIn(["cat/layers.psd", "a picture that this build does not read: .psd"],
                      [[p, r] for p, _, r in got["left"]])

    def test_the_list_of_keras_is_kept_and_what_is_not_in_it_told(self):
        base = fill("keras", classes("") + ["cat/a.webp", "dog/b.webp", "cat/.hidden.jpg"])
        got = scan(base, split="keras")
        self.assertEqual(sum(got["classes"]["cat"]), 4)
        self.assertEqual(got["summary"], "2 files are not in the list of Keras, which --split keras "
                         "keeps: 2 .webp")
        only = fill("keras without any", each(["cat", "dog"], ending=".webp"))
        self.assertIn("no photos in its 2 class folders: 6 files are not in the list of Keras",
                      scan(only, split="keras")["error"])

    def test_links_stand_for_folders_where_classes_and_sides_are(self):
        other = fill("elsewhere", sides("train", "val"))
        base = fill("links", ["README.txt"])
        for side in ("train", "val"):
            os.symlink(f"{other}/{side}", f"{base}/{side}")
        self.assertEqual(scan(base)["classes"], SIDES)
        inner = fill("links to classes", ["train/", "val/"])
        for side in ("train", "val"):
            for c in ("cat", "dog"):
                os.symlink(f"{other}/{side}/{c}", f"{inner}/{side}/{c}")
        self.assertEqual(scan(inner)["classes"], SIDES)
        os.symlink(base, f"{base}/circle")
        self.assertEqual(scan(base)["classes"], SIDES)

    def test_the_folder_that_is_written_to_is_no_class(self):
        base = fill("written to", classes("") + ["out/"])
        got = scan(base, **{"except": f"{base}/out"})
        self.assertEqual([p for p, _, _ in got["left"]], ["out"])
        self.assertNotIn("no photos", got["summary"])

    def test_a_folder_of_its_own_for_validation(self):
        base = fill("own train", classes(""))
        val = fill("own val", ["wrapper/" + f for f in classes("", n=2)])
        self.assertEqual(scan(base, val=val)["classes"], SIDES)
        both = fill("own both", sides("train", "test"))
        self.assertIn("name the one to validate on", scan(base, val=both)["error"])
        self.assertEqual(scan(both, val=val)["classes"], SIDES)

    def test_names_of_classes_that_cannot_be_kept(self):
        for name, says in ((b"latin\xe9", "is not UTF-8"), (b"two\nlines", "has a line break"),
                           (b"tab\there", "has a line break")):
            base = fill("named " + says + str(len(name)), classes(""))
            os.makedirs(os.fsencode(base) + b"/" + name)
            put(base, os.fsdecode(name) + "/0.jpg")
            self.assertIn(says, scan(base).get("error"))
            done = subprocess.run([SCAN, base, "split=none"], capture_output=True, check=True)
            self.assertNotIn(b'"error"', done.stdout)  # without a model to make

    def test_names_that_look_like_one_are_told(self):
        nfc, nfd = (unicodedata.normalize(form, "löwe") for form in ("NFC", "NFD"))
        told = scan(fill("two forms", each([nfc, nfd, "tiger"])))["log"]
        self.assertEqual(len(told), 1)
        self.assertIn("differ in the Unicode form of their accents only", told[0])
        told = scan(fill("two cases", each(["Cat", "cat", "pêche", "péché"])))["log"]
        self.assertEqual(len(told), 1)
        self.assertIn("classes Cat and cat differ in case only", told[0])

    def test_what_is_no_folder_of_photos_is_left_early(self):
        for name in ("/", "//"):
            self.assertIn("/ is all there is on this machine", scan(name)["error"])
        one = fill("a thousand", [])  # a hundred times by links, which are quickly made
        os.mkdir(f"{one}/files")
        for i in range(1000):
            os.mknod(f"{one}/files/{i}{'.jpg' if i < 50 else ''}")
        base = fill("very large", [])
        for k in range(101):
            os.symlink(one, f"{base}/{k}")
        self.assertIn("few of the first 10", scan(base)["error"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
