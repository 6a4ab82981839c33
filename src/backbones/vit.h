/* vit.h - vision transformers (Dosovitskiy et al. 2020, arXiv 2010.11929): a photo in patches, each
 * a token, and blocks in which every token looks at all others.
 *
 *   patches | class token and registers in front, positions added | (norm)
 *   x + scale * proj(attention(norm x)), x + scale * fc2(act(fc1(norm x))), for every block
 *   norm | pooling
 *
 * Where it is gated, fc2(act(gate x) * up x). Positions may be angles as well, or alone.
 * Attention that pools (SigLIP) is y = proj(attention(q probe, kv x)), y + fc2(act(fc1(norm y))).
 *
 * Families differ in tokens, norms and names alone, so they are tables (vit_families.c). What the
 * tensors tell (vit_map.c) is read from them. */
#ifndef HST_BACKBONES_VIT_H
#define HST_BACKBONES_VIT_H
#include "backbones/family.h"
#include "backbones/norms.h"

/* The tokens that a table of positions has rows for, in front of those of the patches. */
enum hst_vit_kept { HST_VIT_KEPT_CLASS, HST_VIT_KEPT_ALL, HST_VIT_KEPT_NONE };

/* The tensors of a network without what stands in front of all of them; NULL: there is none. Of a
 * product or a norm: in front of "weight" and "bias". */
typedef struct hst_vit_names {
    const char *class_token, *registers, *positions;
    const char *patches;        /* the product */
    const char *norm_pre;       /* before the first block */
    const char *norm, *fc_norm; /* before and behind the pooling */
    const char *block;          /* in front of what follows: "blocks.%d." */
    const char *norm1, *norm2;  /* before attention, before the product fc1 */
    const char *qkv;            /* query, key and value one below the other; NULL: */
    const char *query, *key, *value;
    const char *q_bias,
        *v_bias;          /* whole names: beside qkv, keys having none; NULL: it has its own */
    const char *key_mask; /* the whole name of what says that keys have none of qkv's bias */
    const char *proj, *fc1, *fc2;
    const char *gate, *up;       /* in the place of fc1, where it is gated */
    const char *periods;         /* the whole name of the frequencies of rotary positions */
    const char *scale1, *scale2; /* whole names */
    /* Of attention that pools; probe: the whole name */
    const char *probe, *pool_norm, *pool_proj, *pool_fc1, *pool_fc2;
    const char *pool_qkv; /* the product of all three; NULL: */
    const char *pool_q, *pool_kv;
    int registers_first; /* 1: in the table of positions, in front of the class token */
    /* Of files that are written: */
    enum hst_vit_kept kept;
    int bare; /* 1: the class token is one axis, positions are two; 0: with one in front of two */
} hst_vit_names;

/* hst_family.own: what a network must have to be of the family. */
typedef struct hst_vit_family {
    int patch;  /* of that many pixels; 0: any */
    int scaled; /* 1: layer scale */
    int pre_norm;
    int attention_pool;
    int pool_heads; /* of that, where they are not as many as the others */
    int no_table;   /* 1: no table of positions */
    int rotary;     /* 1: and these positions: */
    enum hst_rotary_way way;
    double base;
    const char *const *timm; /* NULL-ended parts of its networks' names in timm; NULL: none of those
                                of others */
} hst_vit_family;

enum { HST_VIT_WIDE = 896 };

/* hst_dialect.own */
typedef struct hst_vit_dialect {
    const hst_vit_names *names;
    double epsilon;
    enum hst_act act;
    enum hst_grid_way grid, grid_registers; /* the second: where it has registers */
    int wide_heads; /* heads of tokens of HST_VIT_WIDE numbers and more; 0: as many as usual */
} hst_vit_dialect;

extern const hst_kind hst_vit;
extern const hst_family hst_vit_families[];
enum { HST_VIT_FAMILIES = 6 };

/* The size that a network of square patches is used at which learned at `learned`: whole patches.
 * (vit_map.c) */
hst_size hst_vit_usual_size(hst_size learned, int patch);
hst_cells hst_vit_cells(const hst_arch *a);
/* The members of the kind. (vit_build.c, vit_map.c, vit_config.c) */
HST_CHECK int hst_vit_build(hst_graph *g, const hst_arch *a, hst_err *err);
double hst_vit_fit(const hst_tensors *t, const hst_origin *o, hst_arch *a, hst_err *err);
HST_CHECK int hst_vit_map(const hst_arch *a, const hst_origin *o, const hst_tensors *t,
                          hst_param_maps *out, hst_err *err);
int hst_vit_timm_config(const struct json_t *root, hst_arch *a, hst_err *err);
int hst_vit_huggingface_config(const struct json_t *root, hst_arch *a, hst_err *err);
int hst_vit_open_clip_config(const struct json_t *root, hst_arch *a, hst_err *err);
#endif
