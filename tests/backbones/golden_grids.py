#!/usr/bin/env python3
"""Makes tests/golden/families/grids.npy: a table of 5 x 5 positions for grids of 3 x 3 and 7 x 7, in the
three ways of hst_grid, as Pillow (antialias) and ONNX Runtime (the other two) resize it.

    python tests/backbones/golden_grids.py FILE     needs onnx, onnxruntime and pillow
"""
import sys

import numpy
import onnxruntime
from onnx import TensorProto, helper
from PIL import Image

TABLE = numpy.array([i * 37 % 64 / 16 - 2 for i in range(25)], "<f4").reshape(5, 5)


def plain(n, offset):
    """Keys' kernel of a = -0.75 without antialias; offset 0: the scale is that of the sizes."""
    scale = (n + offset) / 5
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="cubic", cubic_coeff_a=-0.75,
                            coordinate_transformation_mode="half_pixel")
    graph = helper.make_graph(
        [node], "resize", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 5, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [helper.make_tensor("scales", TensorProto.FLOAT, [4], [1, 1, scale, scale])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    run = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    y = run.run(None, {"x": TABLE.reshape(1, 1, 5, 5)})[0]
    assert y.shape == (1, 1, n, n), y.shape
    return y


def antialiased(n):
    return numpy.array(Image.fromarray(TABLE).resize((n, n), Image.BICUBIC))


rows = [numpy.concatenate([f(n).ravel() for n in (3, 7)])
        for f in (antialiased, lambda n: plain(n, 0), lambda n: plain(n, 0.1))]
numpy.save(sys.argv[1], numpy.array(rows, "<f4"))
