/* Codes and options of operators are those of TensorFlow's schema.fbs. */
#include "tflite_run.h"
#include "answers.h"
#include "tf_compute.h"

#include "formats/probe.h"

#include <stdio.h>
#include <string.h>

enum { OPERATOR_INPUTS = 1, OPERATOR_OUTPUTS = 2, OPERATOR_OPTIONS = 4 };

typedef struct tflite_computing {
    weights *w;
    tflite_file *f;
    evaluator e;
    answers answers;
    ev_array *value; /* [tensors] */
    int *readers;    /* [tensors] that still will read it */
    char *varies;    /* [tensors] 1: with the picture */
    names taken;     /* of tensors of the result */
    /* of the operator being computed */
    fb_vector in, out;
    fb_table options;
    tf_operation o;
} tflite_computing;

/* ---- options ---- */

/* What options an operator has, and in which of them is the activation; 0: in none, else 1 more. */
enum options { NONE, CONV, DEPTHWISE, POOL, DENSE, PRODUCT, AXIS, KEEPS };

typedef struct tflite_row {
    tf_row row;
    enum options options;
    int act;
} tflite_row;

static int whole(const tflite_computing *c, unsigned field, int absent)
{
    return (int)fb_int(&c->f->b, c->options, field, 4, absent);
}

static int byte(const tflite_computing *c, unsigned field)
{
    return (int)fb_int(&c->f->b, c->options, field, 1, 0);
}

static int read_window(tflite_computing *c, const tflite_row *row, hst_err *err)
{
    tf_operation *o = &c->o;
    const unsigned apart = row->options == CONV ? 4 : 5;
    enum { SAME = 0, VALID = 1 };
    const int padding = byte(c, 0), is_pool = row->options == POOL;
    if ((padding != SAME && padding != VALID) ||
        (!is_pool && (whole(c, apart, 1) != 1 || whole(c, apart + 1, 1) != 1)))
        return tf_odd(o, "is of an unknown kind", err);
    o->same = padding == SAME;
    o->window.stride[0] = whole(c, 2, 0);
    o->window.stride[1] = whole(c, 1, 0);
    if (is_pool) {
        o->window.kernel[0] = whole(c, 4, 0);
        o->window.kernel[1] = whole(c, 3, 0);
    }
    return 0;
}

static int read_options(tflite_computing *c, const tflite_row *row, hst_err *err)
{
    static const int oihw[2][4] = {{0, 3, 1, 2}, {3, 0, 1, 2}}; /* of [o][h][w][i], [1][h][w][c] */
    static const enum ev_function acts[] = {EV_ITSELF, EV_RELU, EV_FUNCTIONS, EV_RELU6};
    tf_operation *o = &c->o;
    const int act = row->act ? byte(c, (unsigned)row->act - 1) : 0;
    o->depthwise = row->options == DEPTHWISE;
    o->oihw = oihw[o->depthwise];
    o->f = act >= 0 && act < 4 ? acts[act] : EV_FUNCTIONS;
    if (o->f == EV_FUNCTIONS)
        return tf_odd(o, "has an unknown activation", err);
    if (row->options == CONV || row->options == DEPTHWISE || row->options == POOL)
        return read_window(c, row, err);
    if (row->options == AXIS)
        o->axis = whole(c, 0, 0);
    if (row->options == KEEPS)
        o->keeps = byte(c, 0);
    if (row->options == DENSE)
        o->keeps = byte(c, 2);
    if (row->options == PRODUCT) {
        o->turned[0] = byte(c, 0);
        o->turned[1] = byte(c, 1);
    }
    return 0;
}

/* ---- operators ---- */

/* Kernel [outputs][inputs]; unless the input keeps its shape, it is one of vectors. */
static int dense(tf_operation *o, int how, hst_err *err)
{
    const ev_array x = o->in[0];
    ev_array flat = {0};
    const int64_t wide = o->in[1].n_dims == 2 ? o->in[1].dim[1] : 0;
    if (wide < 1)
        return tf_odd(o, "has no matrix", err);
    o->turned[1] = 1;
    if (o->keeps)
        return tf_product(o, how, err);
    const int64_t dim[] = {(int64_t)ev_count(&x) / wide, wide};
    int rc = ev_reshape(o->e, &x, 2, dim, &flat, err);
    o->in[0] = flat;
    rc = rc ? rc : tf_product(o, how, err);
    o->in[0] = x;
    ev_free(&flat);
    return rc;
}

