#!/usr/bin/env python3
"""Makes tests/golden/families/grids.npy: a table of 5 x 5 positions for grids of other sizes, in the four
ways of hst_grid_way, as Pillow (antialias) and ONNX Runtime (the others) resize it.

    python tests/backbones/golden_grids.py FILE     needs onnx, onnxruntime and pillow
"""
import sys

import numpy
import onnxruntime
from onnx import TensorProto, helper
from PIL import Image

TABLE = numpy.array([i * 37 % 64 / 16 - 2 for i in range(25)], "<f4").reshape(5, 5)


GRIDS = (3, 3), (7, 7), (3, 7), (8, 4)  # rows, columns


def resized(grid, offset, where="half_pixel"):
    """Keys' kernel of a = -0.75 without antialias; offset 0: the scale is that of the sizes."""
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="cubic", cubic_coeff_a=-0.75,
                            coordinate_transformation_mode=where)
    graph = helper.make_graph(
        [node], "resize", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 5, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [helper.make_tensor("scales", TensorProto.FLOAT, [4], [1, 1, *((n + offset) / 5 for n in grid)])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    run = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    y = run.run(None, {"x": TABLE.reshape(1, 1, 5, 5)})[0]
    assert y.shape == (1, 1, *grid), y.shape
    return y


def antialiased(grid):
    return numpy.array(Image.fromarray(TABLE).resize(grid[::-1], Image.BICUBIC))


WAYS = (antialiased, lambda grid: resized(grid, 0), lambda grid: resized(grid, 0.1),
        lambda grid: resized(grid, 0, "align_corners"))
rows = [numpy.concatenate([way(grid).ravel() for grid in GRIDS]) for way in WAYS]
numpy.save(sys.argv[1], numpy.array(rows, "<f4"))
