/* Products in 8 bits against loops over whole numbers, bit by bit: sums are exact, and every
 * instruction set rounds alike. Buffers end right before a page that cannot be touched, or begin
 * right behind one. */
#include "cases.h"
#include "guard.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 3 }; /* floats between rows, which must be left alone */

typedef struct product {
    int rows, k, n, residual;
    float clamp;
    int zero;
    int extreme; /* 1: weights and rows are at the ends of their ranges */
    int place;
} product;

typedef struct product_data {
    guarded x, w, shift, low, packed, residual, y;
    double *scale;
    size_t ldx, ldy, ld;
    hst_quanta quanta;
    hst_low_gemm g;
} product_data;

/* Some numbers far beyond what 8 bits hold, and some in the middle of two. */
static void make_rows(product_data *d, const product *c)
{
    const float ends[] = {1e30f, -1e30f, 300, -300}, unit = d->quanta.scale;
    for (size_t r = 0; r < (size_t)c->rows; r++)
        for (size_t i = 0; i < (size_t)c->k; i++) {
            float *x = &d->x.p[r * d->ldx + i];
            if (c->extreme)
                *x = ends[(r + i % 2) % 4];
            else if ((r + i) % 7 == 0)
                *x = ((float)((int)(i * 37 % 300) - 40) + 0.5f) * unit;
            else if ((r + i) % 41 == 0)
                *x = ends[i % 4];
        }
    for (size_t i = 0; c->extreme && i < (size_t)c->k * (size_t)c->n; i++)
        d->w.p[i] = i % (size_t)c->n % 2 ? -3 : 3;
}

static product_data product_make(const hst_products *p, const product *c)
{
    product_data d = {.ldx = (size_t)c->k + GAP, .ldy = (size_t)c->n + GAP};
    const size_t last = (size_t)c->rows - 1, k = (size_t)c->k, n = (size_t)c->n;
    d.quanta = (hst_quanta){8.0f / 255, c->zero};
    d.ld = p->row_bytes(c->k);
    d.x = numbers(last * d.ldx + k, c->place, 1);
    d.w = numbers(k * n, c->place, 2);
    d.shift = numbers(n, c->place, 3);
    d.low = guard((size_t)c->rows * d.ld / sizeof(float), c->place);
    d.packed = guard(p->packed_bytes(c->k, c->n) / sizeof(float), c->place);
    d.residual = numbers(last * d.ldy + n, c->place, 4);
    d.y = numbers(last * d.ldy + n, c->place, 5);
    d.scale = malloc(2 * n * sizeof *d.scale);
    for (size_t i = 0; i < n; i++) {
        d.scale[i] = i % 11 == 10 ? 0 : 0.5 + 0.25 * (double)(i % 5); /* a column of zeros, too */
        d.scale[n + i] = (double)d.shift.p[i];
    }
    make_rows(&d, c);
    p->convert(&(hst_low_rows){d.x.p, d.ldx, (size_t)c->rows, c->k, d.low.p, d.ld, d.quanta});
    d.g = (hst_low_gemm){.x = d.low.p,
                         .ldx = d.ld,
                         .w = d.packed.p,
                         .y = d.y.p,
                         .ldy = d.ldy,
                         .residual = c->residual ? d.residual.p : NULL,
                         .rows = (size_t)c->rows,
                         .k = c->k,
                         .n = c->n,
                         .clamp = c->clamp};
    d.g.bias =
        p->pack(&(hst_low_weights){d.w.p, d.scale, d.scale + n, c->k, c->n, d.packed.p, d.quanta});
    return d;
}

static void product_end(product_data *d)
{
    guarded *all[] = {&d->x, &d->w, &d->shift, &d->low, &d->packed, &d->residual, &d->y};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        release(all[i]);
    free(d->scale);
}

/* q - zero of a number, by the definition. */
static int64_t of_row(float x, hst_quanta quanta)
{
    const float per_unit = 1 / quanta.scale, t = x * per_unit;
    const double q = isnan(t) ? 0 : rint((double)t) + quanta.zero;
    return (int64_t)fmin(fmax(q, 0), 255) - quanta.zero;
}

static float clamped(float v, float clamp)
{
    return !(clamp > 0) ? v : v < 0 ? 0 : v > clamp ? clamp : v;
}

/* What the weights of column col are divided by, and those quotients. */
static double of_column(const product *c, const product_data *d, int col, int64_t *v)
{
    double most = 0;
    for (int i = 0; i < c->k; i++) {
        const double size = fabs((double)d->w.p[i * c->n + col] * d->scale[col]);
        most = size > most ? size : most;
    }
    const double factor = most > 0 ? most / 127 : 1;
    for (int i = 0; i < c->k; i++)
        v[i] = (int64_t)rint((double)d->w.p[i * c->n + col] * d->scale[col] / factor);
    return factor;
}

static int column_check(const product *c, const product_data *d, int col, int64_t *v)
{
    const float scale = (float)(of_column(c, d, col, v) * (double)d->quanta.scale);
    int wrong = 0;
    for (int r = 0; r < c->rows; r++) {
        const size_t at = (size_t)r * d->ldy + (size_t)col;
        int64_t sum = 0;
        for (int i = 0; i < c->k; i++)
            sum += v[i] * of_row(d->x.p[(size_t)r * d->ldx + (size_t)i], d->quanta);
        volatile float want = (float)(int32_t)sum * scale;
        want += d->shift.p[col];
        want += c->residual ? d->residual.p[at] : 0;
        if (d->y.p[at] != clamped(want, c->clamp))
            wrong |= differs(at, (double)d->y.p[at], (double)clamped(want, c->clamp));
    }
    return wrong;
}