static const tflite_row operators[] = {
    {{"ADD", 0, tf_binary, '+', 2}, NONE, 1},
    {{"AVERAGE_POOL_2D", 1, tf_pool, 0, 1}, POOL, 6},
    {{"CONCATENATION", 2, tf_concat, 0, 1}, AXIS, 0},
    {{"CONV_2D", 3, tf_conv, 0, 2}, CONV, 4},
    {{"DEPTHWISE_CONV_2D", 4, tf_conv, 0, 2}, DEPTHWISE, 5},
    {{"DEQUANTIZE", 6, tf_unary, EV_ITSELF, 1}, NONE, 0},
    {{"FULLY_CONNECTED", 9, dense, 0, 2}, DENSE, 1},
    {{"LOGISTIC", 14, tf_unary, EV_SIGMOID, 1}, NONE, 0},
    {{"MAX_POOL_2D", 17, tf_pool, 1, 1}, POOL, 6},
    {{"MUL", 18, tf_binary, '*', 2}, NONE, 1},
    {{"RELU", 19, tf_unary, EV_RELU, 1}, NONE, 0},
    {{"RELU6", 21, tf_unary, EV_RELU6, 1}, NONE, 0},
    {{"RESHAPE", 22, tf_reshape, 0, 2}, NONE, 0},
    {{"SOFTMAX", 25, tf_softmax, 0, 1}, NONE, 0},
    {{"PAD", 34, tf_pad, 0, 2}, NONE, 0},
    {{"TRANSPOSE", 39, tf_transpose, 0, 2}, NONE, 0},
    {{"MEAN", 40, tf_mean, 0, 2}, KEEPS, 0},
    {{"SUB", 41, tf_binary, '-', 2}, NONE, 1},
    {{"SPLIT", 49, tf_split, 0, 2}, NONE, 0},
    {{"CAST", 53, tf_cast, 0, 1}, NONE, 0},
    {{"PADV2", 60, tf_pad, 0, 3}, NONE, 0},
    {{"SLICE", 65, tf_slice, 0, 3}, NONE, 0},
    {{"RSQRT", 76, tf_unary, EV_RSQRT, 1}, NONE, 0},
    {{"HARD_SWISH", 117, tf_unary, EV_HARD_SWISH, 1}, NONE, 0},
    {{"BATCH_MATMUL", 126, tf_product, 0, 2}, PRODUCT, 0},
    {{"GELU", 150, tf_unary, EV_GELU, 1}, KEEPS, 0},
};

static const tflite_row *find_row(int code, hst_err *err)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (operators[i].row.code == code)
            return &operators[i];
    hst_fail(err, HST_EMODEL, "its graph cannot be computed: the TFLite operator %d is not known",
             code);
    return NULL;
}

/* ---- constants ---- */

static int constant(tflite_computing *c, const tflite_tensor *t, ev_array *out, hst_err *err)
{
    const int is_whole = t->type == TFLITE_I32 && !t->scale.n;
    if (t->t.n_dims > EV_DIMS)
        return hst_fail(err, HST_EMODEL, "tensor '%.100s' has too many dimensions", t->t.name);
    if (t->type == TFLITE_F32 && (uintptr_t)t->t.data % sizeof(float) == 0) {
        *out = (ev_array){.n_dims = t->t.n_dims, .x = t->t.data};
        memcpy(out->dim, t->t.dim, sizeof out->dim);
        return 0;
    }
    int rc = ev_new(&c->e, t->t.n_dims, t->t.dim, out, err);
    if (rc == 0 && !is_whole)
        rc = tflite_floats(&(tflite_numbers){c->f, t}, out->own, err);
    for (size_t i = 0; rc == 0 && is_whole && i < ev_count(out); i++)
        out->own[i] = (float)(int32_t)le32((const uint8_t *)t->t.data + 4 * i);
    out->whole = is_whole;
    return rc;
}

