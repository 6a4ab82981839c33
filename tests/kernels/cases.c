/* Every kernel against sums in double precision. Buffers end right before a page that cannot be
 * touched, then begin right behind one, so that a read or write outside is a crash. */
#include "cases.h"
#include "guard.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double act(double v, float clamp)
{
    return !(clamp > 0) ? v : v < 0 ? 0 : v > (double)clamp ? (double)clamp : v;
}

/* ---- matrix product ---- */

typedef struct product {
    int rows, k, n, residual;
    float clamp, gate; /* 0: none */
    int place;
} product;

enum { GAP = 3 }; /* floats between rows, which must be left alone */

typedef struct product_data {
    guarded x, w, bias, packed, residual, gate, y;
    size_t ldx, ldy;
    hst_gemm g;
} product_data;

static product_data product_make(const hst_kernels *kn, const product *p)
{
    product_data d = {.ldx = (size_t)p->k + GAP, .ldy = (size_t)p->n + GAP};
    size_t last = (size_t)p->rows - 1, k = (size_t)p->k, n = (size_t)p->n;
    d.x = numbers(last * d.ldx + k, p->place, 1);
    d.w = numbers(k * n, p->place, 2);
    d.bias = numbers(n, p->place, 3);
    d.packed = guard(hst_gemm_packed(kn, p->k, p->n), p->place);
    d.residual = numbers(last * d.ldy + n, p->place, 4);
    d.gate = numbers(last * d.ldy + n, p->place, 6);
    d.y = numbers(last * d.ldy + n, p->place, 5);
    for (size_t i = 0; i < last * d.ldy + n; i += 5) /* where a ReLU6 clipped */
        d.gate.p[i] = i % 2 ? 6 : 0;
    d.g = (hst_gemm){.x = d.x.p,
                     .ldx = d.ldx,
                     .w = d.packed.p,
                     .y = d.y.p,
                     .ldy = d.ldy,
                     .residual = p->residual ? d.residual.p : NULL,
                     .rows = (size_t)p->rows,
                     .k = p->k,
                     .n = p->n,
                     .clamp = p->clamp,
                     .gate = p->gate > 0 ? d.gate.p : NULL,
                     .ld_gate = d.ldy,
                     .gate_top = p->gate};
    d.g.bias = hst_gemm_pack(kn, d.w.p, d.bias.p, p->k, p->n, d.packed.p);
    return d;
}

static void product_end(product_data *d)
{
    guarded *all[] = {&d->x, &d->w, &d->bias, &d->packed, &d->residual, &d->gate, &d->y};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        release(all[i]);
}

static int product_value(const product *p, const product_data *d, int row, int col)
{
    const float *x = d->x.p + (size_t)row * d->ldx;
    size_t at = (size_t)row * d->ldy + (size_t)col;
    double r = p->residual ? d->residual.p[at] : 0;
    double sum = (double)d->bias.p[col] + r, sizes = fabs(d->bias.p[col]) + fabs(r);
    for (int k = 0; k < p->k; k++) {
        double term = (double)x[k] * d->w.p[(size_t)k * (size_t)p->n + (size_t)col];
        sum += term;
        sizes += fabs(term);
    }
    const float gate = d->gate.p[(size_t)row * d->ldy + (size_t)col];
    if (p->gate > 0 && !(gate > 0 && gate < p->gate))
        return d->y.p[at] != 0 && differs(at, (double)d->y.p[at], 0);
    return far(at, d->y.p[at], act(sum, p->clamp), sizes, p->k);
}

