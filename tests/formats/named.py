#!/usr/bin/env python3
"""A small vision transformer as PyTorch's two exporters write such to ONNX: the tensors that they leave without
a name get that of their module, and what the graph makes of a picture is what plain loops make of it.

    tests/formats/named.py HEADSTART HELPER
"""
import json
import math
import os
import random
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import small  # noqa: E402
from small import ints, node, pb, tensor  # noqa: E402

PROGRAM, HELPER = (os.path.abspath(p) for p in sys.argv[1:3])
PX, PATCH, DIM, HEADS, HIDDEN = 32, 16, 16, 2, 24
TOKENS = (PX // PATCH) ** 2 + 1
WIDE = DIM // HEADS
SHAPES = {"cls_token": [1, 1, DIM], "pos_embed": [1, TOKENS, DIM], "patch_embed.proj.weight": [DIM, 3, PATCH, PATCH],
          "patch_embed.proj.bias": [DIM], "norm.weight": [DIM], "norm.bias": [DIM]}
for part, rows, columns in (("attn.qkv", 3 * DIM, DIM), ("attn.proj", DIM, DIM), ("mlp.fc1", HIDDEN, DIM),
                            ("mlp.fc2", DIM, HIDDEN)):
    SHAPES[f"blocks.0.{part}.weight"] = [rows, columns]
    SHAPES[f"blocks.0.{part}.bias"] = [rows]
for part in ("norm1", "norm2"):
    SHAPES[f"blocks.0.{part}.weight"] = SHAPES[f"blocks.0.{part}.bias"] = [DIM]


HEAD = [math.sin(i) / 2 for i in range(3 * DIM)]
BIAS = [.1, -.2, .3]


def made_up():
    draw = random.Random(1)
    return {name: [draw.gauss(1 if "norm" in name and name.endswith("weight") else 0,
                              0.05 if len(shape) == 4 else 0.3) for _ in range(math.prod(shape))]
            for name, shape in SHAPES.items()}


def raw(x):
    return struct.pack("<%df" % len(x), *x)


def turned(x, rows, columns):
    return [x[r * columns + c] for c in range(columns) for r in range(rows)]


# ---- the file -----------------------------------------------------------------------------------

def network(weights, newer=False, shares=False, scale=1.0, act="Erf", end=None, pooled=False):
    """newer: as torch.onnx.export(dynamo=True) tells modules and names; shares: norm2 has norm1's tensors, as
    their numbers are the same; end: the operator behind a classifier, "": none, None: there is no classifier, which
    reads the class token, pooled: the mean of the others."""
    nodes, tensors, used = [], [], set()

    def add(op, inputs, output, module, *attributes):
        path = "/" + "".join(p + "/" for p in module.split(".")) if module else "/"
        path = path.replace("blocks/0/", "blocks/blocks.0/")
        scopes = "['', " + (f"'blocks', '{module}', " if module else "") + f"'{output}']"
        told = pb((9, pb((1, "pkg.torch.onnx.name_scopes"), (2, scopes)))) if newer else pb((3, path + op))
        nodes.append(node(op, inputs, [output], *attributes) + told)
        for name in inputs:
            if name in SHAPES and name not in used:
                used.add(name)
                tensors.append(tensor(name, SHAPES[name], raw(weights[name])))

    def constant(name, dims, x, dtype=1):
        tensors.append(tensor(name, dims, raw(x) if dtype == 1 else struct.pack("<%dq" % len(x), *x), dtype))
        return name

    def attribute(name, v):
        return pb((1, name), (3, v), (20, 2)) if isinstance(v, int) else pb((1, name), (2, v), (20, 1))

    def linear(x, module, output):
        rows, columns = SHAPES[module + ".weight"]
        name = constant(("val_%d" if newer else "onnx::MatMul_%d") % len(tensors), [columns, rows],
                        turned(weights[module + ".weight"], rows, columns))
        add("MatMul", [x, name], output + "_m", module)
        add("Add", [module + ".bias", output + "_m"], output, module)

    def norm(x, module, output, of=None):
        add("LayerNormalization", [x, (of or module) + ".weight", (of or module) + ".bias"], output, module,
            attribute("axis", -1), attribute("epsilon", 1e-6))

    def reshape(x, output, *dims):
        add("Reshape", [x, constant("s_" + output, [len(dims)], dims, 7)], output, "")
    add("Conv", ["x", "patch_embed.proj.weight", "patch_embed.proj.bias"], "c", "patch_embed.proj",
        ints("strides", PATCH, PATCH))
    reshape("c", "c2", 0, 0, -1)
    add("Transpose", ["c2"], "t", "patch_embed", ints("perm", 0, 2, 1))
    if newer:
        front = constant("expand", SHAPES["cls_token"], weights["cls_token"])
    else:
        add("Expand", ["cls_token", constant("e", [3], [1, -1 + 2, 1], 7)], "front", "")
        front = "front"
    add("Concat", [front, "t"], "all", "", attribute("axis", 1))
    add("Add", ["all", "pos_embed"], "a", "")
    norm("a", "blocks.0.norm1", "n1")
    linear("n1", "blocks.0.attn.qkv", "qkv")
    reshape("qkv", "five", 1, TOKENS, 3, HEADS, WIDE)
    add("Transpose", ["five"], "parts", "", ints("perm", 2, 0, 3, 1, 4))
    for k, part in enumerate("qkv"):
        add("Gather", ["parts", constant(f"i{k}", [], [k], 7)], part, "", attribute("axis", 0))
    add("Mul", ["q", constant("by", [], [scale / math.sqrt(WIDE)])], "qs", "")
    add("Transpose", ["k"], "kt", "", ints("perm", 0, 1, 3, 2))
    add("MatMul", ["qs", "kt"], "scores", "blocks.0.attn")
    add("Softmax", ["scores"], "shares", "blocks.0.attn", attribute("axis", -1))
    add("MatMul", ["shares", "v"], "sum", "blocks.0.attn")
    add("Transpose", ["sum"], "sumt", "", ints("perm", 0, 2, 1, 3))
    reshape("sumt", "heads", 1, TOKENS, DIM)
    linear("heads", "blocks.0.attn.proj", "proj")
    add("Add", ["a", "proj"], "r1", "")
    norm("r1", "blocks.0.norm2", "n2", "blocks.0.norm1" if shares else None)
    linear("n2", "blocks.0.mlp.fc1", "h")
    add("Div", ["h", constant("root", [], [math.sqrt(2)])], "h1", "")
    add(act, ["h1"], "h2", "")
    add("Add", ["h2", constant("one", [], [1])], "h3", "")
    add("Mul", ["h", "h3"], "h4", "")
    add("Mul", ["h4", constant("half", [], [.5])], "g", "")
    linear("g", "blocks.0.mlp.fc2", "o")
    add("Add", ["r1", "o"], "r2", "")
    norm("r2", "norm", "last")
    add("Gather", ["last", constant("zero", [], [0], 7)], "y", "", attribute("axis", 1))
    made = "y"
    if end is not None:
        add("Slice", ["last"] + [constant(f"slice{k}", [1], [v], 7) for k, v in enumerate((1, TOKENS, 1))], "rest", "")
        add("ReduceMean", ["rest"], "mean", "", ints("axes", 1), attribute("keepdims", 0))
        constant("head.weight", [3, DIM], HEAD)
        constant("head.bias", [3], BIAS)
        add("Gemm", ["mean" if pooled else "y", "head.weight", "head.bias"], "logits", "head", attribute("transB", 1))
        made = "logits"
        if end:
            add(end, ["logits"], "p", "", attribute("axis", -1))
            made = "p"
    return small.onnx(nodes=nodes, tensors=tensors, inputs=[small.onnx_input((1, 3, PX, PX))], outputs=[made])


# ---- the same in loops --------------------------------------------------------------------------

def pixels():
    """src/formats/probe.h."""
    noise, x = 12345, []
    for row in range(PX):
        for col in range(PX):
            for c in range(3):
                slope = (160 * row // PX, 160 * col // PX, 160 - 80 * row // PX - 80 * col // PX)[c]
                noise = (noise * 1664525 + 1013904223) & 0xffffffff
                x.append(slope + (noise >> 24) * 95 // 255)
    return x


def features(w, mean=128, by=64, pooled=False):
    """The class token's, or the mean of the others'."""
    x = [(p - mean) / by for p in pixels()]
    rows = [list(w["cls_token"])]
    for patch in range(TOKENS - 1):
        top, left = patch // (PX // PATCH) * PATCH, patch % (PX // PATCH) * PATCH
        rows.append([w["patch_embed.proj.bias"][o] + sum(
            w["patch_embed.proj.weight"][((o * 3 + c) * PATCH + i) * PATCH + k] *
            x[((top + i) * PX + left + k) * 3 + c] for c in range(3) for i in range(PATCH) for k in range(PATCH))
            for o in range(DIM)])
    rows = [[v + w["pos_embed"][t * DIM + i] for i, v in enumerate(row)] for t, row in enumerate(rows)]

    def norm(row, name):
        mean = sum(row) / DIM
        by = 1 / math.sqrt(sum((v - mean) ** 2 for v in row) / DIM + 1e-6)
        return [(v - mean) * by * w[name + ".weight"][i] + w[name + ".bias"][i] for i, v in enumerate(row)]

    def linear(row, name):
        n = len(row)
        return [b + sum(w[name + ".weight"][o * n + i] * v for i, v in enumerate(row))
                for o, b in enumerate(w[name + ".bias"])]
    qkv = [linear(norm(row, "blocks.0.norm1"), "blocks.0.attn.qkv") for row in rows]
    made = []
    for t in range(TOKENS if pooled else 1):
        heads = []
        for h in range(HEADS):
            q, k, v = ([qkv[s][p * DIM + h * WIDE:p * DIM + (h + 1) * WIDE] for s in range(TOKENS)] for p in range(3))
            shares = [math.exp(sum(a * b for a, b in zip(q[t], k[s])) / math.sqrt(WIDE)) for s in range(TOKENS)]
            heads += [sum(e * v[s][i] for s, e in enumerate(shares)) / sum(shares) for i in range(WIDE)]
        row = [a + b for a, b in zip(rows[t], linear(heads, "blocks.0.attn.proj"))]
        hidden = [v / 2 * (1 + math.erf(v / math.sqrt(2)))
                  for v in linear(norm(row, "blocks.0.norm2"), "blocks.0.mlp.fc1")]
        made.append(norm([a + b for a, b in zip(row, linear(hidden, "blocks.0.mlp.fc2"))], "norm"))
    return [sum(column) / len(made[1:]) for column in zip(*made[1:])] if pooled else made[0]


class Named(unittest.TestCase):
    def setUp(self):
        self.work = tempfile.TemporaryDirectory()
        self.addCleanup(self.work.cleanup)
        self.path = os.path.join(self.work.name, "net.onnx")

    def write(self, content):
        with open(self.path, "wb") as f:
            f.write(content)

    def convert(self, content):
        self.write(content)
        out = os.path.join(self.work.name, "out.safetensors")
        r = subprocess.run([HELPER, self.path, out], capture_output=True, text=True)
        self.assertEqual(r.returncode, 0, r.stderr)
        with open(out, "rb") as f:
            body = f.read()
        n = struct.unpack("<Q", body[:8])[0]
        head = json.loads(body[8:8 + n])
        facts = head.pop("__metadata__")
        data = {k: struct.unpack("<%df" % ((v["data_offsets"][1] - v["data_offsets"][0]) // 4),
                                 body[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]])
                for k, v in head.items()}
        return facts, data, {k: v["shape"] for k, v in head.items()}

    def run_on(self, content, *words):
        self.write(content)
        env = dict(os.environ, HEADSTART_HELPER=HELPER, HEADSTART_CACHE=os.path.join(self.work.name, "cache"))
        return subprocess.run([PROGRAM, *words, "--json"], env=env, capture_output=True, text=True, check=False)

    def backbone(self, content):
        return self.run_on(content, "backbones", "import", self.path)

    def test_tensors_and_answers(self):
        weights = made_up()
        same = dict(weights, **{f"blocks.0.norm2.{k}": weights[f"blocks.0.norm1.{k}"] for k in ("weight", "bias")})
        for how in ({}, {"newer": True}, {"shares": True}, {"newer": True, "shares": True}):
            of = same if "shares" in how else weights
            with self.subTest(how):
                facts, data, shapes = self.convert(network(of, **how))
                self.assertEqual((facts["probe"], facts["heads"], facts["activation"], facts["norm_epsilon"]),
                                 ("scaled 32 32", str(HEADS), "gelu", "1e-06"))
                for name, shape in SHAPES.items():
                    self.assertEqual(shapes[name], shape)
                    self.assertEqual(struct.pack("<%df" % len(data[name]), *data[name]), raw(of[name]), name)
                want = features(of)
                answers = [x for name, x in data.items() if name.startswith("probe/") and len(x) == DIM]
                nearest = min(max(abs(a - b) for a, b in zip(x, want)) for x in answers)
                self.assertLess(nearest, 1e-4)

    def test_it_predicts_with_its_head(self):
        photo = os.path.join(self.work.name, "photo.ppm")
        with open(photo, "wb") as f:
            f.write(b"P6 %d %d 255\n" % (PX, PX) + bytes(pixels()))
        weights = made_up()
        for end, pooled in (("", False), ("Softmax", False), ("Sigmoid", True), ("", True)):
            with self.subTest(end=end, pooled=pooled):
                r = self.run_on(network(weights, end=end, pooled=pooled), "predict", self.path, photo, "--scaling",
                                "pm1", "--prepare", "pil", "--fit", "squash", "--no-store")
                self.assertEqual(r.returncode, 0, r.stderr)
                told = json.loads(r.stdout)
                got = {c["label"]: c["probability"] for c in told.get("all") or told["top"]}
                y = features(weights, 127.5, 127.5, pooled)
                logits = [BIAS[o] + sum(HEAD[o * DIM + i] * v for i, v in enumerate(y)) for o in range(3)]
                several = [1 / (1 + math.exp(-v)) for v in logits]
                shares = [math.exp(v) / sum(map(math.exp, logits)) for v in logits]
                for i, want in enumerate(several if end == "Sigmoid" else shares):
                    self.assertAlmostEqual(got[str(i)], want, delta=1e-4)

    def test_it_is_taken_for_what_it_is(self):
        r = self.backbone(network(made_up()))
        self.assertEqual(r.returncode, 0, r.stderr)
        found = json.loads(r.stdout)
        self.assertEqual((found["family"], found["n_features"], found["image_px"]), ("vit", DIM, PX))

    def test_another_network_of_such_tensors_is_refused(self):
        for how in ({"scale": 1.5}, {"act": "Tanh"}):
            with self.subTest(how):
                r = self.backbone(network(made_up(), **how))
                self.assertEqual(r.returncode, 4, r.stderr)
                self.assertIn("its graph computes something else", r.stderr)

    def test_what_cannot_be_computed_is_refused(self):
        r = self.backbone(network(made_up(), act="Mystery"))
        self.assertEqual(r.returncode, 4)
        self.assertIn("the ONNX operator 'Mystery' is not known", r.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
