/* The kernels of batch norm over rows against double precision. */
#include "cases.h"
#include "guard.h"

#include <math.h>
#include <stdio.h>

/* Sets of channels around every vector width, and blocks of four vectors. */
static const int channels[] = {1, 3, 4, 5, 8, 15, 16, 17, 24, 33, 64, 67, 144};
static const size_t row_counts[] = {1, 2, 7, 300};
enum { N_CHANNELS = sizeof channels / sizeof *channels };
enum { N_ROWS = sizeof row_counts / sizeof *row_counts };

typedef struct norm_case {
    const hst_kernels *kernels;
    size_t rows;
    int c, place;
    guarded x, z, y, a, b, d; /* [rows][c] three times, [c] three times */
} norm_case;

static norm_case begin(const hst_kernels *k, size_t rows, int c)
{
    norm_case t = {.kernels = k, .rows = rows, .c = c, .place = c & 1};
    size_t n = rows * (size_t)c;
    t.x = numbers(n, t.place, 1);
    t.z = numbers(n, t.place, 2);
    t.y = numbers(n, t.place, 3);
    t.a = numbers((size_t)c, t.place, 4);
    t.b = numbers((size_t)c, t.place, 5);
    t.d = numbers((size_t)c, t.place, 6);
    return t;
}

static int end(norm_case *t, const char *what, int wrong)
{
    if (wrong)
        say_wrong(t->kernels, "%s over %zu rows of %d channels", what, t->rows, t->c);
    release(&t->x);
    release(&t->z);
    release(&t->y);
    release(&t->a);
    release(&t->b);
    release(&t->d);
    return wrong;
}

static int each(const hst_kernels *k, int (*check)(norm_case *t), const char *what)
{
    int wrong = 0;
    for (int r = 0; r < N_ROWS; r++)
        for (int c = 0; c < N_CHANNELS && !wrong; c++) {
            norm_case t = begin(k, row_counts[r], channels[c]);
            wrong += end(&t, what, check(&t));
        }
    return wrong;
}

/* What GELU's sigmoid is of. */
static double cubic(double v)
{
    return 2 * sqrt(2 / M_PI) * (v + 0.044715 * v * v * v);
}

/* An activation and its derivative by their definitions (kernels.h). */
static double act_of(enum hst_act act, double v)
{
    const double hard = fmin(fmax(v + 3, 0), 6) / 6, soft = 1 / (1 + exp(-v));
    const double y[] = {[HST_ACT_NONE] = v,
                        [HST_ACT_RELU6] = fmin(fmax(v, 0), 6),
                        [HST_ACT_RELU] = fmax(v, 0),
                        [HST_ACT_SIGMOID] = soft,
                        [HST_ACT_HSIGMOID] = hard,
                        [HST_ACT_HSWISH] = v * hard,
                        [HST_ACT_SWISH] = v * soft,
                        [HST_ACT_GELU] = v * erfc(-v * sqrt(0.5)) / 2,
                        [HST_ACT_GELU_TANH] = v / (1 + exp(-cubic(v))),
                        [HST_ACT_GELU_QUICK] = v / (1 + exp(-1.702 * v))};
    return y[act];
}

static double slope_of(enum hst_act act, double v)
{
    const double soft = 1 / (1 + exp(-v)), inside = v > -3 && v < 3;
    const double like_tanh = 1 / (1 + exp(-cubic(v))), quick = 1 / (1 + exp(-1.702 * v));
    const double rate = 2 * sqrt(2 / M_PI) * (1 + 3 * 0.044715 * v * v);
    const double y[] = {[HST_ACT_NONE] = 1,
                        [HST_ACT_RELU6] = v > 0 && v<6, [HST_ACT_RELU] = v> 0,
                        [HST_ACT_SIGMOID] = soft * (1 - soft),
                        [HST_ACT_HSIGMOID] = inside / 6,
                        [HST_ACT_HSWISH] = v >= 3 ? 1 : inside * (v / 3 + 0.5),
                        [HST_ACT_SWISH] = soft * (1 + v * (1 - soft)),
                        [HST_ACT_GELU] =
                            erfc(-v * sqrt(0.5)) / 2 + v * exp(-v * v / 2) / sqrt(2 * M_PI),
                        [HST_ACT_GELU_TANH] = like_tanh * (1 + v * (1 - like_tanh) * rate),
                        [HST_ACT_GELU_QUICK] = quick * (1 + v * (1 - quick) * 1.702)};
    return y[act];
}

enum { EXTRA = 12 }; /* roundings of an activation: e^x, a division, products */

static int check_map(norm_case *t)
{
    int wrong = 0;
    for (int kind = 0; kind < 2 * HST_ACTS; kind++) {
        const enum hst_act act = (enum hst_act)(kind >> 1);
        const int adds = kind & 1;
        t->kernels->norm_map(&(hst_norm_map){.x = t->x.p,
                                             .scale = t->a.p,
                                             .shift = t->b.p,
                                             .z = adds ? t->z.p : NULL,
                                             .y = t->y.p,
                                             .rows = t->rows,
                                             .c = t->c,
                                             .act = act});
        for (size_t i = 0; i < t->rows * (size_t)t->c; i++) {
            size_t c = i % (size_t)t->c;
            double product = (double)t->x.p[i] * t->a.p[c], v = product + t->b.p[c];
            double sizes = fabs(product) + fabs(t->b.p[c]) + fabs(t->z.p[i]);
            wrong |= far(i, t->y.p[i], act_of(act, v) + (adds ? t->z.p[i] : 0), sizes,
                         act > HST_ACT_RELU ? 3 + EXTRA : 3);
        }
    }
    return wrong;
}

