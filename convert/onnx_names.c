#include "onnx_names.h"
#include "formats/probe.h"

#include <stdio.h>
#include <string.h>

enum { MOST_NAME = 256 };

/* Networks of patches, by the product of these: what their tokens are called. NULL: there are none
 * such. */
typedef struct onnx_tokens {
    const char *patches, *class_token, *registers, *positions, *probe, *distilled;
} onnx_tokens;

static const onnx_tokens of_tokens[] = {
    {"patch_embed.proj.weight", "cls_token", "reg_token", "pos_embed", "attn_pool.latent",
     "dist_token"},
    {"embeddings.patch_embeddings.projection.weight", "embeddings.cls_token",
     "embeddings.register_tokens", "embeddings.position_embeddings", NULL,
     "embeddings.distillation_token"},
    {"embeddings.patch_embeddings.weight", "embeddings.cls_token", "embeddings.register_tokens",
     NULL},
    {"embeddings.patch_embedding.weight", "embeddings.class_embedding", NULL,
     "embeddings.position_embedding.weight", "head.probe"},
    {"conv_proj.weight", "class_token", NULL, "encoder.pos_embedding"},
    {"conv1.weight", "class_embedding", NULL, "positional_embedding"},
};

/* ---- modules ---- */

static int ends_in(const char *name, const char *ending)
{
    const size_t n = strlen(name), e = strlen(ending);
    return n >= e && strcmp(name + n - e, ending) == 0;
}

/* "/blocks/blocks.0/attn/qkv/MatMul" -> "blocks.0.attn.qkv": what goes on with a dot is the same
 * module, more closely. */
static void module_of_path(bytes path, char out[MOST_NAME])
{
    size_t last = 0, at = 0; /* where the last part begins, and the end */
    const uint8_t *p = path.p, *end = path.p + path.n;
    out[0] = 0;
    for (p++; p < end;) {
        const uint8_t *slash = memchr(p, '/', (size_t)(end - p));
        const size_t n = slash ? (size_t)(slash - p) : 0, known = at - last;
        if (!slash || at + n + 2 > MOST_NAME)
            return;
        if (known && n > known && memcmp(p, out + last, known) == 0 && p[known] == '.')
            at = last;
        else if (at) {
            out[at++] = '.';
            last = at;
        }
        memcpy(out + at, p, n);
        at += n;
        out[at] = 0;
        p = slash + 1;
    }
}

/* "['', 'blocks', 'blocks.0', 'linear']" -> "blocks.0": the last is the operation. */
static void module_of_scopes(bytes scopes, char out[MOST_NAME])
{
    const uint8_t *p = scopes.p, *end = scopes.p + scopes.n;
    char next[MOST_NAME] = "";
    out[0] = 0;
    while (p < end && (p = memchr(p, '\'', (size_t)(end - p)))) {
        const uint8_t *from = p + 1, *to = memchr(from, '\'', (size_t)(end - from));
        if (!to || to - from >= MOST_NAME)
            return;
        memcpy(out, next, sizeof next);
        memcpy(next, from, (size_t)(to - from));
        next[to - from] = 0;
        p = to + 1;
    }
}

static void module_of(const onnx_node *n, char out[MOST_NAME])
{
    out[0] = 0;
    if (n->scopes.n)
        module_of_scopes(n->scopes, out);
    else if (n->name.n && n->name.p[0] == '/')
        module_of_path(n->name, out);
}

/* ---- adding ---- */

int onnx_has_own_name(const onnx_run *r, const hst_tensor *t)
{
    const onnx_tokens *k = r->tokens;
    const char *const root[] = {k ? k->class_token : NULL, k ? k->registers : NULL,
                                k ? k->positions : NULL, k ? k->probe : NULL,
                                k ? k->distilled : NULL};
    for (size_t i = 0; i < sizeof root / sizeof *root; i++)
        if (root[i] && ends_in(t->name, root[i]))
            return 1;
    return strchr(t->name, '.') && !strstr(t->name, "::") && !ends_in(t->name, ".weight_bias");
}

static int is_real(const hst_tensor *t)
{
    return t->dtype == HST_F32 || t->dtype == HST_F16 || t->dtype == HST_BF16 ||
           t->dtype == HST_F64;
}

