#include "nn/infer/grouped.h"

#include <string.h>

enum { BAND_FLOATS = 6144 }; /* beside the weights of a group, in a first-level cache */

/* ---- weights ---- */

static size_t columns_of(const hst_node *n)
{
    const hst_conv *c = hst_node_conv(n);
    return (size_t)hst_grouped_columns(c->channels / c->groups);
}

/* Rows of a group's kernel: window and input channels. */
static size_t rows_of(const hst_node *n)
{
    return hst_slot_count(&n->slot[0]) / (size_t)hst_node_conv(n)->channels;
}

size_t hst_groups_floats(const hst_node *n)
{
    return (size_t)hst_node_conv(n)->groups * (rows_of(n) + 1) * columns_of(n);
}

size_t hst_groups_bias_at(const hst_node *n)
{
    return (size_t)hst_node_conv(n)->groups * rows_of(n) * columns_of(n);
}

float *hst_groups_pack(const hst_node *n, const float *kernel, const double *scale, float *out)
{
    const hst_conv *conv = hst_node_conv(n);
    const size_t all = (size_t)conv->channels, own = all / (size_t)conv->groups;
    const size_t rows = rows_of(n), columns = columns_of(n);
    memset(out, 0, hst_groups_floats(n) * sizeof *out);
    for (size_t c0 = 0; c0 < all; c0 += own)
        for (size_t r = 0; r < rows; r++, out += columns)
            for (size_t c = 0; c < own; c++)
                out[c] = (float)(kernel[r * all + c0 + c] * (scale ? scale[c0 + c] : 1));
    return out;
}

size_t hst_groups_place(const hst_node *n, int c)
{
    const int own = hst_node_conv(n)->channels / hst_node_conv(n)->groups;
    return (size_t)(c / own) * columns_of(n) + (size_t)(c % own);
}

/* ---- bands ---- */

/* n channels, eight at a time: fewer are few. */
static void copy_channels(const float *x, size_t n, float *out)
{
    enum { AT_ONCE = 8 };
    size_t c = 0;
    for (; c + AT_ONCE <= n; c += AT_ONCE)
        memcpy(out + c, x + c, AT_ONCE * sizeof *out);
    for (; c < n; c++)
        out[c] = x[c];
}

/* The place in the picture of row or column i of the copy; -1: zeros. */
static int place_of(int i, int from, int apart, int end)
{
    const int at = from + i;
    return at < 0 || at % apart != 0 || at / apart >= end ? -1 : at / apart;
}

void hst_band_copy(const hst_band *b, float *out)
{
    const size_t n = (size_t)b->n, step = (size_t)b->shape.c;
    for (int i = 0; i < b->rows; i++, out += (size_t)b->wide * n) {
        const int y = place_of(i, b->top, b->apart, b->shape.h);
        const float *row =
            b->x + (size_t)(y < 0 ? 0 : y) * hst_shape_row_floats(b->shape) + b->first;
        for (int j = 0; j < b->wide; j++) {
            const int x = y < 0 ? -1 : place_of(j, b->left, b->apart, b->shape.w);
            if (x < 0)
                memset(out + (size_t)j * n, 0, n * sizeof *out);
            else
                copy_channels(row + (size_t)x * step, n, out + (size_t)j * n);
        }
    }
}

int hst_groups_band(const hst_conv *c, int in, int rows, int wide)
{
    const int room = BAND_FLOATS / (wide * in);
    const int band = room <= c->kernel ? 1 : (room - c->kernel) / c->stride + 1;
    return band < rows ? band : rows;
}

/* ---- inference ---- */

/* The copy's width, and its rows for so many of outputs. */
static int window_span(const hst_conv *c, int outputs)
{
    return (outputs - 1) * c->stride + c->kernel;
}

static int band_of(const hst_conv *c, int in, hst_shape out)
{
    return hst_groups_band(c, in, out.h, window_span(c, out.w));
}

size_t hst_groups_scratch(const hst_node *n, const hst_shape *in, const hst_kernels *k)
{
    const hst_conv *c = hst_node_conv(n);
    const hst_shape out = hst_node_shape(n);
    const int own = in->c / c->groups, rows = window_span(c, band_of(c, own, out));
    (void)k;
    return (size_t)rows * (size_t)window_span(c, out.w) * (size_t)own;
}

/* Output rows from .. end of group g, whose input rows are in a->scratch. */
static void run_band(const hst_infer_unit *u, const hst_run_args *a, int g, int from, int end)
{
    const hst_conv *c = hst_node_conv(&u->node);
    const int in = u->in.c / c->groups, out = u->out.c / c->groups;
    const size_t columns = (size_t)hst_grouped_columns(out), at = (size_t)g * (size_t)out;
    hst_grouped k = {.x = a->scratch,
                     .x_row = (size_t)(window_span(c, u->out.w) * in),
                     .w = u->weights + (size_t)(g * c->kernel * c->kernel * in) * columns,
                     .bias = u->bias + (size_t)g * columns,
                     .y_step = (size_t)u->out.c,
                     .outputs = u->out.w,
                     .in = in,
                     .out = out,
                     .kernel = c->kernel,
                     .stride = c->stride,
                     .clamp = hst_act_clamp(u->act)};
    for (int y = from; y < end; y++, k.x += (size_t)c->stride * k.x_row) {
        k.y = a->y + (size_t)y * hst_shape_row_floats(u->out) + at;
        a->kernels->grouped(&k);
        if (hst_act_late(u->act) != HST_ACT_NONE)
            a->kernels->activate_rows(&(hst_act_rows){.act = u->act,
                                                      .x = k.y,
                                                      .y = k.y,
                                                      .ldx = k.y_step,
                                                      .ldy = k.y_step,
                                                      .rows = (size_t)u->out.w,
                                                      .n = out});
    }
}

/* Threads share out the bands of all groups. */
void hst_infer_grouped(const hst_infer_unit *u, const hst_run_args *a)
{
    const hst_conv *c = hst_node_conv(&u->node);
    const hst_span h = hst_conv_span(c, u->in.h), w = hst_conv_span(c, u->in.w);
    const int in = u->in.c / c->groups, band = band_of(c, in, u->out);
    const int bands = (u->out.h + band - 1) / band;
    const hst_share items = hst_share_of(a, c->groups * bands);
    for (int i = items.first; i < items.end; i++) {
        const int g = i / bands, from = i % bands * band;
        const int end = from + band < u->out.h ? from + band : u->out.h;
        hst_band_copy(&(hst_band){.x = a->x[0],
                                  .shape = u->in,
                                  .first = g * in,
                                  .n = in,
                                  .top = from * c->stride - h.before,
                                  .left = -w.before,
                                  .rows = window_span(c, end - from),
                                  .wide = window_span(c, u->out.w),
                                  .apart = 1},
                      a->scratch);
        run_band(u, a, g, from, end);
    }
}
