#include "onnx_head.h"
#include "base/json.h"

#include "formats/probe.h"

#include <stdio.h>
#include <string.h>

enum { MOST_STEPS = 16 };

/* A value that a classifier makes on its way: the step that makes it of value `from`. */
typedef struct step {
    const char *op; /* as src/model/foreign.h has them; "": the same numbers in another shape */
    const hst_tensor *kernel, *bias;
    int transposed, from;
} step;

struct onnx_head {
    step *of;         /* [values]; op NULL: none */
    hst_tensor *read; /* [values] what a first product reads, copied; data NULL: none does */
    int last;         /* the value that the graph gives; -1: not known */
};

static int begin(onnx_run *r, hst_err *err)
{
    hst_arena *arena = r->o->w->arena;
    struct onnx_head *h = hst_arena_alloc(arena, 1, sizeof *h, err);
    if (!h)
        return HST_EMEM;
    h->last = -1;
    h->of = hst_arena_alloc(arena, (size_t)r->cap, sizeof *h->of, err);
    h->read = h->of ? hst_arena_alloc(arena, (size_t)r->cap, sizeof *h->read, err) : NULL;
    r->head = h;
    return h->read ? 0 : HST_EMEM;
}

/* One picture's numbers, whatever axes of length 1 it has. */
static int is_vector(const ev_array *x)
{
    const size_t n = ev_count(x);
    int64_t longest = 1;
    for (int i = 0; i < x->n_dims; i++)
        longest = x->dim[i] > longest ? x->dim[i] : longest;
    return n && n == (size_t)longest && x->n_dims && x->dim[0] == 1 && !x->whole;
}

static int copy_read(onnx_run *r, int value, const ev_array *x, hst_err *err)
{
    const size_t n = ev_count(x);
    float *copy = hst_arena_alloc(r->o->w->arena, n, sizeof *copy, err);
    if (!copy)
        return HST_EMEM;
    memcpy(copy, x->x, n * sizeof *copy);
    r->head->read[value] = (hst_tensor){
        .n_dims = 2, .dim = {1, (int64_t)n}, .data = copy, .n_bytes = n * sizeof *copy};
    return 0;
}

static int value_of(const onnx_run *r, int i)
{
    const onnx_node *n = &r->o->node;
    return i < n->n_in && n->in[i].n ? names_get(&r->names, n->in[i]) : -1;
}

/* A constant of as many numbers along one axis, or NULL. */
static const hst_tensor *constant(const onnx_run *r, int i, int n_dims)
{
    const onnx_node *n = &r->o->node;
    const hst_tensor *t = i < n->n_in ? onnx_initializer(r->o, n->in[i]) : NULL;
    return t && t->n_dims == n_dims ? t : NULL;
}

static int is_one(const onnx_node *n, const char *attribute)
{
    const onnx_attribute *a = onnx_find_attribute(n, attribute);
    return !a || a->f == 1;
}

/* A product: of Gemm with its bias. */
static int note_dense(const onnx_run *r, step *s)
{
    const onnx_node *n = &r->o->node;
    const onnx_attribute *turned = onnx_find_attribute(n, "transB"),
                         *first = onnx_find_attribute(n, "transA");
    s->kernel = constant(r, 1, 2);
    s->bias = constant(r, 2, 1);
    s->transposed = turned && turned->i;
    if (!s->kernel || (n->n_in > 2 && n->in[2].n && !s->bias) || (first && first->i) ||
        !is_one(n, "alpha") || !is_one(n, "beta"))
        return 0;
    s->op = "dense";
    return 1;
}

/* Of Add the bias behind a product that has none: the same step, with it. */
static int note_bias(const onnx_run *r, step *s)
{
    for (int i = 0; i < 2; i++) {
        const int x = value_of(r, i);
        const hst_tensor *bias = constant(r, 1 - i, 1);
        if (x < 0 || !bias || !r->head->of[x].kernel || r->head->of[x].bias)
            continue;
        *s = r->head->of[x];
        s->bias = bias;
        return 1;
    }
    return 0;
}

