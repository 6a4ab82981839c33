"""Small networks in the formats that hold a graph or a checkpoint, written byte by byte, so that
tests can damage any part of them. Every writer takes the parts to be changed as arguments."""
import gzip
import io
import json
import struct
import tarfile

# A stem, a depthwise convolution and two 1x1 ones of which the second is added to the first.
WEIGHTS = {
    "w0": [3, 3, 3, 8], "b0": [8],   # HWIO
    "w1": [3, 3, 8, 1], "b1": [8],   # HWC1
    "w2": [1, 1, 8, 8], "b2": [8],
    "w3": [1, 1, 8, 8], "b3": [8],
}


def count(shape):
    n = 1
    for d in shape:
        n *= d
    return n


def floats(n):
    return struct.pack("<%df" % n, *[((i * 37) % 19 - 9) / 16 for i in range(n)])


# ---- Protocol Buffers ---------------------------------------------------------------------------

def varint(v):
    v &= (1 << 64) - 1
    out = b""
    while v > 127:
        out += bytes([v & 127 | 128])
        v >>= 7
    return out + bytes([v])


def pb(*fields):
    """(number, int | bytes | str | float) each; a float is fixed32."""
    out = b""
    for number, v in fields:
        if isinstance(v, str):
            v = v.encode()
        if isinstance(v, float):
            out += varint(number << 3 | 5) + struct.pack("<f", v)
        elif isinstance(v, int):
            out += varint(number << 3) + varint(v)
        else:
            out += varint(number << 3 | 2) + varint(len(v)) + v
    return out


# ---- ONNX ---------------------------------------------------------------------------------------

def tensor(name, dims, raw, dtype=1, **more):
    fields = [(1, d) for d in dims] + [(2, dtype), (8, name)]
    if raw is not None:
        fields.append((9, raw))
    return pb(*fields, *more.get("fields", []))


def ints(name, *v):
    return pb((1, name), *[(8, x) for x in v], (20, 7))


def node(op, inputs, outputs, *attributes):
    return pb(*[(1, i) for i in inputs], *[(2, o) for o in outputs], (4, op),
              *[(5, a) for a in attributes])


def onnx_nodes(strides=(2, 2), pads=(1, 1, 1, 1), group=8, dilations=(1, 1)):
    one = [ints("strides", 1, 1), ints("pads", 0, 0, 0, 0)]
    return [
        node("Conv", ["x", "w0", "b0"], ["c0"], ints("strides", *strides), ints("pads", *pads),
             ints("dilations", *dilations)),
        node("Clip", ["c0", "low", "high"], ["a0"]),
        node("Conv", ["a0", "w1", "b1"], ["c1"], pb((1, "group"), (3, group), (20, 2)),
             ints("strides", 1, 1), ints("pads", 1, 1, 1, 1)),
        node("Clip", ["c1", "low", "high"], ["a1"]),
        node("Conv", ["a1", "w2", "b2"], ["c2"], *one),
        node("Conv", ["c2", "w3", "b3"], ["c3"], *one),
        node("Add", ["c2", "c3"], ["s"]),
        node("GlobalAveragePool", ["s"], ["m"]),
        node("Flatten", ["m"], ["y"]),
    ]


def onnx_tensors(**change):
    out = {}
    for name, s in WEIGHTS.items():
        dims = s if len(s) == 1 else [s[3], s[2], s[0], s[1]]
        if name == "w1":
            dims = [8, 1, 3, 3]
        out[name] = tensor(name, dims, floats(count(s)))
    out["low"] = tensor("low", [], struct.pack("<f", 0))
    out["high"] = tensor("high", [], struct.pack("<f", 6))
    out.update(change)
    return [t for t in out.values() if t is not None]


def onnx_input(dims=("N", 3, 32, 32), name="x"):
    shape = pb(*[(1, pb((2, d)) if isinstance(d, str) else pb((1, d))) for d in dims])
    return pb((1, name), (2, pb((1, pb((1, 1), (2, shape))))))


