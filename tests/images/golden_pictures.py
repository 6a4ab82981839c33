#!/usr/bin/env python3
"""Makes tests/golden/pictures: small pictures of many kinds, and Pillow's pixels of each.

    python tests/images/golden_pictures.py FOLDER     needs tensorflow, pillow (13.0), numpy

decode.json has the SHA-256 of Image.open, exif_transpose, convert("RGB"): "pil"; and of TensorFlow's
decode_image: "tf", which for formats that it does not know is Pillow's without exif_transpose, but
of 16-bit gray the high byte, as TensorFlow has it of such PNGs.
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


# ---- formats few cameras write ----

def netpbm():
    gray, rgb = photo(1), photo(3)
    bits = gray > 120
    words = " ".join(str(v) for v in gray.ravel()).encode()
    put("gray.pgm", b"P5\n7 5\n255\n" + gray.tobytes())
    put("colour.ppm", b"P6 7 # wide\n5 255\n" + rgb.tobytes())
    put("bits.pbm", b"P4\n# made\n7 5\n" + numpy.packbits(bits, axis=1).tobytes())
    put("bits_wide.pbm", b"P4 17 3\n" + numpy.packbits(photo(1, 17, 3) > 90, axis=1).tobytes())
    put("plain_bits.pbm", b"P1 7 5\n" + b"".join(b"%d" % b for b in bits[:2].ravel()) + b" # half\n" +
        b" ".join(b"%d" % b for b in bits[2:].ravel()))
    put("plain_gray.pgm", b"P2\n7 5\n255\n" + words)
    put("plain_colour.ppm", b"P3\n7\n5\n#max\n255\n" + " ".join(map(str, rgb.ravel())).encode() + b"\n")
    put("plain_gray_1000.pgm", b"P2 7 5 1000\n" + words)
    put("gray_100.pgm", b"P5 7 5 100\n" + (gray // 2).tobytes())
    put("colour_31.ppm", b"P6 7 5 31\n" + (rgb // 6).tobytes())
    deep = (rgb.astype(">u2") * 257 + 3).astype(">u2")
    put("colour_65535.ppm", b"P6 7 5 65535\n" + deep.tobytes())
    put("colour_1000.ppm", b"P6 7 5 1000\n" + (deep // 66).astype(">u2").tobytes())
    put("gray_65535.pgm", b"P5 7 5 65535\n" + (gray.astype(">u2") * 2).astype(">u2").tobytes())
    put("gray_4095.pgm", b"P5 7 5 4095\n" + (gray.astype(">u2") // 3).astype(">u2").tobytes())
    put("cut.pgm", b"P5\n7 5\n255\n" + gray.tobytes()[:-1])
    put("cut_plain.pgm", b"P2\n7 5\n255\n" + words[:-20])
    put("too_large_value.pgm", b"P2\n2 1\n100\n5 101\n")
    put("comment_in_number.pgm", b"P2\n2 1\n2#\n55\n5 1#\n7 ")
    put("no_size.ppm", b"P6\n")
    put("negative.pgm", b"P5 7 -5 255\n" + gray.tobytes())


def qoi(rgba, channels):
    """Every kind of code where it fits, as the format's own encoder chooses."""
    out, seen, last, run = b"qoif" + struct.pack(">IIBB", rgba.shape[1], rgba.shape[0], channels, 0), {}, (0, 0, 0, 255), 0
    for p in [tuple(map(int, p)) for p in rgba.reshape(-1, 4)] + [None]:
        if p == last and run < 62:
            run += 1
            continue
        if run:
            out += bytes([0xC0 | run - 1])
            run = 0
        if p is None:
            break
        if p == last:
            run = 1
            continue
        place = (p[0] * 3 + p[1] * 5 + p[2] * 7 + p[3] * 11) % 64
        r, g, b = ((a - c + 128) % 256 - 128 for a, c in zip(p[:3], last[:3]))
        if seen.get(place) == p:
            out += bytes([place])
        elif p[3] != last[3]:
            out += bytes([0xFF, *p])
        elif all(-2 <= d <= 1 for d in (r, g, b)):
            out += bytes([0x40 | r + 2 << 4 | g + 2 << 2 | b + 2])
        elif -32 <= g <= 31 and -8 <= r - g <= 7 and -8 <= b - g <= 7:
            out += bytes([0x80 | g + 32, r - g + 8 << 4 | b - g + 8])
        else:
            out += bytes([0xFE, *p[:3]])
        seen[place] = last = p
    return out + bytes(7) + b"\1"


def qois():
    y, x = numpy.mgrid[:12, :20]
    rgba = numpy.stack([x * 3, x * 4 + y, y * 40, 255 + 0 * x], 2).astype("u1")
    rgba[4:6] = 0, 0, 0, 255
    rgba[6:10, 3:] = 9, 200, 30, 255
    put("rgb.qoi", qoi(rgba, 3))
    rgba[2:8, 5:12, 3] = 90
    put("rgba.qoi", qoi(rgba, 4))
    put("black.qoi", qoi(rgba * 0 + [0, 0, 0, 255], 4))
    put("cut.qoi", qoi(rgba, 4)[:60])


