/* vit_map.c - a vision transformer in a file of tensors: what it is like, and which tensor is which
 * parameter. */
#include "backbones/vit.h"

#include <stdio.h>
#include <string.h>

/* The names of a network on the way to one tensor. */
typedef struct naming {
    const hst_tensors *t;
    const hst_origin *o;
    const hst_vit_names *names;
} naming;

static naming naming_of(const hst_tensors *t, const hst_origin *o)
{
    const hst_vit_dialect *d = o->dialect->own;
    return (naming){t, o, d->names};
}

/* block: its number; -1: of no block. */
static void name_tensor(const naming *n, int block, const char *part, const char *ending,
                        char out[HST_MAX_FILE_NAME])
{
    char in[HST_MAX_TENSOR_NAME] = "", number[16];
    const char *at = block >= 0 ? strstr(n->names->block, "%d") : NULL;
    snprintf(number, sizeof number, "%d", block);
    if (at)
        snprintf(in, sizeof in, "%.*s%s%s", (int)(at - n->names->block), n->names->block, number,
                 at + 2);
    snprintf(out, HST_MAX_FILE_NAME, "%s%s%s%s", n->o->prefix, in, part, ending);
}

/* NULL: it is not there, or such networks have none. */
static const hst_tensor *find(const naming *n, int block, const char *part, const char *ending)
{
    char name[HST_MAX_FILE_NAME];
    if (!part)
        return NULL;
    name_tensor(n, block, part, ending, name);
    return hst_tensors_find(n->t, name);
}

/* ---- what it is like ---- */

enum { DIM_OF_PERIODS = 256 };

/* As many as networks of that dimension have; 0: it does not tell. */
static int usual_heads(int dim)
{
    /* Of those networks whose heads have other sizes than 64. */
    static const int others[][2] = {{1152, 16}, {1280, 16}, {1408, 16}, {1664, 16}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i][0] == dim)
            return others[i][1];
    return dim % 64 ? 0 : dim / 64;
}

/* Rows of a tensor [..][rows][C]; 0: there is none. */
static int64_t rows_of(const hst_tensor *x)
{
    return !x ? 0 : x->n_dims < 2 ? 1 : x->dim[x->n_dims - 2];
}

/* How many rows in front of the table of positions belong to tokens without a place: none, the
 * class token's, or those of all; negative: it is no table of a square. */
static int kept_of(const hst_vit_arch *v, int64_t rows)
{
    const int kept[] = {0, v->class_token, v->class_token + v->registers};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (rows > kept[i] && hst_grid_side(rows, kept[i]))
            return kept[i];
    return -1;
}

/* Networks that learned at more than 448 pixels are used at 224 by those who publish them. */
hst_size hst_vit_usual_size(hst_size learned, int patch)
{
    enum { MOST_USUAL = 448, USUAL = 224 };
    const int larger = learned.width > MOST_USUAL && learned.height > MOST_USUAL;
    if (patch < 1)
        return learned;
    return larger ? hst_size_square(USUAL / patch * patch)
                  : (hst_size){learned.width / patch * patch, learned.height / patch * patch};
}

/* The size that the table of positions was learned at, or what such networks are used at. */
static void usual_size(const naming *n, hst_arch *a)
{
    enum { UNKNOWN = 512 }; /* so that it is the usual one */
    const int64_t rows = rows_of(find(n, -1, n->names->positions, ""));
    const int kept = kept_of(&a->vit, rows), patch = a->vit.patch;
    const int side = rows && kept >= 0 ? hst_grid_side(rows, kept) * patch : 0;
    a->size = hst_vit_usual_size(hst_size_square(side < HST_LEAST_PX ? UNKNOWN : side), patch);
}

/* The first time: what a config or the caller may say otherwise afterwards. */
static void begin(const naming *n, hst_arch *a)
{
    const hst_vit_family *f = n->o->family->own;
    const hst_vit_dialect *d = n->o->dialect->own;
    hst_vit_arch *v = &a->vit;
    v->heads = d->wide_heads && v->dim >= HST_VIT_WIDE ? d->wide_heads : usual_heads(v->dim);
    v->act = v->gated ? HST_ACT_SWISH : v->act;
    v->attention_pool = find(n, -1, n->names->probe, "") != NULL;
    v->pool_heads = v->attention_pool ? f->pool_heads : 0;
    v->pool = v->attention_pool                   ? HST_VIT_MAP
              : v->class_token && !v->norm_behind ? HST_VIT_CLS
                                                  : HST_VIT_MEAN;
    usual_size(n, a);
}

