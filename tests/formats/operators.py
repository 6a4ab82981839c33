#!/usr/bin/env python3
"""The operators of networks with squeeze-and-excitation, in the three formats that hold a graph: read
into the same list, whatever they are made of; and refused where they are something else.

    tests/formats/operators.py HELPER [CORPUS]     CORPUS: writes the networks there, for the fuzzers
"""
import json
import math
import os
import re
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import small  # noqa: E402
from small import Table, floats, ints, node, pb, tensor  # noqa: E402

HELPER = os.path.abspath(sys.argv[1])
# stem, pool, depthwise, squeeze, excite, project, and the pool's output is added
GRAPH = [
    "input -> 32x32x3",
    "conv2d 0 kernel=3 stride=2 padding=symmetric -> 16x16x8",
    "activation 1 function=relu -> 16x16x8",
    "max_pool 2 kernel=3 stride=2 padding=symmetric -> 8x8x8",
    "depthwise 3 kernel=3 stride=1 padding=symmetric -> 8x8x8",
    "activation 4 function=hswish -> 8x8x8",
    "global_average 5 -> 1x1x8",
    "conv2d 6 kernel=1 stride=1 padding=symmetric -> 1x1x8",
    "activation 7 function=relu -> 1x1x8",
    "conv2d 8 kernel=1 stride=1 padding=symmetric -> 1x1x8",
    "activation 9 function=hsigmoid -> 1x1x8",
    "scale 5 10 -> 8x8x8",
    "conv2d 11 kernel=1 stride=1 padding=symmetric -> 8x8x8",
    "activation 12 function=swish -> 8x8x8",
    "add 13 3 -> 8x8x8",
    "global_average 14 -> 1x1x8"]
THIRD = struct.pack("<f", 1 / 6)


def scalar(x):
    return struct.pack("<f", x)


# ---- ONNX ---------------------------------------------------------------------------------------

def conv(x, i, y, stride=1, pad=0, group=1):
    return node("Conv", [x, f"w{i}", f"b{i}"], [y], ints("strides", stride, stride),
                ints("pads", *[pad] * 4), pb((1, "group"), (3, group), (20, 2)))


def real(name, x):
    return pb((1, name), (2, x), (20, 1))


def onnx(parts=False, pool=3, ceil=0, alpha=1 / 6, front=(), first="x"):
    """parts: hard sigmoid and hard swish of what they are made of, as older exporters have them."""
    def hard_swish(x, y):
        if not parts:
            return [node("HardSwish", [x], [y])]
        return [node("Add", [x, "three"], ["p"]), node("Clip", ["p", "low", "high"], ["q"]),
                node("Mul", [x, "q"], ["r"]), node("Div", ["r", "six"], [y])]

    def hard_sigmoid(x, y):
        if not parts:
            return [node("HardSigmoid", [x], [y], real("alpha", alpha))]
        return [node("Add", [x, "three"], ["u"]), node("Clip", ["u", "low", "high"], ["v"]),
                node("Mul", ["third", "v"], [y])]
    nodes = [
        *front, conv(first, 0, "c0", 2, 1), node("Relu", ["c0"], ["a0"]),
        node("MaxPool", ["a0"], ["m"], ints("kernel_shape", pool, pool), ints("strides", 2, 2),
             ints("pads", 1, 1, 1, 1), pb((1, "ceil_mode"), (3, ceil), (20, 2))),
        conv("m", 1, "c1", 1, 1, 8), *hard_swish("c1", "a1"),
        node("GlobalAveragePool", ["a1"], ["g"]), conv("g", 2, "s0"), node("Relu", ["s0"], ["s1"]),
        conv("s1", 3, "s2"), *hard_sigmoid("s2", "s3"), node("Mul", ["s3", "a1"], ["e"]),
        conv("e", 2, "c2"), node("Sigmoid", ["c2"], ["z"]), node("Mul", ["c2", "z"], ["a2"]),
        node("Add", ["m", "a2"], ["sum"]),
        node("ReduceMean", ["sum"], ["y"], ints("axes", 2, 3)),
        # a classifier, of which nothing need be known
        node("Shape", ["y"], ["shape"]), node("Flatten", ["y"], ["f"]),
        node("Gemm", ["f", "w2"], ["t"]), node("Mystery", ["t"], ["u9"]),
        node("Mul", ["t", "u9"], ["logits"]),
    ]
    tensors = small.onnx_tensors(three=tensor("three", [], scalar(3)), six=tensor("six", [], scalar(6)),
                                 third=tensor("third", [], THIRD),
                                 mean=tensor("mean", [1, 3, 1, 1], struct.pack("<3f", .25, .5, .75)))
    return small.onnx(nodes=nodes, tensors=tensors)


