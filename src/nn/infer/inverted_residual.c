/* inverted_residual.c - inverted residuals (Sandler et al. 2018) without their expansion in memory.
 *
 * A 56 x 56 block expands to 144 channels: 1.8 MB written and read twice, beside a second-level
 * cache of 0.5 to 2 MB. Here a band of output rows is made at a time; between the three
 * convolutions there are only
 *
 *   ring   [groups][ring rows][w][group]    expanded rows that the depthwise kernel still reads;
 *                                           input row r lies at r mod ring rows
 *   dw     [band rows * out w][hidden]      its outputs, rows of the projection's matrix
 *
 *            input rows                     ring (kernel 3, stride 1, band 3)      output rows
 *      band 0   0 1 2 3        expanded ->  0 1 2 3 .                       ->     0 1 2
 *      band 1         4 5 6    expanded ->  5 6 2 3 4   (2, 3 carried over) ->     3 4 5
 *
 * Within a band, `group` hidden channels at a time go through expansion and depthwise, so that they
 * meet in the first-level cache. When one band is the whole image nothing is carried over, and all
 * groups use the memory of the first. Padding is not stored: the depthwise kernel leaves out taps
 * outside the image, as it does by itself.
 *
 * Where products are of lower precision, `dw` holds rounded rows. */
#include "nn/infer/hidden.h"

#include "base/mem.h"

#include <stdlib.h>

/* How much of the block is made at a time. */
typedef struct tiling {
    int band;                      /* output rows */
    int ring_rows;                 /* input rows of the depthwise convolution that they need */
    size_t group_floats;           /* between two groups' rings; 0: they share one */
    size_t ring_floats, dw_floats; /* of the buffers */
    size_t low_floats;             /* of rounded input rows */
} tiling;

typedef struct block {
    hst_hidden hidden;
    hst_infer_unit project;
    int group; /* hidden channels at a time */
    tiling bands;
} block;

/* One run of a step by one thread. */
typedef struct fused_run {
    const block *f;
    const hst_run_args *a;
    tiling t;
    hst_hidden_run hidden;
} fused_run;

/* ---- running ---- */

/* The group that begins at channel c, in its own ring. */
static hst_hidden_run ring_of(const fused_run *r, int c)
{
    hst_hidden_run h = r->hidden;
    h.ring += (size_t)(c / r->f->group) * r->t.group_floats;
    return h;
}

static hst_channels group_at(const block *f, int c)
{
    const int left = f->hidden.channels - c;
    return (hst_channels){c, left < f->group ? left : f->group};
}

/* The product of output rows first .. first+n, which begin `dw`. */
static hst_gemm projection(const fused_run *r, int first, int n)
{
    const hst_infer_unit *s = &r->f->project;
    const size_t at = (size_t)first * (size_t)s->out.w * (size_t)s->out.c;
    return (hst_gemm){.x = r->hidden.y,
                      .ldx = (size_t)s->in.c,
                      .w = s->weights,
                      .bias = s->bias,
                      .y = r->a->y + at,
                      .ldy = (size_t)s->out.c,
                      .residual = r->a->x[1] ? r->a->x[1] + at : NULL,
                      .rows = (size_t)n * (size_t)s->out.w,
                      .k = s->in.c,
                      .n = s->out.c,
                      .clamp = hst_act_clamp(s->act)};
}

/* This thread's part of it, or all of it where it is alone with these rows. */
static void project(const fused_run *r, int first, int n, int together)
{
    const hst_infer_unit *s = &r->f->project;
    const hst_gemm g = projection(r, first, n);
    const size_t ld = s->products ? hst_hidden_ld(&r->f->hidden) : 0;
    const hst_low_gemm p = hst_low_of(&g, r->hidden.y, ld);
    if (s->products && together)
        hst_low_product(s->products, r->a, &p);
    else if (s->products)
        s->products->multiply(&p);
    else if (together)
        hst_infer_product(r->a, &g);
    else
        r->a->kernels->gemm(&g);
}