static int is_shape(const hst_tensor *x, int64_t rows, int64_t columns)
{
    return x && x->n_dims >= 2 && x->dim[0] == rows && x->dim[1] == columns;
}

/* Of a block's products, how many are missing or of another shape. */
static int block_misfits(const naming *n, int block, const hst_vit_arch *v)
{
    const hst_vit_names *s = n->names;
    const char *const parts[] = {s->query, s->key, s->value};
    int misfits = 0;
    if (s->qkv)
        misfits += !is_shape(find(n, block, s->qkv, "weight"), 3 * (int64_t)v->dim, v->dim);
    for (int i = 0; i < 3 && !s->qkv; i++)
        misfits += !is_shape(find(n, block, parts[i], "weight"), v->dim, v->dim);
    misfits += !is_shape(find(n, block, s->proj, "weight"), v->dim, v->dim);
    misfits += !is_shape(find(n, block, v->gated ? s->gate : s->fc1, "weight"), v->hidden, v->dim);
    misfits += v->gated && !is_shape(find(n, block, s->up, "weight"), v->hidden, v->dim);
    return misfits + !is_shape(find(n, block, s->fc2, "weight"), v->dim, v->hidden);
}

static int is_of_family(const hst_vit_family *f, const hst_vit_arch *v, int has_attention_pool)
{
    return (!f->patch || v->patch == f->patch) && (!f->scaled || v->layer_scale) &&
           (!f->pre_norm || v->pre_norm) && (!f->attention_pool || has_attention_pool) &&
           (!f->no_table || v->no_table);
}

/* Frequencies that a file has are those that it learned with: as many digits of them as it has. */
static enum hst_rotary_way way_of(const naming *n, enum hst_rotary_way usual)
{
    const hst_tensor *x = find(n, -1, n->names->periods, "");
    float period[DIM_OF_PERIODS];
    if (!x || usual != HST_ROTARY_HALVES || !x->data || hst_tensor_count(x) > DIM_OF_PERIODS ||
        hst_tensor_floats(x, period, NULL))
        return usual;
    for (size_t i = 0; i < hst_tensor_count(x); i++) {
        uint32_t bits;
        memcpy(&bits, &period[i], sizeof bits);
        if (bits & 0xffff)
            return usual;
    }
    return HST_ROTARY_ROUNDED;
}

static void read_rotary(const naming *n, hst_vit_arch *v)
{
    const hst_vit_family *f = n->o->family->own;
    const int64_t rows = rows_of(find(n, -1, n->names->positions, ""));
    const int kept = rows ? kept_of(v, rows) : -1;
    v->rotary.is = 1;
    v->rotary.way = way_of(n, f->way);
    v->rotary.base = v->rotary.base > 0 ? v->rotary.base : f->base;
    if (v->rotary.learned == 0) /* no config says it */
        v->rotary.learned = kept >= 0 ? hst_grid_side(rows, kept) : 0;
}

