/* The kernels of the backward pass against sums in double precision. */
#include "cases.h"
#include "guard.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { GAP = 3 }; /* floats between rows, which must be left alone */

/* ---- of matrices ---- */

typedef struct outer_case {
    int rows, m, n, place;
} outer_case;

static int outer_check(const hst_kernels *kn, const outer_case *t)
{
    size_t rows = (size_t)t->rows, m = (size_t)t->m, n = (size_t)t->n;
    size_t lda = m + GAP, ldb = n + GAP, floats = (m - 1) * ldb + n;
    guarded a = numbers((rows - 1) * lda + m, t->place, 1);
    guarded b = numbers((rows - 1) * ldb + n, t->place, 2);
    guarded dw = numbers(floats, t->place, 3), before = numbers(floats, t->place, 3);
    kn->grad_gemm(&(hst_grad_gemm){a.p, b.p, lda, ldb, dw.p, ldb, rows, t->m, t->n});
    int wrong = 0;
    for (size_t i = 0; i < m && !wrong; i++) {
        for (size_t j = 0; j < n; j++) {
            double sum = before.p[i * ldb + j], sizes = fabs(sum);
            for (size_t r = 0; r < rows; r++) {
                double term = (double)a.p[r * lda + i] * b.p[r * ldb + j];
                sum += term;
                sizes += fabs(term);
            }
            wrong |= far(i * ldb + j, dw.p[i * ldb + j], sum, sizes, t->rows);
        }
        if (i + 1 < m)
            wrong |= memcmp(dw.p + i * ldb + n, before.p + i * ldb + n, GAP * sizeof *dw.p) != 0;
    }
    if (wrong)
        say_wrong(kn, "gradient of %d x %d weights over %d rows", t->m, t->n, t->rows);
    release(&a);
    release(&b);
    release(&dw);
    release(&before);
    return wrong;
}

int grad_matrices(const hst_kernels *kn)
{
    static const int ns[] = {1, 3, 4, 8, 15, 16, 17, 24, 31, 32, 33, 50, 67}, rows[] = {1, 49, 300};
    int wrong = 0;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (int m = 1; m <= 30 && !wrong; m++)
            for (size_t n = 0; n < sizeof ns / sizeof *ns; n++)
                wrong += outer_check(kn, &(outer_case){rows[r], m, ns[n], m & 1});
    return wrong;
}

/* ---- sums ---- */

int grad_sums(const hst_kernels *kn)
{
    int wrong = 0;
    for (int rows = 1; rows <= 60; rows += 1 + rows / 7)
        for (int channels = 1; channels <= 40; channels++) {
            size_t c = (size_t)channels, n = (size_t)rows, ld = c + GAP;
            guarded x = numbers((n - 1) * ld + c, rows & 1, 1), y = numbers(c, rows & 1, 2),
                    before = numbers(c, rows & 1, 2);
            kn->grad_sum(x.p, ld, n, channels, y.p);
            int off = 0;
            for (size_t i = 0; i < c; i++) {
                double sum = before.p[i], sizes = fabs(sum);
                for (size_t r = 0; r < n; r++) {
                    sum += x.p[r * ld + i];
                    sizes += fabs(x.p[r * ld + i]);
                }
                off |= far(i, y.p[i], sum, sizes, rows);
            }
            if (off)
                say_wrong(kn, "sum of %d rows of %d channels", rows, channels);
            wrong += off;
            release(&x);
            release(&y);
            release(&before);
        }
    return wrong;
}

/* ---- of a depthwise convolution ---- */

typedef struct deep_case {
    int width, channels, kernel, stride, before, behind, missing, place;
} deep_case;

enum { ROWS = 3, MOST_ROWS = 32 };

static int outputs(const deep_case *t)
{
    int room = t->width + t->before + t->behind - t->kernel;
    return room < 0 ? 0 : room / t->stride + 1;
}

