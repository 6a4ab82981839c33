#!/usr/bin/env python3
"""Makes those of tests/golden/families that no library but keras.applications has: features at 64 x 64 pixels as it
computes them in double, from weights and pixels that test_families.c makes up in the same way.

    python tests/backbones/golden_keras.py FOLDER     needs keras and tensorflow
"""
import os
import sys

import keras
import numpy

from golden_noise import noise

PX = 64
# our family: Keras' network, and its parts in our order
PARTS = ("preact_bn", "1_conv", "1_bn", "2_conv", "2_bn", "3_conv", "3_bn", "0_conv", "0_bn")
NETWORKS = {"resnet50_v1": keras.applications.ResNet50, "resnet50_v2": keras.applications.ResNet50V2,
            "nasnet_mobile": keras.applications.NASNetMobile}
EVERY = {"nasnet_mobile": 8}  # one in so many features is kept
# A cell of NASNet, and the cells.
CELL = ("adjust_conv_projection_{0}", "adjust_conv_1_{0}", "adjust_conv_2_{0}", "adjust_bn_{0}", "{1}_conv_1_{0}",
        "{1}_bn_1_{0}", *(f"separable_conv_{n}_{bn}{{1}}_{side}_{{0}}"
                          for side in ("left1", "right1", "left2", "right2", "right3", "left4", "left5")
                          for n in (1, 2) for bn in ("", "bn_")))
CELLS = ["stem_1", "stem_2", *"0123", "reduce_4", *"5678", "reduce_8", "9", "10", "11", "12"]


def layers(net):
    """Those that have weights, in our order: a block's shortcut is behind its other layers."""
    names = {layer.name: layer for layer in net.layers if layer.weights}
    if "stem_conv1" in names:
        cells = [part.format(cell, "reduction" if "_" in cell else "normal") for cell in CELLS for part in CELL]
        ours = [names[name] for name in ("stem_conv1", "stem_bn1", *cells) if name in names]
        assert len(ours) == len(names)
        return ours
    blocks = [f"conv{stage}_block{block}_{part}" for stage in range(2, 6) for block in range(1, 7) for part in PARTS]
    ours = [names[name] for name in ("conv1_conv", "conv1_bn", *blocks, "post_bn") if name in names]
    assert len(ours) == len(names)
    return ours


def fill(key, name, shape):
    """Kernels are [H][W][I][O], as ours are."""
    u = noise(key, int(numpy.prod(shape)))
    if name in ("kernel", "pointwise_kernel"):
        u = (24 / numpy.prod(shape[:3])) ** 0.5 * u
    elif name == "depthwise_kernel":
        u = (24 / numpy.prod(shape[:2])) ** 0.5 * u
    elif name == "moving_variance":
        u = 1 + u
    else:
        u = 1 + 0.4 * u if name == "gamma" else 0.4 * u
    return u.astype("<f4").astype("<f8").reshape(shape)  # no more digits than our weights have


def main():
    keras.config.set_floatx("float64")
    for ours, make in NETWORKS.items():
        net, key = make(include_top=False, pooling="avg", weights=None, input_shape=(PX, PX, 3)), 0
        for layer, after in zip(layers(net), [*layers(net)[1:], None]):
            for w in layer.weights:
                # in front of a batch norm we have no bias
                if w.name == "bias" and isinstance(after, keras.layers.BatchNormalization) and \
                        after.name.rsplit("_", 1)[0] == layer.name.rsplit("_", 1)[0]:
                    w.assign(numpy.zeros(w.shape))
                    continue
                key += 1
                w.assign(fill(key, w.name, w.shape))
        pixels = (2 * noise(0, PX * PX * 3)).astype("<f4").astype("<f8").reshape(1, PX, PX, 3)
        features = numpy.asarray(net(pixels, training=False)).ravel()
        assert features.dtype == numpy.float64
        features = features[::EVERY.get(ours, 1)]
        numpy.save(os.path.join(sys.argv[1], ours + ".npy"), features.astype("<f4"))
        print(ours, features.shape, numpy.abs(features).max(), features.std())


main()