/* Every thread makes a part of the rows, band by band. */
static void run_bands(fused_run *r)
{
    const block *f = r->f;
    const hst_hidden *hidden = &f->hidden;
    const hst_share rows = hst_share_of(r->a, hidden->rows.out);
    for (int y = rows.first, made = 0, n; y < rows.end; y += n) {
        n = rows.end - y < r->t.band ? rows.end - y : r->t.band;
        int end, first = hst_hidden_rows_under(hidden, y, n, &end);
        first = first < made ? made : first;
        r->hidden.y_first = y;
        r->hidden.low_first = first;
        if (hst_hidden_rounds(hidden))
            hst_hidden_round(&r->hidden, first, end);
        for (int c = 0; c < hidden->channels; c += f->group) {
            const hst_hidden_run h = ring_of(r, c);
            if (hidden->expands)
                hst_hidden_expand(&h, group_at(f, c), first, end);
            hst_hidden_depthwise(&h, group_at(f, c), y, n);
        }
        made = end > made ? end : made;
        project(r, y, n, 0);
    }
}

/* ---- several threads on few rows share out groups of channels, then the projection ---- */

static int n_groups(const block *f)
{
    return (f->hidden.channels + f->group - 1) / f->group;
}

/* Chunks of rows that a group is cut into, where there are fewer groups than threads. */
static int n_chunks(const block *f, int threads)
{
    const int chunks = (threads + n_groups(f) - 1) / n_groups(f);
    return chunks < f->hidden.rows.out ? chunks : f->hidden.rows.out;
}

static void run_groups(fused_run *r)
{
    const block *f = r->f;
    const hst_hidden *hidden = &f->hidden;
    const int chunks = n_chunks(f, r->a->threads), out = hidden->rows.out;
    const hst_share s = hst_share_of(r->a, n_groups(f) * chunks);
    if (hst_hidden_rounds(hidden)) {
        const hst_share rows = hst_share_of(r->a, hidden->depthwise.in.h);
        hst_hidden_round(&r->hidden, rows.first, rows.end);
        hst_barrier_wait(r->a->barrier);
    }
    for (int i = s.first; i < s.end; i++) {
        const int c = i / chunks * f->group, at = i % chunks;
        const int y = at * out / chunks, n = (at + 1) * out / chunks - y;
        int end, first = hst_hidden_rows_under(hidden, y, n, &end);
        if (hidden->expands)
            hst_hidden_expand(&r->hidden, group_at(f, c), first, end);
        hst_hidden_depthwise(&r->hidden, group_at(f, c), y, n);
    }
    hst_barrier_wait(r->a->barrier);
    project(r, 0, out, 1);
}

/* Buffers for bands of `band` rows, all groups one after another in the same ring or each with its
 * own. */
static tiling lay_out(const block *f, int band, int rings)
{
    const hst_hidden *h = &f->hidden;
    tiling t = {.band = band, .ring_rows = hst_hidden_ring_rows(h, band)};
    const size_t ring = (size_t)t.ring_rows * (size_t)h->depthwise.in.w * (size_t)f->group;
    t.group_floats = rings > 1 ? ring : 0;
    t.ring_floats = h->expands ? ring * (size_t)rings : 0;
    t.dw_floats = (size_t)band * (size_t)h->depthwise.out.w * hst_hidden_step(h);
    t.low_floats = hst_hidden_low(h, t.ring_rows);
    return t;
}

/* Bands that go on from row to row keep a ring for every group. */
static tiling lay_out_bands(const block *f, int band)
{
    return lay_out(f, band, band < f->hidden.rows.out ? n_groups(f) : 1);
}

static tiling lay_out_groups(const block *f, int threads)
{
    const int chunks = n_chunks(f, threads);
    tiling t = lay_out(f, (f->hidden.rows.out + chunks - 1) / chunks, 1);
    t.dw_floats = t.low_floats = 0; /* shared */
    return t;
}

/* Rows of a thread's own would be too few beside those at their edges that two threads expand. */
static int by_groups(const block *f, int threads)
{
    enum { LEAST_ROWS = 8 };
    return threads > 1 && f->hidden.rows.out < LEAST_ROWS * threads;
}

static hst_step_memory memory(const hst_step *step, int threads, int images)
{
    const block *f = step->own;
    const int groups = by_groups(f, threads);
    const tiling t = groups ? lay_out_groups(f, threads) : f->bands;
    const tiling all = lay_out(f, f->hidden.rows.out, 1);
    const size_t rest = hst_hidden_windows(&f->hidden) + hst_hidden_row(&f->hidden, f->group);
    (void)images;
    return (hst_step_memory){.own = t.ring_floats + t.dw_floats + t.low_floats + rest,
                             .shared = groups ? all.dw_floats + all.low_floats : 0};
}

