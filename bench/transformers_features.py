#!/usr/bin/env python3
"""Features of vision transformers beside the libraries that publish them.

    transformers_features.py --build BUILD [--work FOLDER] [-o features.json] [NAME...]

Each library (timm, transformers, torchvision, OpenCLIP) makes a network with random weights, norms, layer
scales and positions and writes it as it writes its own; headstart reads what was written and computes the
features of two pictures of exactly the network's size, which the library computes in float64. What is shown
is the largest difference as a part of the largest feature. NAME: the beginning of names of cases.
"""
import argparse
import copy
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.models import eva, vision_transformer
from torch.nn.functional import interpolate

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
SAME = 1e-4  # of the largest feature


def randomise(net):
    """So that attention looks somewhere and every parameter shows."""
    with torch.no_grad():
        for name, p in net.named_parameters():
            if any(w in name for w in ("token", "pos_", "position", "class_emb", "probe", "latent")):
                p.normal_(0, 0.5)
            elif p.ndim > 1:
                p.normal_(0, 1.3 / p[0].numel() ** 0.5)
            elif any(w in name for w in ("ls1", "ls2", "gamma_", "lambda", "ls_", "layer_scale")):
                p.uniform_(0.2, 0.9)
            elif "norm" in name or "ln_" in name or ".ln." in name:
                p.uniform_(0.5, 1.5) if name.endswith("weight") else p.normal_(0, 0.2)
            else:
                p.normal_(0, 0.2)
    return net.eval()


def write(folder, state, config=None):
    """A folder as hubs have it, or, of those who publish no config, a PyTorch file."""
    os.makedirs(folder, exist_ok=True)
    state = {k: v.detach().clone().contiguous() for k, v in state.items()}
    if not config:
        torch.save(state, os.path.join(folder, "weights.pth"))
        return os.path.join(folder, "weights.pth")
    save_file(state, os.path.join(folder, "model.safetensors"))
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f)
    return folder


def pooled(tokens, prefix, pool, behind=None, attention=None):
    if pool == "map":
        return attention(tokens)
    mean = tokens[:, prefix:].mean(1)
    y = {"cls": tokens[:, 0], "mean": mean, "cls+mean": torch.cat([tokens[:, 0], mean], 1)}[pool]
    return behind(y) if behind else y


class Timm:
    """A network of timm, in the size that it is published at, and at others as timm makes it."""

    def __init__(self, name, **args):
        self.name, self.args = name, args
        self.net = randomise(timm.create_model(name, **args))
        cfg = self.net.pretrained_cfg
        self.norm = cfg["mean"], cfg["std"]
        self.pool = {"token": "cls", "avg": "mean", "": "cls"}.get(self.net.global_pool, self.net.global_pool)
        self.px = self.net.patch_embed.img_size[0]

    def write(self, folder):
        cfg = self.net.pretrained_cfg
        keep = {k: cfg[k] for k in ("input_size", "mean", "std", "crop_pct", "interpolation")}
        keep["input_size"] = [3, self.px, self.px]
        return write(folder, self.net.state_dict(),
                     {"architecture": self.name, "num_features": self.net.num_features, "global_pool": self.net.global_pool,
                      "model_args": {k: v for k, v in self.args.items() if k != "img_size"}, "pretrained_cfg": keep})

    def load(self, state):
        """The reverse of write."""
        self.net.load_state_dict(state)

    def at(self, size):
        args = {**self.args, "img_size": size}
        net = timm.create_model(self.name, **args).eval()
        of = eva if isinstance(net, eva.Eva) else vision_transformer
        net.load_state_dict(of.checkpoint_filter_fn(copy.deepcopy(self.net.state_dict()), net))
        return net.double()

    def features(self, x, pool):
        net = self.at(x.shape[2:])
        behind = net.fc_norm if not isinstance(net.fc_norm, torch.nn.Identity) else None
        return pooled(net.forward_features(x), net.num_prefix_tokens, pool, behind, net.attn_pool)


class TimmGamma(Timm):
    """The same as DeiT3's authors name it."""

    def write(self, folder):
        state = {k.replace("ls1.gamma", "gamma_1").replace("ls2.gamma", "gamma_2"): v
                 for k, v in self.net.state_dict().items()}
        return write(folder, state)

    def load(self, state):
        self.net.load_state_dict({k.replace("gamma_1", "ls1.gamma").replace("gamma_2", "ls2.gamma"): v
                                  for k, v in state.items()})


