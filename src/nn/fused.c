/* fused.c - inverted residuals (Sandler et al. 2018) without their expansion in memory.
 *
 * A 56 x 56 block expands to 144 channels: 1.8 MB written and read twice, beside a second-level
 * cache of 0.5 to 2 MB. Here a band of output rows is made at a time; between the three
 * convolutions there are only
 *
 *   ring   [groups][ring rows][w][group]    expanded rows that the depthwise kernel still reads;
 *                                           input row r lies at r mod ring rows
 *   deep   [band rows * out w][hidden]      its outputs, rows of the projection's matrix
 *
 *            input rows                     ring (kernel 3, stride 1, band 3)      output rows
 *      band 0   0 1 2 3        expanded ->  0 1 2 3 .                       ->     0 1 2
 *      band 1         4 5 6    expanded ->  5 6 2 3 4   (2, 3 carried over) ->     3 4 5
 *
 * Within a band, `group` hidden channels at a time go through expansion and depthwise, so that they
 * meet in the first-level cache. When one band is the whole image nothing is carried over, and all
 * groups use the memory of the first. Padding is not stored: the depthwise kernel leaves out taps
 * outside the image, as it does by itself. */
#include "nn/fused.h"

#include "base/mem.h"

#include <stdlib.h>

/* How much of the block is made at a time. */
typedef struct tiling {
    int band;                        /* output rows */
    int ring_rows;                   /* input rows of the depthwise convolution that they need */
    size_t group_floats;             /* between two groups' rings; 0: they share one */
    size_t ring_floats, deep_floats; /* of the buffers */
} tiling;

struct hst_fused {
    hst_step expand, deep, project; /* expand.run NULL: the depthwise convolution reads the input */
    hst_span rows;                  /* of the depthwise convolution */
    int hidden;                     /* channels between */
    int group;                      /* of them at a time */
    tiling bands;
};

/* One run of a step by one thread: where its scratch memory is. */
typedef struct fused_run {
    const hst_fused *f;
    const hst_run_args *a;
    tiling t;
    float *ring, *deep, *windows;
    int deep_first; /* output row that is the first of `deep` */
} fused_run;

/* ---- running ---- */

static float *ring_row(const fused_run *r, int c, int y)
{
    const hst_fused *f = r->f;
    const size_t row = (size_t)f->deep.in.w * (size_t)f->group;
    return r->ring + (size_t)(c / f->group) * r->t.group_floats +
           (size_t)(y % r->t.ring_rows) * row;
}

/* Input rows first .. end of the depthwise convolution, channels c .. c+group, into the ring. */
static void expand(const fused_run *r, int c, int first, int end)
{
    const hst_fused *f = r->f;
    const hst_step *s = &f->expand;
    const int windows = s->conv.kernel > 1 || s->conv.stride > 1;
    hst_gemm g = {.w = s->weights,
                  .bias = s->bias + c,
                  .ldy = (size_t)f->group,
                  .k = s->conv.kernel * s->conv.kernel * s->in.c,
                  .n = f->hidden - c < f->group ? f->hidden - c : f->group,
                  .relu6 = s->relu6};
    g.w += (size_t)c * (size_t)g.k;
    g.ldx = (size_t)g.k;
    for (int y = first, n; y < end; y += n) {
        const int wrap = r->t.ring_rows - y % r->t.ring_rows;
        n = windows ? 1 : end - y < wrap ? end - y : wrap;
        g.rows = (size_t)n * (size_t)s->out.w;
        g.x = windows ? r->windows : r->a->x + (size_t)y * (size_t)s->in.w * g.ldx;
        g.y = ring_row(r, c, y);
        if (windows)
            hst_step_windows(s, r->a->x, y, r->windows);
        r->a->kernels->gemm(&g);
        hst_step_activate(s, r->a, g.y, g.rows * g.ldy);
    }
}

/* Output rows first .. first+n of the depthwise convolution, channels c .. c+group. */
static void deepen(const fused_run *r, int c, int first, int n)
{
    const hst_fused *f = r->f;
    const hst_step *s = &f->deep;
    const size_t hidden = (size_t)f->hidden, row = (size_t)s->out.w * hidden;
    hst_depthwise d = {.w = s->weights + c,
                       .bias = s->bias + c,
                       .x_step = f->expand.run ? (size_t)f->group : hidden,
                       .w_step = hidden,
                       .y_step = hidden,
                       .width = s->in.w,
                       .out = s->out.w,
                       .channels = f->hidden - c < f->group ? f->hidden - c : f->group,
                       .kernel = s->conv.kernel,
                       .stride = s->conv.stride,
                       .before = hst_conv_span(&s->conv, s->in.w).before,
                       .relu6 = s->relu6};
    for (int i = 0; i < n; i++) {
        d.y = r->deep + (size_t)(first + i - r->deep_first) * row + c;
        for (int ky = 0; ky < d.kernel; ky++) {
            const int y = (first + i) * d.stride - f->rows.before + ky;
            d.row[ky] = y < 0 || y >= s->in.h ? NULL
                        : f->expand.run       ? ring_row(r, c, y)
                                              : r->a->x + (size_t)y * (size_t)s->in.w * hidden + c;
        }
        r->a->kernels->depthwise(&d);
        for (int px = 0; s->acts && px < d.out; px++)
            hst_step_activate(s, r->a, d.y + (size_t)px * hidden, (size_t)d.channels);
    }
}

