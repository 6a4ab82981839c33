#!/usr/bin/env python3
"""Compares what this library decodes with Pillow, on every file below some folders.

    python bench/corpus.py [-v] [--tool build/bench/decode_files] FOLDER...     needs pillow, numpy

A file is right where both give the same pixels (Image.open, exif_transpose, convert("RGB")), or
where we refuse it with a reason that Pillow has too. The others are listed; a table by ending and
verdict is last. -v lists refusals on both sides as well.
"""
import argparse
import collections
import os
import subprocess
import sys
import warnings

import numpy
from PIL import Image, ImageOps

warnings.simplefilter("ignore")
VERDICTS = ("identical", "within 2", "other pixels", "both refuse", "only Pillow reads", "only we read")


def of_pillow(path):
    """[h, w, 3], or the reason as a text."""
    try:
        with Image.open(path) as image:
            return numpy.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except Exception as error:  # any: these are files made to break readers
        return f"{type(error).__name__}: {error}"


def of_ours(tool, path):
    tool.stdin.write(os.fsencode(path) + b"\n")
    tool.stdin.flush()
    first = tool.stdout.readline()
    if not first:
        sys.exit(f"{path}: the program ended")
    if first.startswith(b"error "):
        return first[6:].decode(errors="replace").strip()
    w, h = map(int, first.split())
    return numpy.frombuffer(tool.stdout.read(w * h * 3), "u1").reshape(h, w, 3)


def verdict_of(theirs, ours):
    if isinstance(ours, str):
        return ("both refuse" if isinstance(theirs, str) else "only Pillow reads"), ours
    if isinstance(theirs, str):
        return "only we read", theirs[:100]
    if theirs.shape != ours.shape:
        return "other pixels", f"{ours.shape} for {theirs.shape}"
    difference = int(numpy.abs(theirs.astype(int) - ours).max())
    verdict = "identical" if difference == 0 else "within 2" if difference <= 2 else "other pixels"
    return verdict, f"at most {difference} of 255"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-v", action="store_true")
    parser.add_argument("--tool", default="build/bench/decode_files")
    parser.add_argument("folder", nargs="+")
    options = parser.parse_args()
    tool = subprocess.Popen([options.tool, "pil"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    table = collections.defaultdict(collections.Counter)
    for folder in options.folder:
        for at, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(at, name)
                if "\n" in path or not os.path.isfile(path):
                    continue
                verdict, what = verdict_of(of_pillow(path), of_ours(tool, path))
                ending = os.path.splitext(name)[1].lower()[:12]
                table[ending][verdict] += 1
                table["all"][verdict] += 1
                if verdict != "identical" and (options.v or verdict != "both refuse"):
                    print(f"{verdict}: {path}: {what}")
    print(f"{'':12}", *(f"{v:>17}" for v in VERDICTS))
    for ending in sorted(table, key=lambda e: (e == "all", e)):
        print(f"{ending:12}", *(f"{table[ending][v]:17}" for v in VERDICTS))


main()