class Facebook(Timm):
    """DINOv2 as its authors' repository has it: its names, and its own way of another size."""

    def write(self, folder):
        s = dict(self.net.state_dict())
        if "reg_token" in s:  # the class token's position is apart there
            s["register_tokens"] = s.pop("reg_token")
            cls = torch.randn(1, 1, s["cls_token"].shape[2]) * 0.3
            s["cls_token"], s["pos_embed"] = s["cls_token"] - cls, torch.cat([cls, s["pos_embed"]], 1)
        return write(folder, {**s, "mask_token": torch.zeros(1, s["cls_token"].shape[2])})

    def load(self, state):
        s = {k: v for k, v in state.items() if k != "mask_token"}
        if "register_tokens" in s:
            s["reg_token"] = s.pop("register_tokens")
            s["cls_token"], s["pos_embed"] = s["cls_token"] + s["pos_embed"][:, :1], s["pos_embed"][:, 1:]
        self.net.load_state_dict(s)

    def at(self, size):
        net = super().at(size)
        p = self.net.patch_embed.patch_size[0]
        rows, columns = size[0] // p, size[1] // p
        table = self.net.pos_embed.double()
        front, table = table[:, :1], table
        registers = self.net.reg_token is not None
        if not registers:
            table = table[:, 1:]
        side = int(table.shape[1] ** 0.5)
        table = table.reshape(1, side, side, -1).permute(0, 3, 1, 2)
        if (rows, columns) != (side, side):
            if registers:
                table = interpolate(table, size=(rows, columns), mode="bicubic", antialias=True)
            else:
                table = interpolate(table, scale_factor=((rows + 0.1) / side, (columns + 0.1) / side), mode="bicubic")
        assert table.shape[2:] == (rows, columns)
        table = table.permute(0, 2, 3, 1).flatten(1, 2)
        net.pos_embed.data = table if registers else torch.cat([front, table], 1)
        return net


class TimmDinov3(Timm):
    """Used with its class token here, as its authors do, and by its mean in timm."""

    def __init__(self, name, **args):
        super().__init__(name, **args)
        self.pool = "cls"


class FacebookDinov3(TimmDinov3):
    """The same as its authors' files have it: biases of keys masked, frequencies rounded to bfloat16."""

    NAMES = {"reg_token": "storage_tokens", "gamma_1": "ls1.gamma", "gamma_2": "ls2.gamma", "fc1_g": "w1", "fc1_x": "w2"}

    def write(self, folder):
        state, q = {"mask_token": torch.zeros(1, self.net.embed_dim)}, None
        gated = "blocks.0.mlp.fc1_g.weight" in self.net.state_dict()
        for name, x in self.net.state_dict().items():
            for ours, theirs in self.NAMES.items():
                name = name.replace(ours, theirs)
            name = name.replace("fc2", "w3") if gated else name
            if name.endswith("attn.v_bias"):
                bias = torch.cat([q, torch.full_like(q, 3), x])
                state[name.replace("v_bias", "qkv.bias")] = bias
                state[name.replace("v_bias", "qkv.bias_mask")] = (bias != 3).float()
            elif name.endswith("attn.q_bias"):
                q = x
            else:
                state[name] = x
        state["rope_embed.periods"] = self.net.rope.periods.bfloat16()
        return write(folder, state)

    def load(self, state):
        self.net.load_state_dict(eva.checkpoint_filter_fn(dict(state), self.net))

    def at(self, size):
        net = super().at(size)
        net.rope.periods = net.rope.periods.bfloat16().double()
        return net


