"""Networks as timm builds them, with made-up weights, in folders that headstart reads."""
import json
import os

import torch

# A torchvision for graphics cards beside a torch for processors lacks its compiled operators, and
# timm cannot be imported unless somebody has declared them.
LIBRARY = torch.library.Library("torchvision", "FRAGMENT")
for operator in ("nms", "qnms"):
    LIBRARY.define(operator + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import timm  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from torch.fx.experimental.optimization import fuse  # noqa: E402

# Where networks are looked at in another size than their weights are published for.
PIXELS = {"vit_small_patch14_dinov2": 224, "vit_pe_core_tiny_patch16_384": 224}
CONFIG = ("input_size", "mean", "std", "interpolation", "crop_pct", "num_classes", "classifier")


def folded(net):
    """Batch norm inside the convolutions, where torch.fx can follow the network: not where padding
    depends on sizes, as TensorFlow's does. ONNX Runtime and OpenVINO fold by themselves."""
    if not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in net.modules()):
        return net
    try:
        return fuse(net)
    except torch.fx.proxy.TraceError:
        return net


def network(architecture, folder, seen=None):
    """The network without its head; headstart reads the folder. (network, pixels)

    seen(pixels): images [n][3][pixels][pixels] from 0 to 1 that batch norm's statistics come from, else noise."""
    torch.manual_seed(1)
    size = {"img_size": PIXELS[architecture]} if architecture in PIXELS else {}
    net = timm.create_model(architecture, num_classes=0, **size)
    px = PIXELS.get(architecture, net.pretrained_cfg["input_size"][-1])
    for name, layer in net.named_modules():
        for scale in ("gamma", "gamma_1", "gamma_2"):  # of branches, which begin near 0
            if isinstance(getattr(layer, scale, None), torch.nn.Parameter):
                torch.nn.init.uniform_(getattr(layer, scale), 0.1, 0.6)
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None  # the mean over all that it sees
            # The last norm of RegNet's branches is small, as learning has it: else 16 blocks magnify every rounding.
            torch.nn.init.uniform_(layer.weight, *((0.1, 0.4) if name.endswith("conv3.bn") else (0.6, 1.4)))
            torch.nn.init.normal_(layer.bias, 0, 0.3)
    mean, std = (torch.tensor(net.pretrained_cfg[key]).reshape(1, 3, 1, 1) for key in ("mean", "std"))
    with torch.no_grad():
        net.train()(((seen(px) if seen else torch.rand(8, 3, px, px)) - mean) / std)
    net.eval()
    os.makedirs(folder, exist_ok=True)
    save_file({k: v.contiguous() for k, v in net.state_dict().items()},
              os.path.join(folder, "model.safetensors"))
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump({"architecture": architecture, "num_features": net.num_features,
                   "pretrained_cfg": {k: net.pretrained_cfg[k] for k in CONFIG}}, file)
    if architecture.startswith("mobilenetv3"):  # our features are in front of its last layer
        net.conv_head = net.norm_head = net.act2 = torch.nn.Identity()
    return folded(net).to(memory_format=torch.channels_last), px
