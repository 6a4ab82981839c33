"""What the command-line tests work on, made on the spot: photos and a tiny random backbone."""
import json
import os
import random
import struct
import zlib


def patience(seconds):
    """How long a program may take here: an emulator is slower than what it stands for."""
    return seconds * float(os.environ.get("HEADSTART_TEST_PATIENCE", "1"))


def png(path, pixels, side):
    """An 8-bit RGB PNG of side x side pixels; pixels(x, y) gives (r, g, b)."""
    rows = b"".join(
        b"\0" + bytes(v for x in range(side) for v in pixels(x, y)) for y in range(side))

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(
            ">I", zlib.crc32(kind + body))

    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0,
                                                                  0, 0)))
        f.write(chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


COLOURS = {"blue": (30, 60, 220), "green": (40, 190, 60), "red": (220, 40, 30)}


def photos(folder, per_class, classes=("blue", "green", "red"), seed=7):
    """A folder of noisy photos in the colour their class is named after; another seed, others."""
    rng = random.Random(seed)
    for name in classes:
        for i in range(per_class):
            noise = [rng.randrange(-25, 26) for _ in range(3 * 40 * 40)]

            def pixel(x, y, base=COLOURS[name], n=noise):
                at = 3 * (y * 40 + x)
                return tuple(min(255, max(0, base[c] + n[at + c])) for c in range(3))

            png(os.path.join(folder, name, f"{i:02}.png"), pixel, 40)
    return folder


# MobileNetV2 (Sandler et al. 2018), table 2: expansion, channels, repeats, first stride.
STAGES = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
          (6, 320, 1, 1)]


def channels(c, width):
    """make_divisible of the paper's code: a multiple of 8, at least 90 % of what was asked."""
    v = max(8, int(c * width + 4) // 8 * 8)
    return v + 8 if v < 0.9 * c * width else v


def tensors(width):
    """Names (as Hugging Face spells them) and shapes of a MobileNetV2's weights."""
    out = []

    def conv(name, shape):
        out.append((name + ".convolution.weight", shape))
        for part in ("weight", "bias", "running_mean", "running_var"):
            out.append((f"{name}.normalization.{part}", (shape[0],)))

    stem = channels(32, width)
    conv("mobilenet_v2.conv_stem.first_conv", (stem, 3, 3, 3))
    conv("mobilenet_v2.conv_stem.conv_3x3", (stem, 1, 3, 3))
    c = channels(16, width)
    conv("mobilenet_v2.conv_stem.reduce_1x1", (c, stem, 1, 1))
    layer = 0
    for expand, wanted, repeats, _ in STAGES[1:]:
        for _ in range(repeats):
            wide, to = c * expand, channels(wanted, width)
            name = f"mobilenet_v2.layer.{layer}"
            conv(name + ".expand_1x1", (wide, c, 1, 1))
            conv(name + ".conv_3x3", (wide, 1, 3, 3))
            conv(name + ".reduce_1x1", (to, wide, 1, 1))
            c, layer = to, layer + 1
    conv("mobilenet_v2.conv_1x1", (1280, c, 1, 1))
    return out


def backbone(folder, width=0.35, px=96):
    """A folder as Hugging Face has it, with random weights that keep activations alive."""
    rng, header, body = random.Random(3), {}, bytearray()
    for name, shape in tensors(width):
        count = 1
        for d in shape:
            count *= d
        fan_in = count // shape[0]
        spread = (2 / fan_in) ** 0.5
        if len(shape) == 4:
            values = [rng.gauss(0, spread) for _ in range(count)]
        else:
            values = [1.0 if name.endswith(("weight", "var")) else 0.1] * count
        start = len(body)
        body += struct.pack(f"<{count}f", *values)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [start, len(body)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "model.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + body)
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump({"model_type": "mobilenet_v2", "depth_multiplier": width, "image_size": px,
                   "layer_norm_eps": 0.001, "tf_padding": True, "depth_divisible_by": 8,
                   "min_depth": 8, "first_layer_is_expansion": True, "expand_ratio": 6,
                   "output_stride": 32, "finegrained_output": True, "hidden_act": "relu6",
                   "num_channels": 3}, f)
    with open(os.path.join(folder, "preprocessor_config.json"), "w") as f:
        json.dump({"image_mean": [0.5] * 3, "image_std": [0.5] * 3}, f)
    return folder
