/* cnn.h - families of convolutions with their batch norm, as tables of such layers.
 *
 * Most are chains of inverted residual blocks (Sandler et al. 2018, arXiv 1801.04381), some with
 * squeeze-and-excitation (Hu et al. 2018, arXiv 1709.01507) behind the depthwise convolution:
 *
 *   stem 3x3/2 | expand 1x1 -> depthwise kxk -> x * excite(squeeze(average of x)) -> project 1x1
 *   (+ input), for every block | top 1x1 | average
 *
 * Convolutions have no bias and are followed by batch norm, but for squeeze and excite and where a
 * layer says otherwise. */
#ifndef HST_BACKBONES_CNN_H
#define HST_BACKBONES_CNN_H
#include "backbones/family.h"
#include "backbones/norms.h"

enum hst_role {
    HST_STEM,
    HST_EXPAND,
    HST_DEPTHWISE,
    HST_PROJECT,
    HST_TOP,
    HST_CONV,     /* of a ResNet's block */
    HST_SHORTCUT, /* beside it */
    HST_SQUEEZE,  /* of squeeze-and-excitation: no batch norm, a bias */
    HST_EXCITE,
    HST_NORM /* no convolution: a norm alone */
};

/* What is behind a layer's convolution. */
enum hst_behind {
    HST_BATCH_NORM,
    HST_BIAS_ALONE,
    HST_BIAS_AND_LAYER_NORM,
    HST_GROUP_NORM, /* HST_BIT_GROUPS groups */
    HST_NOTHING
};

/* Of BiT's weights (Kolesnikov et al. 2019, arXiv 1912.11370), in its authors' program. */
#define HST_BIT_EPSILON 1e-8
enum { HST_BIT_GROUPS = 32 };

/* One convolution with its batch norm. */
typedef struct hst_layer {
    enum hst_role role;
    int block;         /* number of the block it is in, from 0; -1: stem and top */
    int stage, repeat; /* of that block: its row in the family's table, its place in the row; of a
                          chain's top the number of its stages */
    int expands;       /* 1: the block has an expand layer */
    int fused;         /* 1: the block has no depthwise layer */
    int excites;       /* 1: the block has squeeze-and-excitation */
    int place;         /* among the block's HST_CONV, from 1; what else a family says */
    int second;        /* 1: the second of two separable convolutions one behind the other */
    enum hst_behind behind;
    int affine; /* 1: behind its activation a scale and a shift, one number each */
    int scaled; /* 1: behind it a scale for each channel */
    int pooled; /* 1: it is behind the average */
    int kernel, stride;
    int wide;         /* columns of the kernel; 0: as many as rows */
    int valid;        /* 1: no padding */
    int pointwise;    /* 1: the second half of a separable convolution, its kernel named as such */
    int in, out;      /* channels; equal for depthwise */
    int residual;     /* project: the block's input is added to its output */
    int groups;       /* of channels, each convolved by itself; 0: one */
    int standardised; /* 1: its weights are, with HST_BIT_EPSILON */
    /* Its place among all layers, among depthwise or other ones, and that of its batch norm among
     * all of them: hst_layers_add() says. */
    int number, of_kind, of_norm;
} hst_layer;

typedef struct hst_layers {
    hst_layer *layer;
    int n, cap, n_depthwise, n_norms, n_alone; /* n_alone: norms without a convolution */
    int failed;                                /* 1: no memory, later calls do nothing */
} hst_layers;
void hst_layers_add(hst_layers *l, hst_layer layer);
/* like, as a convolution of kernel x kernel at that stride. */
hst_layer hst_layer_of(hst_layer like, enum hst_role role, int kernel, int stride, int out);
/* hst_layers_add() sees to it that squeeze and excite have none, but a bias. */
int hst_layer_has_norm(const hst_layer *l);
/* An inverted residual: like.in channels become wide, then out; squeezed 0: no
 * squeeze-and-excitation. */
typedef struct hst_block {
    int kernel, stride, wide, squeezed, out;
} hst_block;
void hst_layers_block(hst_layers *l, hst_layer like, const hst_block *b);

