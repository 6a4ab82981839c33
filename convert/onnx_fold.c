/* onnx_fold.c - whole numbers that a graph works out from constants.
 *
 * PyTorch's exporter writes F.pad(x, (left, right, top, bottom)) as a computation that turns these
 * numbers into ONNX's order: zeros are put behind them, pairs are reversed and transposed. */
#include "onnx_graph.h"
#include "onnx_tensor.h"

#include <string.h>

enum { MOST = 16 }; /* numbers: begin and end of eight dimensions */

typedef struct list {
    int64_t v[MOST];
    int n, rows, columns; /* columns 0: a plain list */
} list;

/* Input i as a list; 0: it is none. */
static int get(const onnx *o, int i, list *l)
{
    const hst_named *t = onnx_input_tensor(o, i);
    size_t n = t ? hst_named_count(t) : MOST + 1;
    if (n > MOST || t->dtype != HST_I64 || t->n_dims > 2)
        return 0;
    *l = (list){.n = (int)n};
    if (n)
        memcpy(l->v, t->data, n * sizeof *l->v);
    if (t->n_dims == 2) {
        l->rows = (int)t->dim[0];
        l->columns = (int)t->dim[1];
    }
    return 1;
}

static int is_number(const onnx *o, int i, int64_t want)
{
    list l;
    return get(o, i, &l) && l.n == 1 && l.v[0] == want;
}

/* Of a length that is told. The numbers are 0 where no other value is. */
static int zeros(const onnx *o, list *out)
{
    const onnx_attribute *value = onnx_find_attribute(&o->node, "value");
    int64_t v = 0;
    bytes unnamed;
    hst_named t;
    list n;
    if (!get(o, 0, &n) || n.n != 1 || n.v[0] < 0 || n.v[0] > MOST)
        return 0;
    if (value && (onnx_tensor(value->t, o->s, o->w->arena, &unnamed, &t, NULL) ||
                  t.dtype != HST_I64 || hst_named_count(&t) != 1))
        return 0;
    if (value)
        memcpy(&v, t.data, sizeof v);
    *out = (list){.n = (int)n.v[0]};
    return v == 0;
}

static int concat(const onnx *o, list *out)
{
    *out = (list){0};
    for (int i = 0; i < o->node.n_in; i++) {
        list l;
        if (!get(o, i, &l) || l.columns || out->n + l.n > MOST)
            return 0;
        memcpy(out->v + out->n, l.v, (size_t)l.n * sizeof *l.v);
        out->n += l.n;
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
    if (to.v[1] < 1 || to.v[1] > MOST || out->n % to.v[1])
        return 0;
    out->columns = (int)to.v[1];
    out->rows = out->n / out->columns;
    return 1;
}

/* Rows from the last to the first: starts -1, a step of -1. */
static int reverse(const onnx *o, list *out)
{
    list l, ends;
    if (!get(o, 0, &l) || !l.columns || !is_number(o, 1, -1) || !get(o, 2, &ends) || ends.n != 1 ||
        ends.v[0] > -l.rows - 1 || !is_number(o, 3, 0) || !is_number(o, 4, -1))
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
    *out = (list){.n = l.n, .rows = l.columns, .columns = l.rows};
    for (int i = 0; i < l.n; i++)
        out->v[i] = l.v[i % l.rows * l.columns + i / l.rows];
    return 1;
}

/* To int64, which it is. */
static int same(const onnx *o, list *out)
{
    const onnx_attribute *to = onnx_find_attribute(&o->node, "to");
    enum { INT64 = 7 };
    return to && to->i == INT64 && get(o, 0, out);
}

static const struct {
    const char *name;
    int (*fold)(const onnx *o, list *out);
} operators[] = {{"ConstantOfShape", zeros}, {"Concat", concat},       {"Reshape", reshape},
                 {"Slice", reverse},         {"Transpose", transpose}, {"Cast", same}};

int onnx_fold(onnx *o, hst_named *out, hst_err *err)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        list l;
        if (!pb_is(&o->node.op, operators[i].name))
            continue;
        if (!operators[i].fold(o, &l))
            return 0;
        int64_t *v = hst_arena_alloc(o->w->arena, MOST, sizeof *v, err);
        if (!v)
            return HST_EMEM;
        memcpy(v, l.v, (size_t)l.n * sizeof *v);
        *out = (hst_named){.name = "", .dtype = HST_I64, .n_dims = 1, .dim = {l.n}, .data = v};
        out->n_bytes = (size_t)l.n * sizeof *v;
        if (l.columns) {
            out->n_dims = 2;
            out->dim[0] = l.rows;
            out->dim[1] = l.columns;
        }
        return 1;
    }
    return 0;
}