double hst_vit_fit(const hst_tensors *t, const hst_origin *o, hst_arch *a, hst_err *err)
{
    (void)err;
    const naming n = naming_of(t, o);
    const hst_vit_names *s = n.names;
    const hst_vit_dialect *d = o->dialect->own;
    const hst_vit_family *f = o->family->own;
    hst_vit_arch *v = &a->vit;
    const int is_first = v->dim == 0;
    const hst_tensor *patches = find(&n, -1, s->patches, "weight");
    const int gated = find(&n, 0, s->gate, "weight") != NULL;
    const hst_tensor *fc1 = find(&n, 0, gated ? s->gate : s->fc1, "weight");
    if (!patches || patches->n_dims != 4 || patches->dim[0] > INT16_MAX ||
        patches->dim[2] > INT16_MAX || patches->dim[2] < 1 || !fc1 || fc1->dim[0] > INT16_MAX)
        return 1;
    v->dim = (int)patches->dim[0];
    v->patch = (int)patches->dim[2];
    v->hidden = (int)fc1->dim[0];
    v->gated = gated;
    for (v->depth = 0; v->depth < INT8_MAX && find(&n, v->depth, s->norm1, "weight"); v->depth++)
        continue;
    v->class_token = find(&n, -1, s->class_token, "") != NULL;
    const int64_t registers = rows_of(find(&n, -1, s->registers, ""));
    v->registers = registers < INT8_MAX ? (int)registers : INT8_MAX;
    v->layer_scale = find(&n, 0, s->scale1, "") != NULL;
    v->pre_norm = find(&n, -1, s->norm_pre, "weight") != NULL;
    v->no_table = f->no_table && !find(&n, -1, s->positions, "");
    v->norm_behind = find(&n, -1, s->fc_norm, "weight") && !find(&n, -1, s->norm, "weight");
    v->grid = v->registers ? d->grid_registers : d->grid;
    if (!is_of_family(f, v, find(&n, -1, s->probe, "") != NULL) || v->depth == 0)
        return 1;
    if (is_first)
        begin(&n, a);
    if (f->rotary)
        read_rotary(&n, v);
    int misfits = !is_shape(patches, v->dim, 3) || patches->dim[3] != v->patch;
    for (int i = 0; i < v->depth; i++)
        misfits += block_misfits(&n, i, v);
    return (double)misfits / (1 + 6.0 * v->depth);
}

/* ---- the map ---- */

typedef struct mapping {
    naming n;
    const hst_vit_arch *v;
    int block; /* -1: of no block */
    hst_param_maps *out;
    hst_err *err;
} mapping;

/* Parameter "block_3_" ours from the tensor part + ending; where that may be missing (a bias), or
 * has no name (part NULL), from zeros. */
static hst_param_map *map(const mapping *m, const char *ours, const char *part, const char *ending,
                          int may_miss)
{
    char to[HST_MAX_FILE_NAME], from[HST_MAX_FILE_NAME] = "";
    if (m->block >= 0)
        snprintf(to, sizeof to, "block_%d_%s", m->block, ours);
    else
        snprintf(to, sizeof to, "%s", ours);
    if (part && (!may_miss || !m->n.t || find(&m->n, m->block, part, ending)))
        name_tensor(&m->n, m->block, part, ending, from);
    hst_param_map *p = hst_param_maps_add(m->out, to, from, m->err);
    if (p)
        p->squeezes = 1;
    return p;
}

/* Which of several side by side a product of the file is, of `of` numbers each (0: it is all); and
 * which of `slices`, one below the other, of the file's (0: all of it). */
typedef struct place {
    int part, of;
    int slice, slices;
} place;

static void put_at(hst_param_map *p, int axis, const place *at)
{
    p->into.axis = axis;
    p->into.first = at->part * at->of;
    p->into.n = at->of;
    p->slice.part = at->slice;
    p->slice.of = at->slices;
}

/* A product's weights [O][I][..] -> kernel [..][..][I][O]; at: NULL, or a part of those. */
static hst_param_map *map_kernel(const mapping *m, const char *ours, const char *part,
                                 const place *at)
{
    char kernel[HST_MAX_TENSOR_NAME];
    snprintf(kernel, sizeof kernel, "%s/kernel", ours);
    hst_param_map *k = map(m, kernel, part, "weight", 0);
    if (k) {
        k->permutes = 1;
        k->axes = m->block < 0 && part == m->n.names->patches ? 4 : 2;
        memcpy(k->order, (int[4]){2, 3, 1, 0}, sizeof k->order);
    }
    if (k && at)
        put_at(k, 3, at);
    return k;
}

/* And its bias. */
static int map_product(const mapping *m, const char *ours, const char *part, const place *at)
{
    char bias[HST_MAX_TENSOR_NAME];
    snprintf(bias, sizeof bias, "%s/bias", ours);
    if (!map_kernel(m, ours, part, at))
        return HST_EMEM;
    hst_param_map *b = map(m, bias, part, "bias", 1);
    if (b && at)
        put_at(b, 0, at);
    return b ? 0 : HST_EMEM;
}

