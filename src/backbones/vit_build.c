/* vit_build.c - a vision transformer as a graph. */
#include "backbones/vit.h"

#include <stdio.h>

/* A graph on its way; x: the last node, negative when something has failed. */
typedef struct building {
    hst_graph *g;
    const hst_vit_arch *v;
    hst_cells cells;
    int block; /* negative: the pooling */
    int x;
    hst_err *err;
} building;

/* "block_3_norm1", "pool_norm" */
static const char *name_of(const building *b, const char *part, char name[64])
{
    if (b->block < 0)
        snprintf(name, 64, "pool_%s", part);
    else
        snprintf(name, 64, "block_%d_%s", b->block, part);
    return name;
}

static void norm(building *b, const char *name)
{
    if (b->x >= 0)
        b->x = hst_graph_layernorm(b->g, b->x, b->v->epsilon, name, b->err);
}

/* Of every token alone. */
static void linear(building *b, const char *part, int channels)
{
    char name[64];
    const hst_conv c = {.kernel = 1, .stride = 1, .channels = channels, .bias = 1};
    if (b->x >= 0)
        b->x = hst_graph_conv2d(b->g, b->x, &c, name_of(b, part, name), b->err);
}

/* What was made since node `from`, scaled, is added to it. */
static void add(building *b, int from, const char *scale)
{
    char name[64];
    if (b->x >= 0 && b->v->layer_scale)
        b->x = hst_graph_layer_scale(b->g, b->x, name_of(b, scale, name), b->err);
    if (b->x >= 0)
        b->x = hst_graph_add(b->g, b->x, from, b->err);
}

/* fc2(act(fc1(x))) */
static void perceptron(building *b)
{
    linear(b, "fc1", b->v->hidden);
    if (b->x >= 0)
        b->x = hst_graph_activation(b->g, b->x, b->v->act, b->err);
    linear(b, "fc2", b->v->dim);
}

/* fc2(act(first half of fc1(x)) * the other) */
static void gated(building *b)
{
    linear(b, "fc1", 2 * b->v->hidden);
    if (b->x >= 0)
        b->x = hst_graph_gate(b->g, b->x, b->v->act, b->err);
    linear(b, "fc2", b->v->dim);
}

static void turn(building *b)
{
    const hst_vit_arch *v = b->v;
    const hst_rotary r = {.heads = v->heads,
                          .prefix = v->class_token + v->registers,
                          .rows = b->cells.rows,
                          .columns = b->cells.columns,
                          .way = v->rotary.way,
                          .learned = v->rotary.learned,
                          .base = v->rotary.base};
    if (b->x >= 0 && v->rotary.is)
        b->x = hst_graph_rotary(b->g, b->x, &r, b->err);
}

static void block(building *b)
{
    char name[64];
    const hst_attention heads = {.heads = b->v->heads};
    int from = b->x;
    norm(b, name_of(b, "norm1", name));
    linear(b, "qkv", 3 * b->v->dim);
    turn(b);
    if (b->x >= 0)
        b->x = hst_graph_attention(b->g, b->x, &heads, b->err);
    linear(b, "proj", b->v->dim);
    add(b, from, "scale1");
    from = b->x;
    norm(b, name_of(b, "norm2", name));
    if (b->v->gated)
        gated(b);
    else
        perceptron(b);
    add(b, from, "scale2");
}

/* Tokens -> one token: the rest of a block behind a learned token's attention to all of them. */
static void attend(building *b)
{
    char name[64];
    const hst_attention heads = {.heads = b->v->pool_heads ? b->v->pool_heads : b->v->heads};
    const int tokens = b->x;
    b->block = -1;
    if (b->x >= 0)
        b->x = hst_graph_probe(b->g, b->x, "pool", b->err);
    linear(b, "q", b->v->dim);
    const int q = b->x;
    if (b->x >= 0)
        b->x = tokens;
    linear(b, "kv", 2 * b->v->dim);
    if (b->x >= 0)
        b->x = hst_graph_cross_attention(b->g, q, b->x, &heads, b->err);
    linear(b, "proj", b->v->dim);
    const int from = b->x;
    norm(b, name_of(b, "norm", name));
    perceptron(b);
    if (b->x >= 0)
        b->x = hst_graph_add(b->g, b->x, from, b->err);
}

static void pool(building *b)
{
    static const enum hst_pool kinds[] = {[HST_VIT_CLS] = HST_POOL_CLS,
                                          [HST_VIT_MEAN] = HST_POOL_MEAN,
                                          [HST_VIT_CLS_MEAN] = HST_POOL_CLS_MEAN,
                                          [HST_VIT_MAP] = HST_POOL_CLS}; /* the only token */
    const int prefix = b->v->pool == HST_VIT_MAP ? 0 : b->v->class_token + b->v->registers;
    const hst_token_pool p = {.pool = kinds[b->v->pool], .prefix = prefix};
    if (b->v->pool == HST_VIT_MAP)
        attend(b);
    if (b->x >= 0)
        b->x = hst_graph_token_pool(b->g, b->x, &p, b->err);
}

int hst_vit_build(hst_graph *g, const hst_arch *a, hst_err *err)
{
    const hst_vit_arch *v = &a->vit;
    const hst_conv patches = {
        .kernel = v->patch, .stride = v->patch, .channels = v->dim, .bias = 1};
    const hst_tokens tokens = {.prefix = v->class_token + v->registers, .positions = !v->no_table};
    building b = {.g = g, .v = v, .cells = hst_vit_cells(a), .err = err};
    b.x = hst_graph_input(g, (hst_shape){a->size.height, a->size.width, 3}, err);
    if (b.x >= 0)
        b.x = hst_graph_conv2d(g, b.x, &patches, "patches", err);
    if (b.x >= 0)
        b.x = hst_graph_tokens(g, b.x, &tokens, "tokens", err);
    if (v->pre_norm)
        norm(&b, "norm_pre");
    for (; b.block < v->depth && b.x >= 0; b.block++)
        block(&b);
    if (!v->norm_behind)
        norm(&b, "norm");
    pool(&b);
    if (v->norm_behind)
        norm(&b, "norm");
    return b.x;
}
