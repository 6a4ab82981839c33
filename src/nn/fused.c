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

struct hst_fused {
    hst_step expand, deep, project; /* expand.run NULL: the depthwise convolution reads the input */
    hst_span rows;                  /* of the depthwise convolution */
    int hidden;                     /* channels between */
    int group;                      /* of them at a time */
    int band;                       /* output rows at a time */
    int ring_rows;
    size_t group_floats;             /* between two groups' rings; 0: they share one */
    size_t ring_floats, deep_floats; /* scratch: ring, deep, then the expansion's own */
};

/* One run of a step: where its scratch memory is. */
typedef struct fused_run {
    const hst_fused *f;
    const hst_run_args *a;
    float *ring, *deep, *windows;
} fused_run;

/* ---- running ---- */

static float *ring_row(const fused_run *r, int c, int y)
{
    const hst_fused *f = r->f;
    const size_t row = (size_t)f->deep.in.w * (size_t)f->group;
    return r->ring + (size_t)(c / f->group) * f->group_floats + (size_t)(y % f->ring_rows) * row;
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
        const int wrap = f->ring_rows - y % f->ring_rows;
        n = windows ? 1 : end - y < wrap ? end - y : wrap;
        g.rows = (size_t)n * (size_t)s->out.w;
        g.x = windows ? r->windows : r->a->x + (size_t)y * (size_t)s->in.w * g.ldx;
        g.y = ring_row(r, c, y);
        if (windows)
            hst_step_windows(s, r->a->x, y, r->windows);
        r->a->kernels->gemm(&g);
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
        d.y = r->deep + (size_t)i * row + c;
        for (int ky = 0; ky < d.kernel; ky++) {
            const int y = (first + i) * d.stride - f->rows.before + ky;
            d.row[ky] = y < 0 || y >= s->in.h ? NULL
                        : f->expand.run       ? ring_row(r, c, y)
                                              : r->a->x + (size_t)y * (size_t)s->in.w * hidden + c;
        }
        r->a->kernels->depthwise(&d);
    }
}

static void project(const fused_run *r, int first, int n)
{
    const hst_step *s = &r->f->project;
    const size_t at = (size_t)first * (size_t)s->out.w * (size_t)s->out.c;
    r->a->kernels->gemm(&(hst_gemm){.x = r->deep,
                                    .ldx = (size_t)s->in.c,
                                    .w = s->weights,
                                    .bias = s->bias,
                                    .y = r->a->y + at,
                                    .ldy = (size_t)s->out.c,
                                    .residual = r->a->z ? r->a->z + at : NULL,
                                    .rows = (size_t)n * (size_t)s->out.w,
                                    .k = s->in.c,
                                    .n = s->out.c,
                                    .relu6 = s->relu6});
}

static void run(const hst_step *step, const hst_run_args *a)
{
    const hst_fused *f = step->fused;
    const hst_conv *conv = &f->deep.conv;
    fused_run r = {.f = f, .a = a, .ring = a->scratch};
    r.deep = r.ring + f->ring_floats;
    r.windows = r.deep + f->deep_floats;
    for (int y = 0, made = 0, n; y < f->rows.out; y += n) {
        n = f->rows.out - y < f->band ? f->rows.out - y : f->band;
        int first = y * conv->stride - f->rows.before;
        int end = first + (n - 1) * conv->stride + conv->kernel;
        first = first < made ? made : first;
        end = end > f->deep.in.h ? f->deep.in.h : end;
        for (int c = 0; c < f->hidden; c += f->group) {
            if (f->expand.run)
                expand(&r, c, first, end);
            deepen(&r, c, y, n);
        }
        made = end > made ? end : made;
        project(&r, y, n);
    }
}

/* ---- planning ---- */

/* Sizes for bands of `band` rows; returns the floats that should stay in the cache. */
static size_t lay_out(hst_fused *f, int band)
{
    const hst_conv *c = &f->deep.conv;
    const hst_shape in = f->deep.in, out = f->deep.out;
    const size_t groups = ((size_t)f->hidden + (size_t)f->group - 1) / (size_t)f->group;
    f->band = band;
    f->ring_rows = (band - 1) * c->stride + c->kernel;
    f->ring_rows = f->ring_rows > in.h ? in.h : f->ring_rows;
    const size_t ring = (size_t)f->ring_rows * (size_t)in.w * (size_t)f->group;
    f->group_floats = band < out.h ? ring : 0;
    f->ring_floats = !f->expand.run ? 0 : band < out.h ? ring * groups : ring;
    f->deep_floats = (size_t)band * (size_t)out.w * (size_t)f->hidden;
    return f->ring_floats + f->deep_floats;
}

/* The whole image when it fits, else the most rows that do, shared out evenly. */
static void choose_band(hst_fused *f, size_t cache_bytes)
{
    const size_t most = cache_bytes / 2 / sizeof(float); /* half is for weights, input, output */
    int band = f->deep.out.h;
    while (band > 1 && lay_out(f, band) > most)
        band--;
    const int bands = (f->deep.out.h + band - 1) / band;
    lay_out(f, (f->deep.out.h + bands - 1) / bands);
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
        project->conv.kernel != 1 || project->conv.stride != 1 || !leads_to(readers, deep, project))
        return 0;
    return expands + 2;
}

/* Takes the steps' weights over. */
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
    out->scratch = f->ring_floats + f->deep_floats + f->expand.scratch;
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

void hst_fused_free(hst_fused *f)
{
    if (!f)
        return;
    free(f->expand.weights);
    free(f->deep.weights);
    free(f->project.weights);
    free(f);
}
