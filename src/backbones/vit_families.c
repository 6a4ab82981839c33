/* vit_families.c - the families of vision transformers, and how those who publish them name their
 * tensors.
 *
 *   dinov2  Oquab et al. 2023 (arXiv 2304.07193), with registers Darcet et al. 2023 (2309.16588)
 *   clip    the image tower of Radford et al. 2021 (2103.00020): a norm before the first block
 *   siglip  the image tower of Zhai et al. 2023 (2303.15343) and SigLIP 2 (2502.14786): no class
 *           token, attention that pools
 *   dinov3  Simeoni et al. 2025 (2508.10104): positions that are angles, gated in S+
 *   pe      the image tower of Perception Encoder, Bolya et al. 2025 (2504.13181): both kinds of
 *           positions, attention that pools all tokens
 *   vit     all others: ViT, DeiT, DINO, AugReg, MAE */
#include "backbones/facts.h"
#include "backbones/vit.h"

/* timm's, and those of the authors of DINO, DeiT and MAE. */
#define TIMM_BLOCK                                                                                 \
    .positions = "pos_embed", .patches = "patch_embed.proj.", .norm = "norm.",                     \
    .fc_norm = "fc_norm.", .block = "blocks.%d.", .norm1 = "norm1.", .norm2 = "norm2.",            \
    .qkv = "attn.qkv.", .proj = "attn.proj.", .fc1 = "mlp.fc1.", .fc2 = "mlp.fc2."

static const hst_vit_names timm_names = {.class_token = "cls_token",
                                         .registers = "reg_token",
                                         .norm_pre = "norm_pre.",
                                         TIMM_BLOCK,
                                         .scale1 = "ls1.gamma",
                                         .scale2 = "ls2.gamma",
                                         .kept = HST_VIT_KEPT_NONE};
/* With a token for distillation (DeiT). */
static const hst_vit_names distilled_names = {
    .class_token = "cls_token", .registers = "dist_token", TIMM_BLOCK};
/* DeiT3's authors'. */
static const hst_vit_names gamma_names = {
    .class_token = "cls_token", TIMM_BLOCK, .scale1 = "gamma_1", .scale2 = "gamma_2"};
/* DINOv2's authors'. */
static const hst_vit_names dinov2_names = {.class_token = "cls_token",
                                           .registers = "register_tokens",
                                           TIMM_BLOCK,
                                           .scale1 = "ls1.gamma",
                                           .scale2 = "ls2.gamma"};

#define HUGGINGFACE_ENDS                                                                           \
    .class_token = "embeddings.cls_token", .positions = "embeddings.position_embeddings",          \
    .patches = "embeddings.patch_embeddings.projection.", .norm = "layernorm."
#define HUGGINGFACE_TOKENS                                                                         \
    HUGGINGFACE_ENDS, .block = "encoder.layer.%d.", .query = "attention.attention.query.",         \
                      .key = "attention.attention.key.", .value = "attention.attention.value.",    \
                      .proj = "attention.output.dense."

static const hst_vit_names huggingface_names = {
    HUGGINGFACE_TOKENS,           .registers = "embeddings.distillation_token",
    .norm1 = "layernorm_before.", .norm2 = "layernorm_after.",
    .fc1 = "intermediate.dense.", .fc2 = "output.dense.",
    .kept = HST_VIT_KEPT_ALL};
static const hst_vit_names huggingface_dinov2_names = {HUGGINGFACE_TOKENS,
                                                       .registers = "embeddings.register_tokens",
                                                       .norm1 = "norm1.",
                                                       .norm2 = "norm2.",
                                                       .fc1 = "mlp.fc1.",
                                                       .fc2 = "mlp.fc2.",
                                                       .scale1 = "layer_scale1.lambda1",
                                                       .scale2 = "layer_scale2.lambda1"};

/* As transformers 5 has them in memory, which its ONNX files show; what it saves has the names
 * above. */
#define HUGGINGFACE_5                                                                              \
    HUGGINGFACE_ENDS, .query = "attention.q_proj.", .key = "attention.k_proj.",                    \
                      .value = "attention.v_proj.", .proj = "attention.o_proj.",                   \
                      .fc1 = "mlp.fc1.", .fc2 = "mlp.fc2.", .kept = HST_VIT_KEPT_ALL