static void infer(const hst_step *step, const hst_run_args *a)
{
    const block *f = step->own;
    const int groups = by_groups(f, a->threads);
    fused_run r = {.f = f, .a = a, .hidden = {.h = &f->hidden, .a = a, .ring = a->scratch}};
    hst_hidden_run *h = &r.hidden;
    r.t = groups ? lay_out_groups(f, a->threads) : f->bands;
    h->ring_rows = r.t.ring_rows;
    h->windows = h->ring + r.t.ring_floats;
    h->row = h->windows + hst_hidden_windows(h->h);
    float *low = h->row + hst_hidden_row(h->h, f->group), *dw = low + r.t.low_floats;
    h->y = groups ? a->shared : dw;
    h->low = (char *)(groups ? a->shared + lay_out(f, f->hidden.rows.out, 1).dw_floats : low);
    if (groups)
        run_groups(&r);
    else
        run_bands(&r);
}

/* ---- planning ---- */

/* The whole image when it fits, else the most rows that do, shared out evenly. */
static void choose_band(block *f, size_t cache_bytes)
{
    const size_t most = cache_bytes / 2 / sizeof(float); /* half is for weights, input, output */
    const int rows = f->hidden.rows.out;
    int band = rows;
    for (; band > 1; band--) {
        const tiling t = lay_out_bands(f, band);
        if (t.ring_floats + t.dw_floats + t.low_floats <= most)
            break;
    }
    const int bands = (rows + band - 1) / band;
    f->bands = lay_out_bands(f, (rows + bands - 1) / bands);
}

static int prepare(const hst_plan *p, hst_step *s, hst_err *err)
{
    const hst_group *g = &s->group;
    const int n = g->n_units;
    const hst_unit *dw = &g->unit[n - 2], *project = &g->unit[n - 1];
    if (hst_act_late(hst_unit_act(p->graph, project)) != HST_ACT_NONE)
        return 0;
    block *f = hst_alloc(1, sizeof *f, err);
    s->own = f;
    if (!f)
        return HST_EMEM;
    const hst_unit *expand = n == 3 ? &g->unit[0] : NULL;
    hst_hidden_describe(p, expand, dw, &f->hidden);
    hst_infer_unit_describe(p, project, &f->project);
    f->hidden.reader = f->project.products;
    f->hidden.quanta = f->project.quanta;
    /* Windows are laid out once for all channels. */
    const hst_products *products = f->hidden.expand.products, *reader = f->project.products;
    int panel = products ? products->panel : p->kernels->panel;
    panel = reader && reader->panel > panel ? reader->panel : panel;
    f->group = expand && hst_unit_is_pointwise(p->graph, expand) ? panel : f->hidden.channels;
    choose_band(f, p->request.cache_bytes);
    s->input[0] = g->unit[0].x;
    s->input[1] = project->added;
    s->scratch_floats = memory(s, 1, 1).own;
    for (int i = 0; i < n; i++)
        s->state_floats += hst_whole_lines(hst_infer_unit_floats(p, &g->unit[i]));
    return 1;
}

static int pack(const hst_plan *p, hst_step *s, float *scratch, hst_err *err)
{
    block *f = s->own;
    hst_infer_unit *out[] = {&f->hidden.expand, &f->hidden.depthwise, &f->project};
    float *state = s->state;
    int rc = 0;
    (void)scratch;
    for (int i = 0; rc == 0 && i < s->group.n_units; i++) {
        const hst_unit *u = &s->group.unit[i];
        rc = hst_infer_unit_pack(p, u, state, out[3 - s->group.n_units + i], err);
        state += hst_whole_lines(hst_infer_unit_floats(p, u));
    }
    return rc;
}

static void clear(hst_step *s)
{
    free(s->own);
}

const hst_runner hst_infer_inverted_residual_runner = {.name = "inverted residual",
                                                       .prepare = prepare,
                                                       .pack = pack,
                                                       .infer = infer,
                                                       .memory = memory,
                                                       .clear = clear};