def padding(widths, name, reverse=-1):
    """What PyTorch's exporter makes of F.pad(x, widths): left, right, top, bottom."""
    def number(name, *v):
        return tensor(name, [len(v)], struct.pack("<%dq" % len(v), *v), 7)
    tensors = [number("widths", *widths), number("rest", 8 - len(widths)), number("two", -1, 2),
               number("last", -1), number("first", -(1 << 63) + 1), number("axis", 0), number("step", reverse)]
    nodes = [node("ConstantOfShape", ["rest"], ["p0"], pb((1, "value"), (5, tensor("", [1], bytes(8), 7)), (20, 4))),
             node("Concat", ["widths", "p0"], ["p1"], pb((1, "axis"), (3, 0), (20, 2))),
             node("Reshape", ["p1", "two"], ["p2"]),
             node("Slice", ["p2", "last", "first", "axis", "step"], ["p3"]),
             node("Transpose", ["p3"], ["p4"], ints("perm", 1, 0)), node("Reshape", ["p4", "last"], ["p5"]),
             node("Cast", ["p5"], [name], pb((1, "to"), (3, 7), (20, 2)))]
    return nodes, tensors


def padded(widths, **how):
    """The small network with its first convolution's padding as an operator."""
    nodes, tensors = padding(widths, "pads", **how)
    rest = small.onnx_nodes(pads=(0, 0, 0, 0))
    rest[0] = rest[0].replace(b"\n\x01x", b"\n\x01z")
    return small.onnx(nodes=[*nodes, node("Pad", ["x", "pads"], ["z"]), *rest],
                      tensors=small.onnx_tensors() + tensors)


def worked_out(px=32):
    """The first convolution pads as TensorFlow does, by the picture's size: ceil, clip and all that."""
    def real(name, x):
        return tensor(name, [], struct.pack("<f", x))
    def whole(name, x):
        return tensor(name, [], struct.pack("<q", x), 7)
    def floor_half(x, y, z):  # as float: the exporter casts to and fro
        return [node("Div", [x, "2."], [y + "d"]), node("Cast", [y + "d"], [y + "i"], to(7)),
                node("Cast", [y + "i"], [y], to(1)), node("Sub", [x, y], [z])]
    def to(kind):
        return pb((1, "to"), (3, kind), (20, 2))
    def unsqueezed(x):
        return node("Unsqueeze", [x, "axis"], [x + "u"])
    tensors = [real("1.", 1), real("2.", 2), real("0.", 0), whole("3", 3), whole("8", 8), whole("0", 0)]
    nodes = [
        node("Shape", ["x"], ["dims"]), node("Gather", ["dims", "3"], ["w"]), node("Cast", ["w"], ["wf"], to(1)),
        node("Div", ["wf", "2."], ["q0"]), node("Ceil", ["q0"], ["q1"]), node("Sub", ["q1", "1."], ["q2"]),
        node("Mul", ["q2", "2."], ["q3"]), node("Add", ["q3", "2."], ["q4"]), node("Add", ["q4", "1."], ["q5"]),
        node("Sub", ["q5", "wf"], ["q6"]), node("Clip", ["q6", "0.", ""], ["total"]),
        *floor_half("total", "left", "right"), unsqueezed("left"), unsqueezed("right"),
        node("Concat", ["leftu", "rightu", "leftu", "rightu"], ["wide"]), node("Cast", ["wide"], ["widths"], to(7)),
        node("Shape", ["widths"], ["four"]), node("Gather", ["four", "0"], ["n"]),
        node("Sub", ["8", "n"], ["rest"])]
    rest, more = padding((0, 1, 0, 1), "pads")
    more = [t for t in more if b"widths" not in t and b"rest" not in t]
    net = small.onnx_nodes(pads=(0, 0, 0, 0))
    net[0] = net[0].replace(b"\n\x01x", b"\n\x01z")
    return small.onnx(nodes=[*nodes, *rest, node("Pad", ["x", "pads"], ["z"]), *net],
                      tensors=small.onnx_tensors() + tensors + more,
                      inputs=[small.onnx_input(("N", 3, px, px))])