class PerceptionEncoder(Timm):
    """PE as its authors' files have it, beside something of its text tower."""

    NAMES = [("patch_embed.proj", "conv1"), ("attn_pool.norm", "attn_pool.layernorm"), ("attn_pool.latent", "attn_pool.probe"),
             ("attn_pool.proj", "attn_pool.attn.out_proj"), ("norm_pre", "ln_pre"), ("norm1", "ln_1"), ("norm2", "ln_2"),
             ("attn.proj", "attn.out_proj"), ("attn.qkv.", "attn.in_proj_"), ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj"),
             ("blocks.", "transformer.resblocks."), ("cls_token", "class_embedding"), ("pos_embed", "positional_embedding")]

    def write(self, folder):
        state, q = {"logit_scale": torch.ones(())}, {}
        for name, x in self.net.state_dict().items():
            name = "ln_post" + name[4:] if name.startswith("norm.") else name
            for ours, theirs in self.NAMES:
                name = name.replace(ours, theirs)
            if name.startswith("attn_pool.q."):
                q = {**(q if "bias" in name else {}), name[12:]: x}
            elif name.startswith("attn_pool.kv."):
                state["visual.attn_pool.attn.in_proj_" + name[13:]] = torch.cat([q[name[13:]], x])
            elif name == "head.weight":
                state["visual.proj"] = x.T
            elif name != "head.bias":
                state["visual." + name] = x[0, 0] if name == "class_embedding" else x[0] if name == "positional_embedding" else x
        return write(folder, state)

    def load(self, state):
        self.net.load_state_dict({**eva.checkpoint_filter_fn(dict(state), self.net)}, strict=False)


class HuggingFace:
    """A network of transformers; prefix: tokens in front of those of the patches."""

    def __init__(self, model, config, prefix, norm, pool="cls", whole=None, processor=True):
        import transformers
        self.net = randomise(model(config))
        self.written = whole(self.net) if whole else self.net
        self.prefix, self.norm, self.pool, self.px = prefix, norm, pool, config.image_size
        self.processor = processor
        transformers.logging.set_verbosity_error()

    def write(self, folder):
        self.written.save_pretrained(folder)
        if self.processor:
            with open(os.path.join(folder, "preprocessor_config.json"), "w", encoding="utf-8") as f:
                json.dump({"do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
                           "image_mean": self.norm[0], "image_std": self.norm[1]}, f)
        return folder

    def load(self, state):
        with tempfile.TemporaryDirectory() as folder:
            save_file(state, os.path.join(folder, "model.safetensors"), {"format": "pt"})
            self.written.config.save_pretrained(folder)
            self.net = type(self.net).from_pretrained(folder).eval()

    def features(self, x, pool):
        net = copy.deepcopy(self.net).double()
        other = x.shape[2] != self.px or x.shape[3] != self.px
        more = {"interpolate_pos_encoding": True} if other and "ino" not in type(net).__name__ else {}
        tokens = net(x, **more).last_hidden_state
        if hasattr(net, "post_layernorm"):
            tokens = net.post_layernorm(tokens)
        return pooled(tokens, self.prefix, pool, attention=getattr(net, "head", None))


class ConvNext:
    """DINOv3's ConvNeXt of transformers, or of its authors, whose names ConvNeXt's have with one more."""

    def __init__(self, authors=False, **config):
        import transformers as t
        self.net = randomise(t.DINOv3ConvNextModel(t.DINOv3ConvNextConfig(**config)))
        self.authors, self.norm, self.pool, self.px = authors, IMAGENET, "mean", 224

    def write(self, folder):
        if not self.authors:
            self.net.save_pretrained(folder)
            return folder
        names = [("layer_norm.", "norm."), ("depthwise_conv", "dwconv"), ("pointwise_conv", "pwconv"), (".layers.", "."),
                 ("model.", "")]
        state = {}
        for name, x in self.net.state_dict().items():
            for theirs, ours in names:
                name = name.replace(theirs, ours)
            at = name.split(".")
            state[".".join(["downsample_layers", at[1], *at[3:]]) if "downsample" in name else name] = x
        return write(folder, {**state, "norms.3.weight": state["norm.weight"], "norms.3.bias": state["norm.bias"]})

    def features(self, x, pool):
        return copy.deepcopy(self.net).double()(x).pooler_output


class Siglip(HuggingFace):
    """Its last_hidden_state is behind the last norm."""

    def features(self, x, pool):
        net = copy.deepcopy(self.net).double()
        tokens = net(x, interpolate_pos_encoding=tuple(x.shape[2:]) != (self.px, self.px)).last_hidden_state
        return pooled(tokens, 0, pool, attention=getattr(getattr(net, "vision_model", net), "head", None))