def onnx(nodes=None, tensors=None, inputs=None, front=(), behind=(), outputs=()):
    nodes = onnx_nodes() if nodes is None else nodes
    tensors = onnx_tensors() if tensors is None else tensors
    inputs = [onnx_input()] if inputs is None else inputs
    graph = pb(*[(1, n) for n in nodes], (2, "g"), *[(5, t) for t in tensors],
               *[(11, i) for i in inputs], *[(12, pb((1, name))) for name in outputs])
    return pb((1, 8), (2, "small"), *front, (7, graph), (8, pb((1, ""), (2, 17))), *behind)


# ---- TFLite -------------------------------------------------------------------------------------

class Table(dict):
    """field number -> (struct letter, value) | bytes (vector of bytes) | list | Table."""


class Numbers(bytes):
    """A finished vector: length and elements."""


def numbers(letter, *v):
    return Numbers(struct.pack("<I", len(v)) + struct.pack("<%d%s" % (len(v), letter), *v))


def put(out, thing):
    """Appends a table or vector; returns its position. Children go behind it."""
    while len(out) % 4:
        out.append(0)
    if isinstance(thing, Table):
        n = max(thing, default=-1) + 1
        size, slots, later = 4, [0] * n, []
        for k, v in sorted(thing.items()):
            width = struct.calcsize(v[0]) if isinstance(v, tuple) else 4
            size += -size % width
            slots[k] = size
            size += width
        size += -size % 4
        vtable = len(out)
        out += struct.pack("<HH", 4 + 2 * n, size) + struct.pack("<%dH" % n, *slots)
        while len(out) % 4:
            out.append(0)
        at = len(out)
        out += struct.pack("<i", at - vtable) + bytes(size - 4)
        for k, v in thing.items():
            if isinstance(v, tuple):
                struct.pack_into("<" + v[0], out, at + slots[k], v[1])
            else:
                later.append((at + slots[k], v))
        for where, v in later:
            struct.pack_into("<I", out, where, put(out, v) - where)
        return at
    if isinstance(thing, Numbers):
        out += thing
        return len(out) - len(thing)
    if isinstance(thing, bytes):
        at = len(out)
        out += struct.pack("<I", len(thing)) + thing + b"\0"
        return at
    at = len(out)
    out += struct.pack("<I", len(thing)) + bytes(4 * len(thing))
    for i, v in enumerate(thing):
        where = at + 4 + 4 * i
        struct.pack_into("<I", out, where, put(out, v) - where)
    return at


def tflite_tensors():
    """[name, shape, buffer number, type]; shapes in TFLite's layouts."""
    out = [["x", [1, 32, 32, 3], 0, 0]]
    for i, (name, s) in enumerate(WEIGHTS.items()):
        dims = s if len(s) == 1 else [s[3], s[0], s[1], s[2]]
        if name == "w1":
            dims = [1, 3, 3, 8]
        out.append([name, dims, i + 1, 0])
    out.append(["axes", [2], 9, 2])
    for i in range(6):
        out.append(["v%d" % i, [1, 16, 16, 8] if i < 5 else [1, 8], 0, 0])
    return out


def tflite_operators(stride=2, padding=0):
    """[code index, inputs, outputs, options]"""
    conv = Table({0: ("b", 0), 1: ("i", 1), 2: ("i", 1)})
    return [
        [0, [0, 1, 2], [10],
         Table({0: ("b", padding), 1: ("i", stride), 2: ("i", stride), 3: ("b", 3)})],
        [1, [10, 3, 4], [11],
         Table({0: ("b", 0), 1: ("i", 1), 2: ("i", 1), 3: ("i", 1), 4: ("b", 3)})],
        [0, [11, 5, 6], [12], conv],
        [0, [12, 7, 8], [13], conv],
        [2, [12, 13], [14], None],
        [3, [14, 9], [15], None],
    ]


