/* op_tokens.c - pixels as tokens: learned tokens stand in front, a position's own numbers are added
 * to each pixel (Dosovitskiy et al. 2021, arXiv 2010.11929; registers: Darcet et al. 2024, arXiv
 * 2309.16588). */
#include "nn/infer/unit.h"

#include <stddef.h>
#include <string.h>

static const hst_attr attrs[] = {
    {"prefix", HST_ATTR_INT, offsetof(hst_tokens, prefix), NULL},
    {"positions", HST_ATTR_INT, offsetof(hst_tokens, positions), NULL},
};

static const hst_tokens *tokens_of(const hst_node *n)
{
    return (const void *)n->attrs;
}

/* Slots: those of the two that there are, in this order. */
static int prefix_slot(const hst_node *n)
{
    return tokens_of(n)->prefix > 0 ? 0 : HST_MAX_SLOTS - 1; /* the last one is never taken */
}

static int positions_slot(const hst_node *n)
{
    return !tokens_of(n)->positions ? HST_MAX_SLOTS - 1 : tokens_of(n)->prefix > 0 ? 1 : 0;
}

static int tokens_type(hst_node *n, const hst_type *in, hst_err *err)
{
    enum { MOST = 1024 };
    const hst_tokens *t = tokens_of(n);
    const hst_shape x = hst_type_shape(in);
    const int pixels = x.h * x.w; /* below 2^28 */
    if (t->prefix < 0 || t->prefix > MOST)
        return hst_fail(err, HST_EMODEL, "%s: %d tokens in front are not supported", n->name,
                        t->prefix);
    if (t->prefix > 0)
        n->slot[n->n_slots++] = (hst_slot){"prefix", 0, {t->prefix, x.c}, 2};
    if (t->positions)
        n->slot[n->n_slots++] = (hst_slot){"positions", 0, {pixels, x.c}, 2};
    n->type = hst_image_type((hst_shape){1, t->prefix + pixels, x.c});
    return 0;
}

static double one_flop(const hst_node *n, const hst_shape *in)
{
    (void)n;
    return (double)hst_shape_floats(*in);
}

/* x [h][w][c], prefix [prefix][c], positions [h w][c], y [prefix + h w][c] */
static void infer(const hst_infer_unit *u, const hst_run_args *a)
{
    const size_t c = (size_t)u->out.c, front = (size_t)tokens_of(&u->node)->prefix * c;
    const float *prefix = u->param[prefix_slot(&u->node)];
    const float *positions = u->param[positions_slot(&u->node)];
    const hst_share rows = hst_share_of(a, u->out.w);
    for (size_t i = (size_t)rows.first * c; i < (size_t)rows.end * c; i++) {
        const float at = positions && i >= front ? positions[i - front] : 0;
        a->y[i] = i < front ? prefix[i] : a->x[0][i - front] + at;
    }
}

static void add(const float *from, float *to, size_t n)
{
    for (size_t i = 0; to && i < n; i++)
        to[i] += from[i];
}

static void backward(const hst_op_args *a)
{
    const size_t front = (size_t)(tokens_of(a->node)->prefix * a->in[0].c);
    const size_t n = hst_shape_floats(a->in[0]);
    add(a->dy, a->dparam[prefix_slot(a->node)], front);
    add(a->dy + front, a->dparam[positions_slot(a->node)], n);
    add(a->dy + front, a->dx[0], n);
}

const hst_op hst_op_tokens = {.name = "tokens",
                              .n_inputs = 1,
                              .attrs = attrs,
                              .n_attrs = 2,
                              .attr_bytes = sizeof(hst_tokens),
                              .infer_type = tokens_type,
                              .flops = one_flop,
                              .infer = infer,
                              .backward = backward};