/* x under that name, unless one has it. */
static int add_tensor(tflite_computing *c, const char *name, const ev_array *x, hst_err *err)
{
    const bytes key = {(const uint8_t *)name, strlen(name)};
    const size_t n = ev_count(x);
    if (!key.n || names_get(&c->taken, key) >= 0)
        return 0;
    float *data = hst_arena_alloc(c->w->arena, n, sizeof *data, err);
    hst_tensor t = {.name = name, .n_dims = x->n_dims, .data = data, .n_bytes = n * sizeof *data};
    memcpy(t.dim, x->dim, sizeof x->dim);
    if (data && n)
        memcpy(data, x->x, t.n_bytes);
    const int rc = data ? names_put(&c->taken, key, 1, err) : HST_EMEM;
    return rc ? rc : weights_add(c->w, &t, err);
}

/* [h][w][i][o] of a convolution, [h][w][c][1] of each channel alone, [i][o]: the kernel that the
 * operator reads, which may have been widened before. */
static int add_kernel(tflite_computing *c, int32_t at, hst_err *err)
{
    static const char widened[] = "/float32";
    const char *name = c->f->tensor[at].t.name;
    const size_t n = strlen(name), e = sizeof widened - 1;
    const int is = n > e && strcmp(name + n - e, widened) == 0;
    char *own = hst_arena_strdup(c->w->arena, name, err);
    ev_array x = {0};
    if (!own)
        return HST_EMEM;
    own[is ? n - e : n] = 0;
    const int *order = c->o.in[1].n_dims == 4 ? (const int[]){1, 2, 3, 0} : (const int[]){1, 0};
    int rc = ev_transpose(&c->e, &c->o.in[1], order, &x, err);
    rc = rc ? rc : add_tensor(c, own, &x, err);
    ev_free(&x);
    return rc;
}

/* All others, of real numbers. */
static int add_constants(tflite_computing *c, hst_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < c->f->n; i++) {
        const tflite_tensor *t = &c->f->tensor[i];
        ev_array x = {0};
        if (!t->constant || t->type != TFLITE_F32)
            continue;
        rc = constant(c, t, &x, err);
        rc = rc ? rc : add_tensor(c, t->t.name, &x, err);
        ev_free(&x);
    }
    return rc ? rc : weights_say(c->w, err, HST_NAMES_FACT, "tensorflow");
}

/* ---- running ---- */

static int tensor_at(const tflite_computing *c, fb_vector list, int i, hst_err *err)
{
    const int32_t at = fb_i32(&c->f->b, list, (size_t)i);
    return at >= 0 && (size_t)at < c->f->n
               ? at
               : hst_fail(err, HST_EMODEL, "its graph cannot be computed: a %s is of no tensor",
                          c->o.name);
}

static int read_operator(tflite_computing *c, size_t i, int *code, hst_err *err)
{
    fb *b = &c->f->b;
    const fb_table t = fb_item(b, c->f->operators, i);
    int rc = tflite_code(c->f, t, code, err);
    c->in = fb_list(b, t, OPERATOR_INPUTS, 4);
    c->out = fb_list(b, t, OPERATOR_OUTPUTS, 4);
    c->options = fb_child(b, t, OPERATOR_OPTIONS);
    rc = rc ? rc : fb_check(b, err);
    if (rc == 0 && (c->in.n > TF_MAX_PORTS || c->out.n > TF_MAX_PORTS))
        rc = hst_fail(err, HST_EMODEL,
                      "its graph cannot be computed: an operator has too many "
                      "inputs or outputs");
    c->o = (tf_operation){.e = &c->e, .name = "operator"};
    return rc;
}

static int find_inputs(tflite_computing *c, int *varies, hst_err *err)
{
    int rc = 0;
    *varies = 0;
    for (; rc == 0 && c->o.n_in < (int)c->in.n; c->o.n_in++) {
        const int at = tensor_at(c, c->in, c->o.n_in, err);
        ev_array *in = &c->o.in[c->o.n_in];
        if (at < 0)
            return at;
        *varies |= c->varies[at];
        if (c->value[at].x) {
            *in = c->value[at];
            in->own = NULL;
        } else
            rc = c->f->tensor[at].constant
                     ? constant(c, &c->f->tensor[at], in, err)
                     : hst_fail(err, HST_EMODEL,
                                "its graph cannot be computed: '%.100s' is read before it is made",
                                c->f->tensor[at].t.name);
    }
    return rc;
}

