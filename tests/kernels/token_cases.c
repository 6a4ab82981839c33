/* The kernels of tokens, layer norm and softmax, against double precision. */
#include "cases.h"
#include "guard.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Lengths around every vector width, and blocks of four vectors. */
static const int lengths[] = {1, 3, 4, 5, 8, 15, 16, 17, 33, 63, 64, 67, 144, 384};
enum { N_LENGTHS = sizeof lengths / sizeof *lengths, ROWS = 3, GAP = 3 };

/* The mean and the variance of the row are of sums of n numbers; what the norm makes of a number is
 * known to that many roundings of the row's largest distance from the mean. */
static int norm_check(const hst_kernels *k, int n, float far_from_zero)
{
    const size_t c = (size_t)n, ldx = c + GAP, ldy = c + 1;
    guarded x = numbers((ROWS - 1) * ldx + c, n & 1, 1),
            y = numbers((ROWS - 1) * ldy + c, n & 1, 2);
    guarded gamma = numbers(c, 0, 3), beta = numbers(c, 1, 4);
    const double epsilon = 1e-5;
    int wrong = 0;
    for (size_t i = 0; i < (ROWS - 1) * ldx + c; i++)
        x.p[i] += far_from_zero;
    k->layer_norm(&(hst_layer_norm){.x = x.p,
                                    .gamma = gamma.p,
                                    .beta = beta.p,
                                    .y = y.p,
                                    .ldx = ldx,
                                    .ldy = ldy,
                                    .rows = ROWS,
                                    .c = n,
                                    .epsilon = (float)epsilon});
    for (size_t r = 0; r < ROWS; r++) {
        const float *row = x.p + r * ldx;
        double mean = 0, variance = 0, sizes = 0;
        for (size_t i = 0; i < c; i++)
            mean += (double)row[i] / n, sizes += fabs((double)row[i]) / n;
        for (size_t i = 0; i < c; i++)
            variance += ((double)row[i] - mean) * ((double)row[i] - mean) / n;
        const double by = 1 / sqrt(variance + epsilon);
        for (size_t i = 0; i < c; i++) {
            const double d = ((double)row[i] - mean) * by;
            const double size = (fabs(d) + sizes * by) * fabs((double)gamma.p[i]);
            wrong += far(i, (double)y.p[r * ldy + i], d * (double)gamma.p[i] + (double)beta.p[i],
                         size + fabs((double)beta.p[i]), 8 + n / 8);
        }
    }
    guarded *all[] = {&x, &y, &gamma, &beta};
    for (int i = 0; i < 4; i++)
        release(all[i]);
    if (wrong)
        say_wrong(k, "layer norm of %d channels", n);
    return wrong;
}

/* A row has the same bits alone and in its own place; NaN and infinity make all of it NaN. */
static int norm_alone(const hst_kernels *k, int n, float odd)
{
    const size_t c = (size_t)n;
    guarded x = numbers(ROWS * c, 0, 1), y = numbers(ROWS * c, 0, 2), gamma = numbers(c, 0, 3);
    hst_layer_norm p = {x.p, gamma.p, gamma.p, y.p, c, c, ROWS, n, 1e-6f};
    int wrong = 0;
    k->layer_norm(&p);
    p.x = x.p + c;
    p.y = x.p + c;
    p.rows = 1;
    k->layer_norm(&p);
    wrong += memcmp(x.p + c, y.p + c, c * sizeof *y.p) != 0;
    x.p[c + c / 2] = odd;
    k->layer_norm(&p);
    for (size_t i = 0; i < c; i++)
        wrong += !isnan(x.p[c + i]);
    release(&x);
    release(&y);
    release(&gamma);
    if (wrong)
        say_wrong(k, "layer norm of %d channels alone, and of %g", n, (double)odd);
    return wrong;
}

int layer_norms(const hst_kernels *k)
{
    int wrong = 0;
    for (int i = 0; i < N_LENGTHS; i++)
        wrong += norm_check(k, lengths[i], 0) + norm_check(k, lengths[i], 100) +
                 norm_alone(k, lengths[i], NAN) + norm_alone(k, lengths[i], INFINITY);
    return wrong;
}

