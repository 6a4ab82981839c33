/* vit.c - what an architecture says of vision transformers. */
#include "backbones/vit.h"
#include "backbones/facts.h"
#include "base/json.h"
#include "base/sha256.h"

#include <string.h>

/* Bounds of what a file may say. */
enum { DIM_MAX = 4096, DEPTH_MAX = 64, PATCH_MAX = 64, HIDDEN_MAX = 16384, REGISTERS_MAX = 64 };
#define EPSILON_MIN 1e-12
#define EPSILON_MAX 1e-2
#define BASE_MIN    1.01
#define BASE_MAX    1e9

static const char *const pools[] = {[HST_VIT_CLS] = "cls",
                                    [HST_VIT_MEAN] = "mean",
                                    [HST_VIT_CLS_MEAN] = "cls+mean",
                                    [HST_VIT_MAP] = "map",
                                    NULL};

static const char *const rotary_ways[] = {[HST_ROTARY_HALVES] = "halves",
                                          [HST_ROTARY_ROUNDED] = "rounded",
                                          [HST_ROTARY_PAIRS] = "pairs",
                                          NULL};

static const struct act {
    const char *name;
    enum hst_act act;
} acts[] = {{"gelu", HST_ACT_GELU},
            {"gelu_tanh", HST_ACT_GELU_TANH},
            {"gelu_quick", HST_ACT_GELU_QUICK},
            {"swish", HST_ACT_SWISH}};
enum { N_ACTS = sizeof acts / sizeof *acts };

static const char *act_name(enum hst_act act)
{
    for (int i = 0; i < N_ACTS; i++)
        if (acts[i].act == act)
            return acts[i].name;
    return NULL;
}

/* The place of word in a list; negative: it is not in it. */
static int place_of(const char *const *list, const char *word)
{
    for (int i = 0; list[i]; i++)
        if (strcmp(list[i], word) == 0)
            return i;
    return -1;
}

static void usual(const hst_origin *o, hst_arch *a)
{
    const hst_vit_dialect *d = o->dialect->own;
    a->vit = (hst_vit_arch){.act = d->act, .epsilon = d->epsilon, .grid = d->grid};
}

hst_cells hst_vit_cells(const hst_arch *a)
{
    return (hst_cells){a->size.height / a->vit.patch, a->size.width / a->vit.patch};
}

/* A side that is no multiple of the patch. */
static int check_size(const hst_arch *a, hst_err *err)
{
    const int patch = a->vit.patch;
    const int wrong = a->size.width % patch ? a->size.width : a->size.height;
    const int below = wrong / patch * patch, above = below + patch;
    if (wrong % patch == 0)
        return 0;
    if (below < HST_LEAST_PX || above > HST_MOST_PX)
        return hst_fail(err, HST_EMODEL,
                        "%s looks at patches of %d x %d pixels, and %d is no multiple of %d: "
                        "choose %d",
                        a->family, patch, patch, wrong, patch,
                        below < HST_LEAST_PX ? above : below);
    return hst_fail(err, HST_EMODEL,
                    "%s looks at patches of %d x %d pixels, and %d is no multiple of %d: choose "
                    "%d or %d",
                    a->family, patch, patch, wrong, patch, below, above);
}

static int check_pool(const hst_arch *a, int code, hst_err *err)
{
    const hst_vit_arch *v = &a->vit;
    if (v->pool == HST_VIT_MAP && !v->attention_pool)
        return hst_fail(err, code, "this %s has no attention pool: choose %s", a->family,
                        v->class_token ? "\"cls\", \"mean\" or \"cls+mean\"" : "\"mean\"");
    if (v->pool == HST_VIT_MAP && !v->rotary.is &&
        (v->class_token || v->registers || v->norm_behind))
        return hst_fail(err, code,
                        "this %s pools by attention beside a class token, registers or a norm "
                        "behind the pooling, which is not known here: choose \"mean\"",
                        a->family);
    if ((v->pool == HST_VIT_CLS || v->pool == HST_VIT_CLS_MEAN) && !v->class_token)
        return hst_fail(
            err, code, "this %s has no class token: its features can be the mean of its patches%s",
            a->family,
            v->attention_pool ? " (pool \"mean\") or what attention makes of them (\"map\")"
                              : " alone (pool \"mean\")");
    if (v->pool == HST_VIT_CLS_MEAN && v->norm_behind)
        return hst_fail(err, code,
                        "this %s has its last norm behind the pooling: choose \"cls\" or \"mean\", "
                        "not both together",
                        a->family);
    return 0;
}