/* A row of a family's table: repeats blocks, the first with stride. */
typedef struct hst_stage {
    int expand, channels, repeats, stride, kernel;
} hst_stage;

typedef struct hst_chain {
    int stem, top; /* channels */
    int fused;     /* so many stages first have one whole convolution, which expands, instead
                      of expand, depthwise and excite */
    int squeeze;   /* squeezed to this part of the block's input; 0: no squeeze-and-excitation */
    hst_stage stage[7]; /* repeats 0: none */
} hst_chain;
void hst_chain_layers(const hst_chain *c, hst_layers *out);

/* v channels rounded to a multiple of 8, never down by more than a tenth (the papers' rule). */
int hst_make_divisible(double v);

/* Names of a layer's convolution, norm and, where it has that, affine part or scale, without
 * "/kernel" or ".weight". */
typedef struct hst_layer_names {
    char conv[HST_MAX_TENSOR_NAME], bn[HST_MAX_TENSOR_NAME], affine[HST_MAX_TENSOR_NAME];
} hst_layer_names;
typedef void hst_names_fn(const hst_layer *l, hst_layer_names *out);
/* Both, where they differ in their ends only. */
void hst_names_set(hst_layer_names *out, const char *layer, const char *conv, const char *bn);
/* 1 and the names of the stem or the top, where l is one of them. */
int hst_names_of_ends(const hst_layer *l, const hst_layer_names ends[2], hst_layer_names *out);

/* The parameters of a layer. Where batch norm is folded into the convolution there are only kernel
 * and bias. */
enum hst_part {
    HST_KERNEL,
    HST_GAMMA,
    HST_BETA,
    HST_MEAN,
    HST_VARIANCE,
    HST_BIAS,
    HST_SCALE, /* of its affine part, and the shift */
    HST_SHIFT,
    HST_LAYER_SCALE,
    HST_N_PARTS
};

/* How a program ends the names of parameters, and lays kernels out. */
typedef struct hst_style {
    int oihw;                      /* kernels [O][I][H][W]; 0: [H][W][I][O] */
    const char *depthwise;         /* ends the name of a depthwise kernel */
    const char *pointwise;         /* of the 1x1 behind it, where both have one layer's name */
    const char *part[HST_N_PARTS]; /* of those of batch norm: behind the batch norm's name */
} hst_style;
extern const hst_style hst_style_keras, hst_style_torch, hst_style_slim;

/* hst_family.own */
typedef struct hst_cnn_family {
    double width; /* the only one; 0: any */
    void (*layers)(const hst_arch *a, hst_layers *out);
    hst_names_fn *names; /* our own */
    /* What ends each layer; NULL: ReLU6, but project nothing. */
    enum hst_act (*activation)(const hst_arch *a, const hst_layer *l);
    /* Adds all nodes but the last average; the last or a negative code. NULL: inverted residuals.
     */
    int (*build)(hst_graph *g, const hst_arch *a, const hst_layers *l, hst_err *err);
} hst_cnn_family;

/* hst_dialect.own */
typedef struct hst_cnn_dialect {
    const hst_style *style;
    enum hst_padding padding;
    double bn_epsilon;
    hst_names_fn *names; /* NULL: the family's own */
    int biased;          /* convolutions have a bias in front of their batch norm */
    int blue_first;      /* the input is blue, green, red */
    int unscaled;        /* its batch norms may have no gamma, which then is 1 */
    /* Of files that are written: how many axes the tensor has; 0, NULL: as many as in the graph. */
    int (*axes)(const hst_arch *a, const hst_layer *l, enum hst_part part);
} hst_cnn_dialect;

#define HST_CNN(style_, padding_, epsilon_, names_)                                                \
    .own = &(const hst_cnn_dialect)                                                                \
    {                                                                                              \
        .style = &hst_style_##style_, .padding = HST_PAD_##padding_, .bn_epsilon = epsilon_,       \
        .names = names_                                                                            \
    }
#define HST_CNN_AXES(style_, padding_, epsilon_, names_, axes_)                                    \
    .own = &(const hst_cnn_dialect)                                                                \
    {                                                                                              \
        .style = &hst_style_##style_, .padding = HST_PAD_##padding_, .bn_epsilon = epsilon_,       \
        .names = names_, .axes = axes_                                                             \
    }