static int map_norm(const mapping *m, const char *ours, const char *part)
{
    char gamma[HST_MAX_TENSOR_NAME], beta[HST_MAX_TENSOR_NAME];
    snprintf(gamma, sizeof gamma, "%s/gamma", ours);
    snprintf(beta, sizeof beta, "%s/beta", ours);
    return map(m, gamma, part, "weight", 0) && map(m, beta, part, "bias", 0) ? 0 : HST_EMEM;
}

/* Part i of the bias of query, key and value, from the tensor `theirs` or, of slices, from one of
 * them. */
static int map_bias_part(const mapping *m, int i, const char *theirs, int slices)
{
    hst_param_map *p = map(m, "qkv/bias", theirs, "", 1);
    if (p && *p->theirs)
        put_at(p, 0, &(place){i, m->v->dim, slices ? i : 0, slices});
    else if (p)
        put_at(p, 0, &(place){i, m->v->dim});
    return p ? 0 : HST_EMEM;
}

/* Keys have no bias: what is added to all keys of a query changes no weight of attention. */
static int map_queries(const mapping *m)
{
    const hst_vit_names *s = m->n.names;
    const char *const parts[] = {s->query, s->key, s->value};
    char bias[HST_MAX_TENSOR_NAME];
    const int masked = find(&m->n, m->block, s->key_mask, "") != NULL;
    int rc = 0;
    if (s->qkv && !s->q_bias && !masked)
        return map_product(m, "qkv", s->qkv, NULL);
    for (int i = 0; i < 3 && rc == 0 && !s->qkv; i++)
        rc = map_product(m, "qkv", parts[i], &(place){i, m->v->dim});
    if (!s->qkv)
        return rc;
    snprintf(bias, sizeof bias, "%sbias", s->qkv);
    rc = map_kernel(m, "qkv", s->qkv, NULL) ? 0 : HST_EMEM;
    rc = rc ? rc : map_bias_part(m, 0, masked ? bias : s->q_bias, masked ? 3 : 0);
    rc = rc ? rc : map_bias_part(m, 1, NULL, 0);
    return rc ? rc : map_bias_part(m, 2, masked ? bias : s->v_bias, masked ? 3 : 0);
}

static int map_hidden(const mapping *m)
{
    const hst_vit_names *s = m->n.names;
    if (!m->v->gated)
        return map_product(m, "fc1", s->fc1, NULL);
    const int rc = map_product(m, "fc1", s->gate, &(place){0, m->v->hidden});
    return rc ? rc : map_product(m, "fc1", s->up, &(place){1, m->v->hidden});
}

static int map_block(const mapping *m)
{
    const hst_vit_names *s = m->n.names;
    int rc = map_norm(m, "norm1", s->norm1);
    rc = rc ? rc : map_queries(m);
    rc = rc ? rc : map_product(m, "proj", s->proj, NULL);
    rc = rc ? rc : map_norm(m, "norm2", s->norm2);
    rc = rc ? rc : map_hidden(m);
    rc = rc ? rc : map_product(m, "fc2", s->fc2, NULL);
    if (rc || !m->v->layer_scale)
        return rc;
    return map(m, "scale1/gamma", s->scale1, "", 0) && map(m, "scale2/gamma", s->scale2, "", 0)
               ? 0
               : HST_EMEM;
}

/* Query, key and value of attention that pools; those of a file that has them in one product. */
static int map_pool_queries(const mapping *m)
{
    const hst_vit_names *s = m->n.names;
    int rc = 0;
    if (!s->pool_qkv) {
        rc = map_product(m, "pool_q", s->pool_q, NULL);
        return rc ? rc : map_product(m, "pool_kv", s->pool_kv, NULL);
    }
    rc = map_product(m, "pool_q", s->pool_qkv, &(place){.slice = 0, .slices = 3});
    for (int i = 0; i < 2 && rc == 0; i++)
        rc = map_product(m, "pool_kv", s->pool_qkv, &(place){i, m->v->dim, 1 + i, 3});
    return rc;
}