/* 1 when it is wrong: a value, a float between rows, or other bits for a row by itself. */
static int product_check(const hst_kernels *kn, const product *p)
{
    product_data d = product_make(kn, p);
    size_t n = (size_t)p->n, floats = ((size_t)p->rows - 1) * d.ldy + n;
    float *before = malloc(floats * sizeof *before), *alone = malloc(n * sizeof *alone);
    memcpy(before, d.y.p, floats * sizeof *before);
    kn->gemm(&d.g);
    int wrong = 0;
    for (int r = 0; r < p->rows && !wrong; r++) {
        size_t at = (size_t)r * d.ldy;
        for (int c = 0; c < p->n; c++)
            wrong |= product_value(p, &d, r, c);
        if (r + 1 < p->rows)
            wrong |= memcmp(d.y.p + at + n, before + at + n, GAP * sizeof *before) != 0;
        hst_gemm one = d.g;
        one.x += (size_t)r * d.ldx;
        one.y = alone;
        one.residual = p->residual ? d.residual.p + at : NULL;
        one.gate = p->gate > 0 ? d.gate.p + (size_t)r * d.ldy : NULL;
        one.rows = 1;
        kn->gemm(&one);
        wrong |= memcmp(alone, d.y.p + at, n * sizeof *alone) != 0;
    }
    if (wrong)
        say_wrong(kn, "product of %d rows, k %d, n %d, residual %d, clamp %g", p->rows, p->k, p->n,
                  p->residual, (double)p->clamp);
    free(before);
    free(alone);
    product_end(&d);
    return wrong;
}

static int products(const hst_kernels *kn)
{
    static const int ks[] = {1, 2, 27, 150},
                     ns[] = {1, 2, 3, 4, 5, 6, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 40, 50, 67};
    int wrong = 0;
    for (int rows = 1; rows <= 30 && !wrong; rows++)
        for (size_t k = 0; k < sizeof ks / sizeof *ks; k++)
            for (size_t n = 0; n < sizeof ns / sizeof *ns; n++)
                for (int mode = 0; mode < 6; mode++) {
                    const float top = rows & 2 ? INFINITY : 6;
                    wrong += product_check(kn, &(product){.rows = rows,
                                                          .k = ks[k],
                                                          .n = ns[n],
                                                          .residual = mode & 1,
                                                          .clamp = mode >> 1 == 1 ? top : 0,
                                                          .gate = mode >> 1 == 2 ? top : 0,
                                                          .place = (rows + mode) & 1});
                }
    /* More rows than one block of the cache holds. */
    wrong += product_check(kn, &(product){.rows = 1501, .k = 33, .n = 35, .residual = 1});
    return wrong;
}

/* ---- depthwise ---- */

typedef struct window {
    int width, channels, kernel, stride, before, behind, missing;
    float clamp;
    int place;
    int apart; /* floats between two pixels', taps' and outputs' channels */
} window;

static int window_value(const hst_depthwise *d, int i, int c)
{
    double sum = d->bias[c], sizes = fabs(sum);
    for (int t = 0; t < d->kernel * d->kernel; t++) {
        const float *row = d->row[t / d->kernel];
        int x = i * d->stride - d->before + t % d->kernel;
        if (!row || x < 0 || x >= d->width)
            continue;
        double term = (double)row[(size_t)x * d->x_step + (size_t)c] *
                      d->w[(size_t)t * d->w_step + (size_t)c];
        sum += term;
        sizes += fabs(term);
    }
    const size_t at = (size_t)i * d->y_step + (size_t)c;
    return far(at, d->y[at], act(sum, d->clamp), sizes, d->kernel * d->kernel);
}

