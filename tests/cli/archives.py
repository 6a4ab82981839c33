#!/usr/bin/env python3
"""Photos in archives and shards as their users have them.

    tests/cli/archives.py PROGRAM
"""
import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
import unittest
import zipfile

from run import BACKBONE, PHOTOS, ROOT, Case, read, run, setUpModule, tearDownModule  # noqa: F401

CLASSES = ["blue", "green", "red"]
SUFFIXES = {"tar": "w", "tar.gz": "w:gz", "tar.xz": "w:xz", "tar.bz2": "w:bz2"}


def photos():
    """Path below the folder -> bytes, in order."""
    found = {}
    for folder, _, files in os.walk(PHOTOS):
        for name in files:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, PHOTOS)] = read(path)
    return dict(sorted(found.items()))


def member(tar, name, content):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def zipped(name, files, method=zipfile.ZIP_DEFLATED):
    path = os.path.join(ROOT, name)
    with zipfile.ZipFile(path, "w", method) as z:
        for inside, content in files.items():
            z.writestr(inside, content)
    return path


def tarred(name, files, form=tarfile.GNU_FORMAT):
    path = os.path.join(ROOT, name)
    with tarfile.open(path, SUFFIXES[name.split(".", 1)[1]], format=form) as t:
        for inside, content in files.items():
            member(t, inside, content)
    return path


def train(source, output, *more):
    return run("train", source, "--backbone", BACKBONE, "-o", output, *more)


def model_of(output):
    return hashlib.sha256(read(f"{ROOT}/{output}/model.safetensors")).hexdigest()