/* Rows as columns. */
static int turn(onnx_run *r, hst_tensor *t, hst_err *err)
{
    const int64_t rows = t->dim[0], columns = t->dim[1];
    const size_t n = hst_tensor_count(t);
    float *out = hst_arena_alloc(r->o->w->arena, n, sizeof *out, err);
    const float *x = t->data;
    if (!out)
        return HST_EMEM;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < columns; k++)
            out[k * rows + i] = x[i * columns + k];
    *t = (hst_tensor){.name = t->name, .n_dims = 2, .data = out, .n_bytes = n * sizeof *out};
    t->dim[0] = columns;
    t->dim[1] = rows;
    return 0;
}

/* t under that name, unless that is taken. */
static int add(onnx_run *r, const hst_tensor *t, const char *name, int turned, hst_err *err)
{
    const bytes key = {(const uint8_t *)name, strlen(name)};
    hst_tensor named = *t;
    if (!is_real(t) || !key.n || names_get(&r->named, key) >= 0)
        return 0;
    char *kept = hst_arena_strdup(r->o->w->arena, name, err);
    int rc = kept ? names_put(&r->named, (bytes){(const uint8_t *)kept, key.n}, 1, err) : HST_EMEM;
    if (rc == 0 && turned && (t->n_dims != 2 || t->dtype != HST_F32))
        return 0;
    rc = rc || !turned ? rc : turn(r, &named, err);
    named.name = kept;
    return rc ? rc : weights_add(r->o->w, &named, err);
}

/* Input i of the node, where it is a constant of the file. */
static const hst_tensor *constant(const onnx_run *r, int i)
{
    return i < r->o->node.n_in ? onnx_initializer(r->o, r->o->node.in[i]) : NULL;
}

/* Input i, a constant, as that part of the node's module: where it has no name of its own, or
 * several nodes share it because its numbers are the same. */
static int add_part(onnx_run *r, int i, const char *part, int turned, hst_err *err)
{
    static const char drawn_in[] = ".weight_bias";
    char module[MOST_NAME], name[2 * MOST_NAME];
    const hst_tensor *t = constant(r, i);
    const int is_shared = r->uses[names_get(&r->o->names, r->o->node.in[i])]++ > 0;
    if (ends_in(t->name, drawn_in)) { /* of batch norm, into the kernel of that name */
        snprintf(name, sizeof name, "%.*s.bias", (int)(strlen(t->name) - sizeof drawn_in + 1),
                 t->name);
        return add(r, t, name, 0, err);
    }
    module_of(&r->o->node, module);
    if (!*module || (onnx_has_own_name(r, t) && !is_shared))
        return 0;
    snprintf(name, sizeof name, "%s.%s", module, part);
    return add(r, t, name, turned, err);
}

/* ---- matrices ---- */

static int begin_matrix(onnx_run *r, const hst_tensor *t, hst_err *err)
{
    char module[MOST_NAME];
    const int value = names_get(&r->names, r->o->node.out[0]);
    module_of(&r->o->node, module);
    if (t->n_dims != 2 || value < 0 || r->n_pending == r->cap || onnx_has_own_name(r, t))
        return 0;
    const char *kept = hst_arena_strdup(r->o->w->arena, module, err);
    r->pending[r->n_pending++] = (onnx_pending){value, t, kept};
    return kept ? 0 : HST_EMEM;
}

/* "blocks.0.attn.qkv.bias" behind a matrix of the same module: that is ".weight"; of another one,
 * whose numbers are the same, it does not count. */
static int name_matrix(onnx_run *r, onnx_pending *p, const char *bias, hst_err *err)
{
    static const char ending[] = "bias";
    char name[2 * MOST_NAME] = "";
    const size_t n = bias ? strlen(bias) : 0, in_module = strlen(p->module);
    const int is_of_module = !in_module || (n > in_module && bias[in_module] == '.' &&
                                            memcmp(bias, p->module, in_module) == 0);
    if (bias && ends_in(bias, ending) && is_of_module)
        snprintf(name, sizeof name, "%.*sweight", (int)(n - (sizeof ending - 1)), bias);
    else if (in_module)
        snprintf(name, sizeof name, "%s.weight", p->module);
    const hst_tensor *matrix = p->matrix;
    p->matrix = NULL;
    return *name ? add(r, matrix, name, 1, err) : 0;
}