def tflite(tensors=None, operators=None, buffers=None, codes=(3, 4, 0, 40), version=3, inputs=(0,),
           metadata=None):
    tensors = tflite_tensors() if tensors is None else tensors
    operators = tflite_operators() if operators is None else operators
    data = [b""] + [floats(count(s)) for s in WEIGHTS.values()] + [struct.pack("<ii", 1, 2)]
    for i, b in (buffers or {}).items():
        while i >= len(data):
            data.append(b"")
        data[i] = b
    # name, shape, type, buffer, and what else a test adds (quantisation is field 4)
    ts = [Table({0: numbers("i", *s), 1: ("b", kind), 2: ("I", b), 3: name.encode(), **(more[0] if more else {})})
          for name, s, b, kind, *more in tensors]
    os_ = []
    for code, i, o, options in operators:
        t = Table({0: ("I", code), 1: numbers("i", *i), 2: numbers("i", *o)})
        if options is not None:
            t[3] = ("b", 1)
            t[4] = options
        os_.append(t)
    graph = Table({0: ts, 1: numbers("i", *inputs), 2: numbers("i", len(tensors) - 1), 3: os_})
    model = Table({0: ("I", version), 1: [Table({0: ("b", min(c, 127)), 3: ("i", c)}) for c in codes],
                   2: [graph], 4: [Table({0: d}) if d else Table() for d in data]})
    if metadata:
        model[6] = metadata
    out = bytearray(b"\0\0\0\0TFL3")
    struct.pack_into("<I", out, 0, put(out, model))
    return bytes(out)


# ---- TensorFlow.js ------------------------------------------------------------------------------

def tfjs_manifest(**change):
    entries = [dict(name=k, shape=s, dtype="float32") for k, s in WEIGHTS.items()]
    entries.append(dict(name="axes", shape=[2], dtype="int32"))
    for e in entries:
        e.update(change.get(e["name"], {}))
    return entries


def tfjs_data():
    return b"".join(floats(count(s)) for s in WEIGHTS.values()) + struct.pack("<ii", 1, 2)


def tfjs_nodes(**change):
    def conv(op, name, x, i, stride, act):
        return dict(name=name, op=op, input=[x, "w%d" % i, "b%d" % i], attr={
            "strides": {"list": {"i": ["1", str(stride), str(stride), "1"]}},
            "padding": {"s": "SAME"},
            "fused_ops": {"list": {"s": ["BiasAdd"] + (["Relu6"] if act else [])}}})
    nodes = [dict(name="x", op="Placeholder", attr={"shape": {"shape": {"dim": [
        {"size": "-1"}, {"size": "32"}, {"size": "32"}, {"size": "3"}]}}})]
    nodes += [dict(name=k, op="Const") for k in list(WEIGHTS) + ["axes"]]
    nodes += [conv("_FusedConv2D", "c0", "x", 0, 2, 1),
              conv("FusedDepthwiseConv2dNative", "c1", "c0", 1, 1, 1),
              conv("_FusedConv2D", "c2", "c1", 2, 1, 0), conv("_FusedConv2D", "c3", "c2", 3, 1, 0),
              dict(name="s", op="AddV2", input=["c2", "c3"]),
              dict(name="m", op="Mean", input=["s", "axes"])]
    for n in nodes:
        n.update(change.get(n["name"], {}))
    return nodes


def tfjs(nodes=None, weights=None, paths=("w.bin",), data=None, **more):
    """{name: bytes} of the folder."""
    groups = [dict(paths=list(paths), weights=tfjs_manifest() if weights is None else weights)]
    root = dict(format="graph-model",
                modelTopology=dict(node=tfjs_nodes() if nodes is None else nodes),
                weightsManifest=groups)
    root.update(more)
    return {"model.json": json.dumps(root).encode(), "w.bin": tfjs_data() if data is None else data}


