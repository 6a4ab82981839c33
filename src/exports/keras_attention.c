/* keras_attention.c - attention with the dense layers before and behind it as the one layer that
 * Keras has for them all. */
#include "exports/keras.h"

#include <string.h>

/* Columns of a matrix w[rows][all], copied. */
static float *columns(hst_keras *k, const float *w, size_t rows, size_t all, size_t first, size_t n)
{
    float *out = hst_arena_alloc(k->arena, rows * n, sizeof *out, k->err);
    for (size_t r = 0; out && w && r < rows; r++)
        memcpy(out + r * n, w + r * all + first, n * sizeof *out);
    return out;
}

/* One of MultiHeadAttention's own layers: query, key or value, part number `at` of what a dense
 * layer makes. */
static int projection(hst_keras *k, const hst_do_step *dense, const char *name, int at,
                      const hst_do_step *attention)
{
    const int c = attention->dim[1], h = attention->heads, d = c / h;
    const size_t in = dense->n_w / (size_t)dense->dim[1], all = (size_t)dense->dim[1];
    const size_t first = (size_t)at * (size_t)c;
    const int dim[3] = {(int)in, h, d};
    const float *w = columns(k, dense->w, in, all, first, (size_t)c);
    const float *b = w ? columns(k, dense->b, 1, all, first, (size_t)c) : NULL;
    const int rc = b ? hst_keras_variable(k, name, 0, w, 3, dim) : HST_EMEM;
    return rc < 0 ? rc : hst_keras_variable(k, name, 1, b, 2, dim + 1);
}

int hst_keras_attention(hst_keras *k, const hst_do_step *out)
{
    const hst_do_step *a = hst_keras_step(k, out->input[0]), *q = hst_keras_step(k, a->input[0]);
    const hst_do_step *kv = hst_keras_step(k, a->input[a->n_inputs - 1]);
    const int d = a->dim[1] / a->heads, dim[3] = {a->heads, d, out->dim[1]};
    const int from = q->n_inputs ? hst_keras_input(k, q, 0) : -1;
    const int over = kv->n_inputs ? hst_keras_input(k, kv, 0) : -1;
    if (q->what != HST_DO_DENSE || kv->what != HST_DO_DENSE || k->value[from].dim[1] != out->dim[1])
        return hst_keras_refuse(k, "such an attention");
    hst_keras_layer l = {"MultiHeadAttention", "", NULL, 3,
                         {from, over, over},   1,  2,    {out->dim[0], out->dim[1]}};
    char name[HST_KERAS_NAME];
    hst_keras_name_like(out->name, name);
    l.name = name;
    l.config = json_pack("{s:i, s:i}", "num_heads", a->heads, "key_dim", d);
    const int x = hst_keras_add(k, &l);
    int rc = x < 0 ? x : projection(k, q, "query_dense", 0, a);
    rc = rc < 0 ? rc : projection(k, kv, "key_dense", a->n_inputs == 1, a);
    rc = rc < 0 ? rc : projection(k, kv, "value_dense", a->n_inputs == 1 ? 2 : 1, a);
    const float *b = columns(k, out->b, 1, (size_t)out->dim[1], 0, (size_t)out->dim[1]);
    rc = rc < 0 || !b ? rc : hst_keras_variable(k, "output_dense", 0, out->w, 3, dim);
    rc = rc < 0 || !b ? rc : hst_keras_variable(k, "output_dense", 1, b, 1, dim + 2);
    return rc < 0 || !b ? HST_EMEM : hst_keras_finish(k, out, x);
}

/* The step that alone reads step i, with nothing done to its value on the way; NULL: there is
 * none. */
static const hst_do_step *only_reader(const hst_keras *k, int i)
{
    const hst_do_step *s = hst_keras_step(k, i);
    for (int n = i + 1; s->readers == 1 && s->act == HST_ACT_NONE && n < k->x->program->n; n++)
        for (int m = 0; m < hst_keras_step(k, n)->n_inputs; m++)
            if (hst_keras_step(k, n)->input[m] == i)
                return hst_keras_step(k, n);
    return NULL;
}

/* Whether it reads dense layers' values as they are. */
static int is_of_dense(const hst_keras *k, const hst_do_step *s)
{
    int n = s->what == HST_DO_ATTENTION;
    for (int i = 0; n && i < s->n_inputs; i++)
        n = hst_keras_step(k, s->input[i])->what == HST_DO_DENSE;
    return n;
}

int hst_keras_ends_attention(const hst_keras *k, const hst_do_step *s)
{
    return s->what == HST_DO_DENSE && is_of_dense(k, hst_keras_step(k, s->input[0]));
}

int hst_keras_is_in_attention(const hst_keras *k, int i)
{
    const hst_do_step *s = hst_keras_step(k, i);
    const int dense = s->what == HST_DO_DENSE;
    const hst_do_step *reader = dense || is_of_dense(k, s) ? only_reader(k, i) : NULL;
    return reader && (dense ? is_of_dense(k, reader) : reader->what == HST_DO_DENSE);
}