/* What the node is in a classifier: 1, or 0: nothing. */
static int note(const onnx_run *r, step *s)
{
    static const struct {
        const char *node, *op;
    } known[] = {{"Dropout", ""},         {"Flatten", ""},        {"Gelu", "gelu"},
                 {"HardSwish", "hswish"}, {"Identity", ""},       {"Relu", "relu"},
                 {"Reshape", ""},         {"Sigmoid", "sigmoid"}, {"Softmax", "softmax"},
                 {"Squeeze", ""},         {"Swish", "swish"},     {"Unsqueeze", ""}};
    const pb_field *op = &r->o->node.op;
    s->from = value_of(r, 0);
    if (pb_is(op, "Add"))
        return note_bias(r, s);
    if (s->from < 0)
        return 0;
    if (pb_is(op, "Gemm") || pb_is(op, "MatMul"))
        return note_dense(r, s);
    for (size_t i = 0; i < sizeof known / sizeof *known && !s->op; i++)
        if (pb_is(op, known[i].node))
            s->op = known[i].op;
    /* in front of the first product they are the network's */
    return s->op && r->head->of[s->from].op;
}

int onnx_head_note(onnx_run *r, hst_err *err)
{
    const onnx_node *n = &r->o->node;
    step s = {0};
    int rc = r->head ? 0 : begin(r, err);
    struct onnx_head *h = r->head;
    const int at = n->n_out && n->out[0].n ? names_get(&r->names, n->out[0]) : -1;
    if (rc || at < 0 || r->o->ours || !r->out[0].x || !is_vector(&r->out[0]) || !note(r, &s))
        return rc;
    const int is_begun = h->of[s.from].op || h->read[s.from].data;
    if (!is_begun && (!s.kernel || !is_vector(&r->value[s.from])))
        return 0;
    if (!is_begun)
        rc = copy_read(r, s.from, &r->value[s.from], err);
    h->of[at] = s;
    if (r->readers[at] >= ONNX_IS_OUTPUT)
        h->last = at;
    return rc;
}

/* ---- said ---- */

static int say_step(weights *w, json_t *steps, const step *s, hst_err *err)
{
    char front[32];
    snprintf(front, sizeof front, "computed/%zu", json_array_size(steps));
    json_t *o = json_pack("{s:s, s:b}", "op", s->op, "transposed", s->transposed);
    int rc = o ? 0 : hst_fail(err, HST_EMEM, "out of memory");
    if (rc == 0 && s->kernel)
        rc = weights_add_to_step(w, o, front, "kernel", s->kernel, err);
    if (rc == 0 && s->bias)
        rc = weights_add_to_step(w, o, front, "bias", s->bias, err);
    if (json_array_append_new(steps, o) && rc == 0)
        rc = hst_fail(err, HST_EMEM, "out of memory");
    return rc;
}

int onnx_head_say(onnx_run *r, hst_err *err)
{
    const struct onnx_head *h = r->head;
    int way[MOST_STEPS], n = 0;
    int x = h ? h->last : -1;
    for (; x >= 0 && h->of[x].op && n < MOST_STEPS; x = h->of[x].from)
        if (*h->of[x].op)
            way[n++] = x;
    if (n == 0 || x < 0 || !h->read[x].data)
        return 0;
    hst_tensor features = h->read[x];
    features.name = HST_PROBE_FEATURES;
    json_t *steps = json_array();
    int rc =
        steps ? weights_add(r->o->w, &features, err) : hst_fail(err, HST_EMEM, "out of memory");
    while (rc == 0 && n > 0)
        rc = say_step(r->o->w, steps, &h->of[way[--n]], err);
    rc = rc ? rc : weights_say_json(r->o->w, "classifier_computed", steps, err);
    json_decref(steps);
    return rc;
}
