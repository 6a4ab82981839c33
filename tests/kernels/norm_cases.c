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
        printf("%s: %s over %zu rows of %d channels is wrong\n", t->kernels->isa, what, t->rows,
               t->c);
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

static int check_map(norm_case *t)
{
    int wrong = 0;
    for (int kind = 0; kind < 4; kind++) {
        int relu6 = kind & 1, adds = kind >> 1;
        t->kernels->norm_map(&(hst_norm_map){.x = t->x.p,
                                             .scale = t->a.p,
                                             .shift = t->b.p,
                                             .z = adds ? t->z.p : NULL,
                                             .y = t->y.p,
                                             .rows = t->rows,
                                             .c = t->c,
                                             .relu6 = relu6});
        for (size_t i = 0; i < t->rows * (size_t)t->c; i++) {
            size_t c = i % (size_t)t->c;
            double product = (double)t->x.p[i] * t->a.p[c], v = product + t->b.p[c];
            double sizes = fabs(product) + fabs(t->b.p[c]) + fabs(t->z.p[i]);
            v = relu6 ? fmin(fmax(v, 0), 6) : v;
            wrong |= far(t->y.p[i], v + (adds ? t->z.p[i] : 0), sizes, 3);
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
        wrong |= far(t->y.p[i], p + q + t->d.p[c], fabs(p) + fabs(q) + fabs(t->d.p[c]), 3);
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
        wrong |= far(t->a.p[c], mean, sizes / n, n + 1) | far(t->b.p[c], squares, squares, n + 2);
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
        wrong |= far(t->a.p[c], sum, size, n) | far(t->b.p[c], products, sizes, n + 2);
    }
    return wrong;
}

int norm_maps(const hst_kernels *k)
{
    return each(k, check_map, "batch norm");
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
