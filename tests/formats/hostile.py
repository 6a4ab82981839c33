#!/usr/bin/env python3
"""Weight files that are made to do harm: each is refused in one line, with exit status 4, in little
memory, and nothing is written.

    tests/formats/hostile.py HELPER
"""
import io
import math
import os
import pickle
import struct
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import small  # noqa: E402
from small import Table, onnx, onnx_nodes, onnx_tensors, pb, tensor, tfjs, tflite  # noqa: E402

HELPER = os.path.abspath(sys.argv[1])
LIMIT_BYTES = 64 << 20  # over the size of the file
LIMIT_S = 5
CORPUS = os.path.join(HERE, "..", "fuzz", "corpus")


def corpus(*parts):
    with open(os.path.join(CORPUS, *parts), "rb") as f:
        return f.read()


# ---- ONNX ---------------------------------------------------------------------------------------

def with_w0(dims, raw, dtype=1, **more):
    return onnx(tensors=onnx_tensors(w0=tensor("w0", dims, raw, dtype, **more)))


def external(location, length=864):
    pairs = [(13, pb((1, "location"), (2, location))), (13, pb((1, "length"), (2, str(length)))),
             (14, 1)]
    return with_w0([8, 3, 3, 3], None, fields=pairs)


def with_nodes(change):
    nodes = onnx_nodes()
    change(nodes)
    return onnx(nodes=nodes)


def deep(levels):
    out = b""
    for _ in range(levels):
        out = pb((7, out), (1, 8))
    return out


def many_biases(channels, times):
    """One vector of the file, added again and again."""
    tensors = [tensor("k", [channels, 3, 1, 1], bytes(12 * channels)), tensor("b", [channels], bytes(4 * channels))]
    nodes = [small.node("Conv", ["x", "k"], ["v0"])]
    nodes += [small.node("Add", [f"v{i}", "b"], [f"v{i + 1}"]) for i in range(times)]
    return onnx(nodes=nodes, tensors=tensors)


FLOATS = small.floats(216)
ONNX = {
    "cut off": lambda: onnx()[:-700],
    "negative size": lambda: with_w0([-8, 3, 3, 3], FLOATS),
    "huge size": lambda: with_w0([1 << 62, 3, 3, 3], FLOATS),
    "overflowing sizes": lambda: with_w0([1 << 32, 1 << 32], FLOATS),
    "many sizes": lambda: with_w0([1] * 100000, FLOATS),
    "too little data": lambda: with_w0([8, 3, 3, 3], FLOATS[:-4]),
    "too much data": lambda: with_w0([8, 3, 3, 3], FLOATS + FLOATS),
    "unknown type": lambda: with_w0([8, 3, 3, 3], FLOATS, 99),
    "texts for numbers": lambda: with_w0([8, 3, 3, 3], FLOATS, 8),
    "no such weight": lambda: onnx(tensors=onnx_tensors(w0=None)),
    "weight twice": lambda: onnx(tensors=onnx_tensors() + onnx_tensors()),
    "data in /etc": lambda: external("/etc/passwd"),
    "data above": lambda: external("../../../../etc/passwd"),
    "data that is not there": lambda: external("w.bin"),
    "data of another length": lambda: external("w.bin", 1 << 60),
    "node without inputs": lambda: with_nodes(lambda n: n.__setitem__(0, small.node("Conv", [], ["c0"]))),
    "no groups": lambda: onnx(nodes=onnx_nodes(group=0)),
    "negative groups": lambda: onnx(nodes=onnx_nodes(group=-8)),
    "zero stride": lambda: onnx(nodes=onnx_nodes(strides=(0, 0))),
    "huge stride": lambda: onnx(nodes=onnx_nodes(strides=(1 << 62, 1 << 62))),
    "huge padding": lambda: onnx(nodes=onnx_nodes(pads=(1 << 40,) * 4)),
    "holes in kernels": lambda: onnx(nodes=onnx_nodes(dilations=(7, 7))),
    "unknown op": lambda: with_nodes(lambda n: n.insert(1, small.node("Frobnicate", ["c0"], ["c0"]))),
    "no graph": lambda: pb((1, 8), (2, "small")),
    "a graph of nothing": lambda: onnx(nodes=[], tensors=[]),
    "a large bias many times": lambda: many_biases(20000, 900),
    "deeply nested": lambda: deep(2000),
    "a number without end": lambda: b"\x08" + b"\xff" * 5000,
    "a length past the end": lambda: b"\x3a\xff\xff\xff\xff\x7f" + onnx(),
}

# ---- TFLite -------------------------------------------------------------------------------------


def with_tensor(i, *row):
    rows = small.tflite_tensors()
    rows[i] = [rows[i][0], *row]
    return tflite(tensors=rows)


