/* op_max_pool.c - the largest value of a window, channel by channel; padding does not count, but
 * for HST_PAD_ZEROS and HST_PAD_SYMMETRIC_ZEROS. NaN is larger than all. */
#include "nn/infer/unit.h"

#include <string.h>

/* Comparisons are no multiply-adds. */
static double no_flops(const hst_node *n, const hst_shape *in)
{
    (void)n;
    (void)in;
    return 0;
}

static const float *pixel(const float *x, hst_shape in, int i, int j)
{
    return x + ((size_t)i * (size_t)in.w + (size_t)j) * (size_t)in.c;
}

static inline int is_larger(float a, float than)
{
    return a > than || a != a;
}

/* The first n numbers of windows side by side, of which w is the first. */
static void pool(const float *x, hst_shape in, const hst_window *w, size_t n, float *y)
{
    memcpy(y, pixel(x, in, w->top, w->left), n * sizeof *y);
    for (int i = w->top; i < w->bottom; i++)
        for (int j = w->left; j < w->right; j++) {
            const float *p = pixel(x, in, i, j);
            for (size_t q = 0; q < n; q++)
                y[q] = is_larger(p[q], y[q]) ? p[q] : y[q];
        }
    for (size_t q = 0; w->has_zeros && q < n; q++)
        y[q] = y[q] < 0 ? 0 : y[q];
}

/* Outputs from that with window w on whose windows are one row of numbers: where they lie side by
 * side, those that have all their columns. */
static int side_by_side(const hst_conv *c, hst_shape in, const hst_window *w)
{
    return c->stride == 1 && w->right - w->left == c->kernel ? in.w - w->right + 1 : 1;
}

static void infer(const hst_infer_unit *u, const hst_run_args *a)
{
    const hst_conv *c = hst_node_conv(&u->node);
    const hst_share rows = hst_share_of(a, u->out.h);
    float *y = a->y + (size_t)rows.first * hst_shape_row_floats(u->out);
    for (int oy = rows.first; oy < rows.end; oy++)
        for (int ox = 0, n; ox < u->out.w; ox += n) {
            const hst_window w = hst_window_at(c, u->in, oy, ox);
            n = side_by_side(c, u->in, &w);
            const size_t floats = (size_t)n * (size_t)u->out.c;
            pool(a->x[0], u->in, &w, floats, y);
            y += floats;
        }
}

/* Adds to the gradient of the largest value of channel q, the first of equals. */
static void give_back(const hst_op_args *a, const hst_window *w, size_t q, float dy)
{
    const hst_shape in = a->in[0];
    const float *best = pixel(a->x[0], in, w->top, w->left) + q;
    for (int i = w->top; i < w->bottom; i++)
        for (int j = w->left; j < w->right; j++) {
            const float *p = pixel(a->x[0], in, i, j) + q;
            best = *p > *best ? p : best;
        }
    if (!w->has_zeros || !(*best < 0))
        a->dx[0][best - a->x[0]] += dy;
}

static void backward(const hst_op_args *a)
{
    const hst_shape out = hst_node_shape(a->node);
    const float *dy = a->dy;
    for (int oy = 0; oy < out.h; oy++)
        for (int ox = 0; ox < out.w; ox++, dy += out.c) {
            const hst_window w = hst_window_at(hst_node_conv(a->node), a->in[0], oy, ox);
            for (size_t q = 0; q < (size_t)out.c; q++)
                give_back(a, &w, q, dy[q]);
        }
}

const hst_op hst_op_max_pool = {.name = "max_pool",
                                .n_inputs = 1,
                                .attrs = hst_conv_attrs,
                                .n_attrs = HST_POOL_ATTRS,
                                .attr_bytes = sizeof(hst_conv),
                                .infer_type = hst_pool_type,
                                .flops = no_flops,
                                .infer = infer,
                                .backward = backward,
                                .reads = HST_READS_INPUT};