# ---- TFLite -------------------------------------------------------------------------------------

def tflite(parts=False, window=3, padding=1, drawn_in=False):
    """Values by name; operators as (code, inputs, outputs, options). drawn_in: the 3 of hard sigmoid is in
    the bias, as TensorFlow's converter has it; its sixth is a float16."""
    codes = [0, 3, 4, 14, 17, 18, 19, 22, 34, 40, 117, 9]
    names = ["x", "w0", "b0", "w1", "b1", "w2", "b2", "w3", "b3", "axes", "three", "third", "pads", "half"]
    tensors = small.tflite_tensors()[:10] + [["three", [], 10, 0], ["third", [], 11, 0],
                                             ["pads", [4, 2], 12, 2], ["half", [], 13, 1]]
    operators = []

    def op(code, inputs, output, options=None, shape=(1, 8, 8, 8)):
        names.append(output)
        tensors.append([output, list(shape), 0, 0])
        operators.append([codes.index(code), [names.index(i) for i in inputs], [len(names) - 1], options])

    def conv_options(stride=1, act=0):
        return Table({0: ("b", 0), 1: ("i", stride), 2: ("i", stride), 3: ("b", act)})
    one = (1, 1, 1, 8)
    # SAME on an even size is not one pixel on every side
    op(34, ["x", "pads"], "x1", None, (1, 34, 34, 3))
    op(3, ["x1", "w0", "b0"], "a0", Table({0: ("b", 1), 1: ("i", 2), 2: ("i", 2), 3: ("b", 1)}), (1, 16, 16, 8))
    op(34, ["a0", "pads"], "a0p", None, (1, 18, 18, 8))
    op(17, ["a0p"], "m", Table({0: ("b", padding), 1: ("i", 2), 2: ("i", 2), 3: ("i", window), 4: ("i", window)}))
    op(4, ["m", "w1", "b1"], "c1", Table({0: ("b", 0), 1: ("i", 1), 2: ("i", 1), 3: ("i", 1)}))
    if parts:
        op(0, ["c1", "three"], "p", Table({0: ("b", 3)}))
        op(18, ["p", "third"], "q")
        op(18, ["c1", "q"], "a1")
    else:
        op(117, ["c1"], "a1")
    op(40, ["a1", "axes"], "g", Table({0: ("b", 1)}), one)
    op(3, ["g", "w2", "b2"], "s1", conv_options(act=1), one)
    if drawn_in:
        op(3, ["s1", "w3", "b3"], "u", conv_options(act=3), one)
        op(18, ["u", "half"], "s3", None, one)
    else:
        op(3, ["s1", "w3", "b3"], "s2", conv_options(), one)
        op(0, ["s2", "three"], "u", Table({0: ("b", 3)}), one)
        op(18, ["u", "third"], "s3", None, one)
    op(18, ["a1", "s3"], "e")
    op(3, ["e", "w2", "b2"], "c2", conv_options())
    op(14, ["c2"], "z")
    op(18, ["c2", "z"], "a2")
    op(0, ["a2", "m"], "sum")
    op(40, ["sum", "axes"], "y", None, (1, 8))
    op(22, ["y"], "f", None, (1, 8))
    op(9, ["f", "w2"], "logits", None, (1, 8))
    return small.tflite(tensors=tensors, operators=operators, codes=codes,
                        buffers={10: scalar(3), 11: THIRD,
                                 12: struct.pack("<8i", 0, 0, 1, 1, 1, 1, 0, 0),
                                 13: struct.pack("<e", 1 / 6)})


# ---- TensorFlow.js ------------------------------------------------------------------------------

