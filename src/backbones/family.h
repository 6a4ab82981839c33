/* family.h - a family of networks as data: its layers, and the names their tensors go by.
 *
 * Most families here are chains of inverted residual blocks (Sandler et al. 2018, arXiv
 * 1801.04381):
 *
 *   stem 3x3/2 | per block: expand 1x1 -> depthwise kxk -> project 1x1 (+ input) | top 1x1 |
 * average
 *
 * every convolution without bias and followed by batch norm, every one but project by ReLU6. What
 * differs is the table of stages and the names. */
#ifndef HST_BACKBONES_FAMILY_H
#define HST_BACKBONES_FAMILY_H
#include "backbones/backbone.h"
#include "backbones/norms.h"

struct json_t; /* jansson.h */

enum hst_role {
    HST_STEM,
    HST_EXPAND,
    HST_DEPTHWISE,
    HST_PROJECT,
    HST_TOP,
    HST_CONV,     /* of a ResNet's block */
    HST_SHORTCUT, /* beside it */
    HST_SQUEEZE,  /* of squeeze-and-excitation: no batch norm, a bias */
    HST_EXCITE
};

/* One convolution with its batch norm. */
typedef struct hst_layer {
    enum hst_role role;
    int block;         /* number of the block it is in, from 0; -1: stem and top */
    int stage, repeat; /* of that block: its row in the family's table, its place in the row */
    int expands;       /* 1: the block has an expand layer */
    int fused;         /* 1: the block has no depthwise layer */
    int excites;       /* 1: the block has squeeze-and-excitation, in families where not all have */
    int place;         /* among the block's HST_CONV, from 1 */
    int kernel, stride;
    int in, out;  /* channels; equal for depthwise */
    int residual; /* project: the block's input is added to its output */
    /* Its place among all layers, among depthwise or other ones, and that of its batch norm among
     * all of them: hst_family_layers() says. */
    int number, of_kind, of_norm;
} hst_layer;

enum { HST_MAX_LAYERS = 128, HST_MAX_TENSOR_NAME = 128 };

/* A row of a family's table: repeats blocks, the first with stride. */
typedef struct hst_stage {
    int expand, channels, repeats, stride, kernel;
} hst_stage;

typedef struct hst_chain {
    int stem, top; /* channels */
    hst_stage stage[7];
} hst_chain;
/* The layers of a chain in order; their number. out[HST_MAX_LAYERS]. */
int hst_chain_layers(const hst_chain *c, hst_layer *out);

/* v channels rounded to a multiple of 8, never down by more than a tenth (the papers' rule). */
int hst_make_divisible(double v);

/* Names of a layer's convolution and batch norm, without "/kernel" or ".weight". */
typedef struct hst_layer_names {
    char conv[HST_MAX_TENSOR_NAME], bn[HST_MAX_TENSOR_NAME];
} hst_layer_names;
typedef void hst_names_fn(const hst_layer *l, hst_layer_names *out);

/* The parameters of a layer. Where batch norm is folded into the convolution there are only kernel
 * and bias. */
enum hst_part { HST_KERNEL, HST_GAMMA, HST_BETA, HST_MEAN, HST_VARIANCE, HST_BIAS, HST_N_PARTS };

/* How a program ends the names of parameters, and lays kernels out. */
typedef struct hst_style {
    int oihw;                      /* kernels [O][I][H][W]; 0: [H][W][I][O] */
    const char *depthwise;         /* ends the name of a depthwise kernel */
    const char *part[HST_N_PARTS]; /* of those of batch norm: behind the batch norm's name */
} hst_style;
extern const hst_style hst_style_keras, hst_style_torch, hst_style_slim;

/* How a program that publishes such networks names their tensors, and what it takes for granted. */
typedef struct hst_dialect {
    const char *name;   /* "Hugging Face" */
    const char *marker; /* a tensor of every such file, behind a prefix that is empty or ends in
                           a dot or slash ("mobilenet_v2.", "module.") */
    const char *const *body; /* NULL-ended: tensors whose name goes on so belong to the network and
                                must all be known; others (classifier, optimiser) are ignored */
    hst_names_fn *names;     /* NULL: the family's own, as hst_graph_param() has them */
    const hst_style *style;
    enum hst_padding padding;
    double bn_epsilon;
    hst_norm norm;
    /* Takes what it knows of config.json into *a; NULL: there is none. needs_config: the tensors
     * alone do not say enough. */
    int (*config)(const struct json_t *root, hst_arch *a, hst_err *err);
    int needs_config;
    int biased;     /* convolutions have a bias in front of their batch norm */
    int blue_first; /* the input is blue, green, red */
} hst_dialect;

struct hst_family {
    const char *name;
    double width; /* the only one; 0: any */
    int px;       /* usual input size */
    int (*layers)(const hst_arch *a, hst_layer *out);
    hst_names_fn *names; /* our own */
    /* Adds all nodes; a negative code on failure. NULL: a chain of inverted residuals. */
    int (*build)(hst_graph *g, const hst_arch *a, hst_err *err);
    const hst_dialect *dialects;
    size_t n_dialects;
};
/* The i-th family; NULL past the end. */
const hst_family *hst_family_at(size_t i);
const hst_family *hst_family_find(const char *name); /* NULL: none of that name */
/* The layers of an architecture of a known family, numbered; how many. out[HST_MAX_LAYERS]. */
int hst_family_layers(const hst_arch *a, hst_layer *out);