static int say(const hst_kernels *kn, const deep_case *t, const char *what)
{
    say_wrong(kn,
              "gradient of the %s, depthwise %dx%d/%d over %d pixels of %d channels, padding "
              "%d+%d, missing %d",
              what, t->kernel, t->kernel, t->stride, t->width, t->channels, t->before, t->behind,
              t->missing);
    return 1;
}

/* Tap (ky, kx) of channel c, on top of what was there. */
static int tap_value(const hst_grad_taps *d, const float *before, int tap, int c)
{
    size_t at = (size_t)tap * d->w_step + (size_t)c;
    double sum = before[at], sizes = fabs(sum);
    for (int j = 0; j < d->n_rows; j++) {
        const float *row = d->row[j * d->stride + tap / d->kernel];
        for (int i = 0; row && i < d->out; i++) {
            int x = i * d->stride - d->before + tap % d->kernel;
            if (x < 0 || x >= d->width)
                continue;
            double term = (double)row[(size_t)x * d->x_step + (size_t)c] *
                          d->g[j][(size_t)i * d->g_step + (size_t)c];
            sum += term;
            sizes += fabs(term);
        }
    }
    return far(at, d->dw[at], sum, sizes, d->n_rows * d->out);
}

static int bias_value(const hst_grad_taps *d, const float *before, int c)
{
    double sum = before[c], sizes = fabs(sum);
    for (int j = 0; j < d->n_rows; j++)
        for (int i = 0; i < d->out; i++) {
            float g = d->g[j][(size_t)i * d->g_step + (size_t)c];
            sum += g;
            sizes += fabs(g);
        }
    return far((size_t)c, d->db[c], sum, sizes, d->n_rows * d->out);
}

/* Rows are missing at the top of the image (missing > 0) or at its bottom (< 0). */
static int taps_check(const hst_kernels *kn, const deep_case *t)
{
    const int out = outputs(t), n_rows = (ROWS - 1) * t->stride + t->kernel;
    if (out < 1)
        return 0;
    size_t c = (size_t)t->channels, taps = (size_t)(t->kernel * t->kernel);
    guarded rows[MOST_ROWS], g[ROWS];
    const float *row[MOST_ROWS], *grad[ROWS];
    size_t n_w = (taps - 1) * (c + GAP) + c;
    guarded dw = numbers(n_w, t->place, 1), before = numbers(n_w, t->place, 1),
            db = numbers(c, t->place, 2), db0 = numbers(c, t->place, 2);
    for (int r = 0; r < n_rows; r++) {
        rows[r] = numbers((size_t)(t->width - 1) * (c + 1) + c, t->place, 10 + (uint32_t)r);
        row[r] = r < t->missing || n_rows - 1 - r < -t->missing ? NULL : rows[r].p;
    }
    for (int r = 0; r < ROWS; r++) {
        g[r] = numbers((size_t)(out - 1) * (c + 2) + c, t->place, 50 + (uint32_t)r);
        grad[r] = g[r].p;
    }
    hst_grad_taps d = {row,  grad,     dw.p, db.p,        c + 1,     c + 2,     c + GAP,
                       ROWS, t->width, out,  t->channels, t->kernel, t->stride, t->before};
    kn->grad_taps(&d);
    int wrong = 0;
    for (int ch = 0; ch < t->channels; ch++) {
        for (int tap = 0; tap < t->kernel * t->kernel; tap++)
            wrong |= tap_value(&d, before.p, tap, ch);
        wrong |= bias_value(&d, db0.p, ch);
    }
    for (int r = 0; r < n_rows; r++)
        release(&rows[r]);
    for (int r = 0; r < ROWS; r++)
        release(&g[r]);
    release(&dw);
    release(&before);
    release(&db);
    release(&db0);
    return wrong ? say(kn, t, "kernel") : 0;
}

