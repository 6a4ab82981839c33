#!/usr/bin/env python3
"""Makes tests/golden/pictures: small pictures of many kinds, and Pillow's pixels of each.

    python tests/images/golden_pictures.py FOLDER     needs tensorflow, pillow (13.0), numpy

decode.json has the SHA-256 of Image.open, exif_transpose, convert("RGB"): "pil"; and of TensorFlow's
decode_image: "tf", which for formats that it does not know is Pillow's without exif_transpose.
"""
import hashlib
import io
import json
import os
import struct
import sys
import zlib

import numpy
import tensorflow
from PIL import Image, ImageOps

OUT = sys.argv[1]
W, H = 7, 5
made = {}


def photo(channels=3, w=W, h=H):
    y, x = numpy.mgrid[:h, :w]
    planes = [(x * 37 + y * 11) % 256, (x * 5 + y * 60) % 256, (x * y * 9 + 30) % 256,
              (x * 30 + 40) % 256]
    return numpy.stack(planes[:channels], 2).astype("u1").squeeze()


def encoded(image, kind, **how):
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def put(name, data):
    made[name] = data


# ---- which way up ----

def exif(value=6, kind=3, count=1, order="<", before=b"", data=None):
    """A block with one entry for the orientation, behind entries that are given."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    if data is None:
        data = struct.pack(order + {3: "HH", 8: "hh", 4: "I", 9: "i", 1: "BBBB"}[kind],
                           *((value, 0) if kind in (3, 8) else (value, 0, 0, 0) if kind == 1 else (value,)))
    entries = before + struct.pack(order + "HHI", 0x112, kind, count) + data
    return head + struct.pack(order + "H", len(entries) // 12) + entries + bytes(4)


def jpeg(*segments, of=None):
    """A JPEG with segments of application 1 in front of its own."""
    data = of or encoded(Image.fromarray(photo()), "JPEG", quality=90)
    return data[:2] + b"".join(b"\xff\xe1" + struct.pack(">H", len(s) + 2) + s for s in segments) + data[2:]


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(*chunks, behind=(), image=None):
    data = encoded(image or Image.fromarray(photo()), "PNG")
    return data[:33] + b"".join(chunks) + data[33:-12] + b"".join(behind) + data[-12:]


def webp(exif_block=None, xmp=None):
    how = {k: v for k, v in (("exif", exif_block), ("xmp", xmp)) if v}
    return encoded(Image.fromarray(photo()), "WEBP", lossless=True, **how)


def ways_up():
    head, adobe = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    element = b"<x:xmpmeta><tiff:Orientation>8</tiff:Orientation></x:xmpmeta>"
    other = struct.pack("<HHI4s", 0x100, 3, 1, b"\7\0\0\0")
    far = struct.pack("<HHI4s", 0x10F, 2, 9, struct.pack("<I", 9999))
    raw = "\nexif\n%8d\n" % len(head + exif()) + (head + exif()).hex()
    raw = "\n".join([raw[:70], raw[70:], ""]).encode()
    for order, name in (("<", "little"), (">", "big")):
        put(f"way_{name}.jpg", jpeg(head + exif(3, order=order)))
    put("way_exif_twice.jpg", jpeg(head + head + exif()))
    put("way_exif_split.jpg", jpeg(head + exif(before=other)[:20], head + exif(before=other)[20:]))
    put("way_xmp.jpg", jpeg(adobe + xmp))
    put("way_xmp_element.jpg", jpeg(adobe + element))
    put("way_xmp_and_exif.jpg", jpeg(adobe + xmp, head + exif(3)))
    put("way_xmp_and_upright.jpg", jpeg(adobe + xmp, head + exif(1)))
    put("way_xmp_and_other.jpg", jpeg(adobe + xmp, head + exif(3)[:8] + b"\1\0" + other + bytes(4)))
    put("way_byte_and_xmp.jpg", jpeg(head + exif(kind=1), adobe + xmp))
    put("way_outside_and_xmp.jpg", jpeg(head + exif(3, before=far * 1), adobe + xmp))
    put("way_sshort.jpg", jpeg(head + exif(kind=8)))
    put("way_slong.jpg", jpeg(head + exif(kind=9)))
    put("way_long.jpg", jpeg(head + exif(kind=4)))
    put("way_byte.jpg", jpeg(head + exif(kind=1)))
    put("way_two_values.jpg", jpeg(head + exif(count=2)))
    put("way_no_values.jpg", jpeg(head + exif(count=0)))
    put("way_nine.jpg", jpeg(head + exif(9)))
    put("way_first_of_two.jpg", jpeg(head + exif(3, before=exif(6)[10:22])))
    put("way_exif.png", png(chunk(b"eXIf", exif())))
    put("way_exif_behind.png", png(behind=[chunk(b"eXIf", exif())]))
    put("way_exif_head.png", png(chunk(b"eXIf", head + exif())))
    put("way_raw_deflated.png", png(chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw))))
    put("way_raw.png", png(chunk(b"tEXt", b"Raw profile type exif\0" + raw)))
    put("way_raw_international.png", png(chunk(b"iTXt", b"Raw profile type exif\0\0\0\0\0" + raw)))
    put("way_xmp.png", png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)))
    put("way_xmp_deflated.png", png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0en\0\0" + zlib.compress(element))))
    put("way_exif.webp", webp(exif()))
    put("way_exif_head.webp", webp(head + exif()))
    put("way_xmp.webp", webp(xmp=xmp))
    put("way_xmp_and_exif.webp", webp(exif(8), xmp))


# ---- ends of files ----

def ends():
    whole = encoded(Image.fromarray(photo(3, 48, 40)), "JPEG", quality=90)
    restarts = encoded(Image.fromarray(photo(3, 48, 40)), "JPEG", quality=90, restart_marker_blocks=1)
    moving = encoded(Image.fromarray(photo(3, 48, 40)), "JPEG", quality=90, progressive=True)
    put("end_zeros.jpg", whole[:-2] + bytes(300))
    put("end_zeros_behind.jpg", whole + bytes(300))
    put("end_missing.jpg", whole[:-2])
    put("end_missing_restarts.jpg", restarts[:-2])
    put("end_zeros_progressive.jpg", moving[:-2] + bytes(300))
    put("end_half.jpg", whole[:len(whole) // 2 + 200])
    plain = png()
    put("end_no_iend.png", plain[:-12])
    put("end_half_iend.png", plain[:-7])
    put("end_in_pixels.png", plain[:-30])


# ---- animations ----

def gif(frames, screen):
    """Frames of (left, top, colour numbers) on a palette of four colours."""
    def lzw(numbers):  # a clear code in front of each, so that codes stay 3 bits wide
        bits = "".join(f"{c:03b}"[::-1] for v in numbers for c in (4, v)) + "101"
        bits += "0" * (-len(bits) % 8)
        data = bytes(int(bits[i:i + 8][::-1], 2) for i in range(0, len(bits), 8))
        return b"\2" + b"".join(bytes([len(data[i:i + 255])]) + data[i:i + 255]
                                for i in range(0, len(data), 255)) + b"\0"

    out = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x81, 0, 0)
    out += bytes([250, 10, 20, 10, 240, 30, 40, 50, 230, 90, 90, 90])
    for left, top, numbers in frames:
        h, w = numbers.shape
        out += b"!\xf9\4\0\5\0\0\0" + b"," + struct.pack("<HHHHB", left, top, w, h, 0)
        out += lzw(numbers.ravel().tolist())
    return out + b";"


def apng(default_is_frame):
    control = struct.pack(">IIIIIHHBB", 0, W, H, 0, 0, 1, 10, 0, 0)
    frame = zlib.compress(b"".join(b"\0" + row.tobytes() for row in 255 - photo()))
    acts = chunk(b"acTL", struct.pack(">II", 2 if default_is_frame else 1, 0))
    second = struct.pack(">I", default_is_frame) + control[4:]
    behind = [chunk(b"fcTL", second), chunk(b"fdAT", struct.pack(">I", default_is_frame + 1) + frame)]
    return png(acts + (chunk(b"fcTL", control) if default_is_frame else b""), behind=behind)


def animations():
    y, x = numpy.mgrid[:H, :W]
    small, large = (x + y) % 4, (numpy.mgrid[:9, :11].sum(0) // 2) % 4
    put("moving_same.gif", gif([(0, 0, small), (0, 0, 3 - small)], (W, H)))
    put("moving_larger.gif", gif([(0, 0, small), (0, 0, large)], (11, 9)))
    put("moving_larger_offset.gif", gif([(2, 3, small), (0, 0, large)], (11, 9)))
    put("moving_wider.gif", gif([(0, 0, small), (0, 0, large[:3])], (11, 9)))
    put("moving_first.png", apng(1))
    put("moving_default.png", apng(0))
    frames = [Image.fromarray(photo()), Image.fromarray(255 - photo())]
    put("moving.webp", encoded(frames[0], "WEBP", lossless=True, save_all=True, append_images=frames[1:]))
    two = encoded(frames[0], "MPO", save_all=True, append_images=frames[1:], quality=90)
    put("two_pictures.jpg", two)
    put("two_pictures_cut.jpg", two[:len(two) - 300])
    put("picture_and_depth.jpg", encoded(frames[0], "JPEG", quality=90) + encoded(frames[1], "JPEG"))


def of_pillow(data, upright):
    image = Image.open(io.BytesIO(data))
    return numpy.asarray((ImageOps.exif_transpose(image) if upright else image).convert("RGB"))


def of_tensorflow(data):
    return tensorflow.io.decode_image(data, channels=3, expand_animations=False).numpy()


def pixels_of(read, *arguments):
    try:
        pixels = read(*arguments)
    except Exception as error:  # any: some are damaged
        return {"error": type(error).__name__}
    return {"shape": list(pixels.shape), "sha256": hashlib.sha256(pixels.tobytes()).hexdigest()}


def main():
    ways_up()
    ends()
    animations()
    os.makedirs(OUT, exist_ok=True)
    images = []
    for name, data in sorted(made.items()):
        with open(os.path.join(OUT, name), "wb") as f:
            f.write(data)
        known = name.endswith((".jpg", ".png", ".gif", ".webp", ".bmp"))
        images.append({"file": name, "pil": pixels_of(of_pillow, data, True),
                       "tf": pixels_of(of_tensorflow, data) if known else pixels_of(of_pillow, data, False)})
    with open(os.path.join(OUT, "decode.json"), "w", encoding="ascii") as f:
        f.write('{"images": [\n' + ",\n".join(json.dumps(i) for i in images) + "\n]}\n")


main()