/* Where x scale + shift is nearer to a kink than its rounding, either slope is right. */
static int check_gate(norm_case *t)
{
    int wrong = 0;
    for (int kind = 0; kind < 2 * HST_ACTS; kind++) {
        const enum hst_act act = (enum hst_act)(kind >> 1);
        const int scaled = kind & 1;
        t->kernels->norm_gate(&(hst_norm_gate){.x = t->x.p,
                                               .scale = scaled ? t->a.p : NULL,
                                               .shift = scaled ? t->b.p : NULL,
                                               .dy = t->z.p,
                                               .dx = t->y.p,
                                               .rows = t->rows,
                                               .c = t->c,
                                               .act = act});
        for (size_t i = 0; i < t->rows * (size_t)t->c; i++) {
            size_t c = i % (size_t)t->c;
            double v = scaled ? (double)t->x.p[i] * t->a.p[c] + t->b.p[c] : t->x.p[i];
            double dy = t->z.p[i], kinks[] = {-3, 0, 3, 6}, near = INFINITY;
            for (int k = 0; k < 4; k++)
                near = fmin(near, fabs(v - kinks[k]));
            wrong |= near > 1e-5 && far(i, t->y.p[i], dy * slope_of(act, v), fabs(dy), 3 + EXTRA);
        }
    }
    return wrong;
}

static int check_back(norm_case *t)
{
    int wrong = 0;
    t->kernels->norm_back(&(hst_norm_back){.dy = t->x.p,
                                           .x = t->z.p,
                                           .of_dy = t->a.p,
                                           .of_x = t->b.p,
                                           .shift = t->d.p,
                                           .dx = t->y.p,
                                           .rows = t->rows,
                                           .c = t->c});
    for (size_t i = 0; i < t->rows * (size_t)t->c; i++) {
        size_t c = i % (size_t)t->c;
        double p = (double)t->x.p[i] * t->a.p[c], q = (double)t->z.p[i] * t->b.p[c];
        wrong |= far(i, t->y.p[i], p + q + t->d.p[c], fabs(p) + fabs(q) + fabs(t->d.p[c]), 3);
    }
    return wrong;
}

/* The mean is far from zero in every third channel: squares must not suffer. */
static int check_moments(norm_case *t)
{
    int wrong = 0, n = (int)t->rows;
    for (size_t i = 0; i < t->rows * (size_t)t->c; i++)
        t->x.p[i] += i % (size_t)t->c % 3 ? 0 : 1000;
    t->kernels->norm_moments(&(hst_norm_sums){
        .x = t->x.p, .first = t->a.p, .second = t->b.p, .rows = t->rows, .c = t->c});
    for (int c = 0; c < t->c; c++) {
        double mean = 0, sizes = 0, squares = 0;
        for (int r = 0; r < n; r++)
            mean += (double)t->x.p[r * t->c + c] / n;
        for (int r = 0; r < n; r++) {
            double d = (double)t->x.p[r * t->c + c] - (double)t->a.p[c];
            squares += d * d;
            sizes += fabs((double)t->x.p[r * t->c + c]);
        }
        wrong |= far((size_t)c, t->a.p[c], mean, sizes / n, n + 1) |
                 far((size_t)c, t->b.p[c], squares, squares, n + 2);
    }
    return wrong;
}

static int check_products(norm_case *t)
{
    int wrong = 0, n = (int)t->rows;
    t->kernels->norm_products(&(hst_norm_sums){.x = t->x.p,
                                               .dy = t->z.p,
                                               .mean = t->d.p,
                                               .first = t->a.p,
                                               .second = t->b.p,
                                               .rows = t->rows,
                                               .c = t->c});
    for (int c = 0; c < t->c; c++) {
        double sum = 0, size = 0, products = 0, sizes = 0;
        for (int r = 0; r < n; r++) {
            double g = (double)t->z.p[r * t->c + c], x = (double)t->x.p[r * t->c + c];
            sum += g;
            size += fabs(g);
            products += g * (x - (double)t->d.p[c]);
            sizes += fabs(g) * (fabs(x) + fabs((double)t->d.p[c]));
        }
        wrong |= far((size_t)c, t->a.p[c], sum, size, n) |
                 far((size_t)c, t->b.p[c], products, sizes, n + 2);
    }
    return wrong;
}

int norm_maps(const hst_kernels *k)
{
    return each(k, check_map, "batch norm") + each(k, check_gate, "slope of an activation");
}

int norm_backs(const hst_kernels *k)
{
    return each(k, check_back, "gradient of batch norm");
}

int norm_sums(const hst_kernels *k)
{
    return each(k, check_moments, "mean and variance") +
           each(k, check_products, "sums of gradients");
}