# ---- SavedModel ---------------------------------------------------------------------------------

def _crc_table():
    table = []
    for b in range(256):
        for _ in range(8):
            b = b >> 1 ^ (0x82f63b78 if b & 1 else 0)
        table.append(b)
    return table


CRC = _crc_table()


def crc32c(data):
    x = 0xffffffff
    for b in data:
        x = x >> 8 ^ CRC[(x ^ b) & 255]
    x ^= 0xffffffff
    return ((x >> 15 | x << 17) + 0xa282ead8) & 0xffffffff


def block(entries, kind=0, crc=None, restarts=1):
    out = b""
    for e in entries:
        key, value = e[0], e[1]
        shared = e[2] if len(e) > 2 else 0
        out += varint(shared) + varint(len(key)) + varint(len(value)) + key + value
    out += struct.pack("<I", 0) + struct.pack("<I", restarts) + bytes([kind])
    return out + struct.pack("<I", crc32c(out) if crc is None else crc)


def sstable(entries, handle=None, magic=0xdb4775248b80fb57, **how):
    data = block(entries, **how)
    index_at = len(data)
    index = block([(b"zzz", varint(0) + varint(index_at - 5))]) if handle is None else block(handle)
    footer = varint(0) + varint(0) + varint(index_at) + varint(len(index) - 5)
    return data + index + footer.ljust(40, b"\0") + struct.pack("<Q", magic)


def entry(dtype, shape, offset, data, /, **change):
    f = dict(dtype=dtype, shard=0, offset=offset, size=len(data), crc=crc32c(data), dims=shape)
    f.update(change)
    out = pb((1, f["dtype"]), (2, pb(*[(2, pb((1, d))) for d in f["dims"]])), (3, f["shard"]),
             (4, f["offset"]), (5, f["size"]))
    return out + varint(6 << 3 | 5) + struct.pack("<I", f["crc"]) + f.get("more", b"")


def saved_model(pb_bytes=None, header=None, change=None, graph=None, extra=(), names=None, size=(32, 32), **how):
    """{name: bytes} of the folder. change: {variable number: changes of its entry}. names: of variables. size:
    height and width of the input."""
    entries, data, nodes = [], b"", []
    for i, (name, s) in enumerate(WEIGHTS.items()):
        key = "variables/%d/.ATTRIBUTES/VARIABLE_VALUE" % i
        raw = floats(count(s))
        entries.append((key.encode(), entry(1, s, len(data), raw, **(change or {}).get(i, {}))))
        data += raw
        nodes.append((1, pb((2, pb((1, "VARIABLE_VALUE"), (2, (names or {}).get(name, "net/" + name)), (3, key))))))
    text = pb(*nodes)
    text = varint(len(text)) + struct.pack("<I", 0) + text if graph is None else graph
    entries.append((b"_CHECKPOINTABLE_OBJECT_GRAPH", entry(7, [], len(data), text)))
    entries.append((b"", pb((1, 1)) if header is None else header))
    data += text
    shape = pb(*[(2, pb((1, d))) for d in (-1, *size, 3)])
    signature = pb((1, pb((1, "x"), (2, pb((1, "x:0"), (2, 1), (3, shape))))))
    meta = pb((5, pb((1, "serving_default"), (2, signature))))
    return {
        "saved_model.pb": pb((1, 1), (2, meta)) if pb_bytes is None else pb_bytes,
        "variables/variables.index": sstable(sorted(entries + list(extra), key=lambda e: e[0]), **how),
        "variables/variables.data-00000-of-00001": data,
    }


def tar(files, members=(), compress=True):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as t:
        for name, data in files.items():
            info = tarfile.TarInfo("./" + name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
        for m in members:
            t.addfile(m)
    return gzip.compress(raw.getvalue(), mtime=0) if compress else raw.getvalue()