/* The definition in double; each result on top of what was there. Sums over c and over rows, and
 * what cancels in x - mean, are known to so many roundings of the sizes that go into them. */
static int norm_back_check(const hst_kernels *k, int n, int wants_dx)
{
    const size_t c = (size_t)n, all = ROWS * c;
    guarded x = numbers(all, n & 1, 1), dy = numbers(all, 0, 2), dx = numbers(all, n & 1, 3),
            was = numbers(all, 0, 3), gamma = numbers(c, 1, 4), dgamma = numbers(c, n & 1, 5),
            dbeta = numbers(c, 0, 6), gamma_was = numbers(c, 0, 5), beta_was = numbers(c, 0, 6);
    const double epsilon = 1e-5;
    double *dg = calloc(4 * c, sizeof *dg), *db = dg + c, *sizes = db + c, *normal = sizes + c;
    int wrong = 0;
    k->layer_norm_back(&(hst_layer_norm_back){x.p, gamma.p, dy.p, wants_dx ? dx.p : NULL, dgamma.p,
                                              dbeta.p, ROWS, n, (float)epsilon});
    for (size_t r = 0; r < ROWS; r++) {
        const float *row = x.p + r * c, *d = dy.p + r * c;
        double mean = 0, variance = 0, sum = 0, product = 0, size = 0;
        for (size_t i = 0; i < c; i++)
            mean += (double)row[i] / n;
        for (size_t i = 0; i < c; i++)
            variance += ((double)row[i] - mean) * ((double)row[i] - mean) / n;
        const double by = 1 / sqrt(variance + epsilon);
        for (size_t i = 0; i < c; i++) {
            const double g = (double)gamma.p[i] * (double)d[i];
            normal[i] = ((double)row[i] - mean) * by;
            sum += g / n;
            product += g * normal[i] / n;
            size += fabs(g) * (1 + fabs(normal[i]) + by) / n;
            dg[i] += (double)d[i] * normal[i];
            db[i] += (double)d[i];
            sizes[i] += fabs((double)d[i]) * (fabs(normal[i]) + 4 * by);
        }
        for (size_t i = 0; i < c; i++) {
            const double g = (double)gamma.p[i] * (double)d[i], old = (double)was.p[r * c + i];
            const double want = wants_dx ? by * (g - sum - normal[i] * product) : 0;
            wrong += far(i, (double)dx.p[r * c + i], old + want,
                         fabs(old) + by * (fabs(g) + size * (1 + fabs(normal[i]) + by)), 8 + n / 8);
        }
    }
    for (size_t i = 0; i < c; i++) {
        const double g = (double)gamma_was.p[i], b = (double)beta_was.p[i];
        wrong += far(i, (double)dgamma.p[i], g + dg[i], fabs(g) + sizes[i], 8 + n / 8);
        wrong += far(i, (double)dbeta.p[i], b + db[i], fabs(b) + 3 * 4, ROWS);
    }
    guarded *all_of[] = {&x, &dy, &dx, &was, &gamma, &dgamma, &dbeta, &gamma_was, &beta_was};
    for (size_t i = 0; i < sizeof all_of / sizeof *all_of; i++)
        release(all_of[i]);
    free(dg);
    if (wrong)
        say_wrong(k, "gradient of layer norm of %d channels", n);
    return wrong;
}

int layer_norm_backs(const hst_kernels *k)
{
    int wrong = 0;
    for (int i = 0; i < N_LENGTHS; i++)
        wrong += norm_back_check(k, lengths[i], 1) + norm_back_check(k, lengths[i], 0);
    return wrong;
}