static int window_check(const hst_kernels *kn, const window *t)
{
    int out = (t->width + t->before + t->behind - t->kernel) / t->stride + 1;
    if (t->width + t->before + t->behind < t->kernel)
        return 0;
    size_t c = (size_t)t->channels, k = (size_t)t->kernel, gap = (size_t)t->apart;
    size_t x_step = c + gap, w_step = c + 2 * gap, y_step = c + 3 * gap;
    size_t n_y = ((size_t)out - 1) * y_step + c;
    guarded rows[HST_MAX_KERNEL], w = numbers((k * k - 1) * w_step + c, t->place, 2),
                                  bias = numbers(c, t->place, 3), y = numbers(n_y, t->place, 5),
                                  before = numbers(n_y, t->place, 5);
    hst_depthwise d = {.w = w.p,
                       .bias = bias.p,
                       .y = y.p,
                       .x_step = x_step,
                       .w_step = w_step,
                       .y_step = y_step,
                       .width = t->width,
                       .out = out,
                       .channels = t->channels,
                       .kernel = t->kernel,
                       .stride = t->stride,
                       .before = t->before,
                       .clamp = t->clamp};
    for (int r = 0; r < t->kernel; r++) {
        rows[r] = numbers(((size_t)t->width - 1) * x_step + c, t->place, 10 + (uint32_t)r);
        d.row[r] = r == t->missing ? NULL : rows[r].p;
    }
    kn->depthwise(&d);
    int wrong = 0;
    for (int i = 0; i < out && !wrong; i++)
        for (int ch = 0; ch < t->channels; ch++)
            wrong |= window_value(&d, i, ch);
    for (size_t i = 0; i + 1 < (size_t)out; i++) /* nothing between outputs is written */
        wrong |=
            memcmp(y.p + i * y_step + c, before.p + i * y_step + c, 3 * gap * sizeof *y.p) != 0;
    if (wrong)
        say_wrong(kn, "depthwise %dx%d/%d over %d pixels of %d channels, padding %d+%d", t->kernel,
                  t->kernel, t->stride, t->width, t->channels, t->before, t->behind);
    for (int r = 0; r < t->kernel; r++)
        release(&rows[r]);
    release(&w);
    release(&bias);
    release(&y);
    release(&before);
    return wrong;
}

static int windows(const hst_kernels *kn)
{
    static const int cs[] = {1, 4, 7, 8, 16, 19, 37, 48}, ks[] = {1, 2, 3, 5, 7};
    int wrong = 0;
    for (size_t k = 0; k < sizeof ks / sizeof *ks; k++)
        for (size_t c = 0; c < sizeof cs / sizeof *cs; c++)
            for (int width = 1; width <= 20; width++)
                for (int stride = 1; stride <= 3; stride++)
                    for (int before = 0; before < ks[k]; before += 1 + before / 2)
                        wrong += window_check(kn, &(window){.width = width,
                                                            .channels = cs[c],
                                                            .kernel = ks[k],
                                                            .stride = stride,
                                                            .before = before,
                                                            .behind = (width + before) % ks[k],
                                                            .missing = width % (ks[k] + 1),
                                                            .apart = width % 4,
                                                            .clamp = width % 3 == 0   ? 0
                                                                     : width % 3 == 1 ? 6
                                                                                      : INFINITY,
                                                            .place = (width + stride) & 1});
    return wrong;
}

/* ---- average ---- */

static int average_check(const hst_kernels *kn, int pixels, int channels, int place)
{
    size_t n = (size_t)pixels, c = (size_t)channels;
    guarded x = numbers(n * c, place, 1), y = guard(c, place);
    kn->average(x.p, n, channels, y.p);
    int wrong = 0;
    for (size_t ch = 0; ch < c; ch++) {
        double sum = 0, sizes = 0;
        for (size_t i = 0; i < n; i++) {
            sum += x.p[i * c + ch];
            sizes += fabs(x.p[i * c + ch]);
        }
        wrong |= far(ch, y.p[ch], sum / pixels, sizes / pixels, pixels);
    }
    if (wrong)
        say_wrong(kn, "average of %d pixels of %d channels", pixels, channels);
    release(&x);
    release(&y);
    return wrong;
}

static int averages(const hst_kernels *kn)
{
    int wrong = 0;
    for (int pixels = 1; pixels <= 60; pixels += 12)
        for (int channels = 1; channels <= 70; channels++)
            wrong += average_check(kn, pixels, channels, channels & 1);
    return wrong;
}

/* ---- numbers that are not ordinary ---- */