extern const hst_family hst_mobilenet_v1;
extern const hst_family hst_mobilenet_v2;
extern const hst_family hst_mobilenet_v3[2];
extern const hst_family hst_efficientnet_b0, hst_efficientnet_v2_b0;
extern const hst_family hst_efficientnet_lite[5];
extern const hst_family hst_resnet[4];

/* Every family's dialect of formats that only number their convolutions ("op3"), and of Keras 3's
 * files without names ("conv2d_3", counted by class). */
hst_names_fn hst_numbered_names, hst_counted_names;
extern const char *const hst_numbered_body[], *const hst_counted_body[];
/* Members of the two but for the norm; where only numbers are told, padding and epsilon come with
 * the file. last: a tensor of the last such layer. */
#define HST_NUMBERED                                                                               \
    .name = "a graph without names", .marker = "op0/kernel", .body = hst_numbered_body,            \
    .names = hst_numbered_names, .style = &hst_style_keras, .padding = HST_PAD_TF,                 \
    .bn_epsilon = 1e-3
#define HST_COUNTED(last)                                                                          \
    .name = "Keras, counted", .marker = last, .body = hst_counted_body,                            \
    .names = hst_counted_names, .style = &hst_style_keras, .padding = HST_PAD_TF,                  \
    .bn_epsilon = 1e-3

/* A 1x1 convolution that is `like` in all else. */
hst_layer hst_pointwise(hst_layer like, enum hst_role role, int in, int out);
/* The graph of layers with squeeze-and-excitation; activation: what ends each. Returns the last
 * node or a negative code. */
typedef enum hst_act hst_activation_fn(const hst_arch *a, const hst_layer *l);
int hst_gated_build(hst_graph *g, const hst_arch *a, hst_activation_fn *activation, hst_err *err);

/* The layer names of keras.applications' EfficientNets: stages count from 1, repeats from a. */
hst_names_fn hst_efficientnet_names;

/* The names of PyTorch Image Models (timm), the same for all chains. */
hst_names_fn hst_timm_names;
extern const char *const hst_timm_body[];

/* Their config.json. */
int hst_timm_config(const struct json_t *root, hst_arch *a, hst_err *err);
int hst_huggingface_config(const struct json_t *root, hst_arch *a, hst_err *err);
int hst_huggingface_efficientnet_config(const struct json_t *root, hst_arch *a, hst_err *err);

/* What a converted file says of itself (convert/weights.h lists the facts): image size, padding,
 * epsilon, normalisation. HST_EMODEL: a number out of bounds. */
HST_CHECK int hst_facts_read(const hst_tensors *t, hst_arch *a, hst_err *err);
/* 1: the file says what its pixels are, and says it of red, green, blue. */
int hst_facts_say_norm(const hst_tensors *t);
/* Compares the operators that such a file tells, where it does, with those of g, of a's family. */
HST_CHECK int hst_facts_check(const hst_tensors *t, const hst_arch *a, const hst_graph *g,
                              hst_err *err);
/* The image size that a file's name tells as keras.applications' names do; else otherwise. */
int hst_px_of_name(const char *name, int otherwise);

/* Which network a file of tensors holds. */
typedef struct hst_origin {
    const hst_family *family;
    const hst_dialect *dialect;
    char prefix[HST_MAX_TENSOR_NAME]; /* in front of every tensor's name */
    int fits;                         /* 0: it is the nearest, but some layers have other shapes */
} hst_origin;

/* The family and dialect of a foreign file and, in *a, its defaults. HST_EMODEL: none we know. */
HST_CHECK int hst_recognise(const hst_tensors *t, hst_origin *o, hst_arch *a, hst_err *err);
/* The name of one of a layer's parameters in the file. */
void hst_foreign_name(const hst_origin *o, const hst_layer *l, enum hst_part part, char *out,
                      size_t cap);
/* Chooses the width with which the fewest layers have the wrong shape: a->width, else a usual one,
 * else a hundredth; so that an error names the tensor that is really wrong. How many have. */
int hst_infer_width(const hst_tensors *t, const hst_origin *o, hst_arch *a);

/* Reads config.json and, where it lies in the same folder, preprocessor_config.json (path: of the
 * first) into *a. HST_EMODEL: not JSON, a number out of bounds, a variant we do not build. */
HST_CHECK int hst_config_read(const char *path, const hst_origin *o, hst_arch *a, hst_err *err);

/* Fills g's parameters from a foreign file. HST_EMODEL: a tensor is missing, superfluous, has
 * another shape, or is not finite. */
HST_CHECK int hst_weights_import(const hst_tensors *t, const hst_origin *o, const hst_arch *a,
                                 hst_graph *g, hst_err *err);
/* The same from tensors in our own names and layout. */
HST_CHECK int hst_weights_read(const hst_tensors *t, const char *prefix, hst_graph *g,
                               hst_err *err);
#endif
