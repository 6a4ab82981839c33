"""The backbones in PyTorch, batch norm folded into the convolutions, from the files that headstart
reads."""
import os

import torch
from safetensors.torch import load_file


class TFConv(torch.nn.Conv2d):
    """Convolution with TensorFlow's SAME padding: the smaller half first."""

    def __init__(self, c_in, c_out, kernel, stride=1, groups=1):
        super().__init__(c_in, c_out, kernel, stride, kernel // 2 if stride == 1 else 0,
                         groups=groups, bias=True)

    def forward(self, x):
        if self.stride[0] > 1:
            (k, _), (s, _), size = self.kernel_size, self.stride, x.shape[-1]
            total = max((-(-size // s) - 1) * s + k - size, 0)
            before, after = total // 2, total - total // 2
            x = torch.nn.functional.pad(x, (before, after, before, after))
        return super().forward(x)


def folded(weights, conv, bn, c_in, kernel_groups, stride, epsilon=1e-3):
    """The convolution with its batch norm inside: w' = w g / sqrt(v + eps), b' = b - m g / ..."""
    w = weights[conv + ".weight"]
    scale = weights[bn + ".weight"] / torch.sqrt(weights[bn + ".running_var"] + epsilon)
    layer = TFConv(c_in, w.shape[0], w.shape[2], stride, kernel_groups)
    layer.weight.data = w * scale[:, None, None, None]
    layer.bias.data = weights[bn + ".bias"] - weights[bn + ".running_mean"] * scale
    return layer


class Block(torch.nn.Module):
    """Expand, depthwise, project, and the input added where shapes allow."""

    def __init__(self, layers, residual):
        super().__init__()
        self.layers, self.residual = torch.nn.Sequential(*layers), residual

    def forward(self, x):
        y = self.layers(x)
        return x + y if self.residual else y


def relu6():
    return torch.nn.ReLU6(inplace=True)


def inverted_residual(weights, expand, depthwise, project, stride):
    """Each of the three: (convolution name, batch-norm name); expand may be None."""
    layers, dw = [], weights[depthwise[0] + ".weight"]
    c_in = weights[(expand or depthwise)[0] + ".weight"].shape[1 if expand else 0]
    if expand:
        layers += [folded(weights, *expand, c_in, 1, 1), relu6()]
    layers += [folded(weights, *depthwise, dw.shape[0], dw.shape[0], stride), relu6()]
    layers += [folded(weights, *project, dw.shape[0], 1, 1)]
    c_out = weights[project[0] + ".weight"].shape[0]
    return Block(layers, stride == 1 and c_in == c_out)


def assemble(stem, blocks, head):
    layers = [stem, relu6(), *blocks, head, relu6(), torch.nn.AdaptiveAvgPool2d(1),
              torch.nn.Flatten()]
    return torch.nn.Sequential(*layers).eval().to(memory_format=torch.channels_last)


def lite0(path):
    w = torch.load(path, map_location="cpu", weights_only=True)
    strides = [s for n, s in ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))
               for s in [s] + [1] * (n - 1)]
    blocks = []
    for i, stride in enumerate(strides):
        b = f"_blocks.{i}."
        expand = (b + "_expand_conv", b + "_bn0") if i else None
        blocks.append(inverted_residual(w, expand, (b + "_depthwise_conv", b + "_bn1"),
                                        (b + "_project_conv", b + "_bn2"), stride))
    return assemble(folded(w, "_conv_stem", "_bn0", 3, 1, 2), blocks,
                    folded(w, "_conv_head", "_bn1", 320, 1, 1)), 127.0, 128.0


def mobilenet_v2(folder):
    w = load_file(os.path.join(folder, "model.safetensors"))

    def pair(name):
        return "mobilenet_v2." + name + ".convolution", "mobilenet_v2." + name + ".normalization"

    strides = [s for n, s in ((2, 2), (3, 2), (4, 2), (3, 1), (3, 2), (1, 1))
               for s in [s] + [1] * (n - 1)]
    blocks = [inverted_residual(w, None, pair("conv_stem.conv_3x3"),
                                pair("conv_stem.reduce_1x1"), 1)]
    for i, stride in enumerate(strides):
        b = f"layer.{i}."
        blocks.append(inverted_residual(w, pair(b + "expand_1x1"), pair(b + "conv_3x3"),
                                        pair(b + "reduce_1x1"), stride))
    return assemble(folded(w, *pair("conv_stem.first_conv"), 3, 1, 2), blocks,
                    folded(w, *pair("conv_1x1"), 320, 1, 1)), 127.5, 127.5


def flops(net):
    """Multiply-adds x 2 of the convolutions for one image."""
    counts = []

    def count(layer, _, y):
        counts.append(2 * layer.weight[0].numel() * y.numel())

    hooks = [m.register_forward_hook(count) for m in net.modules()
             if isinstance(m, torch.nn.Conv2d)]
    with torch.inference_mode():
        net(torch.zeros(1, 3, 224, 224))
    for hook in hooks:
        hook.remove()
    return sum(counts)