/* One input v through every kernel as v * 1 + 0: rows so many that every tile is used. */
static int passes(const hst_kernels *kn, float v, float want, float clamp)
{
    enum { N = 37, ROWS = 29 };
    float x[ROWS * N], packed[2 * (64 + 1)], w[N], zero[N] = {0}, y[ROWS * N], mean[N];
    for (int i = 0; i < ROWS * N; i++)
        x[i] = v;
    for (int i = 0; i < N; i++)
        w[i] = 1;
    if (hst_gemm_packed(kn, 1, N) > sizeof packed / sizeof *packed)
        return 1;
    const float *bias = hst_gemm_pack(kn, w, NULL, 1, N, packed);
    int wrong = 0;
    kn->gemm(&(hst_gemm){x, 1, packed, bias, y, N, NULL, ROWS, 1, N, clamp, NULL, 0, 0, 1});
    for (int i = 0; i < ROWS * N; i++)
        wrong |= memcmp(&y[i], &want, sizeof want) != 0 && !(isnan(y[i]) && isnan(want)) &&
                 differs((size_t)i, (double)y[i], (double)want);
    kn->depthwise(&(hst_depthwise){{x}, w, zero, y, N, N, N, ROWS, ROWS, N, 1, 1, 0, clamp});
    for (int i = 0; i < ROWS * N; i++)
        wrong |= memcmp(&y[i], &want, sizeof want) != 0 && !(isnan(y[i]) && isnan(want)) &&
                 differs((size_t)i, (double)y[i], (double)want);
    kn->average(x, 1, N, mean);
    for (int i = 0; i < N && !(clamp > 0); i++)
        wrong |= memcmp(&mean[i], &v, sizeof v) != 0 && !(isnan(mean[i]) && isnan(v)) &&
                 differs((size_t)i, (double)mean[i], (double)v);
    if (wrong)
        say_wrong(kn, "%g does not become %g (clamp %g)", (double)v, (double)want, (double)clamp);
    return wrong;
}

static int odd_numbers(const hst_kernels *kn)
{
    const float denormal = 1e-41f;
    return passes(kn, NAN, NAN, 0) + passes(kn, NAN, NAN, 6) + passes(kn, -NAN, NAN, 6) +
           passes(kn, INFINITY, INFINITY, 0) + passes(kn, INFINITY, 6, 6) +
           passes(kn, -INFINITY, -INFINITY, 0) + passes(kn, -INFINITY, 0, 6) +
           passes(kn, denormal, denormal, 0) + passes(kn, denormal, denormal, 6) +
           passes(kn, -denormal, 0, 6) + passes(kn, 6, 6, 6) + passes(kn, 6.0000005f, 6, 6);
}

/* ---- resizing ---- */

/* Bytes in a buffer of floats, up to its end. */
static guarded some_bytes(size_t n, int place, uint32_t seed, uint8_t **p)
{
    guarded g = guard((n + 3) / 4, place);
    uint32_t state = seed * 2654435761u + 1;
    *p = (uint8_t *)g.p + (place == AT_END ? (n + 3) / 4 * 4 - n : 0);
    for (size_t i = 0; i < n; i++)
        (*p)[i] = (uint8_t)((int)(number(&state) * 50) & 255);
    return g;
}

/* Weights that add up to about 1, of which the first is negative. */
static void some_weights(int32_t *weight, int count)
{
    for (int t = 0; t < count; t++)
        weight[t] = (int32_t)((1 << HST_RESIZE_BITS) / count * (count > 1 && t == 0 ? -1 : 1)) + t;
    weight[count - 1] += count > 1 ? (1 << HST_RESIZE_BITS) / count * 2 : 0;
}

