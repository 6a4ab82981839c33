/* low.c - convolutions as products of lower precision.
 *
 * A block of output pixels at a time: their windows are laid out as rows and rounded, then all
 * panels of weights pass over them. Where rounded numbers may be copied (8 bits), the picture is
 * rounded first, and windows are laid out of that. Threads share out the pixels; where these are
 * few, one block holds them all and the threads share out the panels. */
#include "nn/infer/low.h"

#include <string.h>

enum { LINE = HST_ALIGN, TILE_ROWS = 14 };

size_t hst_low_ld(const hst_products *p, int k)
{
    const size_t lines = (p->row_bytes(k) + LINE - 1) / LINE;
    return (lines | 1) * LINE;
}

static int depth(const hst_infer_unit *u)
{
    const hst_conv *c = hst_node_conv(&u->node);
    return hst_conv_taps(c) * u->in.c;
}

/* Windows of several pixels. */
static int has_windows(const hst_infer_unit *u)
{
    return hst_conv_taps(hst_node_conv(&u->node)) > 1;
}

/* Windows of a picture that is rounded first. */
static int has_picture(const hst_infer_unit *u)
{
    return has_windows(u) && u->products->number_bytes > 0;
}

static size_t pixels_of(const hst_infer_unit *u)
{
    return hst_shape_pixels(hst_node_shape(&u->node));
}

size_t hst_low_block(const hst_infer_unit *u, size_t cache_bytes)
{
    const size_t n = (size_t)hst_node_conv(&u->node)->channels;
    const size_t a_row = hst_low_ld(u->products, depth(u)) + n * sizeof(float);
    const size_t most = cache_bytes / 2 / a_row / TILE_ROWS * TILE_ROWS;
    return most < 2 * TILE_ROWS ? 2 * TILE_ROWS : most;
}

/* Of the pixels of several images, which are one row of pixels. */
static size_t block_for(const hst_infer_unit *u, int images)
{
    const size_t pixels = pixels_of(u) * (size_t)images;
    return u->block < pixels ? u->block : pixels;
}

/* Too few pixels for every thread to have some tiles of its own. */
static int by_panels(const hst_infer_unit *u, int threads)
{
    return threads > 1 && pixels_of(u) < (size_t)(4 * TILE_ROWS * threads);
}

/* Floats for the windows of one row of outputs. */
static size_t window_floats(const hst_infer_unit *u)
{
    return !has_windows(u) || has_picture(u)
               ? 0
               : (size_t)hst_node_shape(&u->node).w * (size_t)depth(u);
}

/* Bytes between rows of the rounded picture. */
static size_t picture_row(const hst_infer_unit *u)
{
    return u->products->row_bytes(u->in.w * u->in.c);
}

/* Floats that it fills. */
static size_t picture_floats(const hst_infer_unit *u)
{
    const size_t bytes = (size_t)u->in.h * picture_row(u);
    return has_picture(u) ? hst_whole_lines(bytes / sizeof(float)) : 0;
}

/* Floats that the rounded rows of so many pixels fill. */
static size_t row_floats(const hst_infer_unit *u, size_t pixels)
{
    return pixels * hst_low_ld(u->products, depth(u)) / sizeof(float);
}

hst_step_memory hst_low_memory(const hst_infer_unit *u, int threads, int images)
{
    const size_t windows = hst_whole_lines(window_floats(u)), picture = picture_floats(u);
    if (by_panels(u, threads))
        return (hst_step_memory){.own = windows, .shared = picture + row_floats(u, pixels_of(u))};
    return (hst_step_memory){.own = windows + row_floats(u, block_for(u, images)),
                             .shared = picture * (size_t)images};
}

hst_step_memory hst_low_pooled_memory(const hst_infer_unit *u, int images)
{
    const size_t pixels = pixels_of(u) * (size_t)images;
    return (hst_step_memory){.own = pixels * (size_t)u->products->panel,
                             .shared = row_floats(u, pixels)};
}

/* Rounds `n` rows of k numbers, ldx floats apart. */
static void convert(const hst_infer_unit *u, const float *x, size_t ldx, size_t n, int k, char *out,
                    size_t ld)
{
    u->products->convert(&(hst_low_rows){x, ldx, n, k, out, ld, u->quanta});
}

