/* onnx_fold.c - the few numbers that a graph works out from constants and from the sizes of maps.
 *
 * PyTorch's exporter writes F.pad(x, (left, right, top, bottom)) as a computation that turns these
 * numbers into ONNX's order: zeros are put behind them, pairs are reversed and transposed. Where a
 * network pads as TensorFlow does, the numbers themselves are worked out from a map's size:
 * max((ceil(size / stride) - 1) stride + kernel - size, 0), halved. */
#include "onnx_fold.h"
#include "onnx_tensor.h"

#include <math.h>
#include <string.h>

enum { MOST = 16 }; /* numbers: begin and end of eight dimensions */

/* Whole numbers that sizes of maps lead to are exact as double. */
typedef struct list {
    double v[MOST];
    int n, rows, columns; /* columns 0: a plain list, or one number */
    int whole;            /* 1: int64 */
} list;

/* Input i as a list; 0: it is none. */
static int get(const onnx *o, int i, list *l)
{
    const hst_tensor *t = onnx_input_tensor(o, i);
    const size_t n = t ? hst_tensor_count(t) : MOST + 1;
    int64_t whole[MOST];
    float real[MOST];
    if (n > MOST || t->n_dims > 2)
        return 0;
    *l = (list){.n = (int)n, .whole = t->dtype == HST_I64};
    if (t->dtype == HST_F64 && n)
        memcpy(l->v, t->data, n * sizeof *l->v);
    else if (l->whole && n)
        memcpy(whole, t->data, n * sizeof *whole);
    else if (!l->whole && hst_tensor_floats(t, real, NULL))
        return 0;
    for (size_t k = 0; k < n && t->dtype != HST_F64; k++)
        l->v[k] = l->whole ? (double)whole[k] : (double)real[k];
    if (t->n_dims == 2) {
        l->rows = (int)t->dim[0];
        l->columns = (int)t->dim[1];
    }
    return 1;
}

/* The one number that input i is; 0: it is not one. */
static int number(const onnx *o, int i, double *v)
{
    list l;
    if (!get(o, i, &l) || l.n != 1)
        return 0;
    *v = l.v[0];
    return 1;
}

static int is_number(const onnx *o, int i, double want)
{
    double v;
    return number(o, i, &v) && v == want;
}

/* ---- lists ---- */

/* Of a length that is told. The numbers are 0 where no other value is. */
static int zeros(const onnx *o, list *out)
{
    const onnx_attribute *value = onnx_find_attribute(&o->node, "value");
    int64_t v = 0;
    double n;
    bytes unnamed;
    hst_tensor t;
    if (!number(o, 0, &n) || n < 0 || n > MOST)
        return 0;
    if (value && (onnx_tensor(value->t, o->s, o->w->arena, &unnamed, &t, NULL) ||
                  t.dtype != HST_I64 || hst_tensor_count(&t) != 1))
        return 0;
    if (value)
        memcpy(&v, t.data, sizeof v);
    *out = (list){.n = (int)n, .whole = 1};
    return v == 0;
}

static int concat(const onnx *o, list *out)
{
    *out = (list){.whole = 1};
    for (int i = 0; i < o->node.n_in; i++) {
        list l;
        if (!get(o, i, &l) || l.columns || out->n + l.n > MOST)
            return 0;
        memcpy(out->v + out->n, l.v, (size_t)l.n * sizeof *l.v);
        out->n += l.n;
        out->whole &= l.whole;
    }
    return 1;
}

/* To [-1] or [-1, columns]. */
static int reshape(const onnx *o, list *out)
{
    list to;
    if (!get(o, 0, out) || !get(o, 1, &to) || to.n < 1 || to.n > 2 || to.v[0] != -1)
        return 0;
    out->rows = out->columns = 0;
    if (to.n == 1)
        return 1;
    if (!(to.v[1] >= 1 && to.v[1] <= MOST) || out->n % (int)to.v[1])
        return 0;
    out->columns = (int)to.v[1];
    out->rows = out->n / out->columns;
    return 1;
}

/* Rows from the last to the first: starts -1, a step of -1. */
static int reverse(const onnx *o, list *out)
{
    list l;
    double end;
    if (!get(o, 0, &l) || !l.columns || !is_number(o, 1, -1) || !number(o, 2, &end) ||
        end > -l.rows - 1 || !is_number(o, 3, 0) || !is_number(o, 4, -1))
        return 0;
    *out = l;
    for (int i = 0; i < l.n; i++)
        out->v[i] = l.v[(l.rows - 1 - i / l.columns) * l.columns + i % l.columns];
    return 1;
}

static int transpose(const onnx *o, list *out)
{
    list l;
    if (!get(o, 0, &l) || !l.columns)
        return 0;
    *out = l;
    out->rows = l.columns;
    out->columns = l.rows;
    for (int i = 0; i < l.n; i++)
        out->v[i] = l.v[i % l.rows * l.columns + i / l.rows];
    return 1;
}

