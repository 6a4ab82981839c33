#!/usr/bin/env python3
"""Makes tests/golden/families: features of whole networks as timm (PyTorch) computes them in double, at
64 x 64 pixels and some at sizes that are no square, from weights and pixels that test_families.c makes up in the same way.

    python tests/backbones/golden_families.py FOLDER [FAMILY...]     needs torch and timm
"""
import os
import sys

import numpy
import timm
import torch

from golden_noise import noise

PX = 64
# our family: timm's network
NETWORKS = {
    "convnext_atto": "convnext_atto",
    "convnext_tiny": "convnext_tiny",
    "efficientnet_b0": "efficientnet_b0",
    "efficientnet_b1": "efficientnet_b1",
    "efficientnet_b2": "tf_efficientnet_b2",
    "efficientnet_lite0": "efficientnet_lite0",
    "efficientnet_lite1": "efficientnet_lite1",
    "efficientnet_v2_b0": "tf_efficientnetv2_b0",
    "efficientnet_v2_b1": "tf_efficientnetv2_b1",
    "efficientnet_v2_b3": "tf_efficientnetv2_b3",
    "efficientnet_v2_s": "tf_efficientnetv2_s",
    "hgnet_v2_b0": "hgnetv2_b0",
    "hgnet_v2_b1": "hgnetv2_b1",
    "hgnet_v2_b2": "hgnetv2_b2",
    "mobilenet_v1": "mobilenetv1_100",
    "mobilenet_v2": "mobilenetv2_100",
    "mobilenet_v3_large": "mobilenetv3_large_100",
    "mobilenet_v3_small": "mobilenetv3_small_100",
    "mobilenet_v4_medium": "mobilenetv4_conv_medium",
    "mobilenet_v4_small": "mobilenetv4_conv_small",
    "regnet_y_400mf": "regnety_004",
    "bit_r50x1": "resnetv2_50x1_bit",
    "resnet18": "resnet18",
    "resnet34": "resnet34",
    "resnet50": "resnet50",
}
# Their gammas are halved: with larger ones so many residual blocks make chaos of rounding errors.
DEEP = {"efficientnet_v2_b1", "efficientnet_v2_b3", "efficientnet_v2_s"}
# Theirs do not fit so few pixels, and have so many features that one in EVERY is kept.
LARGER = {"inception_v3": "inception_v3", "inception_resnet_v2": "inception_resnet_v2"}
EVERY = 8
# As many features, but small pictures.
LONG = {"bit_r50x1"}
# family, width, height
NO_SQUARES = (("mobilenet_v2", 320, 160), ("resnet18", 320, 160), ("resnet50", 96, 224),
              ("efficientnet_v2_b0", 65, 98), ("mobilenet_v3_small", 130, 97),
              ("hgnet_v2_b0", 97, 130), ("convnext_atto", 97, 130), ("mobilenet_v4_small", 130, 97),
              ("inception_v3", 96, 107), ("inception_resnet_v2", 107, 96))
# Theirs are not the mean of the last maps: there are layers behind it.
BEHIND = ("convnext", "hgnet", "mobilenet_v4")


def fill(key, name, v):
    """Ours are [H][W][I][O], theirs [O][I][H][W] or [O][I]; depthwise [H][W][C][1] and [C][1][H][W]."""
    u = noise(key, v.numel())
    if v.ndim >= 2:
        o, i, h, w = (*v.shape, 1, 1)[:4]
        u = ((24 / (i * h * w)) ** 0.5 * u).reshape(h, w, i, o).transpose(3, 2, 0, 1).reshape(v.shape)
    elif name.endswith("running_var"):
        u = 1 + u
    elif name.endswith(("weight", "scale", "gamma")):
        u = 1 + 0.4 * u
    else:
        u = 0.4 * u
    v.copy_(torch.from_numpy(u.astype("<f4").astype("<f8")))  # no more digits than our weights have


def in_our_order(weights):
    """ConvNeXt's scale of channels is behind its block's four layers, which have two tensors each;
    BiT's shortcut behind its block's six, of which norms have two."""
    at = 0
    while at < len(weights):
        if weights[at][0].endswith(".gamma"):
            weights.insert(at + 8, weights.pop(at))
            at += 8
        elif ".norm1." in "".join(k for k, _ in weights[at + 1:at + 2]) and ".downsample." in weights[at][0]:
            weights.insert(at + 9, weights.pop(at))
            at += 9
        at += 1
    return weights


def main():
    sizes = [(ours, PX, PX) for ours in NETWORKS] + list(NO_SQUARES)
    for ours, width, height in sizes:
        if sys.argv[2:] and ours not in sys.argv[2:]:
            continue
        net = timm.create_model({**NETWORKS, **LARGER}[ours], num_classes=0).double().eval()
        with torch.no_grad():
            weights = [(k, v) for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")]
            for key, (name, v) in enumerate(in_our_order(weights)):
                fill(key + 1, name, v)
                if ours in DEEP and v.ndim == 1 and name.endswith("weight"):
                    v /= 2
            pixels = 2 * noise(0, height * width * 3).reshape(1, height, width, 3).transpose(0, 3, 1, 2)
            pixels = pixels.astype("<f4").astype("<f8")
            maps = net.forward_features(torch.from_numpy(pixels))
            behind = ours.startswith(BEHIND)
            features = (net.forward_head(maps, pre_logits=True) if behind else maps.mean((2, 3))).numpy().ravel()
        features = features[::EVERY] if ours in LARGER or ours in LONG else features
        name = ours if width == height else f"{ours}_{width}x{height}"
        numpy.save(os.path.join(sys.argv[1], name + ".npy"), features.astype("<f4"))
        print(name, features.shape, numpy.abs(features).max(), features.std())


main()
