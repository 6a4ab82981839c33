/* op_average_pool.c - the mean of a window, channel by channel. Padding does not count, but for
 * HST_PAD_ZEROS and HST_PAD_SYMMETRIC_ZEROS, where it counts as zeros.
 *
 * Rows are added up first, over the whole width, then columns, so that windows side by side share
 * the sums of their columns; always in this order. */
#include "nn/infer/unit.h"

/* Taps that fall on padding are counted, as those of convolutions are. */
static double window_flops(const hst_node *n, const hst_shape *in)
{
    (void)in;
    return (double)hst_shape_floats(hst_node_shape(n)) * hst_conv_taps(hst_node_conv(n));
}

static size_t sums_floats(const hst_node *n, const hst_shape *in, const hst_kernels *k)
{
    (void)n;
    (void)k;
    return hst_shape_row_floats(*in);
}

/* What the sum over a window is multiplied by. */
static float share_of(const hst_conv *c, const hst_window *w)
{
    const int inside = (w->bottom - w->top) * (w->right - w->left);
    return 1.0f / (float)(w->has_zeros ? hst_conv_taps(c) : inside);
}

/* sums[w c] of the rows from .. to of x [h][w c]. */
static void add_rows(const float *x, size_t row, int from, int to, float *sums)
{
    const float *first = x + (size_t)from * row;
    for (size_t i = 0; i < row; i++)
        sums[i] = first[i];
    for (int y = from + 1; y < to; y++)
        for (size_t i = 0; i < row; i++)
            sums[i] += x[(size_t)y * row + i];
}

/* y[c] of the window whose rows are in sums[w][c] */
static void add_columns(const hst_window *w, float share, const float *sums, size_t c, float *y)
{
    const float *at = sums + (size_t)w->left * c;
    for (size_t k = 0; k < c; k++)
        y[k] = at[k];
    for (int x = w->left + 1; x < w->right; x++) {
        at += c;
        for (size_t k = 0; k < c; k++)
            y[k] += at[k];
    }
    for (size_t k = 0; k < c; k++)
        y[k] *= share;
}

/* x [h][w][c], y [out h][out w][c] */
static void infer(const hst_infer_unit *u, const hst_run_args *a)
{
    const hst_conv *c = hst_node_conv(&u->node);
    const hst_share rows = hst_share_of(a, u->out.h);
    float *y = a->y + (size_t)rows.first * hst_shape_row_floats(u->out);
    for (int oy = rows.first; oy < rows.end; oy++) {
        const hst_window row = hst_window_at(c, u->in, oy, 0);
        add_rows(a->x[0], hst_shape_row_floats(u->in), row.top, row.bottom, a->scratch);
        for (int ox = 0; ox < u->out.w; ox++, y += u->out.c) {
            const hst_window w = hst_window_at(c, u->in, oy, ox);
            add_columns(&w, share_of(c, &w), a->scratch, (size_t)u->out.c, y);
        }
    }
}

/* dx of every pixel of the window += dy share */
static void give_back(const hst_op_args *a, const hst_window *w, const float *dy)
{
    const hst_shape in = a->in[0];
    const float share = share_of(hst_node_conv(a->node), w);
    for (int y = w->top; y < w->bottom; y++)
        for (int x = w->left; x < w->right; x++) {
            float *dx = a->dx[0] + ((size_t)y * (size_t)in.w + (size_t)x) * (size_t)in.c;
            for (int c = 0; c < in.c; c++)
                dx[c] += dy[c] * share;
        }
}

static void backward(const hst_op_args *a)
{
    const hst_shape out = hst_node_shape(a->node);
    const float *dy = a->dy;
    for (int oy = 0; oy < out.h; oy++)
        for (int ox = 0; ox < out.w; ox++, dy += out.c) {
            const hst_window w = hst_window_at(hst_node_conv(a->node), a->in[0], oy, ox);
            give_back(a, &w, dy);
        }
}

const hst_op hst_op_average_pool = {.name = "average_pool",
                                    .n_inputs = 1,
                                    .attrs = hst_conv_attrs,
                                    .n_attrs = HST_POOL_ATTRS,
                                    .attr_bytes = sizeof(hst_conv),
                                    .infer_type = hst_pool_type,
                                    .flops = window_flops,
                                    .scratch = sums_floats,
                                    .infer = infer,
                                    .backward = backward};
