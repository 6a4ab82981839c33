#!/usr/bin/env python3
"""What an exported model answers by its format's own runtime, which is told nothing but the file.

    readers.py FORMAT PATH PHOTO...     a line of JSON: runtime, labels, and the probabilities of each photo

Labels and preparation are read from the export as its users would. Whoever imports this needs numpy and Pillow, and
each format its runtime; tfjs needs Node with @tensorflow/tfjs in NODE_PATH, its page ("page" for FORMAT) puppeteer-core
there and Chromium, c a compiler (CC, or cc).
"""
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile

import numpy
from PIL import Image, ImageOps

AT_ONCE = 20  # photos
DECLARED = []
# What answers in Python, by format: modules.
MODULES = {"onnx": ["onnxruntime"], "tflite": ["ai_edge_litert"], "savedmodel": ["tensorflow"], "keras": ["keras"],
           "tfjs": [], "page": [], "torch": ["torch"], "hf": ["transformers"], "timm": ["timm"], "c": []}
MAIN = """#include "model.h"
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
    int size[2];
    float prob[MODEL_CLASSES];
    for (int i = 0; i < MODEL_CLASSES; i++)
        puts(model_labels[i]);
    while (fread(size, sizeof *size, 2, stdin) == 2) {
        size_t n = (size_t)size[0] * (size_t)size[1] * 3;
        unsigned char *rgb = malloc(n);
        if (!rgb || fread(rgb, 1, n, stdin) != n || model_predict(rgb, size[0], size[1], prob))
            return 1;
        free(rgb);
        for (int i = 0; i < MODEL_CLASSES; i++)
            printf("%.9g%c", (double)prob[i], i + 1 < MODEL_CLASSES ? ' ' : '\\n');
    }
    return 0;
}
"""


def decoded(photo):
    return ImageOps.exif_transpose(Image.open(photo)).convert("RGB")


def pixels(photos, resize, dtype=numpy.uint8):
    """[photos][height][width][3] as the file's preparation says."""
    if resize["geometry"] != "squash" or resize["as"] != "PIL.Image.resize":
        raise ValueError(f"no preparation here for {resize}")
    how = Image.Resampling[resize["interpolation"].upper()]
    size = resize["width"], resize["height"]
    return numpy.stack([numpy.asarray(decoded(photo).resize(size, how)) for photo in photos]).astype(dtype)


def by_parts(answer, photos):
    """The answers of photos, some at a time."""
    return numpy.concatenate([answer(photos[i:i + AT_ONCE]) for i in range(0, len(photos), AT_ONCE)])


def of_onnx(path, photos):
    import onnxruntime
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    told = session.get_modelmeta().custom_metadata_map
    resize = json.loads(told["preprocess"])["resize"]
    return ("ONNX Runtime " + onnxruntime.__version__, json.loads(told["labels"]),
            by_parts(lambda some: session.run(None, {"image": pixels(some, resize)})[0], photos))


def of_tflite(path, photos):
    import ai_edge_litert
    from ai_edge_litert.interpreter import Interpreter
    net = Interpreter(model_path=path, num_threads=1)
    net.allocate_tensors()
    given, made = net.get_input_details()[0], net.get_output_details()[0]
    _, height, width, _ = given["shape"]
    with zipfile.ZipFile(path) as inside:
        labels = inside.read("labels.txt").decode().splitlines()
    resize = json.loads(Description(path).image)["resize"]
    assert (resize["width"], resize["height"]) == (width, height)

    def answer(some):
        y = []
        for x in pixels(some, resize, given["dtype"]):
            net.set_tensor(given["index"], x[None])
            net.invoke()
            y.append(net.get_tensor(made["index"])[0].astype(numpy.float32))
        scale, zero = made["quantization"]
        return scale * (numpy.stack(y) - zero) if scale else numpy.stack(y)
    return "LiteRT " + ai_edge_litert.__version__, labels, by_parts(answer, photos)


class Description:
    """What TFLite's metadata says of the first input: `description` of `TensorMetadata`."""
    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = f.read()
        model = self.follow(0)
        for entry in self.list(self.field(model, 6)):
            if self.text(self.field(entry, 0)) == "TFLITE_METADATA":
                buffer = self.list(self.field(model, 4))[self.word(self.field(entry, 1))]
                at = self.follow(self.field(buffer, 0))
                self.data = self.data[at + 4:at + 4 + self.word(at)]
        graph = self.list(self.field(self.follow(0), 3))[0]
        self.image = self.text(self.field(self.list(self.field(graph, 2))[0], 1))

    def word(self, at, n=4, signed=False):
        return int.from_bytes(self.data[at:at + n], "little", signed=signed)

    def follow(self, at):
        return at + self.word(at)

    def field(self, table, number):
        vtable = table - self.word(table, signed=True)
        return table + self.word(vtable + 4 + 2 * number, 2)

    def list(self, at):
        first = self.follow(at)
        return [self.follow(first + 4 + 4 * i) for i in range(self.word(first))]

    def text(self, at):
        at = self.follow(at)
        return self.data[at + 4:at + 4 + self.word(at)].decode()