class OpenClipTimm(Timm):
    """The same as the image tower in one of OpenCLIP's files, beside something of its text tower."""

    def write(self, folder):
        state = {"visual.trunk." + k: v for k, v in self.net.state_dict().items()}
        vision = {"image_size": self.px, "timm_model_name": self.name, "timm_model_pretrained": False}
        return write(folder, {**state, "logit_scale": torch.ones(()), "text.token_embedding.weight": torch.ones(8, 8)},
                     {"model_cfg": {"embed_dim": 64, "vision_cfg": vision, "text_cfg": {}}})


class Torchvision:
    """old: the names of before 0.14."""

    def __init__(self, old=False, **args):
        import torchvision
        self.make = lambda px: torchvision.models.VisionTransformer(image_size=px, **args).eval()
        self.px, self.norm, self.pool, self.old = 224, IMAGENET, "cls", old
        self.net, self.patch = randomise(self.make(self.px)), args["patch_size"]

    def write(self, folder):
        state = self.net.state_dict()
        if self.old:
            state = {k.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): v for k, v in state.items()}
        return write(folder, state)

    def load(self, state):
        self.net.load_state_dict({k.replace("mlp.linear_1.", "mlp.0.").replace("mlp.linear_2.", "mlp.3."): v
                                  for k, v in state.items()})

    def features(self, x, pool):
        from torchvision.models.vision_transformer import interpolate_embeddings
        px = x.shape[2]
        net = self.make(px).eval()
        net.load_state_dict(interpolate_embeddings(px, self.patch, copy.deepcopy(self.net.state_dict())))
        net.double()
        y = net._process_input(x)
        y = net.encoder(torch.cat([net.class_token.expand(len(x), -1, -1), y], 1))
        return pooled(y, 1, pool)


class OpenClip:
    """The image tower of one of OpenCLIP's networks, in the file of both towers."""

    def __init__(self, quick=False, px=224, **vision):
        from open_clip.model import CLIP as Net
        vision = {"image_size": px, "layers": 3, "width": 128, "patch_size": 32, "head_width": 64, **vision}
        text = {"context_length": 8, "vocab_size": 64, "width": 64, "heads": 1, "layers": 1}
        self.config = {"model_cfg": {"vision_cfg": vision, "quick_gelu": quick}}
        self.make = lambda px: Net(64, {**vision, "image_size": px}, text, quick_gelu=quick)
        self.net, self.px, self.norm, self.pool = randomise(self.make(px)), px, CLIP, "cls"

    def write(self, folder):
        return write(folder, self.net.state_dict(), self.config)

    def load(self, state):
        self.net.load_state_dict(state)

    def features(self, x, pool):
        from open_clip.model import resize_pos_embed
        net = self.make(tuple(x.shape[2:])).eval()
        state = copy.deepcopy(self.net.state_dict())
        resize_pos_embed(state, net)
        net.load_state_dict(state)
        v = net.visual.double()
        y = v.conv1(x).flatten(2).transpose(1, 2)
        y = torch.cat([v.class_embedding.expand(len(x), 1, -1), y], 1) + v.positional_embedding
        return pooled(v.ln_post(v.transformer(v.ln_pre(y))), 1, pool)


def hf(kind, px=224, prefix=1, norm=IMAGENET, whole=None, **config):
    import transformers as t
    config = {"hidden_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4, "image_size": px, **config}
    if kind not in ("Dinov2", "Dinov2WithRegisters"):
        config.setdefault("intermediate_size", 256)
    names = {"CLIP": ("CLIPVisionModel", "CLIPVisionConfig"), "Siglip": ("SiglipVisionModel", "SiglipVisionConfig")}
    model, conf = names.get(kind, (kind + "Model", kind + "Config"))
    if kind == "Siglip":
        pool = "map" if config.get("vision_use_head", True) else "mean"
        return Siglip(getattr(t, model), getattr(t, conf)(**config), 0, norm, pool=pool, whole=whole)
    return HuggingFace(getattr(t, model), getattr(t, conf)(**config), prefix, norm, whole=whole)


def vit_classifier(net):
    import transformers as t
    whole = t.ViTForImageClassification(net.config)
    whole.vit.load_state_dict(net.state_dict(), strict=False)
    return whole


def clip_both(net):
    import transformers as t
    text = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 32,
            "vocab_size": 64, "max_position_embeddings": 8}
    whole = t.CLIPModel(t.CLIPConfig(text_config=text, vision_config=net.config.to_dict(), projection_dim=16))
    whole.vision_model.load_state_dict(net.state_dict())
    return whole