/* This thread's rows of the rounded pictures, which the threads share. */
static void fill_pictures(const hst_infer_unit *u, const hst_run_args *a)
{
    const hst_share s = hst_share_of(a, u->in.h);
    const size_t row = hst_shape_row_floats(u->in), first = (size_t)s.first;
    if (!has_picture(u))
        return;
    for (size_t i = 0; i < (size_t)a->images; i++) {
        char *picture = (char *)(a->shared + i * picture_floats(u));
        convert(u, a->x[0] + i * hst_shape_floats(u->in) + first * row, row,
                (size_t)(s.end - s.first), (int)row, picture + first * picture_row(u),
                picture_row(u));
    }
    hst_barrier_wait(a->barrier);
}

/* The part of a window that is one row of the picture: `bytes` a pixel. none: 0, rounded. */
static void window_row(const hst_infer_unit *u, const char *row, int x, size_t bytes, int none,
                       char *out)
{
    const int kernel = hst_conv_wide(hst_node_conv(&u->node));
    const int before = x < 0 ? -x : 0, beyond = x + kernel > u->in.w ? x + kernel - u->in.w : 0;
    const int there = kernel - before - beyond;
    if (before)
        memset(out, none, (size_t)before * bytes);
    if (there > 0)
        memcpy(out + (size_t)before * bytes, row + (size_t)(x + before) * bytes,
               (size_t)there * bytes);
    if (beyond)
        memset(out + (size_t)(kernel - beyond) * bytes, none, (size_t)beyond * bytes);
}

/* The windows of output pixels first .. end of row y, out of a rounded picture. */
static void copy_windows(const hst_infer_unit *u, const char *picture, int y, int first, int end,
                         char *out)
{
    const hst_conv *c = hst_node_conv(&u->node);
    const size_t ld = hst_low_ld(u->products, depth(u)), pitch = picture_row(u);
    const size_t bytes = (size_t)(u->in.c * u->products->number_bytes);
    const size_t part = (size_t)hst_conv_wide(c) * bytes, filled = u->products->row_bytes(depth(u));
    const int top = y * c->stride - hst_conv_span(c, u->in.h).before;
    const int left = hst_conv_span_across(c, u->in.w).before;
    const float zero = 0;
    char none[LINE];
    convert(u, &zero, 1, 1, 1, none, sizeof none);
    for (int x = first; x < end; x++, out += ld) {
        char *at = out;
        for (int ky = 0; ky < c->kernel; ky++, at += part) {
            const char *row = picture + (size_t)(top + ky) * pitch;
            if (top + ky < 0 || top + ky >= u->in.h)
                memset(at, none[0], part);
            else
                window_row(u, row, x * c->stride - left, bytes, none[0], at);
        }
        memset(at, 0, filled - (size_t)(at - out));
    }
}

/* Rounded rows of the output pixels first .. end into out. */
static void fill(const hst_infer_unit *u, const hst_run_args *a, size_t first, size_t end,
                 char *out)
{
    const hst_geometry g = {*hst_node_conv(&u->node), u->in, hst_node_shape(&u->node)};
    const int k = depth(u), stride = g.conv.stride;
    const size_t ldx = (size_t)k, ld = hst_low_ld(u->products, k);
    const size_t w = (size_t)g.out.w, h = (size_t)g.out.h;
    if (!has_windows(u) && stride == 1) {
        convert(u, a->x[0] + first * ldx, ldx, end - first, k, out, ld);
        return;
    }
    for (size_t at = first, next; at < end; at = next) {
        const size_t line = at / w, n = ((line + 1) * w < end ? (line + 1) * w : end) - at;
        const size_t image = line / h, y = line % h;
        const float *x = a->x[0] + image * hst_shape_floats(u->in);
        next = at + n;
        if (!has_windows(u)) {
            const float *row = x + y * (size_t)stride * hst_shape_row_floats(u->in);
            const size_t step = (size_t)stride * ldx;
            convert(u, row + at % w * step, step, n, k, out, ld);
        } else if (has_picture(u)) {
            const char *picture = (const char *)(a->shared + image * picture_floats(u));
            copy_windows(u, picture, (int)y, (int)(at % w), (int)(at % w + n), out);
        } else {
            hst_im2col(&g, x, (int)y, a->scratch);
            convert(u, a->scratch + at % w * ldx, ldx, n, k, out, ld);
        }
        out += n * ld;
    }
}

/* The product over the pixels first .. end, whose rows are at x. */
static hst_low_gemm product_of(const hst_infer_unit *u, const hst_run_args *a, size_t first,
                               size_t end, const char *x)
{
    const size_t n = (size_t)u->out.c;
    return (hst_low_gemm){.x = x,
                          .ldx = hst_low_ld(u->products, depth(u)),
                          .w = u->weights,
                          .bias = u->bias,
                          .y = a->y + first * n,
                          .ldy = n,
                          .residual = a->x[1] ? a->x[1] + first * n : NULL,
                          .rows = end - first,
                          .k = depth(u),
                          .n = (int)n,
                          .clamp = hst_act_clamp(u->act)};
}

