/* low.c - convolutions as products of lower precision.
 *
 * A block of output pixels at a time: their windows are laid out as rows and rounded, then all
 * panels of weights pass over them. Threads share out the pixels; where these are few, one block
 * holds them all and the threads share out the panels. */
#include "nn/infer/low.h"

enum { LINE = HST_ALIGN, TILE_ROWS = 14 };

size_t hst_low_ld(const hst_products *p, int k)
{
    const size_t lines = (p->row_bytes(k) + LINE - 1) / LINE;
    return (lines | 1) * LINE;
}

static int depth(const hst_infer_unit *u)
{
    const hst_conv *c = hst_node_conv(&u->node);
    return c->kernel * c->kernel * u->in.c;
}

static int is_pointwise(const hst_infer_unit *u)
{
    const hst_conv *c = hst_node_conv(&u->node);
    return c->kernel == 1 && c->stride == 1;
}

static size_t pixels_of(const hst_infer_unit *u)
{
    return hst_shape_pixels(hst_node_shape(&u->node));
}

size_t hst_low_block(const hst_infer_unit *u, size_t cache_bytes)
{
    const size_t n = (size_t)hst_node_conv(&u->node)->channels, pixels = pixels_of(u);
    const size_t a_row = hst_low_ld(u->products, depth(u)) + n * sizeof(float);
    const size_t most = cache_bytes / 2 / a_row / TILE_ROWS * TILE_ROWS;
    const size_t rows = most < 2 * TILE_ROWS ? 2 * TILE_ROWS : most;
    return rows < pixels ? rows : pixels;
}

/* Too few pixels for every thread to have some tiles of its own. */
static int by_panels(const hst_infer_unit *u, int threads)
{
    return threads > 1 && pixels_of(u) < (size_t)(4 * TILE_ROWS * threads);
}

/* Floats for the windows of one row of outputs. */
static size_t window_floats(const hst_infer_unit *u)
{
    return is_pointwise(u) ? 0 : (size_t)hst_node_shape(&u->node).w * (size_t)depth(u);
}

/* Floats that the rounded rows of so many pixels fill. */
static size_t row_floats(const hst_infer_unit *u, size_t pixels)
{
    return pixels * hst_low_ld(u->products, depth(u)) / sizeof(float);
}

hst_step_memory hst_low_memory(const hst_infer_unit *u, int threads)
{
    const size_t windows = hst_whole_lines(window_floats(u));
    if (by_panels(u, threads))
        return (hst_step_memory){.own = windows, .shared = row_floats(u, pixels_of(u))};
    return (hst_step_memory){.own = windows + row_floats(u, u->block)};
}

hst_step_memory hst_low_pooled_memory(const hst_infer_unit *u)
{
    return (hst_step_memory){.own = pixels_of(u) * (size_t)u->products->panel,
                             .shared = row_floats(u, pixels_of(u))};
}

/* Rounded rows of the output pixels first .. end into out. */
static void fill(const hst_infer_unit *u, const hst_run_args *a, size_t first, size_t end,
                 char *out)
{
    const hst_geometry g = {*hst_node_conv(&u->node), u->in, hst_node_shape(&u->node)};
    const int k = depth(u);
    const size_t ldx = (size_t)k, ld = hst_low_ld(u->products, k), w = (size_t)g.out.w;
    if (is_pointwise(u)) {
        u->products->convert(a->x[0] + first * ldx, ldx, end - first, k, out, ld);
        return;
    }
    for (size_t at = first, next; at < end; at = next) {
        const size_t y = at / w;
        next = (y + 1) * w < end ? (y + 1) * w : end;
        hst_im2col(&g, a->x[0], (int)y, a->scratch);
        u->products->convert(a->scratch + at % w * ldx, ldx, next - at, k, out, ld);
        out += (next - at) * ld;
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
    const hst_share s = hst_share_of(a, (int)pixels_of(u));
    char *rows = (char *)a->shared;
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
    if (by_panels(u, a->threads)) {
        panels_part(u, a);
        return;
    }
    char *rows = (char *)(a->scratch + hst_whole_lines(window_floats(u)));
    const hst_share s = hst_share_of(a, (int)pixels_of(u));
    for (size_t at = (size_t)s.first, end; at < (size_t)s.end; at = end) {
        end = at + u->block < (size_t)s.end ? at + u->block : (size_t)s.end;
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
    const hst_low_gemm all = product_of(u, a, 0, pixels_of(u), rows);
    for (int c = mine.first; c < mine.end; c += panel) {
        const int n = mine.end - c < panel ? mine.end - c : panel;
        hst_low_gemm p = hst_low_gemm_columns(u->products, &all, c, n);
        p.y = a->scratch;
        p.ldy = (size_t)n;
        u->products->multiply(&p);
        hst_infer_activate(u, a, p.y, p.rows * p.ldy);
        a->kernels->average(p.y, p.rows, n, a->y + c);
    }
}