class Archives(Case):
    @classmethod
    def setUpClass(cls):
        cls.files = photos()
        assert train(PHOTOS, "of_folder").returncode == 0
        cls.model = model_of("of_folder")

    def test_the_same_model(self):
        sources = [zipped("deflated.zip", self.files),
                   zipped("stored.zip", self.files, zipfile.ZIP_STORED),
                   zipped("wrapped.zip", {f"my pets/{n}": c for n, c in self.files.items()}),
                   zipped("mac.zip", {**{f"pets/{n}": c for n, c in self.files.items()},
                                      **{f"__MACOSX/pets/{os.path.dirname(n)}/._"
                                         f"{os.path.basename(n)}": b"\0\5\26\7" for n in self.files},
                                      "pets/.DS_Store": b"x"}),
                   tarred("pax.tar", self.files, tarfile.PAX_FORMAT)]
        sources += [tarred(f"all.{s}", self.files) for s in SUFFIXES]
        for i, source in enumerate(sources):
            for store in ([], ["--no-store"]):
                with self.subTest(source=source, store=store):
                    self.ok(train(source, f"of_archive{i}", *store))
                    self.assertEqual(model_of(f"of_archive{i}"), self.model)
        self.ok(train("file://" + sources[0], "of_address"))
        self.assertEqual(model_of("of_address"), self.model)

    def test_every_command(self):
        path = zipped("every.zip", self.files)
        model = "of_folder/model.safetensors"
        for words in (["eval", model, path, "-o", "every"], ["doctor", path],
                      ["features", path, "--backbone", BACKBONE, "-o", "every.npy"],
                      ["review", "of_folder", path, "-o", "reviewed"]):
            self.ok(run(*words))
        self.ok(run("features", PHOTOS, "--backbone", BACKBONE, "-o", "folder.npy"))
        self.assertEqual(read(f"{ROOT}/every.npy"), read(f"{ROOT}/folder.npy"))
        for source, sheet in ((PHOTOS, "folder.png"), (path, "archive.png")):
            self.ok(run("predict", model, source, "--labelled", "-o", sheet))
        self.assertEqual(read(f"{ROOT}/archive.png"), read(f"{ROOT}/folder.png"))
        one = next(iter(self.files))
        rows = self.ok(run("predict", model, path)).splitlines()
        self.assertEqual([r.split(": ")[0] for r in rows], [f"{path}/{n}" for n in self.files])
        self.assertEqual(self.ok(run("predict", model, f"{path}/{one}")).splitlines(), rows[:1])
        part = self.ok(run("predict", model, f"{path}/{os.path.dirname(one)}")).splitlines()
        self.assertEqual(part, [r for r in rows if r.startswith(f"{path}/{os.path.dirname(one)}/")])
        r = run("predict", model, f"{path}/none.jpg")
        self.assertEqual(r.returncode, 3)
        self.assertIn(b"there is no 'none.jpg' in ", r.stdout + r.stderr)

    def test_fine_tuning_reads_members(self):
        words = ["--fine-tune", "--epochs", "1", "--batch", "4"]
        self.ok(train(PHOTOS, "tuned_folder", *words))
        self.ok(train(zipped("tuned.zip", self.files), "tuned_zip", *words))
        self.assertEqual(model_of("tuned_zip"), model_of("tuned_folder"))

    def test_sides_in_an_archive(self):
        sides = {f"{'valid' if i % 3 == 0 else 'train'}/{n}": c
                 for i, (n, c) in enumerate(self.files.items())}
        path = zipped("sides.zip", sides)
        shutil.unpack_archive(path, f"{ROOT}/sides")
        for source, output in ((path, "sides_zip"), (f"{ROOT}/sides", "sides_folder")):
            self.ok(train(source, output))
        self.assertEqual(model_of("sides_zip"), model_of("sides_folder"))
        self.ok(train(PHOTOS, "val_folder", "--val", f"{ROOT}/sides/valid"))
        val = zipped("val.zip", {n[6:]: c for n, c in sides.items() if n.startswith("valid/")})
        self.ok(train(PHOTOS, "val_zip", "--val", val))
        self.assertEqual(model_of("val_zip"), model_of("val_folder"))

    def test_refusals(self):
        whole = read(zipped("whole.zip", self.files))
        cut = f"{ROOT}/cut.zip"
        with open(cut, "wb") as f:
            f.write(whole[:len(whole) // 2])
        self.refused(train(cut, "x"), 3, "is damaged: it has no table of its members")
        with open(f"{ROOT}/text.gz", "wb") as f:
            f.write(gzip.compress(b"no tar"))
        self.refused(train(f"{ROOT}/text.gz", "x"), 3, "is a compressed file, but no tar")
        self.assertFalse(os.path.exists(f"{ROOT}/x"))

    def test_pull(self):
        path = zipped("pulled.zip", {f"pets/{n}": c for n, c in self.files.items()})
        for word in (path, "file://" + path):
            folder = self.ok(run("pull", word)).strip()
            self.assertEqual(sorted(os.listdir(folder)), sorted(CLASSES))
        self.ok(run("pull", path, "-o", f"{ROOT}/pulled"))
        self.assertEqual(sorted(os.listdir(f"{ROOT}/pulled")), sorted(CLASSES))
        self.refused(run("pull", f"{ROOT}/nothing.zip"), 2, "there is no such file")
        self.refused(run("pull", f"file://{ROOT}/nothing.zip"), 2, "there is no such file")


class Shards(Case):
    def shards(self, folder, label, n=3, prefix="shard-"):
        """The photos dealt to n tars; label: name and class -> members beside each."""
        os.makedirs(f"{ROOT}/{folder}")
        tars = [tarfile.open(f"{ROOT}/{folder}/{prefix}{i:03}.tar", "w") for i in range(n)]
        for i, (name, content) in enumerate(photos().items()):
            member(tars[i % n], f"{i:05}{os.path.splitext(name)[1]}", content)
            for ending, text in label(name.split("/")[0]).items():
                member(tars[i % n], f"{i:05}{ending}", text.encode())
        for t in tars:
            t.close()
        return f"{ROOT}/{folder}"

    def labels(self, output):
        return read(f"{ROOT}/{output}/labels.txt").decode().split()

    def test_numbers_and_their_names(self):
        number = {c: str(i) for i, c in enumerate(sorted(CLASSES, reverse=True))}
        folder = self.shards("wds", lambda c: {".cls": number[c] + "\n"})
        for i, source in enumerate((folder, folder + "/shard-{000..002}.tar")):
            out = self.ok(train(source, f"wds{i}"))
            self.assertIn("labels.txt", os.listdir(f"{ROOT}/wds{i}"), out)
            self.assertEqual(self.labels(f"wds{i}"), sorted(number.values()))
        self.assertEqual(model_of("wds0"), model_of("wds1"))
        with open(f"{folder}/classes.txt", "w") as f:
            f.write("\n".join(sorted(CLASSES, reverse=True)))
        self.ok(train(folder, "named"))
        self.assertEqual(self.labels("named"), sorted(CLASSES))
        self.refused(train(folder + "/shard-{000..005}.tar", "x"), 3, "shard-003.tar")

    def test_json(self):
        for key in ("label", "class"):
            folder = self.shards(f"wds_{key}", lambda c: {".json": json.dumps({"id": 1, key: c})})
            self.ok(train(folder, f"json_{key}"))
            self.assertEqual(self.labels(f"json_{key}"), sorted(CLASSES))
            self.ok(train(folder + "/shard-000.tar", f"one_{key}"))

    def test_sides_by_the_names_of_shards(self):
        folder = self.shards("wds_sides", lambda c: {".cls": c}, 2, "train-")
        os.rename(f"{folder}/train-001.tar", f"{folder}/val-000.tar")
        self.ok(train(folder, "wds_sided"))
        rows = read(f"{ROOT}/wds_sided/split.csv").decode().splitlines()[1:]
        sides = {row.split("/")[0]: {r.split(",")[3] for r in rows if r.startswith(row[:5])}
                 for row in rows}
        self.assertEqual(sides, {"train-000.tar": {"train"}, "val-000.tar": {"validation"}})

    def test_what_is_no_sample_is_told(self):
        folder = self.shards("wds_odd", lambda c: {".cls": c})
        with tarfile.open(f"{folder}/shard-009.tar", "w") as t:
            member(t, "a.jpg", b"a photo without a class")
            member(t, "b.cls", b"no photo")
        r = train(folder, "odd")
        self.ok(r)
        self.assertIn(b"2 files are not photos that can be read: ", r.stderr)
        self.assertIn(b"1 of a sample without a photo", r.stderr)
        self.assertIn(b"1 without a class (.cls or .json)", r.stderr)


if __name__ == "__main__":
    unittest.main(argv=["archives"])