/* Of a sum: the bias behind a matrix. */
static int name_behind(onnx_run *r, int i, const char *bias, hst_err *err)
{
    const int value = names_get(&r->names, r->o->node.in[i]);
    for (int k = r->n_pending; value >= 0 && k-- > 0;)
        if (r->pending[k].value == value && r->pending[k].matrix)
            return name_matrix(r, &r->pending[k], bias, err);
    return 0;
}

/* ---- tokens ---- */

/* Input i of the node, where it is of [1][n][C] numbers that do not depend on the picture: a
 * constant of the file, or worked out from such, and then copied. 0: it is not. */
static int fixed_rows(const onnx_run *r, int i, hst_tensor *out, hst_err *err)
{
    const ev_array *x = &r->in[i];
    const bytes name = r->o->node.in[i];
    const int at = name.n ? names_get(&r->names, name) : -1;
    const hst_tensor *t = constant(r, i);
    if (x->n_dims < 2 || x->n_dims > 3 || (x->n_dims == 3 && x->dim[0] != 1) || x->whole ||
        (t ? !is_real(t) : at < 0 || r->fixed[at] != ONNX_FIXED))
        return 0;
    const size_t n = ev_count(x);
    float *copy = t ? NULL : hst_arena_alloc(r->o->w->arena, n, sizeof *copy, err);
    *out = t ? *t : (hst_tensor){.name = "", .n_dims = x->n_dims, .data = copy};
    if (t)
        return 1;
    out->n_bytes = n * sizeof *copy;
    memcpy(out->dim, x->dim, sizeof x->dim);
    if (copy)
        memcpy(copy, x->x, n * sizeof *copy);
    return copy ? 1 : HST_EMEM;
}

/* Tokens in front of the patches, positions, the token that pools. */
static int add_tokens(onnx_run *r, const hst_tensor *t, const char *part, hst_err *err)
{
    char name[2 * MOST_NAME];
    if (!part || onnx_has_own_name(r, t))
        return 0;
    snprintf(name, sizeof name, "%s%s", r->front, part);
    return add(r, t, name, 0, err);
}

/* Of two tokens the second is the one that DeiT distils by, where something else of it is there;
 * else registers. */
static const char *second_token(const onnx_run *r)
{
    static const char *const of_deit[] = {"layernorm_before.weight", "head_dist.weight"};
    int is = 0;
    for (int i = 0; i < r->o->n_initializers; i++)
        for (size_t k = 0; k < sizeof of_deit / sizeof *of_deit; k++)
            is |= ends_in(r->o->thing[i].t.name, of_deit[k]);
    return is && r->tokens->distilled ? r->tokens->distilled : r->tokens->registers;
}

/* What stands in front of what the picture gives: the class token, then registers. */
static int name_tokens(onnx_run *r, hst_err *err)
{
    hst_tensor t[2] = {{0}};
    int n = 0, is = 1;
    for (int i = 0; i < r->o->node.n_in && r->tokens && !r->heads && n < 2 && is; i++) {
        is = r->in[i].n_dims == 3 ? fixed_rows(r, i, &t[n], err) : 0;
        if (is < 0)
            return is;
        n += is;
    }
    int rc = n && n < r->o->node.n_in ? add_tokens(r, &t[0], r->tokens->class_token, err) : 0;
    return rc || n < 2 || r->o->node.n_in == 2 ? rc : add_tokens(r, &t[1], second_token(r), err);
}

/* What is added to what the picture gives. */
static int name_positions(onnx_run *r, int i, hst_err *err)
{
    hst_tensor t, other;
    const int is =
        r->tokens && r->in[i].dim[r->in[i].n_dims - 2] > 1 ? fixed_rows(r, i, &t, err) : 0;
    if (is <= 0)
        return is;
    return fixed_rows(r, 1 - i, &other, err) ? 0 : add_tokens(r, &t, r->tokens->positions, err);
}

static int name_sum(onnx_run *r, hst_err *err)
{
    int rc = 0;
    for (int i = 0; i < 2 && rc == 0; i++) {
        const hst_tensor *t = constant(r, i);
        if (r->in[i].n_dims > 1)
            rc = name_positions(r, i, err);
        else if (t && is_real(t)) {
            rc = name_behind(r, 1 - i, t->name, err);
            rc = rc ? rc : add_part(r, i, "bias", 0, err);
        }
    }
    return rc;
}