static int is_between(int x, int low, int high)
{
    return x >= low && x <= high;
}

static int check_positions(const hst_vit_arch *v, hst_err *err)
{
    if (v->pool_heads && (!is_between(v->pool_heads, 1, v->dim) || v->dim % v->pool_heads != 0))
        return hst_fail(err, HST_EMODEL, "%d heads that pool tokens of %d numbers", v->pool_heads,
                        v->dim);
    if (!v->rotary.is)
        return 0;
    if (v->dim / v->heads % 4 != 0)
        return hst_fail(err, HST_EMODEL,
                        "rotary positions need heads of whole fours, not of %d numbers",
                        v->dim / v->heads);
    if (!(v->rotary.base >= BASE_MIN && v->rotary.base <= BASE_MAX) ||
        !is_between((int)v->rotary.way, HST_ROTARY_HALVES, HST_ROTARY_PAIRS) ||
        !is_between(v->rotary.learned, v->rotary.way == HST_ROTARY_PAIRS, HST_MOST_PX))
        return hst_fail(err, HST_EMODEL, "rotary positions of base %g, learned on %d cells",
                        v->rotary.base, v->rotary.learned);
    return 0;
}

static int check(const hst_arch *a, hst_err *err)
{
    const hst_vit_arch *v = &a->vit;
    if (v->dim == 0)
        return hst_fail(
            err, HST_EMODEL,
            "its patches are no kernel [dim][3][patch][patch], or it has no blocks as a "
            "%s has them",
            a->family);
    if (v->heads == 0)
        return hst_fail(
            err, HST_EMODEL,
            "the tensors do not say how many heads a %s of %d numbers a token has: give "
            "the folder with its config.json",
            a->family, v->dim);
    if (!is_between(v->dim, 8, DIM_MAX) || !is_between(v->heads, 1, v->dim) ||
        v->dim % v->heads != 0)
        return hst_fail(err, HST_EMODEL, "%d heads of tokens of %d numbers", v->heads, v->dim);
    if (!is_between(v->depth, 1, DEPTH_MAX) || !is_between(v->hidden, 1, HIDDEN_MAX) ||
        !is_between(v->patch, 2, PATCH_MAX) || !is_between(v->registers, 0, REGISTERS_MAX))
        return hst_fail(err, HST_EMODEL,
                        "%d blocks with %d numbers between products, patches of %d pixels, %d "
                        "registers: out of bounds",
                        v->depth, v->hidden, v->patch, v->registers);
    if (!act_name(v->act) || !is_between((int)v->pool, HST_VIT_CLS, HST_VIT_MAP) ||
        !is_between((int)v->grid, HST_GRID_ANTIALIAS, HST_GRID_CORNERS))
        return hst_fail(err, HST_EMODEL, "unknown activation, pooling or grid");
    if (!(v->epsilon >= EPSILON_MIN && v->epsilon <= EPSILON_MAX))
        return hst_fail(err, HST_EMODEL, "norm epsilon %g, expected %g to %g", v->epsilon,
                        EPSILON_MIN, EPSILON_MAX);
    int rc = check_positions(v, err);
    rc = rc ? rc : check_pool(a, HST_EMODEL, err);
    return rc ? rc : check_size(a, err);
}

/* ---- the model file ---- */

static const struct number {
    const char *name;
    size_t at;
    int low, high;
} numbers[] = {{"dim", offsetof(hst_vit_arch, dim), 8, DIM_MAX},
               {"depth", offsetof(hst_vit_arch, depth), 1, DEPTH_MAX},
               {"heads", offsetof(hst_vit_arch, heads), 1, DIM_MAX},
               {"patch", offsetof(hst_vit_arch, patch), 2, PATCH_MAX},
               {"hidden", offsetof(hst_vit_arch, hidden), 1, HIDDEN_MAX},
               {"class_token", offsetof(hst_vit_arch, class_token), 0, 1},
               {"registers", offsetof(hst_vit_arch, registers), 0, REGISTERS_MAX},
               {"layer_scale", offsetof(hst_vit_arch, layer_scale), 0, 1},
               {"pre_norm", offsetof(hst_vit_arch, pre_norm), 0, 1},
               {"norm_behind", offsetof(hst_vit_arch, norm_behind), 0, 1}};