/* To int64, towards zero, or float. */
static int cast(const onnx *o, list *out)
{
    const onnx_attribute *to = onnx_find_attribute(&o->node, "to");
    enum { FLOAT = 1, INT64 = 7 };
    if (!to || (to->i != FLOAT && to->i != INT64) || !get(o, 0, out))
        return 0;
    out->whole = to->i == INT64;
    for (int i = 0; i < out->n && out->whole; i++)
        out->v[i] = trunc(out->v[i]);
    return 1;
}

/* A number as a list and back. */
static int same(const onnx *o, list *out)
{
    return get(o, 0, out) && !out->columns;
}

static int gather(const onnx *o, list *out)
{
    list l;
    double i;
    if (!get(o, 0, &l) || l.columns || !number(o, 1, &i))
        return 0;
    i = i < 0 ? i + l.n : i;
    if (!(i >= 0 && i < l.n))
        return 0;
    *out = (list){.v = {l.v[(int)i]}, .n = 1, .whole = l.whole};
    return 1;
}

/* Of a map as PyTorch has it, whose batch nothing here depends on, or of a list. */
static int shape(const onnx *o, list *out)
{
    list l;
    const int x = onnx_input_value(o, 0);
    if (x >= 0) {
        const net_value *v = &o->net.value[x];
        *out = (list){.v = {1, v->c, (double)v->h, (double)v->w}, .n = 4, .whole = 1};
        return o->channels_first && v->h > 0 && v->w > 0;
    }
    if (!get(o, 0, &l))
        return 0;
    *out = l.columns ? (list){.v = {l.rows, l.columns}, .n = 2} : (list){.v = {l.n}, .n = 1};
    out->whole = 1;
    return 1;
}

/* ---- arithmetic ---- */

static double divided(double a, double b, int whole)
{
    return whole ? trunc(a / b) : a / b;
}

/* Element by element; one number goes with any list. */
static int arithmetic(const onnx *o, char op, list *out)
{
    list a, b;
    if (!get(o, 0, &a) || !get(o, 1, &b) || (a.n != b.n && a.n != 1 && b.n != 1) ||
        a.whole != b.whole)
        return 0;
    *out = a.n < b.n ? b : a;
    for (int i = 0; i < out->n; i++) {
        const double x = a.v[a.n == 1 ? 0 : i], y = b.v[b.n == 1 ? 0 : i];
        if (op == '/' && y == 0)
            return 0;
        out->v[i] = op == '+'   ? x + y
                    : op == '-' ? x - y
                    : op == '*' ? x * y
                                : divided(x, y, a.whole);
    }
    return 1;
}

static int add(const onnx *o, list *out)
{
    return arithmetic(o, '+', out);
}

static int subtract(const onnx *o, list *out)
{
    return arithmetic(o, '-', out);
}

static int multiply(const onnx *o, list *out)
{
    return arithmetic(o, '*', out);
}

static int divide(const onnx *o, list *out)
{
    return arithmetic(o, '/', out);
}

static int round_up(const onnx *o, list *out)
{
    if (!get(o, 0, out))
        return 0;
    for (int i = 0; i < out->n; i++)
        out->v[i] = ceil(out->v[i]);
    return 1;
}

/* No smaller than the second input; the third, which may be left out, is the most. */
static int clip(const onnx *o, list *out)
{
    double low, high = INFINITY;
    const int has_high = o->node.n_in > 2 && o->node.in[2].n;
    if (!get(o, 0, out) || !number(o, 1, &low) || (has_high && !number(o, 2, &high)))
        return 0;
    for (int i = 0; i < out->n; i++)
        out->v[i] = fmin(fmax(out->v[i], low), high);
    return 1;
}

static const struct {
    const char *name;
    int (*fold)(const onnx *o, list *out);
} operators[] = {
    {"ConstantOfShape", zeros}, {"Concat", concat}, {"Reshape", reshape}, {"Slice", reverse},
    {"Transpose", transpose},   {"Cast", cast},     {"Unsqueeze", same},  {"Squeeze", same},
    {"Gather", gather},         {"Shape", shape},   {"Add", add},         {"Sub", subtract},
    {"Mul", multiply},          {"Div", divide},    {"Ceil", round_up},   {"Clip", clip}};

/* l as a tensor in the arena. */
static int put(const onnx *o, const list *l, hst_tensor *out, hst_err *err)
{
    double *v = hst_arena_alloc(o->w->arena, MOST, sizeof *v, err);
    if (!v)
        return HST_EMEM;
    memcpy(v, l->v, sizeof l->v);
    for (int i = 0; i < l->n && l->whole; i++) {
        const int64_t whole = fabs(l->v[i]) < 1e15 ? (int64_t)l->v[i] : 0;
        memcpy(&v[i], &whole, sizeof whole);
    }
    *out = (hst_tensor){.name = "", .dtype = l->whole ? HST_I64 : HST_F64, .data = v};
    out->n_bytes = (size_t)l->n * sizeof *v;
    out->n_dims = l->columns ? 2 : 1;
    out->dim[0] = l->columns ? l->rows : l->n;
    out->dim[1] = l->columns;
    return 1;
}

int onnx_fold(onnx *o, hst_tensor *out, hst_err *err)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        list l;
        if (pb_is(&o->node.op, operators[i].name))
            return operators[i].fold(o, &l) ? put(o, &l, out, err) : 0;
    }
    return 0;
}
