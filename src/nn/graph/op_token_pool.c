/* op_token_pool.c - tokens to a vector: the first one, the mean of those behind the learned ones,
 * or both, one behind the other. */
#include "nn/infer/unit.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

static const char *const words[] = {
    [HST_POOL_CLS] = "cls", [HST_POOL_MEAN] = "mean", [HST_POOL_CLS_MEAN] = "cls+mean"};
static const hst_attr attrs[] = {
    {"pool", HST_ATTR_WORD, offsetof(hst_token_pool, pool), words},
    {"prefix", HST_ATTR_INT, offsetof(hst_token_pool, prefix), NULL},
};

static const hst_token_pool *pool_of(const hst_node *n)
{
    return (const void *)n->attrs;
}

static int takes_first(const hst_node *n)
{
    return pool_of(n)->pool != HST_POOL_MEAN;
}

static int takes_mean(const hst_node *n)
{
    return pool_of(n)->pool != HST_POOL_CLS;
}

static int pooled_type(hst_node *n, const hst_type *in, hst_err *err)
{
    const hst_token_pool *p = pool_of(n);
    const hst_shape x = hst_type_shape(in);
    if ((int)p->pool < 0 || (size_t)p->pool >= sizeof words / sizeof *words)
        return hst_fail(err, HST_EMODEL, "there is no pooling number %d", (int)p->pool);
    if (x.h != 1 || p->prefix < 0 || p->prefix >= x.w)
        return hst_fail(err, HST_EMODEL, "cannot pool %d x %d tokens, %d of them in front", x.h,
                        x.w, p->prefix);
    n->type = hst_vector_type(x.c * (takes_first(n) + takes_mean(n)));
    return 0;
}

static int pooled_needs(const hst_node *n, int pixels)
{
    return takes_mean(n) ? INT_MAX : pixels;
}

static int pooled_from(const hst_node *n)
{
    return takes_first(n) ? -1 : pool_of(n)->prefix;
}

static double one_flop(const hst_node *n, const hst_shape *in)
{
    return takes_mean(n) ? (double)hst_shape_floats(*in) : 0;
}

/* x [tokens][c], y [c] or [2][c] */
static void infer(const hst_infer_unit *u, const hst_run_args *a)
{
    const size_t c = (size_t)u->in.c, prefix = (size_t)pool_of(&u->node)->prefix;
    float *y = a->y;
    if (a->thread != 0)
        return;
    if (takes_first(&u->node)) {
        memcpy(y, a->x[0], c * sizeof *y);
        y += c;
    }
    if (takes_mean(&u->node))
        a->kernels->average(a->x[0] + prefix * c, (size_t)u->in.w - prefix, (int)c, y);
}

static void backward(const hst_op_args *a)
{
    const size_t c = (size_t)a->in[0].c, n = (size_t)a->in[0].w;
    const size_t prefix = (size_t)pool_of(a->node)->prefix;
    const float share = 1.0f / (float)(n - prefix), *dy = a->dy;
    if (takes_first(a->node)) {
        for (size_t k = 0; k < c; k++)
            a->dx[0][k] += dy[k];
        dy += c;
    }
    for (size_t i = prefix; takes_mean(a->node) && i < n; i++)
        for (size_t k = 0; k < c; k++)
            a->dx[0][i * c + k] += dy[k] * share;
}

const hst_op hst_op_token_pool = {.name = "token_pool",
                                  .n_inputs = 1,
                                  .attrs = attrs,
                                  .n_attrs = 2,
                                  .attr_bytes = sizeof(hst_token_pool),
                                  .infer_type = pooled_type,
                                  .flops = one_flop,
                                  .needs = pooled_needs,
                                  .mean_from = pooled_from,
                                  .infer = infer,
                                  .backward = backward};