/* The product of output rows first .. first+n, which begin `deep`. */
static hst_gemm projection(const fused_run *r, int first, int n)
{
    const hst_step *s = &r->f->project;
    const size_t at = (size_t)first * (size_t)s->out.w * (size_t)s->out.c;
    return (hst_gemm){.x = r->deep,
                      .ldx = (size_t)s->in.c,
                      .w = s->weights,
                      .bias = s->bias,
                      .y = r->a->y + at,
                      .ldy = (size_t)s->out.c,
                      .residual = r->a->z ? r->a->z + at : NULL,
                      .rows = (size_t)n * (size_t)s->out.w,
                      .k = s->in.c,
                      .n = s->out.c,
                      .relu6 = s->relu6};
}

/* Rows first .. *end of the depthwise convolution's input that its output rows y .. y+n need. */
static int rows_under(const hst_fused *f, int y, int n, int *end)
{
    const hst_conv *c = &f->deep.conv;
    const int first = y * c->stride - f->rows.before;
    *end = first + (n - 1) * c->stride + c->kernel;
    *end = *end > f->deep.in.h ? f->deep.in.h : *end;
    return first < 0 ? 0 : first;
}

/* Every thread makes a part of the rows, band by band. */
static void run_bands(fused_run *r)
{
    const hst_fused *f = r->f;
    const hst_share rows = hst_share_of(r->a, f->rows.out);
    for (int y = rows.first, made = 0, n; y < rows.end; y += n) {
        n = rows.end - y < r->t.band ? rows.end - y : r->t.band;
        int end, first = rows_under(f, y, n, &end);
        first = first < made ? made : first;
        r->deep_first = y;
        for (int c = 0; c < f->hidden; c += f->group) {
            if (f->expand.run)
                expand(r, c, first, end);
            deepen(r, c, y, n);
        }
        made = end > made ? end : made;
        const hst_gemm g = projection(r, y, n);
        r->a->kernels->gemm(&g);
    }
}

/* ---- several threads on few rows share out groups of channels, then the projection ---- */

static int n_groups(const hst_fused *f)
{
    return (f->hidden + f->group - 1) / f->group;
}

/* Chunks of rows that a group is cut into, where there are fewer groups than threads. */
static int n_chunks(const hst_fused *f, int threads)
{
    const int chunks = (threads + n_groups(f) - 1) / n_groups(f);
    return chunks < f->rows.out ? chunks : f->rows.out;
}

static void run_groups(fused_run *r)
{
    const hst_fused *f = r->f;
    const int chunks = n_chunks(f, r->a->threads), out = f->rows.out;
    const hst_share s = hst_share_of(r->a, n_groups(f) * chunks);
    for (int i = s.first; i < s.end; i++) {
        const int c = i / chunks * f->group, at = i % chunks;
        const int y = at * out / chunks, n = (at + 1) * out / chunks - y;
        int end, first = rows_under(f, y, n, &end);
        if (f->expand.run)
            expand(r, c, first, end);
        deepen(r, c, y, n);
    }
    hst_barrier_wait(r->a->barrier);
    const hst_gemm g = projection(r, 0, out);
    hst_step_product(r->a, &g);
}

/* Buffers for bands of `band` rows, all groups one after another in the same ring or each with its
 * own. */
static tiling lay_out(const hst_fused *f, int band, int rings)
{
    const hst_conv *c = &f->deep.conv;
    const hst_shape in = f->deep.in;
    tiling t = {.band = band, .ring_rows = (band - 1) * c->stride + c->kernel};
    t.ring_rows = t.ring_rows > in.h ? in.h : t.ring_rows;
    const size_t ring = (size_t)t.ring_rows * (size_t)in.w * (size_t)f->group;
    t.group_floats = rings > 1 ? ring : 0;
    t.ring_floats = f->expand.run ? ring * (size_t)rings : 0;
    t.deep_floats = (size_t)band * (size_t)f->deep.out.w * (size_t)f->hidden;
    return t;
}

/* Bands that go on from row to row keep a ring for every group. */
static tiling lay_out_bands(const hst_fused *f, int band)
{
    return lay_out(f, band, band < f->rows.out ? n_groups(f) : 1);
}