static int keep_outputs(tflite_computing *c, int varies, hst_err *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < c->o.n_out; i++) {
        const int at = tensor_at(c, c->out, i, err);
        rc = at < 0 ? at : varies ? answers_keep(&c->answers, c->w, &c->o.out[i], 0, err) : 0;
        if (rc || !c->readers[at])
            continue;
        ev_free(&c->value[at]);
        c->value[at] = c->o.out[i];
        c->varies[at] = (char)varies;
        c->o.out[i] = (ev_array){0};
    }
    return rc;
}

static void forget_inputs(tflite_computing *c)
{
    for (int i = 0; i < c->o.n_in; i++) {
        const int at = tensor_at(c, c->in, i, NULL);
        if (at >= 0 && --c->readers[at] == 0)
            ev_free(&c->value[at]);
    }
}

static int compute(tflite_computing *c, int code, hst_err *err)
{
    const tflite_row *row = find_row(code, err);
    int varies = 0;
    c->o.name = row ? row->row.name : c->o.name;
    c->o.n_out = (int)c->out.n;
    int rc = row ? read_options(c, row, err) : HST_EMODEL;
    rc = rc ? rc : find_inputs(c, &varies, err);
    tf_row as = row ? row->row : (tf_row){0};
    if (row && as.how == EV_GELU && as.code == 150 && c->o.keeps)
        as.how = EV_GELU_TANH;
    rc = rc ? rc : tf_run(&c->o, &as, err);
    if (rc == 0 && (row->options == CONV || row->options == DEPTHWISE || row->options == DENSE))
        rc = add_kernel(c, fb_i32(&c->f->b, c->in, 1), err);
    return rc ? rc : keep_outputs(c, varies, err);
}

static int run_operator(tflite_computing *c, size_t i, hst_err *err)
{
    int code = 0, rc = read_operator(c, i, &code, err);
    rc = rc ? rc : compute(c, code, err);
    rc = rc ? rc : fb_check(&c->f->b, err);
    forget_inputs(c);
    tf_end(&c->o);
    return rc;
}

static int count_readers(tflite_computing *c, size_t i, hst_err *err)
{
    int code = 0, rc = read_operator(c, i, &code, err);
    for (size_t k = 0; rc == 0 && k < c->in.n; k++) {
        const int at = tensor_at(c, c->in, (int)k, NULL);
        if (at >= 0)
            c->readers[at]++;
    }
    return rc;
}

static int prepare(tflite_computing *c, hst_err *err)
{
    hst_arena *arena = c->w->arena;
    const size_t n = c->f->n;
    const tflite_tensor *in = &c->f->tensor[c->f->input];
    c->value = hst_arena_alloc(arena, n, sizeof *c->value, err);
    c->readers = c->value ? hst_arena_alloc(arena, n, sizeof *c->readers, err) : NULL;
    c->varies = c->readers ? hst_arena_alloc(arena, n, 1, err) : NULL;
    int rc = c->varies ? answers_taken(c->w, n, &c->taken, err) : HST_EMEM;
    if (rc == 0 && (in->t.n_dims != 4 || in->constant))
        rc = hst_fail(err, HST_EMODEL, "its graph cannot be computed: its input is no picture");
    rc = rc ? rc : answers_draw(&c->e, c->w, in->t.dim + 1, 0, &c->value[c->f->input], err);
    if (rc == 0)
        c->varies[c->f->input] = 1;
    return rc;
}

int tflite_run(weights *w, tflite_file *f, const hst_source *s, hst_err *err)
{
    tflite_computing *c = hst_arena_alloc(w->arena, 1, sizeof *c, err);
    if (!c)
        return HST_EMEM;
    *c = (tflite_computing){.w = w, .f = f, .e = answers_budget(s)};
    int rc = prepare(c, err);
    for (size_t i = 0; rc == 0 && i < f->operators.n; i++)
        rc = count_readers(c, i, err);
    for (size_t i = 0; rc == 0 && i < f->operators.n; i++)
        rc = run_operator(c, i, err);
    for (size_t i = 0; c->value && i < f->n; i++)
        ev_free(&c->value[i]);
    rc = rc ? rc : add_constants(c, err);
    return rc ? rc : answers_add(&c->answers, w, err);
}