def dib(bits, palette, rows, mask=None, top_down=False, colors=0):
    h = len(rows) * (1 if mask is None else 2)
    head = struct.pack("<IiiHHIIiiII", 40, W, -h if top_down else h, 1, bits, 0, 0, 0, 0, colors, 0)
    order = rows if top_down else rows[::-1]
    pad = [r + bytes(-len(r) % 4) for r in order] + ([] if mask is None else [m + bytes(-len(m) % 4) for m in mask[::-1]])
    return head + palette + b"".join(pad)


def icon(kind, pictures):
    """Pictures of (width, height, colours, bits, data)."""
    out, at = struct.pack("<HHH", 0, kind, len(pictures)), 6 + 16 * len(pictures)
    for w, h, colors, bits, data in pictures:
        out += struct.pack("<BBBBHHII", w % 256, h % 256, colors, 0, 1, bits, len(data), at)
        at += len(data)
    return out + b"".join(p[-1] for p in pictures)


def icons():
    rgb, gray = photo(3), photo(1)
    rows24 = [r[:, ::-1].tobytes() for r in rgb]
    rows32 = [numpy.concatenate([r[:, ::-1], r[:, :1]], 1).tobytes() for r in rgb]
    bit_rows = [numpy.packbits(r > 120).tobytes() for r in gray]
    mask = [numpy.packbits(r % 3 == 0).tobytes() for r in gray]
    index = [numpy.packbits(numpy.unpackbits((r % 16).astype("u1")[:, None], axis=1)[:, 4:].ravel()).tobytes() for r in gray]
    palette = b"".join(bytes([i * 9, 255 - i * 5, i, 0]) for i in range(16))
    mono = b"\0\0\0\0\xff\xff\xff\0"
    colours = bytes([200, 10, 30, 0, 5, 90, 240, 0])
    small = encoded(Image.fromarray(photo(3, 3, 3)), "PNG")
    large = encoded(Image.fromarray(photo(4, 9, 8)), "PNG")
    put("bitmap24.ico", icon(1, [(W, H, 0, 24, dib(24, b"", rows24, mask))]))
    put("bitmap32.ico", icon(1, [(W, H, 0, 32, dib(32, b"", rows32, mask))]))
    put("bitmap4.ico", icon(1, [(W, H, 16, 4, dib(4, palette, index, mask))]))
    put("bitmap1.ico", icon(1, [(W, H, 2, 1, dib(1, mono, bit_rows, mask))]))
    put("largest.ico", icon(1, [(3, 3, 0, 32, small), (9, 8, 0, 32, large), (W, H, 0, 24, dib(24, b"", rows24, mask))]))
    put("fewest_bits.ico", icon(1, [(W, H, 0, 24, dib(24, b"", rows24, mask)), (W, H, 16, 4, dib(4, palette, index, mask))]))
    put("of_256.ico", icon(1, [(9, 8, 0, 32, large), (256, 256, 0, 32, encoded(Image.new("RGB", (256, 256), (9, 99, 200)), "PNG"))]))
    put("turned.ico", icon(1, [(W, H, 0, 32, png(chunk(b"eXIf", exif())))]))
    put("cut.ico", icon(1, [(W, H, 0, 24, dib(24, b"", rows24, mask))])[:90])
    put("outside.ico", icon(1, [(W, H, 0, 24, dib(24, b"", rows24, mask))])[:40])
    put("colour24.cur", icon(2, [(W, H, 0, 3, dib(24, b"", rows24, mask))]))
    put("colour32.cur", icon(2, [(W, H, 0, 3, dib(32, b"", rows32, mask))]))
    put("black_white.cur", icon(2, [(W, H, 2, 3, dib(1, mono, bit_rows, mask))]))
    ramp = b"".join(bytes([i, i, i, 0]) for i in range(256))
    put("gray_mask.cur", icon(2, [(W, H, 0, 3, dib(8, ramp, [r.tobytes() for r in gray], [r.tobytes() for r in gray // 2]))]))
    put("two_colours.cur", icon(2, [(W, H, 2, 3, dib(1, colours, bit_rows, mask))]))
    put("largest.cur", icon(2, [(3, 3, 2, 0, dib(1, mono, bit_rows, mask)), (W, H, 0, 3, dib(24, b"", rows24, mask)),
                                (W, 99, 0, 3, dib(32, b"", rows32, mask))]))


def of_pillow(data, upright):
    image = Image.open(io.BytesIO(data))
    return numpy.asarray((ImageOps.exif_transpose(image) if upright else image).convert("RGB"))


def high_byte(data, upright):
    return numpy.repeat((numpy.asarray(Image.open(io.BytesIO(data))) >> 8).astype("u1")[..., None], 3, 2)


def of_tensorflow(data, upright):
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
    netpbm()
    qois()
    icons()
    os.makedirs(OUT, exist_ok=True)
    images = []
    for name, data in sorted(made.items()):
        with open(os.path.join(OUT, name), "wb") as f:
            f.write(data)
        known = name.endswith((".jpg", ".png", ".gif", ".webp", ".bmp"))
        deep = name in ("gray_65535.pgm", "gray_4095.pgm", "plain_gray_1000.pgm")
        tf = of_tensorflow if known else high_byte if deep else of_pillow
        images.append({"file": name, "pil": pixels_of(of_pillow, data, True),
                       "tf": pixels_of(tf, data, False)})
    with open(os.path.join(OUT, "decode.json"), "w", encoding="ascii") as f:
        f.write('{"images": [\n' + ",\n".join(json.dumps(i) for i in images) + "\n]}\n")


main()