static const hst_vit_names huggingface_5_names = {
    HUGGINGFACE_5, .block = "layers.%d.", .registers = "embeddings.distillation_token",
    .norm1 = "layernorm_before.", .norm2 = "layernorm_after."};
static const hst_vit_names huggingface_5_dinov2_names = {HUGGINGFACE_5,
                                                         .block = "encoder.layer.%d.",
                                                         .registers = "embeddings.register_tokens",
                                                         .norm1 = "norm1.",
                                                         .norm2 = "norm2.",
                                                         .scale1 = "layer_scale1.lambda1",
                                                         .scale2 = "layer_scale2.lambda1"};
/* The image tower beside one of texts. */
#define HUGGINGFACE_TOWER                                                                          \
    .positions = "embeddings.position_embedding.weight", .patches = "embeddings.patch_embedding.", \
    .norm = "post_layernorm.", .block = "encoder.layers.%d.", .norm1 = "layer_norm1.",             \
    .norm2 = "layer_norm2.", .query = "self_attn.q_proj.", .key = "self_attn.k_proj.",             \
    .value = "self_attn.v_proj.", .proj = "self_attn.out_proj.", .fc1 = "mlp.fc1.",                \
    .fc2 = "mlp.fc2.", .bare = 1

static const hst_vit_names huggingface_clip_names = {
    HUGGINGFACE_TOWER, .class_token = "embeddings.class_embedding", .norm_pre = "pre_layrnorm."};
/* SigLIP's, as timm has it, in OpenCLIP's files too. */
static const hst_vit_names timm_siglip_names = {TIMM_BLOCK,
                                                .class_token = "cls_token",
                                                .registers = "reg_token",
                                                .kept = HST_VIT_KEPT_NONE,
                                                .probe = "attn_pool.latent",
                                                .pool_norm = "attn_pool.norm.",
                                                .pool_proj = "attn_pool.proj.",
                                                .pool_fc1 = "attn_pool.mlp.fc1.",
                                                .pool_fc2 = "attn_pool.mlp.fc2.",
                                                .pool_q = "attn_pool.q.",
                                                .pool_kv = "attn_pool.kv."};
static const hst_vit_names huggingface_siglip_names = {HUGGINGFACE_TOWER,
                                                       .probe = "head.probe",
                                                       .pool_norm = "head.layernorm.",
                                                       .pool_proj = "head.attention.out_proj.",
                                                       .pool_fc1 = "head.mlp.fc1.",
                                                       .pool_fc2 = "head.mlp.fc2.",
                                                       .pool_qkv = "head.attention.in_proj_"};
static const hst_vit_names open_clip_names = {.class_token = "class_embedding",
                                              .positions = "positional_embedding",
                                              .patches = "conv1.",
                                              .norm_pre = "ln_pre.",
                                              .norm = "ln_post.",
                                              .block = "transformer.resblocks.%d.",
                                              .norm1 = "ln_1.",
                                              .norm2 = "ln_2.",
                                              .qkv = "attn.in_proj_",
                                              .proj = "attn.out_proj.",
                                              .fc1 = "mlp.c_fc.",
                                              .fc2 = "mlp.c_proj.",
                                              .scale1 = "ls_1.gamma",
                                              .scale2 = "ls_2.gamma"};

/* DINOv3's, as its authors have it, and timm, where networks have q_bias or none. */
#define DINOV3_BLOCK                                                                               \
    .positions = "pos_embed", .class_token = "cls_token", .patches = "patch_embed.proj.",          \
    .norm = "norm.", .block = "blocks.%d.", .norm1 = "norm1.", .norm2 = "norm2.",                  \
    .qkv = "attn.qkv.", .proj = "attn.proj.", .fc1 = "mlp.fc1."

#define AUTHORS_DINOV3                                                                             \
    DINOV3_BLOCK, .registers = "storage_tokens", .key_mask = "attn.qkv.bias_mask",                 \
                  .periods = "rope_embed.periods", .scale1 = "ls1.gamma", .scale2 = "ls2.gamma"

static const hst_vit_names dinov3_names = {AUTHORS_DINOV3, .fc2 = "mlp.fc2."};
static const hst_vit_names dinov3_gated_names = {AUTHORS_DINOV3, .gate = "mlp.w1.", .up = "mlp.w2.",
                                                 .fc2 = "mlp.w3."};
