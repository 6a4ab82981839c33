/* keras_attention.c - MultiHeadAttention: softmax(q k' / sqrt(d)) v of every head, with the
 * products that make queries, keys and values, and the one behind; and the two einsums that are the
 * products in its middle, where an export has them alone. */
#include "keras_run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct heads {
    int64_t n, d; /* how many, and how wide */
} heads;

/* Tensor *out, whose axes `first` and the next are those of heads, as one axis. */
static int joined(keras_run *r, const char *part, int first, const heads *h, hst_tensor **out,
                  hst_err *err)
{
    const int rc = keras_part(r, part, out, err);
    hst_tensor *t = *out;
    if (rc)
        return rc;
    if (t->n_dims < first + 2 || t->dim[first] != h->n || t->dim[first + 1] != h->d)
        return keras_odd(r, "has weights of another shape", err);
    t->dim[first] *= t->dim[first + 1];
    t->n_dims--;
    memmove(t->dim + first + 1, t->dim + first + 2,
            (size_t)(t->n_dims - first - 1) * sizeof *t->dim);
    return 0;
}

/* x [1][tokens][c] -> [1][heads][tokens][d], or, turned, [1][heads][d][tokens]. */
static int project(keras_run *r, const char *name, const ev_array *x, const heads *h, int turned,
                   ev_array *out, hst_err *err)
{
    char part[32];
    hst_tensor *m, *b;
    ev_array made = {0}, split = {0};
    if (x->n_dims != 3)
        return keras_odd(r, "is not of tokens", err);
    const int64_t dim[] = {x->dim[0], x->dim[1], h->n, h->d};
    snprintf(part, sizeof part, "%s_dense/kernel", name);
    int rc = joined(r, part, 1, h, &m, err);
    snprintf(part, sizeof part, "%s_dense/bias", name);
    rc = rc ? rc : joined(r, part, 0, h, &b, err);
    rc = rc ? rc : keras_product(r, x, m, b, &made, err);
    rc = rc ? rc : ev_reshape(&r->e, &made, 4, dim, &split, err);
    rc =
        rc ? rc
           : ev_transpose(&r->e, &split,
                          turned ? (const int[]){0, 2, 3, 1} : (const int[]){0, 2, 1, 3}, out, err);
    ev_free(&made);
    ev_free(&split);
    return rc;
}

/* softmax(q k' by) v, of every head. */
static int attend(keras_run *r, const ev_array of[3], float by, ev_array *out, hst_err *err)
{
    ev_array fit = {0}, part = {0};
    int rc = ev_matmul(&r->e, &of[0], &of[1], &fit, err);
    for (size_t i = 0; rc == 0 && i < ev_count(&fit); i++)
        fit.own[i] *= by;
    rc = rc ? rc : ev_softmax(&r->e, &fit, 3, &part, err);
    rc = rc ? rc : ev_matmul(&r->e, &part, &of[2], out, err);
    ev_free(&fit);
    ev_free(&part);
    return rc;
}

/* x [1][heads][tokens][d] -> [1][tokens][c] */
static int gather(keras_run *r, const ev_array *x, const heads *h, hst_err *err)
{
    hst_tensor *m, *b;
    ev_array side = {0}, rows = {0};
    const int64_t dim[] = {x->dim[0], x->dim[2], h->n * h->d};
    int rc = joined(r, "output_dense/kernel", 0, h, &m, err);
    rc = rc ? rc : keras_part(r, "output_dense/bias", &b, err);
    rc = rc ? rc : ev_transpose(&r->e, x, (const int[]){0, 2, 1, 3}, &side, err);
    rc = rc ? rc : ev_reshape(&r->e, &side, 3, dim, &rows, err);
    rc = rc ? rc : keras_product(r, &rows, m, b, &r->out, err);
    ev_free(&side);
    ev_free(&rows);
    return rc;
}

int keras_attention(keras_run *r, int how, hst_err *err)
{
    const json_t *n = json_object_get(r->config, "num_heads"),
                 *d = json_object_get(r->config, "key_dim");
    const heads h = {json_integer_value(n), json_integer_value(d)};
    ev_array of[3] = {{0}}, seen = {0};
    (void)how;
    int rc = project(r, "query", r->in[0], &h, 0, &of[0], err);
    rc = rc ? rc : project(r, "key", r->in[2], &h, 1, &of[1], err);
    rc = rc ? rc : project(r, "value", r->in[1], &h, 0, &of[2], err);
    rc = rc ? rc : attend(r, of, (float)(1 / sqrt((double)h.d)), &seen, err);
    rc = rc ? rc : gather(r, &seen, &h, err);
    for (int i = 0; i < 3; i++)
        ev_free(&of[i]);
    ev_free(&seen);
    return rc;
}

/* of[0] x of[1], their axes in those orders, and then in the third's. */
static int product_of(keras_run *r, const int order[3][4], hst_err *err)
{
    ev_array of[2] = {{0}}, made = {0};
    int rc = 0;
    for (int i = 0; rc == 0 && i < 2; i++)
        rc = r->in[i]->n_dims == 4 ? ev_transpose(&r->e, r->in[i], order[i], &of[i], err)
                                   : keras_odd(r, "is not of heads", err);
    rc = rc ? rc : ev_matmul(&r->e, &of[0], &of[1], &made, err);
    rc = rc ? rc : ev_transpose(&r->e, &made, order[2], &r->out, err);
    ev_free(&of[0]);
    ev_free(&of[1]);
    ev_free(&made);
    return rc;
}

int keras_einsum(keras_run *r, int how, hst_err *err)
{
    static const struct {
        const char *subscripts;
        int order[3][4];
    } known[] = {{"abhd,achd->ahbc", {{0, 2, 1, 3}, {0, 2, 3, 1}, {0, 1, 2, 3}}},  /* q k' */
                 {"ahbc,achd->abhd", {{0, 1, 2, 3}, {0, 2, 1, 3}, {0, 2, 1, 3}}}}; /* ... v */
    const char *subscripts = keras_text(r->config, "subscripts");
    (void)how;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].subscripts, subscripts) == 0)
            return product_of(r, known[i].order, err);
    return keras_odd(r, "is none of attention", err);
}