def siglip_both(net):
    import transformers as t
    text = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 32,
            "vocab_size": 64, "max_position_embeddings": 8, "projection_size": net.config.hidden_size}
    whole = t.SiglipModel(t.SiglipConfig(text_config=text, vision_config=net.config.to_dict()))
    missing = getattr(whole.vision_model, "vision_model", whole.vision_model).load_state_dict(
        getattr(net, "vision_model", net).state_dict())
    assert not missing.missing_keys
    return whole


class Birder:
    """A vision transformer of birder, as its programs write it: a checkpoint, or safetensors."""

    def __init__(self, name, px=None, safetensors=False, norm=None, **config):
        from birder.data.transforms.classification import get_rgb_stats
        from birder.model_registry import registry
        self.name, self.safetensors = name, safetensors
        self.net = randomise(registry.net_factory(name, 3, config=config or None, size=px and (px, px)))
        self.px = self.net.size[0]
        self.stats = get_rgb_stats(norm or "birder")
        self.norm = self.stats["mean"], self.stats["std"]
        self.pool = "mean" if self.net.class_token is None else "cls"

    def write(self, folder):
        import pathlib
        from birder.common import fs_ops
        from birder.net.base import get_signature
        os.makedirs(folder, exist_ok=True)
        signature, classes = get_signature((1, 3, self.px, self.px), 3), {"a": 0, "b": 1, "c": 2}
        if self.safetensors:
            path = os.path.join(folder, self.name + ".safetensors")
            fs_ops.save_st(self.net, path, self.net.task, classes, signature, self.stats)
            return path
        fs_ops.settings.MODELS_DIR = pathlib.Path(folder)
        fs_ops.checkpoint_model(self.name, 1, self.net, signature, classes, self.stats, None, None, None, None)
        return os.path.join(folder, self.name + "_1.pt")

    def load(self, state):
        self.net.load_state_dict(state)

    def features(self, x, pool):
        net = copy.deepcopy(self.net)
        net.adjust_size(tuple(x.shape[2:]))
        net.double()
        if pool == self.pool:
            return net.embedding(x)
        tokens = net.forward_features(x)
        return pooled(tokens[:, net.num_reg_tokens:], 1, pool)