def quantisation(scales, zeros):
    return {4: Table({2: small.numbers("f", *scales), 3: small.numbers("q", *zeros)})}


def quantised(scales, zeros):
    rows = small.tflite_tensors()
    rows[1] = [rows[1][0], [8, 3, 3, 3], 1, 3, quantisation(scales, zeros)]
    return tflite(tensors=rows, buffers={1: bytes(8 * 27)})


def with_operator(i, *row):
    rows = small.tflite_operators()
    rows[i] = list(row)
    return tflite(operators=rows)


def patched(body, at, value):
    return body[:at] + struct.pack("<I", value) + body[at + 4:]


TFLITE = {
    "cut off": lambda: tflite()[:1000],
    "only the beginning": lambda: tflite()[:8],
    "root past the end": lambda: patched(tflite(), 0, 0x7ffffff0),
    "root in itself": lambda: patched(tflite(), 0, 0),
    "another version": lambda: tflite(version=9),
    "negative size": lambda: with_tensor(1, [-8, 3, 3, 3], 1, 0),
    "huge size": lambda: with_tensor(1, [0x7fffffff] * 4, 1, 0),
    "no such buffer": lambda: with_tensor(1, [8, 3, 3, 3], 4000, 0),
    "unknown type": lambda: with_tensor(1, [8, 3, 3, 3], 1, 77),
    "too little data": lambda: tflite(buffers={1: FLOATS[:-4]}),
    "no such tensor": lambda: with_operator(0, 0, [0, 5000, 2], [10], None),
    "negative tensor": lambda: with_operator(0, 0, [0, -7, 2], [10], None),
    "no such operator": lambda: with_operator(0, 99, [0, 1, 2], [10], None),
    "operator without inputs": lambda: with_operator(0, 0, [], [10], None),
    "reads itself": lambda: with_operator(3, 0, [13, 7, 8], [13], Table({1: ("i", 1), 2: ("i", 1)})),
    "zero stride": lambda: tflite(operators=small.tflite_operators(stride=0)),
    "negative stride": lambda: tflite(operators=small.tflite_operators(stride=-2)),
    "unknown padding": lambda: tflite(operators=small.tflite_operators(padding=9)),
    "no operators": lambda: tflite(operators=[]),
    "integers without a scale": lambda: with_tensor(1, [8, 3, 3, 3], 1, 9),
    "more scales than channels": lambda: quantised([.5] * 9, [0] * 9),
    "scales without their zero points": lambda: quantised([.5] * 8, [0] * 2),
    "a zero point that no byte has": lambda: quantised([.5], [1 << 40]),
    "input of integers without a scale": lambda: with_tensor(0, [1, 32, 32, 3], 0, 3),
    "input of a scale that is no number": lambda: with_tensor(
        0, [1, 32, 32, 3], 0, 3, quantisation([math.nan], [0])),
}

# ---- TensorFlow.js ------------------------------------------------------------------------------


def with_weight(**change):
    return tfjs(weights=small.tfjs_manifest(w0=change))


def raw_json(text):
    return {"model.json": text, "w.bin": small.tfjs_data()}


def without(files, name):
    return {k: v for k, v in files.items() if k != name}


TFJS = {
    "no object": lambda: raw_json(b"[1, 2]"),
    "no JSON": lambda: raw_json(b"weights"),
    "deeply nested": lambda: raw_json(b"[" * 200000),
    "no weights": lambda: tfjs(weightsManifest=None),
    "path above": lambda: tfjs(paths=("../w.bin",)),
    "path in /etc": lambda: tfjs(paths=("/etc/passwd",)),
    "an address": lambda: tfjs(paths=("https://example.com/w.bin",)),
    "path twice": lambda: tfjs(paths=("w.bin", "w.bin")),
    "no such file": lambda: without(tfjs(), "w.bin"),
    "unknown type": lambda: with_weight(dtype="complex64"),
    "negative size": lambda: with_weight(shape=[-8, 3, 3, 3]),
    "huge size": lambda: with_weight(shape=[1 << 40, 1 << 40]),
    "half a size": lambda: with_weight(shape=[8, 3, 3, 1.5]),
    "sizes as text": lambda: with_weight(shape="8"),
    "too little data": lambda: tfjs(data=small.tfjs_data()[:-4]),
    "too much data": lambda: tfjs(data=small.tfjs_data() + b"1234"),
    "weight twice": lambda: tfjs(weights=small.tfjs_manifest() + small.tfjs_manifest()),
    "unknown quantisation": lambda: with_weight(quantization={"dtype": "int4", "scale": 1, "min": 0}),
    "a scale as text": lambda: with_weight(quantization={"dtype": "uint8", "scale": "x", "min": 0}),
    "reads itself": lambda: tfjs(nodes=small.tfjs_nodes(c2={"input": ["c2", "w2", "b2"]})),
    "unknown op": lambda: tfjs(nodes=small.tfjs_nodes(c2={"op": "Frobnicate"})),
}

