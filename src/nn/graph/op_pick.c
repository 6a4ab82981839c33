/* op_pick.c - some pixels alone, in rows and columns a stride apart (graph.h): half of the
 * factorised reduction of NASNet, whose other half begins one pixel further down and to the right.
 */
#include "nn/infer/unit.h"

#include <stddef.h>
#include <string.h>

static const hst_attr pick_attrs[] = {
    {"stride", HST_ATTR_INT, offsetof(hst_pick, stride), NULL},
    {"first", HST_ATTR_INT, offsetof(hst_pick, first), NULL},
};

static const hst_pick *pick_of(const hst_node *n)
{
    return (const void *)n->attrs;
}

static int picked_type(hst_node *n, const hst_type *in, hst_err *err)
{
    const hst_pick *p = pick_of(n);
    const hst_shape x = hst_type_shape(in);
    if (p->stride < 1 || p->stride > HST_MAX_KERNEL || p->first < 0 || p->first >= p->stride)
        return hst_fail(err, HST_EMODEL, "one pixel in %d from pixel %d on is not supported",
                        p->stride, p->first);
    n->type = hst_image_type(
        (hst_shape){(x.h + p->stride - 1) / p->stride, (x.w + p->stride - 1) / p->stride, x.c});
    return 0;
}

static double no_flops(const hst_node *n, const hst_shape *in)
{
    (void)n;
    (void)in;
    return 0;
}

/* Where the pixel of output row oy, column ox lies in x, in floats; negative: outside. */
static ptrdiff_t place(const hst_pick *p, hst_shape in, int oy, int ox)
{
    const int y = oy * p->stride + p->first, x = ox * p->stride + p->first;
    return y < in.h && x < in.w ? ((ptrdiff_t)y * in.w + x) * in.c : -1;
}

/* x [h][w][c], y [out h][out w][c] */
static void infer(const hst_infer_unit *u, const hst_run_args *a)
{
    const hst_share rows = hst_share_of(a, u->out.h);
    const size_t bytes = (size_t)u->out.c * sizeof(float);
    float *y = a->y + (size_t)rows.first * hst_shape_row_floats(u->out);
    for (int oy = rows.first; oy < rows.end; oy++)
        for (int ox = 0; ox < u->out.w; ox++, y += u->out.c) {
            const ptrdiff_t at = place(pick_of(&u->node), u->in, oy, ox);
            if (at >= 0)
                memcpy(y, a->x[0] + at, bytes);
            else
                memset(y, 0, bytes);
        }
}

static void backward(const hst_op_args *a)
{
    const hst_shape out = hst_node_shape(a->node);
    const float *dy = a->dy;
    for (int oy = 0; oy < out.h; oy++)
        for (int ox = 0; ox < out.w; ox++, dy += out.c) {
            const ptrdiff_t at = place(pick_of(a->node), a->in[0], oy, ox);
            for (int c = 0; at >= 0 && c < out.c; c++)
                a->dx[0][at + c] += dy[c];
        }
}

const hst_op hst_op_pick = {.name = "pick",
                            .n_inputs = 1,
                            .attrs = pick_attrs,
                            .n_attrs = 2,
                            .attr_bytes = sizeof(hst_pick),
                            .infer_type = picked_type,
                            .flops = no_flops,
                            .infer = infer,
                            .backward = backward};