S = {"depth": 4}  # shortened
# name: how it is made, sizes (height x width), poolings; 0: the usual size
CASES = {
    "timm dinov2 S": (lambda: Timm("vit_small_patch14_dinov2"), ["224x224"], ["cls", "mean", "cls+mean"]),
    "timm dinov2 S short": (lambda: Timm("vit_small_patch14_dinov2", **S), ["252x252", "518x518", "126x280"], ["cls"]),
    "timm dinov2 S reg4": (lambda: Timm("vit_small_patch14_reg4_dinov2"), ["224x224"], ["cls", "mean"]),
    "timm dinov2 B": (lambda: Timm("vit_base_patch14_dinov2", depth=3), ["224x224"], ["cls+mean"]),
    "timm dinov2 B reg4": (lambda: Timm("vit_base_patch14_reg4_dinov2", depth=3), ["224x224", "336x336"], ["cls"]),
    "facebook dinov2 S": (lambda: Facebook("vit_small_patch14_dinov2", **S), ["224x224", "252x252", "518x518", "126x280"],
                          ["cls"]),
    "facebook dinov2 S reg4": (lambda: Facebook("vit_small_patch14_reg4_dinov2", **S), ["224x224", "266x252"], ["cls", "mean"]),
    "timm dino S16": (lambda: Timm("vit_small_patch16_224.dino"), ["224x224"], ["cls"]),
    "timm dino S8": (lambda: Timm("vit_small_patch8_224.dino", depth=2), ["224x224", "160x160"], ["cls"]),
    "timm augreg Ti": (lambda: Timm("vit_tiny_patch16_224"), ["224x224"], ["cls", "mean", "cls+mean"]),
    "timm augreg S": (lambda: Timm("vit_small_patch16_224.augreg_in21k", **S), ["224x224", "256x256", "384x384"], ["cls"]),
    "timm augreg S32": (lambda: Timm("vit_small_patch32_224.augreg_in21k"), ["224x224", "320x160"], ["cls"]),
    "timm augreg B": (lambda: Timm("vit_base_patch16_224", depth=2), ["224x224"], ["cls"]),
    "timm deit S": (lambda: Timm("deit_small_patch16_224", **S), ["224x224"], ["cls"]),
    "timm deit S distilled": (lambda: Timm("deit_small_distilled_patch16_224", **S), ["224x224"], ["cls"]),
    "timm deit3 S": (lambda: Timm("deit3_small_patch16_224", **S), ["224x224", "288x288"], ["cls"]),
    "facebook deit3 S": (lambda: TimmGamma("deit3_small_patch16_224", **S), ["224x224"], ["cls"]),
    "timm wee reg1": (lambda: Timm("vit_wee_patch16_reg1_gap_256"), ["256x256"], ["mean"]),
    "timm little reg1": (lambda: Timm("vit_little_patch16_reg1_gap_256", depth=5), ["256x256", "224x192"], ["mean"]),
    "timm test_vit": (lambda: Timm("test_vit"), ["160x160"], ["cls", "mean"]),
    "timm tinyclip": (lambda: Timm("vit_xsmall_patch16_clip_224"), ["224x224", "256x256"], ["cls", "mean"]),
    "timm clip B32": (lambda: Timm("vit_base_patch32_clip_224", depth=3), ["224x224"], ["cls"]),
    "timm clip B32 quick": (lambda: Timm("vit_base_patch32_clip_quickgelu_224", depth=3), ["224x224", "256x256"], ["cls"]),
    "hf dinov2": (lambda: hf("Dinov2", patch_size=14, px=518), ["224x224", "252x252", "518x518", "140x224"],
                  ["cls", "cls+mean"]),
    "hf dinov2 reg": (lambda: hf("Dinov2WithRegisters", patch_size=14, px=518, prefix=5, num_register_tokens=4),
                      ["224x224", "252x252"], ["cls", "mean"]),
    "hf vit": (lambda: hf("ViT", patch_size=16, norm=HALF), ["224x224", "384x384"], ["cls", "mean"]),
    "hf vit classifier": (lambda: hf("ViT", patch_size=32, norm=HALF, whole=vit_classifier), ["224x224"], ["cls"]),
    "hf deit": (lambda: hf("DeiT", patch_size=16, prefix=2), ["224x224", "256x160"], ["cls"]),
    "hf clip": (lambda: hf("CLIP", patch_size=32, norm=CLIP), ["224x224", "320x320"], ["cls"]),
    "hf clip gelu": (lambda: hf("CLIP", patch_size=16, norm=CLIP, hidden_act="gelu"), ["224x224"], ["cls"]),
    "hf clip both": (lambda: hf("CLIP", patch_size=32, norm=CLIP, whole=clip_both), ["224x224"], ["cls"]),
    "torchvision B32": (lambda: Torchvision(patch_size=32, num_layers=3, num_heads=4, hidden_dim=256, mlp_dim=512),
                        ["224x224", "320x320"], ["cls"]),
    "torchvision old": (lambda: Torchvision(old=True, patch_size=16, num_layers=2, num_heads=2, hidden_dim=128, mlp_dim=256),
                        ["224x224"], ["cls", "mean"]),
    "timm dinov3 S": (lambda: TimmDinov3("vit_small_patch16_dinov3"), ["256x256", "224x224"], ["cls", "mean", "cls+mean"]),
    "timm dinov3 S biased": (lambda: TimmDinov3("vit_small_patch16_dinov3_qkvb", **S), ["256x256", "160x320"], ["cls"]),
    "timm dinov3 S+": (lambda: TimmDinov3("vit_small_plus_patch16_dinov3_qkvb"), ["256x256", "512x512"], ["cls", "mean"]),
    "facebook dinov3 S": (lambda: FacebookDinov3("vit_small_patch16_dinov3_qkvb", img_size=224), ["224x224", "320x256"],
                          ["cls", "mean"]),
    "facebook dinov3 S+": (lambda: FacebookDinov3("vit_small_plus_patch16_dinov3_qkvb", img_size=224, **S),
                           ["224x224", "480x480"], ["cls"]),
    "hf dinov3": (lambda: hf("DINOv3ViT", prefix=5, num_register_tokens=4, layer_norm_eps=1e-5), ["224x224", "256x256", "160x320"],
                  ["cls", "mean"]),
    "hf dinov3 gated": (lambda: hf("DINOv3ViT", prefix=5, num_register_tokens=4, use_gated_mlp=True, hidden_act="silu",
                                   key_bias=True, rope_theta=50.0), ["224x224", "512x512"], ["cls", "cls+mean"]),
    "hf dinov3 convnext T": (lambda: ConvNext(), ["224x224", "256x160"], [None]),
    "facebook dinov3 convnext": (lambda: ConvNext(authors=True), ["224x224"], [None]),
    "timm pe T": (lambda: Timm("vit_pe_core_tiny_patch16_384"), ["384x384", "224x224", "256x160"], ["map", "cls", "mean"]),
    "timm pe S": (lambda: Timm("vit_pe_core_small_patch16_384", **S), ["384x384", "448x448"], ["map"]),
    "open_clip pe T": (lambda: OpenClipTimm("vit_pe_core_tiny_patch16_384", **S), ["384x384", "224x224"], ["map"]),
    "authors' pe S": (lambda: PerceptionEncoder("vit_pe_core_small_patch16_384", **S), ["384x384", "288x288"], ["map", "mean"]),
    "timm siglip B16": (lambda: Timm("vit_base_patch16_siglip_224", depth=3), ["224x224", "256x160"], ["map", "mean"]),
    "timm siglip2 B32": (lambda: Timm("vit_base_patch32_siglip_256", depth=3), ["256x256", "224x224"], ["map", "mean"]),
    "timm siglip so400m": (lambda: Timm("vit_so400m_patch14_siglip_378", depth=1), ["378x378", "224x224"], ["map"]),
    "timm siglip gap": (lambda: Timm("vit_base_patch32_siglip_gap_256", depth=2), ["256x256", "320x320"], ["mean"]),
    "hf siglip": (lambda: hf("Siglip", patch_size=16, norm=HALF), ["224x224", "256x192"], ["map", "mean"]),
    "hf siglip both": (lambda: hf("Siglip", patch_size=32, px=256, norm=HALF, whole=siglip_both), ["256x256", "224x224"],
                       ["map", "mean"]),
    "hf siglip no head": (lambda: hf("Siglip", patch_size=16, norm=HALF, vision_use_head=False), ["224x224", "160x160"],
                          ["mean"]),
    "open_clip siglip": (lambda: OpenClipTimm("vit_base_patch32_siglip_256", depth=2), ["256x256", "320x320"], ["map", "mean"]),
    "open_clip": (lambda: OpenClip(), ["224x224", "256x320"], ["cls", "mean"]),
    "open_clip quick": (lambda: OpenClip(quick=True, patch_size=16), ["224x224"], ["cls"]),
    "birder bio-dino": (lambda: Birder("vit_reg1_s14_ls", 252), ["252x252", "224x224", "126x280"], ["cls", "mean", "cls+mean"]),
    "birder bio-dino st": (lambda: Birder("vit_reg1_s14_ls", 252, True, "imagenet"), ["252x252", "518x518"], ["cls"]),
    "birder nps": (lambda: Birder("vit_reg4_s14_nps_ls", 518, norm="imagenet"), ["224x224", "518x518"], ["cls", "mean"]),
    "birder so150m": (lambda: Birder("vit_reg4_so150m_p14_ls", 224), ["224x224"], ["cls"]),
    "birder vit": (lambda: Birder("vit_t16", norm="clip"), ["224x224", "160x256"], ["cls"]),
    "birder scaled": (lambda: Birder("vit_s16_ls", 256, True), ["256x256"], ["cls", "mean"]),
    "birder mean": (lambda: Birder("vit_reg4_b16_avg", 224), ["224x224", "256x256"], ["mean"]),
    "birder norm behind": (lambda: Birder("vit_reg1_s16_nap_avg", 224, True), ["224x224"], ["mean"]),
    "open_clip scaled": (lambda: OpenClip(ls_init_value=0.1), ["224x224"], ["cls"]),
}


