#!/usr/bin/env python3
"""Makes tests/golden/decoders: small pictures of the formats that headstart-decode reads, and the
pixels that Pillow gives of each, as a PNG.

    golden_decoders.py tests/golden/decoders

Needs Pillow, pillow-heif, pillow-jxl-plugin, tifffile and numpy. A picture's name says how far its
pixels may be from the PNG's: NAME.0.tif by nothing, NAME.2.heic by 2 steps, as its library may
have another version here.
"""
import io
import os
import sys

import numpy as np
import pillow_heif
import pillow_jxl  # noqa: F401 (registers itself)
import tifffile
from PIL import Image, ImageOps

W, H = 45, 31
out = sys.argv[1]
pillow_heif.register_heif_opener()


def scene():
    """Smooth colours with an edge, nothing the same when turned or mirrored."""
    y, x = np.mgrid[0:H, 0:W]
    rgb = np.stack([x * 255 / (W - 1), y * 255 / (H - 1), 255 - (x + y) * 255 / (W + H - 2)], -1)
    rgb[6:14, 8:30] = [250, 20, 60]
    return rgb.round().astype(np.uint8)


RGB = scene()
IMAGE = Image.fromarray(RGB)
GRAY = np.asarray(IMAGE.convert("L"))
ALPHA = (np.mgrid[0:H, 0:W][1] * 255 // (W - 1)).astype(np.uint8)


def keep(name, data):
    with open(os.path.join(out, name), "wb") as file:
        file.write(data)
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        pixels = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG", optimize=True)
    with open(os.path.join(out, name + ".png"), "wb") as file:
        file.write(png.getvalue())


def pillow(name, kind, image=IMAGE, **options):
    data = io.BytesIO()
    image.save(data, kind, **options)
    keep(name, data.getvalue())


def tiff(name, array, photometric="rgb", **options):
    data = io.BytesIO()
    tifffile.imwrite(data, array, photometric=photometric, metadata=None, **options)
    keep(name + ".0.tif", data.getvalue())


def main():
    os.makedirs(out, exist_ok=True)
    small = {"rowsperstrip": 7}
    tiff("strips", RGB, **small)
    tiff("tiles", RGB, tile=(16, 16), compression="zlib")
    tiff("planes", RGB.transpose(2, 0, 1), planarconfig="separate", compression="zlib")
    tiff("plane_tiles", RGB.transpose(2, 0, 1), planarconfig="separate", tile=(16, 16),
         compression="zlib")
    pillow("predictor.0.tif", "TIFF", compression="tiff_lzw", tiffinfo={317: 2})
    tiff("big_endian_16", (RGB.astype(np.uint16) * 257), byteorder=">", compression="zlib")
    tiff("rgb_16", (RGB.astype(np.uint16) * 257), compression="zlib")
    tiff("bigtiff", RGB, bigtiff=True, compression="zlib")
    tiff("rgba", np.dstack([RGB, ALPHA]), extrasamples=["unassalpha"], compression="zlib")
    tiff("premultiplied", np.dstack([RGB * (ALPHA[..., None] / 255.0), ALPHA]).astype(np.uint8),
         extrasamples=["assocalpha"], compression="zlib")
    tiff("gray_alpha", np.dstack([GRAY, ALPHA]), "minisblack", extrasamples=["unassalpha"],
         planarconfig="contig", compression="zlib")
    tiff("gray_16", GRAY.astype(np.uint16) * 3, "minisblack", compression="zlib")
    tiff("gray_float", GRAY.astype(np.float32) * 1.5 - 20, "minisblack", compression="zlib")
    tiff("gray_32", GRAY.astype(np.int32) * 3 - 100, "minisblack", compression="zlib")
    tiff("white_is_0", GRAY, "miniswhite", compression="zlib")
    tiff("turned", RGB, compression="zlib", extratags=[(274, "H", 1, 6, True)])
    tiff("inks", 255 - np.dstack([RGB, np.minimum(RGB.min(2), 200)]), "separated",
         compression="zlib")
    pages = io.BytesIO()
    IMAGE.save(pages, "TIFF", save_all=True, append_images=[ImageOps.invert(IMAGE)],
               compression="tiff_lzw")
    keep("pages.0.tif", pages.getvalue())
    pillow("bits.0.tif", "TIFF", IMAGE.convert("1"), compression="group4")
    pillow("palette.0.tif", "TIFF", IMAGE.quantize(200), compression="tiff_lzw")
    pillow("ycc_jpeg.2.tif", "TIFF", compression="jpeg", quality=90)
    pillow("packbits.0.tif", "TIFF", compression="packbits")
    pillow("gray.0.jp2", "JPEG2000", IMAGE.convert("L"))
    pillow("rgb.0.jp2", "JPEG2000")
    pillow("rgba.0.jp2", "JPEG2000", Image.fromarray(np.dstack([RGB, ALPHA])))
    pillow("gray_16.0.jp2", "JPEG2000", Image.fromarray(GRAY.astype(np.uint16) * 3))
    pillow("tiles.0.j2k", "JPEG2000", tile_size=(16, 16), no_jp2=True)
    pillow("lossy.2.j2k", "JPEG2000", quality_mode="rates", quality_layers=[10],
           irreversible=True, no_jp2=True)
    pillow("rgb.2.heic", "HEIF", quality=90)
    pillow("alpha.2.heic", "HEIF", Image.fromarray(np.dstack([RGB, ALPHA])), quality=90)
    turned = Image.Exif()
    turned[274] = 6
    pillow("turned.2.heic", "HEIF", exif=turned, quality=90)
    pillow("rgb.2.avif", "AVIF", quality=90, subsampling="4:4:4")
    pillow("turned.2.avif", "AVIF", quality=90, subsampling="4:4:4", exif=turned)
    pillow("rgba.2.avif", "AVIF", Image.fromarray(np.dstack([RGB, ALPHA])), quality=90,
           subsampling="4:4:4")
    pillow("less_colour.2.avif", "AVIF", quality=90, subsampling="4:2:0")
    for orientation in (2, 5, 7):
        turned[274] = orientation
        pillow(f"turned_{orientation}.2.avif", "AVIF", quality=90, exif=turned)
    pillow("xmp_turned.2.avif", "AVIF", quality=90, exif=b"",
           xmp=b'<x xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="3"/>')
    pillow("gray.2.avif", "AVIF", IMAGE.convert("L"), quality=90)
    pillow("lossless.0.jxl", "JXL", lossless=True)
    pillow("lossy.2.jxl", "JXL", quality=90)
    pillow("rgba.0.jxl", "JXL", Image.fromarray(np.dstack([RGB, ALPHA])), lossless=True)
    pillow("gray.0.jxl", "JXL", IMAGE.convert("L"), lossless=True)


if __name__ == "__main__":
    main()