# ---- SavedModel ---------------------------------------------------------------------------------


def with_entry(**change):
    return small.saved_model(change={0: change})


SAVEDMODEL = {
    "no header": lambda: small.saved_model(header=b"\xff\xff\xff"),
    "unknown type": lambda: with_entry(dtype=99),
    "negative size": lambda: with_entry(dims=[-3, 3, 3, 8]),
    "huge size": lambda: with_entry(dims=[1 << 40, 1 << 40]),
    "offset past the end": lambda: with_entry(offset=1 << 60),
    "negative offset": lambda: with_entry(offset=-4),
    "size that lies": lambda: with_entry(size=4),
    "wrong check sum": lambda: with_entry(crc=1),
    "no such shard": lambda: with_entry(shard=5),
    "slices": lambda: with_entry(more=pb((7, pb((1, pb((1, 0), (2, 4))))))),
    "no graph": lambda: small.saved_model(graph=b""),
    "another graph": lambda: small.saved_model(graph=b"\xff" * 40),
    "another format": lambda: small.saved_model(pb_bytes=b"\xff" * 40),
    "another magic number": lambda: small.saved_model(magic=0),
    "unknown compression": lambda: small.saved_model(kind=7),
    "compressed": lambda: small.saved_model(kind=1),
    "restarts": lambda: small.saved_model(restarts=0x7fffffff),
    "a block past the end": lambda: small.saved_model(
        handle=[(b"zzz", small.varint(1 << 50) + small.varint(1 << 50))]),
    "no data": lambda: without(small.saved_model(), "variables/variables.data-00000-of-00001"),
    "no index": lambda: without(small.saved_model(), "variables/variables.index"),
    "cut off": lambda: {k: v[:len(v) // 2] for k, v in small.saved_model().items()},
}

# ---- archives of a SavedModel -------------------------------------------------------------------


def member(name, kind, to=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


def bomb():
    """300 MiB of zeros."""
    z, info = zlib.compressobj(9, zlib.DEFLATED, 31), tarfile.TarInfo("./saved_model.pb")
    info.size = 300 << 20
    parts = [z.compress(info.tobuf()), *(z.compress(bytes(1 << 20)) for _ in range(300))]
    return b"".join(parts) + z.flush()


TAR = {
    "a link for the data": lambda: small.tar(
        without(small.saved_model(), "variables/variables.index"),
        [member("./variables/variables.index", tarfile.SYMTYPE, "/etc/passwd")]),
    "names that lead above": lambda: small.tar(
        {"../../" + k: v for k, v in small.saved_model().items()}),
    "only a device": lambda: small.tar({}, [member("saved_model.pb", tarfile.CHRTYPE)]),
    "a bomb": bomb,
    "cut off": lambda: small.tar(small.saved_model())[:400],
    "nothing": lambda: small.tar({}),
}

# ---- Keras --------------------------------------------------------------------------------------


def archive(**files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, body in files.items():
            z.writestr(name.replace("__", "."), body)
    return out.getvalue()


H5 = {
    "cut off": lambda: corpus("keras", "weights.h5")[:9000],
    "only the signature": lambda: corpus("keras", "weights.h5")[:8],
    "all ones behind the signature": lambda: corpus("keras", "weights.h5")[:8] + b"\xff" * 4000,
    "root in itself": lambda: corpus("keras", "weights.h5")[:64] + bytes(16) +
        corpus("keras", "weights.h5")[80:],
    "no weights": lambda: archive(config__json=b"{}", metadata__json=b"{}"),
    "weights that are none": lambda: archive(config__json=b"{}", **{"model.weights__h5": b"x" * 99}),
    "archive cut off": lambda: corpus("keras", "small.keras")[:-2000],
    "a byte of the archive changed": lambda: corpus("keras", "small.keras").replace(b"\x89HDF", b"\x88HDF"),
}

# ---- PyTorch ------------------------------------------------------------------------------------


class Call:
    """Pickles as a call of what is named."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


def zip_of(data, storage=small.floats(8), name="odd"):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr(f"{name}/data.pkl", data)
        z.writestr(f"{name}/data/0", storage)
        z.writestr(f"{name}/version", b"3\n")
    return out.getvalue()


def rebuilt(offset=0, size=(8,), stride=(1,), kind=b"FloatStorage", key=b"0", count=8):
    """The pickle of {"w": a tensor}, as torch.save writes it, with numbers of any kind."""
    def text(b):
        return b"X" + struct.pack("<I", len(b)) + b

    def number(v):
        raw = v.to_bytes(9 if abs(v) < 1 << 70 else 200, "little", signed=True)
        return b"\x8a" + bytes([len(raw)]) + raw

    def numbers_of(values):
        return b"(" + b"".join(map(number, values)) + b"t"

    stored = (b"(" + text(b"storage") + b"ctorch\n" + kind + b"\n" + text(key) + text(b"cpu") +
              number(count) + b"tQ")
    call = (b"ctorch._utils\n_rebuild_tensor_v2\n(" + stored + number(offset) + numbers_of(size) +
            numbers_of(stride) + b"\x89ccollections\nOrderedDict\n)RtR")
    return b"\x80\x02}" + text(b"w") + call + b"s."


PTH = {
    "a call of os.system": lambda: zip_of(pickle.dumps(Call(os.system, "touch harm"), 2)),
    "a call of eval": lambda: zip_of(pickle.dumps(Call(eval, "1"), 2)),
    "a call of exec in the old layout": lambda: pickle.dumps(Call(exec, "1"), 2),
    "negative offset": lambda: zip_of(rebuilt(offset=-1)),
    "offset past the end": lambda: zip_of(rebuilt(offset=1 << 60)),
    "huge size": lambda: zip_of(rebuilt(size=(1 << 62,))),
    "a size of 200 bytes": lambda: zip_of(rebuilt(size=(1 << 1500,))),
    "negative size": lambda: zip_of(rebuilt(size=(-8,))),
    "overflowing sizes": lambda: zip_of(rebuilt(size=(1 << 32, 1 << 32), stride=(1, 1))),
    "huge stride": lambda: zip_of(rebuilt(size=(2,), stride=(1 << 62,))),
    "negative stride": lambda: zip_of(rebuilt(stride=(-1,))),
    "fewer strides than sizes": lambda: zip_of(rebuilt(size=(2, 4), stride=(1,))),
    "one number many times": lambda: zip_of(rebuilt(size=(1 << 34,), stride=(0,))),
    "unknown storage": lambda: zip_of(rebuilt(kind=b"EvilStorage")),
    "no such storage": lambda: zip_of(rebuilt(key=b"1")),
    "a storage above": lambda: zip_of(rebuilt(key=b"../../etc/passwd")),
    "storage too short": lambda: zip_of(rebuilt(), storage=b"1234"),
    "deeply nested": lambda: zip_of(b"\x80\x02" + b"(" * 300000 + b"t" * 300000 + b"."),
    "a list in itself": lambda: zip_of(b"\x80\x02]q\0h\0a."),
    "no end": lambda: zip_of(rebuilt()[:-1]),
    "stack of nothing": lambda: zip_of(b"\x80\x02tttt."),
    "unknown instruction": lambda: zip_of(b"\x80\x02\xfe."),
    "no pickle": lambda: archive(**{"odd/version": b"3\n"}),
    "a program of torch.export": lambda: archive(**{"odd/archive_format": b"pt2", "odd/models/model.json": b"{}"}),
}

CASES = {"model.onnx": ONNX, "model.tflite": TFLITE, "tfjs": TFJS, "saved_model": SAVEDMODEL,
         "model.tar.gz": TAR, "model.h5": H5, "model.pth": PTH}


class Hostile(unittest.TestCase):
    def put(self, place, content):
        files = content if isinstance(content, dict) else {"": content}
        for name, body in files.items():
            path = os.path.join(place, name) if name else place
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(body)
        return sum(map(len, files.values()))

    def refuse(self, work, name, content):
        source = os.path.join(work, name)
        size = self.put(source, content)
        before = sorted(p for d in os.walk(work) for p in (d[0], *d[2]))
        out = os.path.join(work, "out.safetensors")
        p = subprocess.Popen([HELPER, source, out], cwd=work, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with p.stdout, p.stderr:
            told, said = p.stdout.read(), p.stderr.read()
        _, status, used = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual((p.returncode, told), (4, b""), said)
        # of the largest of its processes; begins at what this one had when it started it
        self.assertLess(used.ru_maxrss * 1024, size + LIMIT_BYTES)
        self.assertLess(used.ru_utime + used.ru_stime, LIMIT_S)
        self.most = max(self.most, used.ru_maxrss)
        self.assertEqual(said.count(b"\n"), 1, said)
        self.assertEqual(said.decode("ascii", "strict").strip().isprintable(), True)
        self.assertEqual(sorted(p for d in os.walk(work) for p in (d[0], *d[2])), before)

    def test_all_are_refused(self):
        count, self.most = 0, 0
        for name, cases in CASES.items():
            for what, make in cases.items():
                count += 1
                with self.subTest(f"{name}: {what}"), tempfile.TemporaryDirectory() as work:
                    self.refuse(work, name, make())
        self.assertGreaterEqual(count, 60)
        print(f"{count} files refused in at most {self.most >> 10} MiB")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