#define HST_CNN_FAMILY(name_, px_, dialects_, n_dialects_, ...)                                    \
    {                                                                                              \
        .name = name_, .px = px_, .kind = &hst_cnn, .own = &(const hst_cnn_family){__VA_ARGS__},   \
        .dialects = dialects_, .n_dialects = n_dialects_                                           \
    }

extern const hst_kind hst_cnn;
const hst_cnn_family *hst_cnn_of(const hst_arch *a);
/* The layers of an architecture, to be freed; HST_EMEM. (cnn.c) */
HST_CHECK int hst_cnn_layers(const hst_arch *a, hst_layers *out, hst_err *err);
void hst_layers_free(hst_layers *l);
/* Adds a convolution with its batch norm and its activation behind node x. (cnn_build.c) */
HST_CHECK int hst_cnn_conv(hst_graph *g, const hst_arch *a, const hst_layer *l, int x,
                           hst_err *err);
/* x times what the two layers from l on, squeeze and excite, make of its averages. */
HST_CHECK int hst_cnn_excite(hst_graph *g, const hst_arch *a, const hst_layer *l, int x,
                             hst_err *err);
/* The members of the kind: cnn_build.c, cnn_map.c. */
HST_CHECK int hst_cnn_build(hst_graph *g, const hst_arch *a, hst_err *err);
HST_CHECK int hst_cnn_map(const hst_arch *a, const hst_origin *o, const hst_tensors *t,
                          hst_param_maps *out, hst_err *err);
double hst_cnn_fit(const hst_tensors *t, const hst_origin *o, hst_arch *a, hst_err *err);

/* The families. */
extern const hst_family hst_mobilenet_v1;
extern const hst_family hst_mobilenet_v2;
extern const hst_family hst_mobilenet_v3[2];
extern const hst_family hst_efficientnet[8], hst_efficientnet_v2[8];
extern const hst_family hst_efficientnet_lite[5];
extern const hst_family hst_regnet_y[4];
extern const hst_family hst_resnet[18];
extern const hst_family hst_mobilenet_v4[2];
extern const hst_family hst_hgnet_v2[3];
extern const hst_family hst_inception_v3, hst_inception_resnet_v2;
extern const hst_family hst_nasnet[4];
extern const hst_family hst_convnext[7];

/* Every family's dialect of formats that only number their convolutions ("op3"), and of Keras 3's
 * files without names ("conv2d_3", counted by class); where only numbers are told, padding and
 * epsilon come with the file. last: a tensor of the last such layer. */
hst_names_fn hst_numbered_names, hst_counted_names;
extern const char *const hst_numbered_body[], *const hst_counted_body[];
#define HST_NUMBERED(norm)                                                                         \
    {                                                                                              \
        "a graph without names", "op0/kernel", hst_numbered_body, norm,                            \
            HST_CNN(keras, TF, 1e-3, hst_numbered_names)                                           \
    }
#define HST_COUNTED(last, norm)                                                                    \
    {                                                                                              \
        "Keras, counted", last, hst_counted_body, norm,                                            \
            HST_CNN(keras, TF, 1e-3, hst_counted_names)                                            \
    }

/* The layer names of keras.applications' EfficientNets: stages count from 1, repeats from a. */
hst_names_fn hst_efficientnet_names;
void hst_efficientnet_block(const hst_layer *l, char out[32]); /* "block1a" */

/* torchvision's at that place of a list: convolution and norm are 0 and 1, gates have no norm. */
void hst_torchvision_names(const hst_layer *l, const char *place, hst_layer_names *out);

/* The names of PyTorch Image Models (timm), the same for all chains. */
hst_names_fn hst_timm_names;
extern const char *const hst_timm_body[];

/* Their config.json. (config.c) */
int hst_timm_config(const struct json_t *root, hst_arch *a, hst_err *err);
int hst_huggingface_config(const struct json_t *root, hst_arch *a, hst_err *err);
int hst_huggingface_efficientnet_config(const struct json_t *root, hst_arch *a, hst_err *err);
int hst_huggingface_convnext_config(const struct json_t *root, hst_arch *a, hst_err *err);
#endif