#define TIMM_DINOV3                                                                                \
    DINOV3_BLOCK, .registers = "reg_token", .gate = "mlp.fc1_g.", .up = "mlp.fc1_x.",              \
                  .fc2 = "mlp.fc2.", .scale1 = "gamma_1", .scale2 = "gamma_2"

static const hst_vit_names timm_dinov3_names = {TIMM_DINOV3, .q_bias = "attn.q_bias",
                                                .v_bias = "attn.v_bias"};
/* Of networks told attn_type "rope", whose keys have a bias, as those that learned on may. */
static const hst_vit_names timm_dinov3_keyed_names = {TIMM_DINOV3};

#define HUGGINGFACE_DINOV3                                                                         \
    .class_token = "embeddings.cls_token", .registers = "embeddings.register_tokens",              \
    .positions = "embeddings.position_embeddings", .patches = "embeddings.patch_embeddings.",      \
    .norm = "norm.", .norm1 = "norm1.", .norm2 = "norm2.", .query = "attention.q_proj.",           \
    .key = "attention.k_proj.", .value = "attention.v_proj.", .proj = "attention.o_proj.",         \
    .gate = "mlp.gate_proj.", .up = "mlp.up_proj.", .fc1 = "mlp.up_proj.",                         \
    .fc2 = "mlp.down_proj.", .scale1 = "layer_scale1.lambda1", .scale2 = "layer_scale2.lambda1"

static const hst_vit_names huggingface_dinov3_names = {HUGGINGFACE_DINOV3, .block = "layer.%d."};
/* Of files that keep the name of the encoder. */
static const hst_vit_names huggingface_dinov3_inner_names = {HUGGINGFACE_DINOV3,
                                                             .block = "model.layer.%d."};
/* Perception Encoder's, in its authors' files. */
static const hst_vit_names pe_names = {.class_token = "class_embedding",
                                       .positions = "positional_embedding",
                                       .patches = "conv1.",
                                       .norm_pre = "ln_pre.",
                                       .norm = "ln_post.",
                                       .block = "transformer.resblocks.%d.",
                                       .norm1 = "ln_1.",
                                       .norm2 = "ln_2.",
                                       .qkv = "attn.in_proj_",
                                       .proj = "attn.out_proj.",
                                       .fc1 = "mlp.c_fc.",
                                       .fc2 = "mlp.c_proj.",
                                       .scale1 = "ls_1.gamma",
                                       .scale2 = "ls_2.gamma",
                                       .probe = "attn_pool.probe",
                                       .pool_norm = "attn_pool.layernorm.",
                                       .pool_proj = "attn_pool.attn.out_proj.",
                                       .pool_fc1 = "attn_pool.mlp.c_fc.",
                                       .pool_fc2 = "attn_pool.mlp.c_proj.",
                                       .pool_qkv = "attn_pool.attn.in_proj_"};
static const hst_vit_names timm_pe_names = {TIMM_BLOCK,
                                            .class_token = "cls_token",
                                            .registers = "reg_token",
                                            .norm_pre = "norm_pre.",
                                            .scale1 = "gamma_1",
                                            .scale2 = "gamma_2",
                                            .probe = "attn_pool.latent",
                                            .pool_norm = "attn_pool.norm.",
                                            .pool_proj = "attn_pool.proj.",
                                            .pool_fc1 = "attn_pool.mlp.fc1.",
                                            .pool_fc2 = "attn_pool.mlp.fc2.",
                                            .pool_q = "attn_pool.q.",
                                            .pool_kv = "attn_pool.kv."};

#define TORCHVISION                                                                                \
    .class_token = "class_token", .positions = "encoder.pos_embedding", .patches = "conv_proj.",   \
    .norm = "encoder.ln.", .block = "encoder.layers.encoder_layer_%d.", .norm1 = "ln_1.",          \
    .norm2 = "ln_2.", .qkv = "self_attention.in_proj_", .proj = "self_attention.out_proj."

static const hst_vit_names torchvision_names = {TORCHVISION, .fc1 = "mlp.0.", .fc2 = "mlp.3."};
/* Of files written before torchvision 0.14. */
static const hst_vit_names torchvision_old_names = {TORCHVISION, .fc1 = "mlp.linear_1.",
                                                    .fc2 = "mlp.linear_2."};

