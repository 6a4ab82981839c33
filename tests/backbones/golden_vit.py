#!/usr/bin/env python3
"""Makes tests/golden/vit: small vision transformers as timm, transformers, torchvision and OpenCLIP write them (NAME.txt: a
tensor a line, its name and shape), and their features in double (NAME.npy) from weights and pixels that test_vit.c
makes up in the same way.

    python tests/backbones/golden_vit.py FOLDER [NAME...]     needs torch, timm, transformers, torchvision, open_clip,
                                                              birder
"""
import os
import sys

import numpy
import torch

from golden_noise import noise

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "bench"))
import transformers_features as libraries  # noqa: E402

TIMM = {"depth": 2, "embed_dim": 64, "num_heads": 1, "num_classes": 3}
HF = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "px": 96}
TV = {"image_size": 96, "num_layers": 2, "num_heads": 1, "hidden_dim": 64, "mlp_dim": 80, "num_classes": 3}


def timm(name, kind=libraries.Timm, px=96, **more):
    return lambda: kind(name, img_size=px, **{**TIMM, **more})


def torchvision(old):
    def make():
        net = libraries.Torchvision(old=old, patch_size=16, **{k: v for k, v in TV.items() if k != "image_size"})
        net.px, net.net = 96, net.make(96)
        return net
    return make


# name: the network, height, width, pooling
CASES = {
    "timm_vit": (timm("vit_small_patch16_224"), 64, 96, "cls"),
    "timm_dinov2": (timm("vit_small_patch14_dinov2", px=84), 56, 56, "cls+mean"),
    "timm_dinov2_reg": (timm("vit_small_patch14_reg4_dinov2", px=84), 98, 56, "mean"),
    "timm_reg1_gap": (timm("vit_wee_patch16_reg1_gap_256"), 64, 64, "mean"),
    "timm_clip": (timm("vit_base_patch32_clip_quickgelu_224", px=192), 96, 96, "cls"),
    "timm_distilled": (timm("deit_small_distilled_patch16_224"), 96, 96, "cls"),
    "deit3": (timm("deit3_small_patch16_224", libraries.TimmGamma), 112, 64, "cls"),
    "dinov2": (timm("vit_small_patch14_dinov2", libraries.Facebook, px=84), 56, 70, "cls"),
    "dinov2_reg": (timm("vit_small_patch14_reg4_dinov2", libraries.Facebook, px=84), 56, 70, "cls"),
    "hf_dinov2": (lambda: libraries.hf("Dinov2", patch_size=14, **{**HF, "px": 84}), 56, 70, "cls"),
    "hf_dinov2_reg": (lambda: libraries.hf("Dinov2WithRegisters", patch_size=14, prefix=3, num_register_tokens=2,
                                           **{**HF, "px": 84}), 56, 70, "cls+mean"),
    "hf_vit": (lambda: libraries.hf("ViT", patch_size=16, whole=libraries.vit_classifier, **HF), 64, 96, "cls"),
    "hf_deit": (lambda: libraries.hf("DeiT", patch_size=16, prefix=2, **HF), 96, 96, "mean"),
    "hf_clip": (lambda: libraries.hf("CLIP", patch_size=32, **HF), 96, 64, "cls"),
    "timm_siglip": (timm("vit_base_patch32_siglip_256", depth=1, mlp_ratio=1), 64, 96, "map"),
    "hf_siglip": (lambda: libraries.hf("Siglip", patch_size=16, **{**HF, "num_hidden_layers": 1, "intermediate_size": 48}),
                  96, 64, "map"),
    "dinov3": (timm("vit_small_patch16_dinov3_qkvb", libraries.FacebookDinov3, depth=1, mlp_ratio=1), 64, 80, "cls"),
    "timm_dinov3": (timm("vit_small_plus_patch16_dinov3_qkvb", libraries.TimmDinov3, depth=1, mlp_ratio=1, num_heads=2), 64, 64,
                    "cls+mean"),
    "hf_dinov3": (lambda: libraries.hf("DINOv3ViT", prefix=3, num_register_tokens=2, use_gated_mlp=True, hidden_act="silu",
                                       layer_norm_eps=1e-5, **{**HF, "num_hidden_layers": 1, "intermediate_size": 48}), 48, 96,
                  "mean"),
    "timm_pe": (timm("vit_pe_core_tiny_patch16_384", depth=1, mlp_ratio=1, attn_pool_mlp_ratio=1, ref_feat_shape=(6, 6)), 64, 96,
                "map"),
    "pe": (timm("vit_pe_core_tiny_patch16_384", libraries.PerceptionEncoder, depth=1, mlp_ratio=1, attn_pool_mlp_ratio=1,
                ref_feat_shape=(6, 6)), 96, 80, "map"),
    "open_clip": (lambda: libraries.OpenClip(px=96, width=64, layers=2, patch_size=16), 64, 64, "mean"),
    "birder": (lambda: libraries.Birder("vit_reg1_s14_ls", 84, True, num_layers=1, num_heads=1, hidden_dim=64, mlp_dim=80,
                                        num_reg_tokens=2), 56, 70, "cls"),
    "torchvision": (torchvision(False), 64, 64, "cls"),
    "torchvision_old": (torchvision(True), 96, 96, "cls"),
}


def fill(key, name, shape):
    """Matrices by what they sum over; one-dimensional weights are those of norms."""
    u = noise(key, int(numpy.prod(shape)))
    if len(shape) in (2, 4):
        u = (24 / numpy.prod(shape[1:])) ** 0.5 * u
    else:
        u = 1 + 0.4 * u if name.endswith("weight") else 0.4 * u
    return torch.from_numpy(u.astype("<f4").reshape(shape))


def given(name, made_up, real):
    """What a file cannot hold made-up numbers of; test_vit.c makes the same."""
    if name.endswith("bias_mask"):
        return (torch.arange(len(real)) // (len(real) // 3) != 1).float()
    return (100 ** (torch.arange(len(real)) / len(real))).bfloat16().float() if name.endswith("periods") else made_up


def states(library, folder):
    """The tensors as they are written."""
    path = library.write(folder)
    if path.endswith(".pth"):
        return torch.load(path)
    from safetensors.torch import load_file
    return load_file(path if path.endswith(".safetensors") else os.path.join(path, "model.safetensors"))


def main():
    import tempfile
    for name, (make, height, width, pool) in CASES.items():
        if sys.argv[2:] and name not in sys.argv[2:]:
            continue
        with tempfile.TemporaryDirectory() as folder, torch.no_grad():
            library = make()
            state = {k: given(k, fill(i + 1, k, v.shape), v) for i, (k, v) in enumerate(states(library, folder).items())}
            library.load(state)
            pixels = 2 * noise(0, height * width * 3).reshape(1, height, width, 3).transpose(0, 3, 1, 2)
            features = library.features(torch.from_numpy(pixels.astype("<f4").astype("<f8")), pool).numpy().ravel()
        numpy.save(os.path.join(sys.argv[1], name + ".npy"), features.astype("<f4"))
        with open(os.path.join(sys.argv[1], name + ".txt"), "w", encoding="ascii") as f:
            f.writelines(" ".join([k, *map(str, v.shape)]) + "\n" for k, v in state.items())
        print(name, features.shape, numpy.abs(features).max(), features.std())


main()
