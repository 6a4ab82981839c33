#include "exports/graphdef.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(hst_tf *g, int rc)
{
    g->rc = g->rc ? g->rc : rc;
}

int hst_tf_begin(hst_tf *g, hst_err *err)
{
    g->err = err;
    g->arena = hst_arena_new(err);
    return g->arena ? 0 : HST_EMEM;
}

void hst_tf_end(hst_tf *g)
{
    free(g->node);
    free(g->tensor);
    hst_arena_free(g->arena);
}

/* Names of layers are of any file's choice. */
static void make_plain(char *name)
{
    static const char others[] = "._-/:^";
    for (char *p = name; *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
              strchr(others, *p)))
            *p = '_';
}

const char *hst_tf_name(hst_tf *g, const char *fmt, ...)
{
    char text[160];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    make_plain(text);
    char *name = g->rc ? NULL : hst_arena_strdup(g->arena, text, g->err);
    if (!name)
        fail(g, HST_EMEM);
    return name ? name : "";
}

float *hst_tf_floats(hst_tf *g, size_t n)
{
    float *x = g->rc ? NULL : hst_arena_alloc(g->arena, n, sizeof *x, g->err);
    if (!x)
        fail(g, HST_EMEM);
    return x;
}

void hst_tf_add(hst_tf *g, const hst_tf_node *n)
{
    void *list = g->node;
    fail(g, g->rc ? g->rc : hst_make_room(&list, g->n_nodes, &g->cap_nodes, sizeof *n, g->err));
    g->node = list;
    const size_t n_in = (size_t)n->n_in;
    const char **in = g->rc ? NULL : hst_arena_alloc(g->arena, n_in, sizeof *in, g->err);
    if (!in) {
        fail(g, HST_EMEM);
        return;
    }
    if (n_in)
        memcpy(in, n->in, n_in * sizeof *in);
    g->node[g->n_nodes] = *n;
    g->node[g->n_nodes++].in = in;
}

/* ---- tensors ---- */

size_t hst_tf_count(const hst_tf_tensor *t)
{
    size_t n = 1;
    for (int i = 0; i < t->n_dims; i++)
        n *= (size_t)t->dim[i];
    return n;
}

static const char *reads(hst_tf *g, const hst_tf_tensor *t)
{
    return t->is_kernel && g->read ? hst_tf_name(g, "%s%s", t->name, g->read) : t->name;
}

const char *hst_tf_tensor_add(hst_tf *g, const hst_tf_tensor *t)
{
    void *list = g->tensor;
    fail(g, g->rc ? g->rc : hst_make_room(&list, g->n_tensors, &g->cap_tensors, sizeof *t, g->err));
    g->tensor = list;
    if (g->rc)
        return "";
    g->tensor[g->n_tensors++] = *t;
    return reads(g, t);
}

/* There is one of that name already, or t becomes it. */
static const char *once(hst_tf *g, const hst_tf_tensor *t)
{
    for (size_t i = 0; i < g->n_tensors; i++)
        if (strcmp(g->tensor[i].name, t->name) == 0)
            return g->tensor[i].name;
    return hst_tf_tensor_add(g, t);
}

const char *hst_tf_whole(hst_tf *g, const int32_t *v, int n)
{
    hst_tf_tensor t = {.n_dims = 1, .dim = {n}};
    char text[128] = "";
    for (int i = 0, at = 0; i < n; i++) {
        t.whole[i] = v[i];
        at += snprintf(text + at, sizeof text - (size_t)at, "_%d", (int)v[i]);
    }
    t.name = hst_tf_name(g, "numbers/%s", text + 1);
    return once(g, &t);
}

const char *hst_tf_axis(hst_tf *g, int32_t v)
{
    return once(g, &(hst_tf_tensor){.whole = {v}, .name = hst_tf_name(g, "numbers/axis_%d", v)});
}

const char *hst_tf_number(hst_tf *g, double v)
{
    float *x = hst_tf_floats(g, 1);
    if (!x)
        return "";
    *x = (float)v;
    uint32_t bits;
    memcpy(&bits, x, sizeof bits);
    return once(g, &(hst_tf_tensor){.data = x, .name = hst_tf_name(g, "numbers/%08x", bits)});
}

/* ---- ends ---- */

const char *hst_tf_output(const hst_exporting *x)
{
    return x->model->target == HST_TARGET_NUMBER ? "number"
           : x->ends.logits                      ? "logits"
                                                 : "probabilities";
}

hst_tf_attr hst_tf_input_shape(const hst_exporting *x)
{
    const hst_do_step *in = &x->program->step[0];
    const int64_t n = x->ends.batch ? x->ends.batch : -1, h = in->dim[0], w = in->dim[1];
    const hst_tf_attr nchw = {
        .name = "shape", .kind = HST_TF_IS_SHAPE, .n = 4, .i = {n, in->dim[2], h, w}};
    const hst_tf_attr nhwc = {
        .name = "shape", .kind = HST_TF_IS_SHAPE, .n = 4, .i = {n, h, w, in->dim[2]}};
    return x->ends.nchw ? nchw : nhwc;
}

hst_tf_attr hst_tf_output_shape(const hst_exporting *x)
{
    return (hst_tf_attr){.kind = HST_TF_IS_SHAPE,
                         .n = 2,
                         .i = {x->ends.batch ? x->ends.batch : -1, x->model->n_classes}};
}