def of_savedmodel(path, photos):
    import tensorflow as tf
    net = tf.saved_model.load(path).signatures["serving_default"]
    with open(f"{path}/assets.extra/labels.txt", encoding="utf-8") as f:
        labels = f.read().splitlines()
    with open(f"{path}/assets.extra/preprocess.json", encoding="utf-8") as f:
        resize = json.load(f)["resize"]

    def answer(some):
        return net(image=tf.constant(pixels(some, resize)))["probabilities"].numpy()
    return "TensorFlow " + tf.__version__, labels, by_parts(answer, photos)


def of_keras(path, photos):
    import keras
    net = keras.saving.load_model(path)
    with zipfile.ZipFile(path) as inside:
        labels = inside.read("labels.txt").decode().splitlines()
        told = json.loads(inside.read("preprocess.json"))

    def answer(some):
        return keras.ops.convert_to_numpy(net(pixels(some, told["resize"], told["input"]["dtype"])))
    return f"Keras {keras.__version__} ({keras.config.backend()})", labels, by_parts(answer, photos)


def with_torch():
    """torch. A torchvision for graphics cards beside a torch for processors lacks operators: they are declared."""
    import torch
    try:
        import torchvision  # noqa: F401
    except ImportError:
        pass
    except RuntimeError:
        DECLARED.append(torch.library.Library("torchvision", "FRAGMENT"))
        for operator in ("nms", "qnms"):
            DECLARED[0].define(operator + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return torch


def of_torch(path, photos):
    torch = with_torch()
    told = torch.load(path, weights_only=True).headstart
    resize, names = json.loads(told["preprocess"])["resize"], {}
    exec(told["loader"].replace(f'"{os.path.basename(path)}"', repr(path)), names)
    return ("PyTorch " + torch.__version__, names["labels"], by_parts(
        lambda some: names["predict"](torch.from_numpy(pixels(some, resize, numpy.float32))).numpy(), photos))


def of_hf(path, photos):
    with_torch()
    import transformers
    try:  # resized by Pillow, not by torchvision, which rounds some pixels to the next value
        prepare = transformers.AutoImageProcessor.from_pretrained(path, backend="pil")
    except (ValueError, ImportError):
        prepare = None
    classify = transformers.pipeline("image-classification", model=path, function_to_apply="softmax",
                                     image_processor=prepare)
    labels = [classify.model.config.id2label[i] for i in range(len(classify.model.config.id2label))]
    found = [{row["label"]: row["score"] for row in classify(photo, top_k=len(labels))} for photo in photos]
    return ("transformers " + transformers.__version__, labels,
            numpy.array([[row[label] for label in labels] for row in found]))


def of_timm(path, photos):
    torch = with_torch()
    import timm
    net = timm.create_model("local-dir:" + path, pretrained=True).eval()
    prepare = timm.data.create_transform(**timm.data.resolve_model_data_config(net), is_training=False)

    def answer(some):
        with torch.no_grad():
            return net(torch.stack([prepare(decoded(photo)) for photo in some])).softmax(1).numpy()
    return "timm " + timm.__version__, net.pretrained_cfg["label_names"], by_parts(answer, photos)


def in_node(how, path, *words):
    """(labels, probabilities) of tfjs.js."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tfjs.js")
    r = subprocess.run(["node", script, how, path, *words], stdout=subprocess.PIPE, check=True)
    told = json.loads(r.stdout.decode().splitlines()[-1])
    labels = sorted(told[0])
    return labels, numpy.array([[row[label] for label in labels] for row in told])


def of_tfjs(path, photos):
    with tempfile.TemporaryDirectory() as work:
        files = [f"{work}/{i}.ppm" for i in range(len(photos))]
        for file, photo in zip(files, map(decoded, photos)):
            with open(file, "wb") as f:
                f.write(b"P6 %d %d 255\n" % photo.size + photo.tobytes())
        return "TensorFlow.js in Node", *in_node("node", path, *files)


def of_page(path, photos):
    """The page beside the model, which is given the photos' files in Chromium and shows up to ten labels."""
    return "TensorFlow.js in Chromium", *in_node("page", path, shutil.which("chromium"), *photos)


def of_c(path, photos):
    compiler = shlex.split(os.environ.get("CC", "cc"))
    with tempfile.TemporaryDirectory() as work:
        with open(f"{work}/main.c", "w", encoding="utf-8") as f:
            f.write(MAIN)
        subprocess.run([*compiler, "-std=c99", "-O3", "-march=native", "-o", f"{work}/main", f"{work}/main.c",
                        f"{path}/model.c", "-I", path, "-lm"], check=True)
        with open(f"{work}/photos", "wb") as f:
            for photo in map(decoded, photos):
                f.write(numpy.array(photo.size, numpy.int32).tobytes() + photo.tobytes())
        with open(f"{work}/photos", "rb") as f:
            lines = subprocess.run([f"{work}/main"], stdin=f, stdout=subprocess.PIPE,
                                   check=True).stdout.decode().splitlines()
    n = len(lines) - len(photos)
    return compiler[-1], lines[:n], numpy.array([[float(v) for v in line.split()] for line in lines[n:]])


READERS = {name[3:]: what for name, what in list(globals().items()) if name.startswith("of_")}


def answers(kind, path, photos):
    """(runtime, labels, probabilities [photos][labels])"""
    return READERS[kind](path, photos)


if __name__ == "__main__":
    sys.path.pop(0)  # this folder, which has a transformers.py
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    runtime, names_of, made_of = answers(sys.argv[1], sys.argv[2], sys.argv[3:])
    print(json.dumps({"runtime": runtime, "labels": names_of, "answers": made_of.tolist()}))