class Comparison:
    def __init__(self, args, work):
        self.program = os.path.join(args.build, "cli", "headstart")
        self.work, self.rows = work, []
        self.env = {**os.environ, "HEADSTART_CACHE": os.path.join(work, "cache")}

    def pictures(self, size):
        """Slopes and noise, PNG, in one class folder; height x width."""
        height, width = size
        folder = os.path.join(self.work, f"photos-{height}x{width}")
        os.makedirs(os.path.join(folder, "a"), exist_ok=True)
        rng, images = np.random.default_rng(height * width), []
        for i in range(2):
            y, x = np.mgrid[:height, :width]
            slopes = np.stack([y * 200 / height, x * 200 / width, (x + y) * 100 / height], 2)
            noise = rng.normal(0, 30, (height // 4 + 1, width // 4 + 1, 3)).repeat(4, 0).repeat(4, 1)
            image = np.clip(slopes[::-1 if i else 1] + noise[:height, :width] + 30, 0, 255).astype(np.uint8)
            Image.fromarray(image).save(os.path.join(folder, "a", f"{i}.png"))
            images.append(image)
        return folder, np.stack(images)

    def ours(self, net, photos, size, pool):
        out = os.path.join(self.work, "features.npy")
        run = subprocess.run([self.program, "features", photos, "-b", net, "-o", out, *(["--pool", pool] if pool else []),
                              "--image-px", f"{size[1]}x{size[0]}", "--no-store", "-q"], env=self.env, capture_output=True, text=True)
        if run.returncode:
            return run.stderr.strip()
        return np.load(out)

    def usual(self, net):
        run = subprocess.run([self.program, "backbones", "import", net, "--json"], env=self.env, capture_output=True,
                             text=True)
        return json.loads(run.stdout) if run.returncode == 0 else run.stderr.strip()

    def case(self, name, make, sizes, pools):
        torch.manual_seed(sum(name.encode()))
        library, folder = make(), os.path.join(self.work, name.replace(" ", "-"))
        folder = library.write(folder)
        says = self.usual(folder)
        want = (library.pool, 224 if library.px > 448 else library.px)
        if isinstance(says, str) or (says["pool"], says["image_px"]) != want:
            self.tell(name, "usual", str(want[1]), says if isinstance(says, str) else f"{says['pool']} {says['image_px']}")
        for text in sizes:
            size = tuple(int(n) for n in text.split("x"))
            photos, images = self.pictures(size)
            x = images / 255.0
            x = torch.from_numpy(((x - library.norm[0]) / library.norm[1]).transpose(0, 3, 1, 2).copy())
            for pool in pools:
                ours = self.ours(folder, photos, size, pool)
                with torch.no_grad():
                    theirs = library.features(x, pool).numpy()
                if not isinstance(ours, str):
                    ours = "other shape" if ours.shape != theirs.shape else np.abs(ours - theirs).max() / np.abs(theirs).max()
                self.tell(name, pool, text, ours)

    def tell(self, name, pool, size, far):
        good = not isinstance(far, str) and far < SAME
        self.rows.append({"case": name, "pool": pool, "size": size, "far": far if isinstance(far, str) else float(far),
                          "same": bool(good)})
        print(f"{name:24} {size:>8} {pool or '':9} {far if isinstance(far, str) else f'{far:.1e}'}{'' if good else '   NOT THE SAME'}",
              flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default="build")
    p.add_argument("--work")
    p.add_argument("-o", "--output")
    p.add_argument("names", nargs="*")
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        all_ = Comparison(args, args.work or temporary)
        for name, case in CASES.items():
            if not args.names or any(name.startswith(n) for n in args.names):
                all_.case(name, *case)
        if args.output:
            with open(args.output, "w", encoding="utf-8") as f:
                json.dump(all_.rows, f, indent=1)
    good = sum(r["same"] for r in all_.rows)
    print(f"{good} of {len(all_.rows)} the same within {SAME:g}")
    sys.exit(good < len(all_.rows))


if __name__ == "__main__":
    main()