/* birder's. */
static const hst_vit_names birder_names = {.class_token = "class_token",
                                           .registers = "reg_tokens",
                                           .positions = "pos_embedding",
                                           .patches = "conv_proj.",
                                           .norm = "norm.",
                                           .fc_norm = "embedding_norm.",
                                           .block = "encoder.block.%d.",
                                           .norm1 = "norm1.",
                                           .norm2 = "norm2.",
                                           .qkv = "attn.qkv.",
                                           .proj = "attn.proj.",
                                           .fc1 = "mlp.0.",
                                           .fc2 = "mlp.3.",
                                           .scale1 = "layer_scale_1.gamma",
                                           .scale2 = "layer_scale_2.gamma",
                                           .registers_first = 1,
                                           .kept = HST_VIT_KEPT_ALL};

static const char *const timm_body[] = {"cls_token",   "reg_token", "dist_token", "pos_embed",
                                        "patch_embed", "norm_pre.", "blocks.",    "norm.",
                                        "fc_norm.",    "attn_pool", NULL};
/* The rest of attn_pool is known where the features are what it gives, and not needed elsewhere. */
static const char *const timm_siglip_body[] = {"cls_token",
                                               "reg_token",
                                               "pos_embed",
                                               "patch_embed",
                                               "norm_pre.",
                                               "blocks.",
                                               "norm.",
                                               "fc_norm.",
                                               "attn_pool.q_norm.",
                                               "attn_pool.k_norm.",
                                               "attn_pool.pos_embed",
                                               NULL};
static const char *const dinov2_body[] = {
    "cls_token", "register_tokens", "pos_embed", "patch_embed.", "blocks.", "norm.", NULL};
static const char *const huggingface_body[] = {"embeddings.cls_token",
                                               "embeddings.register_tokens",
                                               "embeddings.distillation_token",
                                               "embeddings.position_embeddings",
                                               "embeddings.patch_embeddings.",
                                               "encoder.",
                                               "layers.",
                                               "layernorm.",
                                               NULL};
static const char *const huggingface_clip_body[] = {"embeddings.class_embedding",
                                                    "embeddings.position_embedding.",
                                                    "embeddings.patch_embedding.",
                                                    "pre_layrnorm.",
                                                    "encoder.",
                                                    "post_layernorm.",
                                                    NULL};
static const char *const open_clip_body[] = {"class_embedding",
                                             "positional_embedding",
                                             "conv1.",
                                             "ln_pre.",
                                             "transformer.",
                                             "ln_post.",
                                             NULL};
static const char *const dinov3_body[] = {
    "cls_token", "storage_tokens", "patch_embed.", "blocks.", "norm.", "cls_norm.", NULL};
static const char *const huggingface_dinov3_body[] = {"embeddings.cls_token",
                                                      "embeddings.register_tokens",
                                                      "embeddings.patch_embeddings.",
                                                      "layer.",
                                                      "model.layer.",
                                                      "norm.",
                                                      NULL};
static const char *const birder_body[] = {
    "class_token", "reg_tokens",      "pos_embed",  "conv_proj.", "encoder.",
    "norm.",       "embedding_norm.", "attn_pool.", "rope.",      NULL};
static const char *const torchvision_body[] = {"class_token", "conv_proj.", "encoder.", NULL};

#define VIT(names_, epsilon_, act_, grid_, registers_)                                             \
    .own = &(const hst_vit_dialect)                                                                \
    {                                                                                              \
        .names = &names_, .epsilon = epsilon_, .act = HST_ACT_##act_, .grid = HST_GRID_##grid_,    \
        .grid_registers = HST_GRID_##registers_                                                    \
    }

/* clang-format off */
#define NORM_CLIP {{122.770938f, 116.746013f, 104.093736f}, {68.5005327f, 66.6321579f, 70.3231631f}}
/* clang-format on */

/* In birder a network of 896 numbers a token and more has 16 heads. Pixels as its programs take
 * them unless told otherwise (rgb-mode "birder"), where a file does not say (birder.c). */