/* Numbers from a panel on, converted by themselves, lie where they lie among all. */
static int parts_check(const hst_products *p, const product *c, const product_data *d)
{
    int wrong = 0;
    if (c->k <= p->panel)
        return 0;
    char *part = malloc(d->ld);
    const size_t first = p->row_bytes(p->panel);
    p->convert(
        &(hst_low_rows){d->x.p + p->panel, d->ldx, 1, c->k - p->panel, part, d->ld, d->quanta});
    wrong |= memcmp(part, (const char *)d->low.p + first, d->ld - first) != 0;
    free(part);
    return wrong;
}

/* 1 when it is wrong: a value, a float between rows, or other bits for a row or panel by itself. */
static int product_check(const hst_kernels *kn, const hst_products *p, const product *c)
{
    product_data d = product_make(p, c);
    const size_t n = (size_t)c->n, floats = ((size_t)c->rows - 1) * d.ldy + n;
    float *before = malloc(floats * sizeof *before), *alone = malloc(n * sizeof *alone);
    int64_t *v = malloc((size_t)c->k * sizeof *v);
    memcpy(before, d.y.p, floats * sizeof *before);
    p->multiply(&d.g);
    int wrong = parts_check(p, c, &d);
    for (int col = 0; col < c->n && !wrong; col++)
        wrong = column_check(c, &d, col, v);
    for (int r = 0; r < c->rows && !wrong; r++) {
        const size_t at = (size_t)r * d.ldy;
        if (r + 1 < c->rows)
            wrong |= memcmp(d.y.p + at + n, before + at + n, GAP * sizeof *before) != 0;
        if (c->n <= p->panel)
            continue;
        const hst_low_gemm row = hst_low_gemm_rows(&d.g, (size_t)r, 1);
        hst_low_gemm last = hst_low_gemm_columns(p, &row, p->panel, c->n - p->panel);
        last.y = alone;
        p->multiply(&last);
        wrong |= memcmp(alone, d.y.p + at + p->panel, (n - (size_t)p->panel) * sizeof *alone) != 0;
    }
    if (wrong)
        say_wrong(kn, "int8 product of %d rows, k %d, n %d, residual %d, clamp %g, zero %d%s",
                  c->rows, c->k, c->n, c->residual, (double)c->clamp, c->zero,
                  c->extreme ? ", at the ends" : "");
    free(v);
    free(before);
    free(alone);
    product_end(&d);
    return wrong;
}

int int8_products(const hst_kernels *kn)
{
    static const int ks[] = {1, 2, 3, 4, 5, 27, 63, 64, 65, 150},
                     ns[] = {1, 3, 8, 9, 15, 16, 17, 24, 31, 32, 33, 64, 65, 97},
                     zeros[] = {0, 7, 128, 255};
    const hst_products *p = kn->products[HST_PRECISION_INT8];
    int wrong = 0, i = 0;
    for (int rows = 1; rows <= 45 && !wrong; rows += rows < 15 ? 1 : 15)
        for (size_t k = 0; k < sizeof ks / sizeof *ks && !wrong; k++)
            for (size_t n = 0; n < sizeof ns / sizeof *ns && !wrong; n++, i++)
                wrong =
                    product_check(kn, p,
                                  &(product){rows, ks[k], ns[n], i % 2,
                                             i % 3 == 0   ? 0
                                             : i % 3 == 1 ? 6
                                                          : INFINITY,
                                             zeros[i % 4], i % 5 == 0, i % 2 ? AT_END : AT_START});
    for (int zero = 0; zero < 4 && !wrong; zero++) {
        wrong = product_check(kn, p, &(product){3, 4607, 33, 0, 0, zeros[zero], 1, AT_END});
        wrong |= product_check(kn, p, &(product){5, 4608, 17, 1, 6, zeros[zero], 0, AT_END});
        wrong |= product_check(kn, p, &(product){1, 65536, 2, 0, 0, zeros[zero], 1, AT_END});
    }
    return wrong | (p->packed_bytes(65537, 1) != 0);
}

/* NaN is the least number, infinities the ends; weights that are none are refused. */
int int8_odd(const hst_kernels *kn)
{
    const hst_products *p = kn->products[HST_PRECISION_INT8];
    const float odd[] = {NAN, INFINITY, -INFINITY, 1}, least[] = {-10, 10, -10, 1};
    int wrong = 0;
    for (int place = 0; place < 22; place++)
        for (int i = 0; i < 4; i++) {
            const product shape = {5, 22, 19, 0, i % 2 ? 6 : 0, 50, 0, AT_END};
            product_data d = product_make(p, &shape);
            float want[19], *x = &d.x.p[2 * d.ldx + (size_t)place];
            *x = least[i];
            const hst_low_rows rows = {d.x.p, d.ldx, 5, 22, d.low.p, d.ld, d.quanta};
            p->convert(&rows);
            p->multiply(&d.g);
            memcpy(want, d.y.p + 2 * d.ldy, sizeof want);
            *x = odd[i];
            p->convert(&rows);
            p->multiply(&d.g);
            wrong |= memcmp(want, d.y.p + 2 * d.ldy, sizeof want) != 0;
            d.w.p[19 * place + 7] = odd[i];
            const float *bias = p->pack(
                &(hst_low_weights){d.w.p, d.scale, d.scale + 19, 22, 19, d.packed.p, d.quanta});
            wrong |= (bias != NULL) != (isfinite(odd[i]) != 0);
            product_end(&d);
        }
    if (wrong)
        say_wrong(kn, "NaN and infinities in int8");
    return wrong;
}