enum { N_NUMBERS = sizeof numbers / sizeof *numbers };

static int *number_of(hst_vit_arch *v, const struct number *n)
{
    return (int *)(void *)((char *)v + n->at);
}

/* A word of a list. */
static int parse_word(const json_t *o, const char *key, const char *const *list, int *out,
                      hst_err *err)
{
    const char *word = NULL;
    int rc = hst_json_text(o, key, &word, err);
    if (rc)
        return rc;
    *out = place_of(list, word);
    return *out >= 0 ? 0 : hst_fail(err, HST_EMODEL, "unknown %s '%.40s'", key, word);
}

/* What only some have, of files in which it need not be. */
static const struct number options[] = {
    {"pool_heads", offsetof(hst_vit_arch, pool_heads), 1, DIM_MAX},
    {"gated", offsetof(hst_vit_arch, gated), 1, 1},
    {"no_table", offsetof(hst_vit_arch, no_table), 1, 1}};
enum { N_OPTIONS = sizeof options / sizeof *options };

static int parse_options(const json_t *o, hst_vit_arch *v, hst_err *err)
{
    const json_t *r = json_object_get(o, "rotary");
    int way = 0, rc = 0;
    for (int i = 0; rc == 0 && i < N_OPTIONS; i++)
        if (hst_json_has(o, options[i].name))
            rc = hst_json_int(o, options[i].name, options[i].low, options[i].high,
                              number_of(v, &options[i]), err);
    if (rc || !r)
        return rc;
    rc = parse_word(r, "way", rotary_ways, &way, err);
    rc = rc ? rc : hst_json_int(r, "learned", 0, HST_MOST_PX, &v->rotary.learned, err);
    rc = rc ? rc : hst_json_real(r, "base", BASE_MIN, BASE_MAX, &v->rotary.base, err);
    v->rotary.is = 1;
    v->rotary.way = (enum hst_rotary_way)way;
    return rc;
}

/* 1: no memory. */
static int write_options(const hst_vit_arch *v, json_t *o)
{
    hst_vit_arch copy = *v;
    int bad = 0;
    for (int i = 0; i < N_OPTIONS; i++) {
        const int number = *number_of(&copy, &options[i]);
        bad = bad || (number && json_object_set_new(o, options[i].name, json_integer(number)));
    }
    if (!v->rotary.is)
        return bad;
    return bad ||
           json_object_set_new(o, "rotary",
                               json_pack("{s:s, s:i, s:f}", "way", rotary_ways[v->rotary.way],
                                         "learned", v->rotary.learned, "base", v->rotary.base));
}

static int parse(const json_t *o, hst_arch *a, hst_err *err)
{
    const char *const act_names[] = {acts[0].name, acts[1].name, acts[2].name, acts[3].name, NULL};
    int pool = 0, grid = 0, act = 0, rc = 0;
    for (int i = 0; rc == 0 && i < N_NUMBERS; i++)
        rc = hst_json_int(o, numbers[i].name, numbers[i].low, numbers[i].high,
                          number_of(&a->vit, &numbers[i]), err);
    rc = rc ? rc : hst_json_real(o, "epsilon", EPSILON_MIN, EPSILON_MAX, &a->vit.epsilon, err);
    rc = rc ? rc : parse_word(o, "pool", pools, &pool, err);
    rc = rc ? rc : parse_word(o, "grid", hst_grid_way_names, &grid, err);
    rc = rc ? rc : parse_word(o, "activation", act_names, &act, err);
    rc = rc ? rc : parse_options(o, &a->vit, err);
    if (rc == 0) {
        a->vit.pool = (enum hst_vit_pool)pool;
        a->vit.attention_pool = a->vit.pool == HST_VIT_MAP;
        a->vit.grid = (enum hst_grid_way)grid;
        a->vit.act = acts[act].act;
    }
    return rc;
}