static uint8_t rounded(int64_t sum)
{
    int64_t v = (sum + (1 << (HST_RESIZE_BITS - 1))) >> HST_RESIZE_BITS;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static int rows_check(const hst_kernels *kn, int n, int count, int place)
{
    enum { MOST = 8 };
    uint8_t *in, *out;
    int32_t weight[MOST];
    size_t stride = (size_t)n + 3, size = (size_t)(count - 1) * stride + (size_t)n;
    guarded from = some_bytes(size, place, (uint32_t)(n + count), &in);
    guarded to = some_bytes((size_t)n, place, 1, &out);
    int wrong = 0;
    some_weights(weight, count);
    kn->resize_rows(&(hst_resize_rows){in, stride, (size_t)n, weight, count, out});
    for (int i = 0; i < n; i++) {
        int64_t sum = 0;
        for (int t = 0; t < count; t++)
            sum += (int64_t)in[(size_t)t * stride + (size_t)i] * weight[t];
        wrong |= out[i] != rounded(sum) && differs((size_t)i, out[i], rounded(sum));
    }
    if (wrong)
        say_wrong(kn, "resizing %d rows of %d bytes", count, n);
    release(&from);
    release(&to);
    return wrong;
}

static int pixels_check(const hst_kernels *kn, int n, int count, int place)
{
    enum { MOST = 8, STRIDE = MOST + 1, PIXELS = 40 };
    uint8_t *in, *out;
    int32_t weight[PIXELS * STRIDE] = {0};
    int first[PIXELS], counts[PIXELS], width = n - 1 + count, wrong = 0;
    guarded from = some_bytes((size_t)width * 3, place, (uint32_t)(n + count), &in);
    guarded to = some_bytes((size_t)n * 3, place, 1, &out);
    for (int i = 0; i < n; i++) {
        first[i] = i;
        counts[i] = count;
        some_weights(weight + (size_t)i * STRIDE, count);
    }
    kn->resize_pixels(&(hst_resize_pixels){in, width, weight, first, counts, STRIDE, n, out});
    for (int i = 0; i < n * 3; i++) {
        int64_t sum = 0;
        for (int t = 0; t < count; t++)
            sum += (int64_t)in[i + 3 * t] * weight[(size_t)(i / 3) * STRIDE + (size_t)t];
        wrong |= out[i] != rounded(sum) && differs((size_t)i, out[i], rounded(sum));
    }
    if (wrong)
        say_wrong(kn, "resizing to %d pixels of %d each", n, count);
    release(&from);
    release(&to);
    return wrong;
}

static int resizing(const hst_kernels *kn)
{
    int wrong = 0;
    for (int count = 1; count <= 8; count++)
        for (int place = AT_END; place <= AT_START; place++) {
            for (int n = 1; n < 600; n += n < 40 ? 1 : 37)
                wrong += rows_check(kn, n, count, place);
            for (int n = 1; n <= 40; n++)
                wrong += pixels_check(kn, n, count, place);
        }
    return wrong;
}

/* Nothing is left out and nothing is read twice: the sum of 1 .. n, exact in float32. */
static int reading(const hst_kernels *k)
{
    enum { N = 4 * HST_READ_FLOATS };
    float x[N];
    for (int i = 0; i < N; i++)
        x[i] = (float)(i + 1);
    const double got = k->read(x, N), want = N * (N + 1) / 2.0;
    const int wrong = got != want && differs(0, got, want);
    if (wrong)
        say_wrong(k, "reading %d numbers", N);
    return wrong;
}

const kernel_case kernel_cases[] = {{"products", products},
                                    {"windows", windows},
                                    {"Winograd", winograd_maps},
                                    {"grouped", grouped_rows},
                                    {"averages", averages},
                                    {"activations", activations},
                                    {"odd numbers", odd_numbers},
                                    {"resizing", resizing},
                                    {"gradients of matrices", grad_matrices},
                                    {"gradients of taps", grad_windows},
                                    {"gradients of pixels", grad_inputs},
                                    {"sums", grad_sums},
                                    {"batch norm", norm_maps},
                                    {"gradients of batch norm", norm_backs},
                                    {"sums of batch norm", norm_sums},
                                    {"layer norm", layer_norms},
                                    {"gradients of layer norm", layer_norm_backs},
                                    {"softmax", softmaxes},
                                    {"gradients of softmax", softmax_backs},
                                    {"odd numbers in training", odd_gradients},
                                    {"reading", reading},
                                    {"rounding to lower precision", low_rounding},
                                    {"products of lower precision", low_products},
                                    {"odd numbers in lower precision", low_odd},
                                    {"matrices in lower precision", low_matrices},
                                    {"products in 8 bits", int8_products},
                                    {"odd numbers in 8 bits", int8_odd},
                                    {NULL, NULL}};
