#!/usr/bin/env python3
"""Makes tests/golden/prepare: a made-up photo, and what TensorFlow and Pillow make of it at 24 x 24.

    python tests/images/golden_prepare.py FOLDER     needs tensorflow and pillow

Padded: ImageOps.pad, the ground as 127.5; the photo as it is, and a column of it, whose margins are
odd. The middle: shortest edge 32, then 24 x 24; torchvision rounds half a pixel to even, Hugging Face down.
"""
import os
import sys

import numpy
import tensorflow
from PIL import Image, ImageOps

PX, EDGE, WIDTH, HEIGHT = 24, 32, 101, 75
OUT = sys.argv[1]
PHOTO = os.path.join(OUT, "photo.jpg")


def make_photo():
    """Waves of other lengths in each channel, an edge and some noise."""
    y, x = numpy.mgrid[:HEIGHT, :WIDTH]
    rgb = numpy.stack([127 + 120 * numpy.sin(x / 3 + y / 11), 127 + 120 * numpy.cos(y / 2 - x / 17),
                       255 * (x + y) / (WIDTH + HEIGHT)], 2)
    rgb[20:40, 50:70] = 250, 20, 60
    rgb += numpy.random.default_rng(7).normal(0, 12, rgb.shape)
    Image.fromarray(rgb.clip(0, 255).astype("u1")).save(PHOTO, quality=90)


def save(name, pixels):
    numpy.save(os.path.join(OUT, name + ".npy"), numpy.ascontiguousarray(pixels))


def middle(photo, how, corner):
    wide = EDGE * WIDTH // HEIGHT
    x, y = corner((wide - PX) / 2), corner((EDGE - PX) / 2)
    return photo.resize((wide, EDGE), how).crop((x, y, x + PX, y + PX))


def padded(photo):
    seen = ImageOps.pad(Image.new("L", photo.size, 255), (PX, PX), Image.BILINEAR, 0)
    pixels = numpy.asarray(ImageOps.pad(photo, (PX, PX), Image.BILINEAR), "f4")
    return numpy.where(numpy.asarray(seen)[..., None], pixels, numpy.float32(127.5))


def main():
    make_photo()
    with open(PHOTO, "rb") as f:
        decoded = tensorflow.io.decode_image(f.read(), channels=3, expand_animations=False)
    for name, how, antialias in (("bilinear", "bilinear", False), ("bicubic", "bicubic", False),
                                 ("bilinear_aa", "bilinear", True)):
        save("tf_" + name, tensorflow.image.resize(decoded, (PX, PX), how, antialias=antialias).numpy())
    photo = Image.open(PHOTO).convert("RGB")
    save("pil_bilinear", photo.resize((PX, PX), Image.BILINEAR))
    save("tf_pil_bilinear", Image.fromarray(decoded.numpy()).resize((PX, PX), Image.BILINEAR))
    for name, how in (("bilinear", Image.BILINEAR), ("bicubic", Image.BICUBIC)):
        save(f"middle_torchvision_{name}", middle(photo, how, lambda v: int(round(v))))
        save(f"middle_hf_{name}", middle(photo, how, int))
    save("pad_wide", padded(photo))
    save("pad_tall", padded(photo.crop((20, 0, 51, 75))))
    wide = PX * WIDTH // HEIGHT
    x = int(round((wide - PX) / 2))
    save("crop", photo.resize((wide, PX), Image.BILINEAR).crop((x, 0, x + PX, PX)))


main()