def tfjs(parts=False, ksize=3):
    def conv(op, name, x, i, stride=1, act=None, padding="SAME"):
        return dict(name=name, op=op, input=[x, f"w{i}", f"b{i}"], attr={
            "strides": {"list": {"i": ["1", str(stride), str(stride), "1"]}}, "padding": {"s": padding},
            "fused_ops": {"list": {"s": ["BiasAdd"] + ([act] if act else [])}}})

    def op(name, op, *inputs, **attr):
        return dict(name=name, op=op, input=list(inputs), attr=attr)
    nodes = small.tfjs_nodes()[:10]
    nodes += [dict(name=n, op="Const") for n in ("three", "third", "pads", "four")]
    nodes += [
        op("x1", "Pad", "x", "pads"), conv("_FusedConv2D", "a0", "x1", 0, 2, "Relu", "VALID"),
        op("a0p", "Pad", "a0", "pads"),
        op("m", "MaxPool", "a0p", ksize={"list": {"i": ["1", str(ksize), str(ksize), "1"]}},
           strides={"list": {"i": ["1", "2", "2", "1"]}}, padding={"s": "VALID"}),
        conv("FusedDepthwiseConv2dNative", "c1", "m", 1), op("p", "AddV2", "c1", "three"),
        op("q", "Relu6", "p")]
    if parts:
        nodes += [op("r", "Mul", "c1", "third"), op("a1", "Mul", "r", "q")]
    else:
        nodes += [op("r", "Mul", "q", "third"), op("a1", "Mul", "r", "c1")]
    nodes += [
        op("g", "Mean", "a1", "axes"), op("g4", "Reshape", "g", "four"),
        conv("_FusedConv2D", "s1", "g4", 2, 1, "Relu"), conv("_FusedConv2D", "s2", "s1", 3),
        op("u", "AddV2", "s2", "three"), op("v", "Relu6", "u"), op("s3", "Mul", "v", "third"),
        op("e", "Mul", "a1", "s3"), conv("_FusedConv2D", "c2", "e", 2), op("z", "Sigmoid", "c2"),
        op("a2", "Mul", "z", "c2"), op("sum", "AddV2", "m", "a2"), op("y", "Mean", "sum", "axes"),
        op("logits", "MatMul", "y", "w2")]
    weights = small.tfjs_manifest() + [
        dict(name="three", shape=[], dtype="float32"), dict(name="third", shape=[], dtype="float32"),
        dict(name="pads", shape=[4, 2], dtype="int32"), dict(name="four", shape=[4], dtype="int32")]
    data = small.tfjs_data() + scalar(3) + THIRD + struct.pack("<12i", 0, 0, 1, 1, 1, 1, 0, 0, -1, 1, 1, 8)
    return small.tfjs(nodes=nodes, weights=weights, data=data)


FORMATS = {"net.onnx": onnx, "net.tflite": tflite, "net": tfjs}


def graph(facts):
    """The lines without the names, and the names."""
    parts = [re.fullmatch(r"(.* -> \S+) ?(.*)", line).groups() for line in facts["graph"].split("\n")]
    return [p[0] for p in parts], [p[1] for p in parts if p[1]]