static tiling lay_out_groups(const hst_fused *f, int threads)
{
    const int chunks = n_chunks(f, threads);
    tiling t = lay_out(f, (f->rows.out + chunks - 1) / chunks, 1);
    t.deep_floats = 0; /* all threads' */
    return t;
}

/* Rows of a thread's own would be too few beside those at their edges that two threads expand. */
static int by_groups(const hst_fused *f, int threads)
{
    enum { LEAST_ROWS = 8 };
    return threads > 1 && f->rows.out < LEAST_ROWS * threads;
}

hst_step_memory hst_fused_needs(const hst_fused *f, int threads)
{
    const int groups = by_groups(f, threads);
    const tiling t = groups ? lay_out_groups(f, threads) : f->bands;
    return (hst_step_memory){.own = t.ring_floats + t.deep_floats + f->expand.scratch,
                             .shared = groups ? lay_out(f, f->rows.out, 1).deep_floats : 0};
}

static void run(const hst_step *step, const hst_run_args *a)
{
    const hst_fused *f = step->fused;
    const int groups = by_groups(f, a->threads);
    fused_run r = {.f = f, .a = a, .ring = a->scratch};
    r.t = groups ? lay_out_groups(f, a->threads) : f->bands;
    r.deep = groups ? a->shared : r.ring + r.t.ring_floats;
    r.windows = r.ring + r.t.ring_floats + r.t.deep_floats;
    if (groups)
        run_groups(&r);
    else
        run_bands(&r);
}

/* ---- planning ---- */

/* The whole image when it fits, else the most rows that do, shared out evenly. */
static void choose_band(hst_fused *f, size_t cache_bytes)
{
    const size_t most = cache_bytes / 2 / sizeof(float); /* half is for weights, input, output */
    const int rows = f->rows.out;
    int band = rows;
    for (; band > 1; band--) {
        const tiling t = lay_out_bands(f, band);
        if (t.ring_floats + t.deep_floats <= most)
            break;
    }
    const int bands = (rows + band - 1) / band;
    f->bands = lay_out_bands(f, (rows + bands - 1) / bands);
}

static int is_conv(const hst_step *s)
{
    return s->run == hst_step_conv2d;
}

/* Whether `next` reads what s makes, and nothing else does. */
static int leads_to(const int *readers, const hst_step *s, const hst_step *next)
{
    return next->x == s->y && next->z != s->y && readers[s->y] == 1;
}

/* How many of the n steps from s on are one block: 3, 2 without expansion, 0. */
static int block_length(const int *readers, const hst_step *s, int n)
{
    const int expands = n > 2 && is_conv(s) && s->z < 0 && leads_to(readers, s, s + 1);
    const hst_step *deep = s + expands, *project = deep + 1;
    if (n < expands + 2 || deep->run != hst_step_depthwise || !is_conv(project) ||
        project->conv.kernel != 1 || project->conv.stride != 1 || project->acts ||
        !leads_to(readers, deep, project))
        return 0;
    return expands + 2;
}

static int fuse(const hst_plan *p, hst_step *s, int n, size_t cache_bytes, hst_step *out,
                hst_err *err)
{
    hst_fused *f = hst_alloc(1, sizeof *f, err);
    if (!f)
        return HST_EMEM;
    if (n == 3)
        f->expand = s[0];
    f->deep = s[n - 2];
    f->project = s[n - 1];
    f->rows = hst_conv_span(&f->deep.conv, f->deep.in.h);
    f->hidden = f->deep.in.c;
    /* Windows are laid out once for all channels. */
    f->group = n == 3 && s->conv.kernel == 1 && s->conv.stride == 1 ? p->kernels->panel : f->hidden;
    choose_band(f, cache_bytes);
    *out = (hst_step){.run = run,
                      .in = s->in,
                      .out = f->project.out,
                      .x = s->x,
                      .z = f->project.z,
                      .y = f->project.y,
                      .fused = f};
    return 0;
}

int hst_fuse(hst_plan *p, size_t cache_bytes, hst_err *err)
{
    int *readers = hst_alloc((size_t)p->n_values, sizeof *readers, err), out = 0, rc = 0;
    if (!readers)
        return HST_EMEM;
    for (int i = 0; i < p->n_steps; i++) {
        readers[p->step[i].x]++;
        if (p->step[i].z >= 0)
            readers[p->step[i].z]++;
    }
    for (int i = 0, n; i < p->n_steps; i += n, out++) {
        hst_step made = p->step[i];
        n = rc ? 0 : block_length(readers, &p->step[i], p->n_steps - i);
        if (n > 0)
            rc = fuse(p, &p->step[i], n, cache_bytes, &made, err);
        if (rc || n == 0)
            n = 1;
        p->step[out] = made;
    }
    p->n_steps = out;
    free(readers);
    return rc;
}