#define NORM_BIRDER                                                                                \
    {                                                                                              \
        {132.3705f, 135.303f, 124.3635f},                                                          \
        {                                                                                          \
            59.058f, 58.752f, 65.994f                                                              \
        }                                                                                          \
    }
#define BIRDER                                                                                     \
    {                                                                                              \
        "birder", "encoder.block.0.norm1.weight", birder_body, NORM_BIRDER,                        \
            .own = &(const hst_vit_dialect){.names = &birder_names,                                \
                                            .epsilon = 1e-6,                                       \
                                            .act = HST_ACT_GELU,                                   \
                                            .grid = HST_GRID_ANTIALIAS,                            \
                                            .grid_registers = HST_GRID_ANTIALIAS,                  \
                                            .wide_heads = 16},                                     \
            .named = hst_birder_check_name                                                         \
    }

/* First those with a tensor that others have not. */
static const hst_dialect dinov2_dialects[] = {
    {"DINOv2", "mask_token", dinov2_body, HST_NORM_IMAGENET,
     VIT(dinov2_names, 1e-6, GELU, OFFSET, ANTIALIAS)},
    {"timm", "patch_embed.proj.weight", timm_body, HST_NORM_IMAGENET,
     VIT(timm_names, 1e-6, GELU, ANTIALIAS, ANTIALIAS), .config = hst_vit_timm_config},
    {"transformers 5", "encoder.layer.0.attention.q_proj.weight", huggingface_body,
     HST_NORM_IMAGENET, VIT(huggingface_5_dinov2_names, 1e-6, GELU, PLAIN, ANTIALIAS)},
    {"Hugging Face", "encoder.layer.0.norm1.weight", huggingface_body, HST_NORM_IMAGENET,
     VIT(huggingface_dinov2_names, 1e-6, GELU, PLAIN, ANTIALIAS),
     .config = hst_vit_huggingface_config},
    BIRDER,
};

static const hst_dialect clip_dialects[] = {
    {"timm", "patch_embed.proj.weight", timm_body, NORM_CLIP,
     VIT(timm_names, 1e-5, GELU, ANTIALIAS, ANTIALIAS), .config = hst_vit_timm_config},
    {"Hugging Face", "embeddings.class_embedding", huggingface_clip_body, NORM_CLIP,
     VIT(huggingface_clip_names, 1e-5, GELU_QUICK, PLAIN, PLAIN),
     .config = hst_vit_huggingface_config},
    {"OpenCLIP", "class_embedding", open_clip_body, NORM_CLIP,
     VIT(open_clip_names, 1e-5, GELU, ANTIALIAS, ANTIALIAS), .config = hst_vit_open_clip_config},
};

static const hst_dialect siglip_dialects[] = {
    {"timm", "attn_pool.latent", timm_siglip_body, HST_NORM_PM1,
     VIT(timm_siglip_names, 1e-6, GELU, ANTIALIAS, ANTIALIAS), .config = hst_vit_open_clip_config},
    {"Hugging Face", "embeddings.patch_embedding.bias", huggingface_clip_body, HST_NORM_PM1,
     VIT(huggingface_siglip_names, 1e-6, GELU_TANH, PLAIN, PLAIN),
     .config = hst_vit_huggingface_config},
};

static const hst_dialect dinov3_dialects[] = {
    {"DINOv3, gated", "blocks.0.mlp.w3.weight", dinov3_body, HST_NORM_IMAGENET,
     VIT(dinov3_gated_names, 1e-5, SWISH, PLAIN, PLAIN), .licence = HST_LICENCE_DINOV3},
    {"DINOv3", "storage_tokens", dinov3_body, HST_NORM_IMAGENET,
     VIT(dinov3_names, 1e-5, GELU, PLAIN, PLAIN), .licence = HST_LICENCE_DINOV3},
    {"timm, keys with a bias", "blocks.0.attn.qkv.bias", timm_body, HST_NORM_IMAGENET,
     VIT(timm_dinov3_keyed_names, 1e-5, GELU, PLAIN, PLAIN), .config = hst_vit_timm_config,
     .licence = HST_LICENCE_DINOV3},
    {"timm", "blocks.0.gamma_1", timm_body, HST_NORM_IMAGENET,
     VIT(timm_dinov3_names, 1e-5, GELU, PLAIN, PLAIN), .config = hst_vit_timm_config,
     .licence = HST_LICENCE_DINOV3},
    {"Hugging Face", "layer.0.attention.q_proj.weight", huggingface_dinov3_body, HST_NORM_IMAGENET,
     VIT(huggingface_dinov3_names, 1e-5, GELU, PLAIN, PLAIN), .config = hst_vit_huggingface_config,
     .licence = HST_LICENCE_DINOV3},
    {"Hugging Face", "model.layer.0.attention.q_proj.weight", huggingface_dinov3_body,
     HST_NORM_IMAGENET, VIT(huggingface_dinov3_inner_names, 1e-5, GELU, PLAIN, PLAIN),
     .config = hst_vit_huggingface_config, .licence = HST_LICENCE_DINOV3},
};