/* Input x, channel c; *terms: what was summed. */
static double pixel_value(const hst_grad_pixels *d, int x, int c, double *sizes)
{
    double sum = 0;
    *sizes = 0;
    for (int t = 0; t < d->kernel * d->kernel; t++) {
        const float *g = d->g[t / d->kernel];
        int u = x + d->before - t % d->kernel;
        if (!g || u < 0 || u % d->stride || u / d->stride >= d->out)
            continue;
        double term = (double)g[(size_t)(u / d->stride) * d->g_step + (size_t)c] *
                      d->w[(size_t)t * d->w_step + (size_t)c];
        sum += term;
        *sizes += fabs(term);
    }
    float gate = d->gate ? d->gate[(size_t)x * d->gate_step + (size_t)c] : 1;
    return gate > 0 && gate < 6 ? sum : 0;
}

static int pixels_values(const hst_grad_pixels *d, const float *before, int c)
{
    double total = before[c], all = fabs(total), sizes;
    int wrong = 0;
    for (int x = 0; x < d->width; x++) {
        double want = pixel_value(d, x, c, &sizes);
        const size_t at = (size_t)x * d->dx_step + (size_t)c;
        wrong |= far(at, d->dx[at], want, sizes, d->kernel * d->kernel);
        total += want;
        all += sizes;
    }
    return wrong | far((size_t)c, d->sum[c], total, all, d->width * d->kernel * d->kernel);
}

static int pixels_check(const hst_kernels *kn, const deep_case *t)
{
    const int out = outputs(t);
    if (out < 1)
        return 0;
    size_t c = (size_t)t->channels, taps = (size_t)(t->kernel * t->kernel);
    size_t width = (size_t)t->width;
    guarded g[HST_MAX_KERNEL], w = numbers((taps - 1) * (c + GAP) + c, t->place, 1),
                               gate = numbers((width - 1) * (c + 1) + c, t->place, 2),
                               dx = numbers((width - 1) * (c + 4) + c, t->place, 3),
                               sum = numbers(c, t->place, 4), sum0 = numbers(c, t->place, 4);
    hst_grad_pixels d = {.w = w.p,
                         .gate = t->missing % 2 ? gate.p : NULL,
                         .dx = dx.p,
                         .sum = sum.p,
                         .g_step = c + 2,
                         .w_step = c + GAP,
                         .gate_step = c + 1,
                         .gate_top = 6,
                         .dx_step = c + 4,
                         .width = t->width,
                         .out = out,
                         .channels = t->channels,
                         .kernel = t->kernel,
                         .stride = t->stride,
                         .before = t->before};
    for (int r = 0; r < t->kernel; r++) {
        g[r] = numbers((size_t)(out - 1) * (c + 2) + c, t->place, 10 + (uint32_t)r);
        d.g[r] = r % t->stride == t->width % t->stride && r != t->missing ? g[r].p : NULL;
    }
    kn->grad_pixels(&d);
    int wrong = 0;
    for (int ch = 0; ch < t->channels; ch++)
        wrong |= pixels_values(&d, sum0.p, ch);
    for (int r = 0; r < t->kernel; r++)
        release(&g[r]);
    release(&w);
    release(&gate);
    release(&dx);
    release(&sum);
    release(&sum0);
    return wrong ? say(kn, t, "input") : 0;
}

static int deep(const hst_kernels *kn, int (*check)(const hst_kernels *, const deep_case *))
{
    static const int cs[] = {1, 8, 19, 48}, ks[] = {1, 2, 3, 5, 7};
    int wrong = 0;
    for (size_t k = 0; k < sizeof ks / sizeof *ks; k++)
        for (size_t c = 0; c < sizeof cs / sizeof *cs; c++)
            for (int width = 1; width <= 20; width++)
                for (int stride = 1; stride <= 3; stride++)
                    for (int before = 0; before < ks[k]; before += 1 + before / 2)
                        wrong += check(kn, &(deep_case){.width = width,
                                                        .channels = cs[c],
                                                        .kernel = ks[k],
                                                        .stride = stride,
                                                        .before = before,
                                                        .behind = (width + before) % ks[k],
                                                        .missing = width % (2 * ks[k]) - ks[k],
                                                        .place = (width + stride) & 1});
    return wrong;
}

int grad_windows(const hst_kernels *kn)
{
    return deep(kn, taps_check);
}

int grad_inputs(const hst_kernels *kn)
{
    return deep(kn, pixels_check);
}