static int write(const hst_arch *a, json_t *o)
{
    hst_vit_arch v = a->vit;
    int bad = json_object_set_new(o, "epsilon", json_real(v.epsilon)) ||
              json_object_set_new(o, "pool", json_string(pools[v.pool])) ||
              json_object_set_new(o, "grid", json_string(hst_grid_way_names[v.grid])) ||
              json_object_set_new(o, "activation", json_string(act_name(v.act)));
    for (int i = 0; i < N_NUMBERS; i++)
        bad = bad ||
              json_object_set_new(o, numbers[i].name, json_integer(*number_of(&v, &numbers[i])));
    return bad || write_options(&v, o) ? -1 : 0;
}

/* What the parameters' names and shapes do not say. */
static int hash(const hst_arch *a, hst_sha256 *h, hst_err *err)
{
    const hst_vit_arch *v = &a->vit;
    const int32_t told[] = {v->heads,       v->patch,         v->class_token,  v->registers,
                            v->norm_behind, (int32_t)v->grid, (int32_t)v->pool};
    int rc = hst_sha256_adds(h, act_name(v->act), err);
    rc = rc ? rc : hst_sha256_add(h, told, sizeof told, err);
    rc = rc ? rc : hst_sha256_add(h, &v->epsilon, sizeof v->epsilon, err);
    if (rc == 0 && (v->rotary.is || v->pool_heads)) {
        const int32_t turned[] = {v->pool_heads, v->rotary.is, (int32_t)v->rotary.way,
                                  v->rotary.learned};
        rc = hst_sha256_add(h, turned, sizeof turned, err);
        rc = rc ? rc : hst_sha256_add(h, &v->rotary.base, sizeof v->rotary.base, err);
    }
    return rc;
}

static void describe(const hst_arch *a, hst_backbone_info *info)
{
    info->width = 1;
    info->bn_epsilon = a->vit.epsilon;
    info->pool = pools[a->vit.pool];
    info->patch_px = a->vit.patch;
    info->n_blocks = a->vit.depth;
    info->n_token = a->vit.dim;
}

/* What a graph tells beside the tensors. */
static int facts(const hst_tensors *t, hst_arch *a, hst_err *err)
{
    const char *act = hst_tensors_meta(t, "activation");
    double heads = a->vit.heads;
    int rc = hst_fact_real(t, "heads", 1, INT8_MAX, &heads, err);
    rc = rc ? rc : hst_fact_real(t, "norm_epsilon", EPSILON_MIN, EPSILON_MAX, &a->vit.epsilon, err);
    a->vit.heads = (int)heads;
    for (size_t i = 0; act && !a->vit.gated && i < sizeof acts / sizeof *acts; i++)
        if (strcmp(acts[i].name, act) == 0)
            a->vit.act = acts[i].act;
    return rc;
}

static int set_pool(hst_arch *a, const char *pool, hst_err *err)
{
    const int known = place_of(pools, pool);
    if (known < 0)
        return hst_fail(err, HST_EARG, "unknown pool '%.40s': cls, mean, cls+mean or map", pool);
    a->vit.pool = (enum hst_vit_pool)known;
    const int rc = check_pool(a, HST_EARG, err);
    a->vit.attention_pool = a->vit.pool == HST_VIT_MAP;
    return rc;
}

/* The table of positions. */
static int carry(const hst_arch *from, const hst_param *x, const hst_arch *to, const hst_param *y,
                 hst_err *err)
{
    const hst_resizing r = {from->vit.grid, hst_vit_cells(from), hst_vit_cells(to),
                            (size_t)y->dim[y->n_dims - 1]};
    return hst_grid_resize(&r, x->data, y->data, err);
}

const hst_kind hst_vit = {.usual = usual,
                          .check = check,
                          .parse = parse,
                          .write = write,
                          .hash = hash,
                          .describe = describe,
                          .facts = facts,
                          .fit = hst_vit_fit,
                          .build = hst_vit_build,
                          .map = hst_vit_map,
                          .pool = set_pool,
                          .carry = carry};