/* ---- nodes ---- */

static int name_products(onnx_run *r, hst_err *err)
{
    const hst_tensor *b = constant(r, 1);
    hst_tensor a;
    const int may_pool =
        r->tokens && r->in[0].n_dims == 3 && r->in[0].dim[1] == 1 && r->in[1].n_dims == 2;
    int rc = may_pool ? fixed_rows(r, 0, &a, err) : 0;
    rc = rc > 0 ? add_tokens(r, &a, r->tokens->probe, err) : rc;
    return rc || !b || !is_real(b) ? rc : begin_matrix(r, b, err);
}

static int name_scale(onnx_run *r, hst_err *err)
{
    for (int i = 0; i < 2; i++) {
        const hst_tensor *t = constant(r, i);
        if (t && is_real(t) && hst_tensor_count(t) > 1)
            return add_part(r, i, "gamma", 0, err);
    }
    return 0;
}

int onnx_name_constants(onnx_run *r, hst_err *err)
{
    static const char *const parts[] = {"", "weight", "bias", "running_mean", "running_var"};
    const onnx_node *n = &r->o->node;
    const onnx_attribute *turned = onnx_find_attribute(n, "transB");
    const int is_gemm = pb_is(&n->op, "Gemm");
    int rc = 0;
    if (r->o->ours)
        return 0;
    if (pb_is(&n->op, "MatMul") && n->n_in == 2)
        return name_products(r, err);
    if (pb_is(&n->op, "Concat"))
        return name_tokens(r, err);
    if (n->n_in == 2 && pb_is(&n->op, "Add"))
        return name_sum(r, err);
    if (n->n_in == 2 && pb_is(&n->op, "Mul"))
        return name_scale(r, err);
    if (!is_gemm && !pb_is(&n->op, "Conv") && !pb_is(&n->op, "LayerNormalization") &&
        !pb_is(&n->op, "BatchNormalization"))
        return 0;
    for (int i = 1; rc == 0 && i < 5 && i < n->n_in; i++) {
        if (constant(r, i))
            rc = add_part(r, i, parts[i], is_gemm && i == 1 && !(turned && turned->i), err);
    }
    return rc;
}

/* patches: the whole name of its product. */
static void begin_tokens(onnx_run *r, const char *patches, const onnx_tokens *tokens, hst_err *err)
{
    char *front = hst_arena_strdup(r->o->w->arena, patches, err);
    if (front)
        front[strlen(front) - strlen(tokens->patches)] = 0;
    r->tokens = tokens;
    r->front = front;
}

int onnx_names_begin(onnx_run *r, hst_err *err)
{
    enum { N_TOKENS = sizeof of_tokens / sizeof *of_tokens };
    hst_arena *arena = r->o->w->arena;
    const size_t more = (size_t)r->cap + (size_t)r->o->n_initializers;
    r->uses = hst_arena_alloc(arena, (size_t)r->o->n_initializers + 1, sizeof *r->uses, err);
    r->pending = r->uses ? hst_arena_alloc(arena, (size_t)r->cap, sizeof *r->pending, err) : NULL;
    for (int i = 0; i < r->o->n_initializers && !r->tokens; i++)
        for (int k = 0; k < N_TOKENS && !r->tokens; k++)
            if (ends_in(r->o->thing[i].t.name, of_tokens[k].patches))
                begin_tokens(r, r->o->thing[i].t.name, &of_tokens[k], err);
    return r->pending && (!r->tokens || r->front) ? answers_taken(r->o->w, more, &r->named, err)
                                                  : HST_EMEM;
}

int onnx_add_constants(onnx_run *r, hst_err *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < r->n_pending; i++)
        if (r->pending[i].matrix)
            rc = name_matrix(r, &r->pending[i], NULL, err);
    for (int i = 0; rc == 0 && i < r->o->n_initializers; i++) {
        const hst_tensor *t = &r->o->thing[i].t;
        if (r->o->ours || onnx_has_own_name(r, t))
            rc = add(r, t, t->name, 0, err);
    }
    return rc || !r->o->ours ? rc : weights_say(r->o->w, err, HST_NAMES_FACT, "onnx");
}