static int softmax_check(const hst_kernels *k, int n, float scale)
{
    const size_t c = (size_t)n, ld = c + GAP, all = (ROWS - 1) * ld + c;
    guarded x = numbers(all, n & 1, 1), was = numbers(all, 0, 1), of_sum = numbers(ROWS, 0, 2);
    int wrong = 0;
    for (size_t i = 0; i < all; i++)
        x.p[i] = was.p[i] *= scale;
    k->softmax(&(hst_softmax){.x = x.p, .ldx = ld, .rows = ROWS, .n = n, .of_sum = of_sum.p});
    for (size_t r = 0; r < ROWS; r++) {
        double most = -INFINITY, sum = 0;
        for (size_t i = 0; i < c; i++)
            most = (double)was.p[r * ld + i] > most ? (double)was.p[r * ld + i] : most;
        for (size_t i = 0; i < c; i++)
            sum += exp((double)was.p[r * ld + i] - most);
        for (size_t i = 0; i < c; i++) {
            const double want = exp((double)was.p[r * ld + i] - most);
            wrong +=
                far(i, (double)x.p[r * ld + i], want, want + 1e-30, 3 + (int)fabsf(60 * scale));
        }
        wrong += far(c, (double)of_sum.p[r], 1 / sum, 1 / sum, 6 + n / 8);
    }
    for (size_t r = 0; r + 1 < ROWS; r++)
        wrong += memcmp(x.p + r * ld + c, was.p + r * ld + c, GAP * sizeof *x.p) != 0;
    x.p[c / 2] = NAN;
    k->softmax(&(hst_softmax){.x = x.p, .ldx = ld, .rows = 1, .n = n, .of_sum = of_sum.p});
    wrong += !isnan(of_sum.p[0]);
    release(&x);
    release(&was);
    release(&of_sum);
    if (wrong)
        say_wrong(k, "softmax of %d numbers", n);
    return wrong;
}

int softmaxes(const hst_kernels *k)
{
    int wrong = 0;
    for (int i = 0; i < N_LENGTHS; i++)
        wrong += softmax_check(k, lengths[i], 1) + softmax_check(k, lengths[i], 0.01f) +
                 softmax_check(k, lengths[i], 5) + softmax_check(k, lengths[i], 1e6f);
    return wrong;
}

static int softmax_back_check(const hst_kernels *k, int n)
{
    const size_t c = (size_t)n, ld = c + GAP, all = (ROWS - 1) * ld + c;
    guarded x = numbers(all, n & 1, 1), p = numbers(all, 0, 1), dx = numbers(all, n & 1, 2),
            was = numbers(all, 0, 2), of_sum = numbers(ROWS, 0, 3), sum = numbers(ROWS, 1, 4);
    const float by = 0.3f;
    int wrong = 0;
    k->softmax_back(&(hst_softmax_back){x.p, dx.p, ld, ROWS, n, of_sum.p, sum.p, by});
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t i = r * ld; i < r * ld + c; i++) {
            const double part = (double)p.p[i] * (double)of_sum.p[r], s = (double)sum.p[r];
            const double size = fabs(part) * (fabs((double)was.p[i]) + fabs(s)) * (double)by;
            wrong += far(i, (double)x.p[i], part, fabs(part), 1);
            wrong += far(i, (double)dx.p[i], part * ((double)was.p[i] - s) * (double)by, size, 4);
        }
        if (r + 1 < ROWS)
            wrong += memcmp(dx.p + r * ld + c, was.p + r * ld + c, GAP * sizeof *dx.p) != 0 ||
                     memcmp(x.p + r * ld + c, p.p + r * ld + c, GAP * sizeof *x.p) != 0;
    }
    guarded *all_of[] = {&x, &p, &dx, &was, &of_sum, &sum};
    for (size_t i = 0; i < sizeof all_of / sizeof *all_of; i++)
        release(all_of[i]);
    if (wrong)
        say_wrong(k, "gradient of softmax of %d numbers", n);
    return wrong;
}

int softmax_backs(const hst_kernels *k)
{
    int wrong = 0;
    for (int i = 0; i < N_LENGTHS; i++)
        wrong += softmax_back_check(k, lengths[i]);
    return wrong;
}