static void activate(const hst_infer_unit *u, const hst_run_args *a, const hst_low_gemm *p)
{
    if (hst_act_late(u->act) == HST_ACT_NONE)
        return;
    if (p->ldy == (size_t)p->n)
        hst_infer_activate(u, a, p->y, p->rows * p->ldy);
    else
        for (size_t r = 0; r < p->rows; r++)
            hst_infer_activate(u, a, p->y + r * p->ldy, (size_t)p->n);
}

/* The columns of this thread's share of panels. */
static hst_share columns_of(const hst_infer_unit *u, const hst_run_args *a)
{
    const int panel = u->products->panel, n = hst_node_conv(&u->node)->channels;
    const hst_share s = hst_share_of(a, (n + panel - 1) / panel);
    return (hst_share){s.first * panel, s.end * panel < n ? s.end * panel : n};
}

/* All rows into memory that the threads share, each some of them. */
static char *fill_shared(const hst_infer_unit *u, const hst_run_args *a)
{
    const hst_share s = hst_share_of(a, (int)pixels_of(u) * a->images);
    char *rows = (char *)(a->shared + picture_floats(u) * (size_t)a->images);
    fill(u, a, (size_t)s.first, (size_t)s.end,
         rows + (size_t)s.first * hst_low_ld(u->products, depth(u)));
    hst_barrier_wait(a->barrier);
    return rows;
}

static void panels_part(const hst_infer_unit *u, const hst_run_args *a)
{
    const char *rows = fill_shared(u, a);
    const hst_share c = columns_of(u, a);
    const hst_low_gemm whole = product_of(u, a, 0, pixels_of(u), rows);
    if (c.end <= c.first)
        return;
    const hst_low_gemm p = hst_low_gemm_columns(u->products, &whole, c.first, c.end - c.first);
    u->products->multiply(&p);
    activate(u, a, &p);
}

void hst_low_product(const hst_products *products, const hst_run_args *a, const hst_low_gemm *p)
{
    const int panel = products->panel, panels = (p->n + panel - 1) / panel;
    const int rows = (int)p->rows;
    const int by_rows = rows >= 4 * TILE_ROWS * a->threads || panels < a->threads;
    const hst_share s = hst_share_of(a, by_rows ? rows : panels);
    if (s.end <= s.first)
        return;
    const int c = s.first * panel, end = s.end * panel < p->n ? s.end * panel : p->n;
    const hst_low_gemm part = by_rows
                                  ? hst_low_gemm_rows(p, (size_t)s.first, (size_t)(s.end - s.first))
                                  : hst_low_gemm_columns(products, p, c, end - c);
    products->multiply(&part);
}

void hst_low_conv2d(const hst_infer_unit *u, const hst_run_args *a)
{
    fill_pictures(u, a);
    if (by_panels(u, a->threads)) {
        panels_part(u, a);
        return;
    }
    char *rows = (char *)(a->scratch + hst_whole_lines(window_floats(u)));
    const hst_share s = hst_share_of(a, (int)pixels_of(u) * a->images);
    const size_t block = block_for(u, a->images);
    for (size_t at = (size_t)s.first, end; at < (size_t)s.end; at = end) {
        end = at + block < (size_t)s.end ? at + block : (size_t)s.end;
        fill(u, a, at, end, rows);
        const hst_low_gemm p = product_of(u, a, at, end, rows);
        u->products->multiply(&p);
        activate(u, a, &p);
    }
}

void hst_low_pooled(const hst_infer_unit *u, const hst_run_args *a)
{
    const int panel = u->products->panel;
    const char *rows = fill_shared(u, a);
    const hst_share mine = columns_of(u, a);
    const size_t pixels = pixels_of(u), images = (size_t)a->images;
    const hst_low_gemm all = product_of(u, a, 0, pixels * images, rows);
    for (int c = mine.first; c < mine.end; c += panel) {
        const int n = mine.end - c < panel ? mine.end - c : panel;
        hst_low_gemm p = hst_low_gemm_columns(u->products, &all, c, n);
        p.y = a->scratch;
        p.ldy = (size_t)n;
        u->products->multiply(&p);
        hst_infer_activate(u, a, p.y, p.rows * p.ldy);
        for (size_t i = 0; i < images; i++)
            a->kernels->average(p.y + i * pixels * p.ldy, pixels, n,
                                a->y + i * (size_t)u->out.c + c);
    }
}