class Operators(unittest.TestCase):
    def convert(self, name, content):
        with tempfile.TemporaryDirectory() as work:
            source, out = os.path.join(work, name), os.path.join(work, "out.safetensors")
            for file, body in (content if isinstance(content, dict) else {"": content}).items():
                path = os.path.join(source, file) if file else source
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as f:
                    f.write(body)
            r = subprocess.run([HELPER, source, out], capture_output=True, text=True)
            if r.returncode:
                return r, None, None
            with open(out, "rb") as f:
                body = f.read()
        n = struct.unpack("<Q", body[:8])[0]
        return r, json.loads(body[8:8 + n]), body[8 + n:]

    def test_every_form_is_the_same_list(self):
        for name, make in FORMATS.items():
            for parts in (False, True):
                with self.subTest(name, parts=parts):
                    r, head, data = self.convert(name, make(parts))
                    self.assertEqual(r.returncode, 0, r.stderr)
                    facts = head.pop("__metadata__")
                    self.assertEqual(graph(facts)[0], GRAPH)
                    self.assertEqual(len(graph(facts)[1]), 5)
                    self.assertEqual(facts["padding"], "symmetric")
                    self.assertNotIn("mean", facts)
                    self.assertEqual(sorted(k for k in head if "kernel" in k),
                                     ["op0/kernel", "op1/depthwise_kernel", "op2/kernel", "op3/kernel", "op4/kernel"])
                    for k in ("op2/kernel", "op4/kernel"):
                        begin, end = head[k]["data_offsets"]
                        if name != "net.tflite":  # where rows are output channels
                            want = floats(64) if name == "net" else self.transposed(floats(64))
                            self.assertEqual(data[begin:end], want)

    def test_quantised_networks_are_the_numbers_they_stand_for(self):
        scale, zero, out_scale = 0.03125, 130, 0.0625
        for kind in ("uint8 for a tensor", "int8 for a channel"):
            signed = kind.startswith("int8")
            tensors, letter, number = small.tflite_tensors(), "b" if signed else "B", 9 if signed else 3
            buffers = {}

            def quantised(i, scales, zeros, bits, data=None):
                tensors[i][3] = bits
                tensors[i].append({4: Table({2: small.numbers("f", *scales), 3: small.numbers("q", *zeros)})})
                if data is not None:
                    buffers[tensors[i][2]] = data
            quantised(0, [scale], [-1 if signed else 127], number)
            for i in range(1, 9):
                shape = tensors[i][1]
                n = math.prod(shape)
                if len(shape) == 1:  # a bias: int32
                    quantised(i, [out_scale] * (shape[0] if signed else 1), [0] * (shape[0] if signed else 1), 2,
                              struct.pack(f"<{n}i", *(k - 3 for k in range(n))))
                    continue
                channels = shape[3] if shape[0] == 1 else shape[0]
                values = [(5 * k) % 251 - (125 if signed else 0) for k in range(n)]
                scales = [2.0 ** -(k % 5) for k in range(channels)] if signed else [scale]
                quantised(i, scales, [0] * channels if signed else [zero], number,
                          struct.pack(f"<{n}{letter}", *values))
                if signed and shape[0] == 1:
                    tensors[i][4][4][6] = ("i", 3)
            for row in tensors[10:]:
                row[3] = number
            with self.subTest(kind):
                r, head, data = self.convert("net.tflite", small.tflite(tensors=tensors, buffers=buffers))
                self.assertEqual(r.returncode, 0, r.stderr)
                facts = head.pop("__metadata__")
                self.assertEqual((facts["mean"], facts["std"]), ("127 127 127", "32 32 32"))

                def read(name):
                    begin, end = head[name]["data_offsets"]
                    return struct.unpack(f"<{(end - begin) // 4}f", data[begin:end])
                self.assertEqual(read("op0/bias"), tuple(out_scale * (k - 3) for k in range(8)))
                # [H][W][I][O] of TFLite's [O][H][W][I]
                self.assertEqual(head["op0/kernel"]["shape"], [3, 3, 3, 8])
                got = read("op0/kernel")
                for o in range(8):
                    for k in range(27):
                        q = (5 * (27 * o + k)) % 251 - (125 if signed else zero)
                        self.assertEqual(got[8 * k + o], q * (2.0 ** -(o % 5) if signed else scale))
                got = read("op1/depthwise_kernel")
                for k in range(72):
                    q = (5 * k) % 251 - (125 if signed else zero)
                    self.assertEqual(got[k], q * (2.0 ** -(k % 8 % 5) if signed else scale))

    def test_a_three_in_the_bias(self):
        biases = []
        for drawn_in in (False, True):
            r, head, data = self.convert("net.tflite", tflite(drawn_in=drawn_in))
            self.assertEqual(r.returncode, 0, r.stderr)
            self.assertEqual(graph(head["__metadata__"])[0], GRAPH)
            begin, end = head["op3/bias"]["data_offsets"]
            biases.append(struct.unpack("<8f", data[begin:end]))
        self.assertEqual([x - 3 for x in biases[0]], list(biases[1]))

    def test_kernels_as_keras_3_names_them(self):
        r, head, _ = self.convert("saved_model", small.saved_model(
            names={"w1": "dw/kernel", "w2": "pw/kernel", "b1": "dw/bias"}))
        self.assertEqual(r.returncode, 0, r.stderr)
        del head["__metadata__"]
        self.assertEqual(sorted(k for k in head if "net/" not in k),
                         ["dw/bias", "dw/depthwise_kernel", "pw/kernel"])

    def test_inputs_that_nothing_reads(self):
        inputs = [small.onnx_input(), small.onnx_input((1, 1, 1, 3), "mean:0")]
        r, head, _ = self.convert("net.onnx", small.onnx(inputs=inputs))
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(head["__metadata__"]["scaling"], "imagenet")
        # TensorFlow's exporter says nothing of pixels: what its network takes is its family's matter
        r, head, _ = self.convert("net.onnx", small.onnx(front=[(2, "tf2onnx")]))
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertNotIn("scaling", head["__metadata__"])

    def test_inputs_that_are_no_square(self):
        """Height and width as the formats have them: 32, 64."""
        config = dict(layers=[dict(class_name="InputLayer", config=dict(batch_input_shape=[None, 32, 64, 3]))])
        layers = small.tfjs(format="layers-model", modelTopology=dict(
            keras_version="2.4.0", model_config=dict(class_name="Functional", config=config)))
        for name, content in (("net.onnx", small.onnx(inputs=[small.onnx_input(("N", 3, 32, 64))])),
                              ("saved_model", small.saved_model(size=(32, 64))), ("layers", layers)):
            with self.subTest(name):
                r, head, _ = self.convert(name, content)
                self.assertEqual(r.returncode, 0, r.stderr)
                facts = {k: v for k, v in head["__metadata__"].items() if k.endswith("_px")}
                self.assertEqual(facts, {"image_width_px": "64", "image_height_px": "32"})

    @staticmethod
    def transposed(raw):
        x = struct.unpack("<64f", raw)
        return struct.pack("<64f", *[x[8 * (i % 8) + i // 8] for i in range(64)])

    def test_a_mean_and_deviation_in_the_graph(self):
        front = [node("Mul", ["x", "third"], ["x1"]), node("Sub", ["x1", "mean"], ["x2"])]
        r, head, _ = self.convert("net.onnx", onnx(front=front, first="x2"))
        self.assertEqual(r.returncode, 0, r.stderr)
        # of an input on 0..1: as 1/6 is not far smaller than 1
        self.assertEqual(head["__metadata__"]["mean"], "382.5 765 1147.5")
        self.assertEqual(head["__metadata__"]["std"], "1530 1530 1530")

    def test_widths_that_are_worked_out(self):
        for widths, how in (((1, 1, 1, 1), "symmetric"), ((0, 1, 0, 1), "tf")):
            r, head, _ = self.convert("net.onnx", padded(widths))
            # the depthwise convolution pads both ways alike
            self.assertEqual((r.returncode, head and head["__metadata__"]["padding"]), (0, how), r.stderr)
        for px in (32, 33):  # at 33 one pixel on every side, which TensorFlow would choose as well
            r, head, _ = self.convert("net.onnx", worked_out(px))
            self.assertEqual(r.returncode, 0, r.stderr)
            self.assertEqual(head["__metadata__"]["padding"], "tf")
        for content, says in ((worked_out("height"), "works out its widths"),
                              (padded((1, 0, 1, 0)), "pads by 1, 1, 0, 0"),
                              (padded((1, 1, 1, 1), reverse=-2), "works out its widths")):
            r, _, _ = self.convert("net.onnx", content)
            self.assertEqual(r.returncode, 4, r.stderr)
            self.assertIn(says, r.stderr)

    def test_something_else_is_refused(self):
        for name, content, says in [
                ("net.onnx", onnx(alpha=.2), "HardSigmoid"), ("net.onnx", onnx(ceil=1), "MaxPool"),
                ("net.onnx", onnx(pool=2), "max pooling"), ("net.tflite", tflite(window=2), "max pooling"),
                ("net.tflite", tflite(padding=0), "max pooling"), ("net", tfjs(ksize=2), "max pooling"),
                ("net.onnx", onnx(front=[node("Mul", ["x", "third"], ["x1"])], first="x"), "scaled")]:
            with self.subTest(name, says=says):
                r, _, _ = self.convert(name, content)
                self.assertEqual(r.returncode, 4, r.stderr)
                self.assertIn(says, r.stderr)


def write_corpus(folder):
    files = tfjs()
    packed = struct.pack("<I", len(files["model.json"])) + files["model.json"] + files["w.bin"]  # tests/fuzz/folder.h
    for name, body in [("onnx/gated.onnx", onnx(True)), ("onnx/padded.onnx", worked_out()),
                       ("tflite/gated.tflite", tflite(True)), ("tfjs/gated", packed)]:
        with open(os.path.join(folder, name), "wb") as f:
            f.write(body)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        write_corpus(sys.argv[2])
    else:
        unittest.main(argv=sys.argv[:1])
