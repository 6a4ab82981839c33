#!/usr/bin/env python3
"""Adds to tests/golden/prepare what Pillow, torchvision and timm make of its photo at sizes that are no square.

    python tests/images/golden_sizes.py FOLDER     needs pillow, torchvision and timm

FOLDER has photo.jpg (golden_prepare.py). crop: timm's ResizeKeepRatio and torchvision's CenterCrop; hub: the
same with crop_pct 0.8, bicubic; hf: the shorter edge to 45, the corner rounded down, as transformers' image
processors do; pad: ImageOps.pad, the ground as 127.5.
"""
import math
import os
import sys

import numpy
from PIL import Image, ImageOps
from timm.data.transforms import ResizeKeepRatio
from torchvision.transforms import CenterCrop

SIZES = (41, 20), (18, 31)  # width, height
EDGE = 45


def middle(photo, size, part, how):
    """timm and torchvision have the height first."""
    covered = tuple(math.floor(side / part) for side in reversed(size))
    return CenterCrop(size[::-1])(ResizeKeepRatio(covered, interpolation=how)(photo))


def edge(photo, size):
    w, h = photo.size
    w, h = (EDGE, EDGE * h // w) if w < h else (EDGE * w // h, EDGE)
    x, y = (w - size[0]) // 2, (h - size[1]) // 2
    return photo.resize((w, h), Image.BILINEAR).crop((x, y, x + size[0], y + size[1]))


def padded(photo, size):
    seen = ImageOps.pad(Image.new("L", photo.size, 255), size, Image.BILINEAR, 0)
    pixels = numpy.asarray(ImageOps.pad(photo, size, Image.BILINEAR), "f4")
    return numpy.where(numpy.asarray(seen)[..., None], pixels, numpy.float32(127.5))


def main():
    out = sys.argv[1]
    whole = Image.open(os.path.join(out, "photo.jpg")).convert("RGB")
    for what, photo in ("photo", whole), ("column", whole.crop((20, 0, 51, 75))):
        for size in SIZES:
            for name, pixels in (("squash", photo.resize(size, Image.BILINEAR)),
                                 ("crop", middle(photo, size, 1, "bilinear")),
                                 ("pad", padded(photo, size)),
                                 ("hub", middle(photo, size, 0.8, "bicubic")),
                                 ("hf", edge(photo, size))):
                numpy.save(os.path.join(out, f"{what}_{size[0]}x{size[1]}_{name}.npy"),
                           numpy.ascontiguousarray(pixels))


main()