static const hst_dialect pe_dialects[] = {
    {"timm", "attn_pool.latent", timm_siglip_body, HST_NORM_PM1,
     VIT(timm_pe_names, 1e-5, GELU, ANTIALIAS, ANTIALIAS), .config = hst_vit_open_clip_config},
    {"Perception Encoder", "attn_pool.probe", open_clip_body, HST_NORM_PM1,
     VIT(pe_names, 1e-5, GELU, ANTIALIAS, ANTIALIAS)},
};

static const hst_dialect vit_dialects[] = {
    {"DeiT3", "blocks.0.gamma_1", timm_body, HST_NORM_IMAGENET,
     VIT(gamma_names, 1e-6, GELU, ANTIALIAS, ANTIALIAS), .config = hst_vit_timm_config},
    {"DeiT, distilled", "dist_token", timm_body, HST_NORM_IMAGENET,
     VIT(distilled_names, 1e-6, GELU, ANTIALIAS, ANTIALIAS), .config = hst_vit_timm_config},
    {"timm", "patch_embed.proj.weight", timm_body, HST_NORM_IMAGENET,
     VIT(timm_names, 1e-6, GELU, ANTIALIAS, ANTIALIAS), .config = hst_vit_timm_config},
    {"Hugging Face", "encoder.layer.0.layernorm_before.weight", huggingface_body, HST_NORM_PM1,
     VIT(huggingface_names, 1e-12, GELU, PLAIN, PLAIN), .config = hst_vit_huggingface_config},
    {"transformers 5", "layers.0.layernorm_before.weight", huggingface_body, HST_NORM_PM1,
     VIT(huggingface_5_names, 1e-12, GELU, PLAIN, PLAIN)},
    {"torchvision", "encoder.layers.encoder_layer_0.mlp.0.weight", torchvision_body,
     HST_NORM_IMAGENET, VIT(torchvision_names, 1e-6, GELU, CORNERS, CORNERS)},
    {"torchvision before 0.14", "encoder.layers.encoder_layer_0.mlp.linear_1.weight",
     torchvision_body, HST_NORM_IMAGENET, VIT(torchvision_old_names, 1e-6, GELU, CORNERS, CORNERS)},
    BIRDER,
};

static const char *const dinov3_in_timm[] = {"dinov3", "lingbot", NULL};
static const char *const pe_in_timm[] = {"pe_core", NULL};

#define FAMILY(name_, dialects_, ...)                                                              \
    {                                                                                              \
        .name = name_, .px = 224, .kind = &hst_vit, .own = &(const hst_vit_family){__VA_ARGS__},   \
        .dialects = dialects_, .n_dialects = sizeof dialects_ / sizeof *dialects_                  \
    }

/* First those that must have what others need not. */
const hst_family hst_vit_families[HST_VIT_FAMILIES] = {
    FAMILY("dinov3", dinov3_dialects, .scaled = 1, .no_table = 1, .rotary = 1,
           .way = HST_ROTARY_HALVES, .base = 100, .timm = dinov3_in_timm),
    FAMILY("dinov2", dinov2_dialects, .patch = 14, .scaled = 1),
    FAMILY("pe", pe_dialects, .pre_norm = 1, .attention_pool = 1, .pool_heads = 8, .rotary = 1,
           .way = HST_ROTARY_PAIRS, .base = 10000, .timm = pe_in_timm),
    FAMILY("clip", clip_dialects, .pre_norm = 1),
    FAMILY("siglip", siglip_dialects, 0),
    FAMILY("vit", vit_dialects, 0),
};
