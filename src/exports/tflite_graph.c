/* tflite_graph.c - operators and tensors, one behind the other. */
#include "exports/tflite.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void fail(hst_tfl *g, int rc)
{
    g->rc = g->rc ? g->rc : rc;
}

const char *hst_tfl_name(hst_tfl *g, const char *fmt, ...)
{
    char text[160];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    char *name = g->rc ? NULL : hst_arena_strdup(g->arena, text, g->err);
    if (!name)
        fail(g, HST_EMEM);
    return name ? name : "";
}

float *hst_tfl_floats(hst_tfl *g, size_t n)
{
    float *x = g->rc ? NULL : hst_arena_alloc(g->arena, n, sizeof *x, g->err);
    if (!x)
        fail(g, HST_EMEM);
    return x;
}

int hst_tfl_tensor_add(hst_tfl *g, const hst_tfl_tensor *t)
{
    void *list = g->tensor;
    int rc = g->rc ? g->rc : hst_make_room(&list, g->n_tensors, &g->tensors_cap, sizeof *t, g->err);
    g->tensor = list;
    if (rc) {
        fail(g, rc);
        return 0;
    }
    g->tensor[g->n_tensors] = *t;
    return (int)g->n_tensors++;
}

static int find_tensor(const hst_tfl *g, const char *name)
{
    for (size_t i = 0; i < g->n_tensors; i++)
        if (strcmp(g->tensor[i].name, name) == 0)
            return (int)i;
    return -1;
}

static int add_once(hst_tfl *g, const hst_tfl_tensor *t)
{
    const int known = find_tensor(g, t->name);
    return known >= 0 ? known : hst_tfl_tensor_add(g, t);
}

int hst_tfl_whole(hst_tfl *g, const int32_t *v, int n)
{
    hst_tfl_tensor t = {.type = HST_TFL_I32, .n_dims = 1, .dim = {n}, .n_whole = n};
    char text[160] = "";
    for (int i = 0, at = 0; i < n; i++) {
        t.whole[i] = v[i];
        at += snprintf(text + at, sizeof text - (size_t)at, "%s%d", i ? "," : "", v[i]);
    }
    t.name = hst_tfl_name(g, "[%s]", text);
    return add_once(g, &t);
}

int hst_tfl_number(hst_tfl *g, float v)
{
    hst_tfl_tensor t = {.data = hst_tfl_floats(g, 1)};
    if (!t.data)
        return 0;
    memcpy((void *)t.data, &v, sizeof v);
    t.name = hst_tfl_name(g, "%.9g", (double)v);
    return add_once(g, &t);
}

/* The first version of an operator that can do what is asked; op_version.cc of TensorFlow. */
static int version_of(const hst_tfl *g, const hst_tfl_op *op)
{
    const hst_tfl_tensor *first = &g->tensor[op->in[0]], *kernel = &g->tensor[op->in[1]];
    const int int8 = first->type == HST_TFL_I8;
    const int hybrid = !int8 && op->n_in > 1 && kernel->type == HST_TFL_I8;
    switch (op->code) {
    case HST_TFL_CONV_2D:
        return kernel->dim[3] != first->dim[3] ? 6 : hybrid ? 5 : int8 ? 3 : 1;
    case HST_TFL_DEPTHWISE_CONV_2D:
        return hybrid ? 6 : int8 ? 3 : 1;
    case HST_TFL_FULLY_CONNECTED:
        return hybrid || int8 ? 12 : op->option[1].whole ? 2 : 1;
    case HST_TFL_DEQUANTIZE:
        return int8 ? first->n_scales > 1 ? 5 : 2 : 3;
    case HST_TFL_MUL: /* 3: where its multiplier may be above 1 */
        return int8 && kernel->n_scales &&
                       first->scale[0] * kernel->scale[0] >= g->tensor[op->out[0]].scale[0]
                   ? 3
                   : 1 + int8;
    case HST_TFL_HARD_SWISH:
    case HST_TFL_QUANTIZE:
    case HST_TFL_RESHAPE:
        return 1;
    default:
        return 1 + int8;
    }
}

void hst_tfl_op_add(hst_tfl *g, const hst_tfl_op *op)
{
    void *list = g->op;
    int rc = g->rc ? g->rc : hst_make_room(&list, g->n_ops, &g->ops_cap, sizeof *op, g->err);
    g->op = list;
    if (rc) {
        fail(g, rc);
        return;
    }
    g->op[g->n_ops] = *op;
    g->op[g->n_ops++].version = version_of(g, op);
}