static void set_axes(hst_param_map *p, int axes)
{
    p->axes = axes;
    p->in_front = 1;
}

static int map_attention_pool(const mapping *m)
{
    const hst_vit_names *s = m->n.names;
    hst_param_map *probe = map(m, "pool/probe", s->probe, "", 0);
    int rc = probe ? 0 : HST_EMEM;
    if (probe)
        set_axes(probe, 3);
    rc = rc ? rc : map_pool_queries(m);
    rc = rc ? rc : map_product(m, "pool_proj", s->pool_proj, NULL);
    rc = rc ? rc : map_norm(m, "pool_norm", s->pool_norm);
    rc = rc ? rc : map_product(m, "pool_fc1", s->pool_fc1, NULL);
    return rc ? rc : map_product(m, "pool_fc2", s->pool_fc2, NULL);
}

/* Rows first .. first + n - 1 of the tokens in front. */
static int map_prefix(const mapping *m, const char *theirs, int first, int n)
{
    hst_param_map *p = n ? map(m, "tokens/prefix", theirs, "", 0) : NULL;
    if (p) {
        p->into.first = first;
        p->into.n = n;
        set_axes(p, m->n.names->bare ? 1 : 3);
    }
    return n && !p ? HST_EMEM : 0;
}

/* To these tokens their positions, n rows of the table from `row` on. */
static int map_kept(const mapping *m, int row, int first, int n)
{
    const int rc = map_prefix(m, m->n.names->positions, first, n);
    if (rc || !n)
        return rc;
    hst_param_map *p = &m->out->map[m->out->n - 1];
    p->row = row;
    p->rows = n;
    p->adds = 1;
    return 0;
}

/* How many rows of the table of positions are of tokens without a place. */
static int kept_rows(const mapping *m)
{
    const hst_vit_arch *v = m->v;
    const enum hst_vit_kept kept = m->n.names->kept;
    if (!m->n.t)
        return kept == HST_VIT_KEPT_NONE
                   ? 0
                   : v->class_token + (kept == HST_VIT_KEPT_ALL) * v->registers;
    const int found = kept_of(v, rows_of(find(&m->n, -1, m->n.names->positions, "")));
    return found < 0 ? 0 : found;
}

/* The positions of tokens without a place are added to these once and for all. */
static int map_tokens(const mapping *m, hst_cells to)
{
    const hst_vit_names *s = m->n.names;
    const hst_vit_arch *v = m->v;
    const int kept = kept_rows(m);
    int rc = map_prefix(m, s->class_token, 0, v->class_token);
    rc = rc ? rc : map_prefix(m, s->registers, v->class_token, v->registers);
    if (s->registers_first && kept > v->class_token) {
        rc = rc ? rc : map_kept(m, v->registers, 0, v->class_token);
        rc = rc ? rc : map_kept(m, 0, v->class_token, v->registers);
    } else {
        rc = rc ? rc : map_kept(m, 0, 0, kept);
    }
    if (rc || v->no_table)
        return rc;
    hst_param_map *p = map(m, "tokens/positions", s->positions, "", 0);
    if (p)
        p->grid = (hst_grid){1, kept, v->grid, to};
    if (p)
        set_axes(p, s->bare ? 2 : 3);
    return p ? 0 : HST_EMEM;
}

int hst_vit_map(const hst_arch *a, const hst_origin *o, const hst_tensors *t, hst_param_maps *out,
                hst_err *err)
{
    mapping m = {naming_of(t, o), &a->vit, -1, out, err};
    const hst_vit_names *s = m.n.names;
    int rc = map_product(&m, "patches", s->patches, NULL);
    rc = rc ? rc : map_tokens(&m, hst_vit_cells(a));
    if (rc == 0 && a->vit.pre_norm)
        rc = map_norm(&m, "norm_pre", s->norm_pre);
    rc = rc ? rc : map_norm(&m, "norm", a->vit.norm_behind ? s->fc_norm : s->norm);
    if (rc == 0 && a->vit.pool == HST_VIT_MAP)
        rc = map_attention_pool(&m);
    for (m.block = 0; rc == 0 && m.block < a->vit.depth; m.block++)
        rc = map_block(&m);
    return rc;
}
