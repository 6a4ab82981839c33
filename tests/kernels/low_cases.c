/* Products in bf16 against their definition: rounding bit by bit, sums of rounded
 * numbers in double, and where an instruction set has the order of products.h also bit by bit.
 * Buffers end right before a page that cannot be touched, or begin right behind one. */
#include "cases.h"
#include "guard.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* To nearest, ties to even, by the definition: the upper half of x, and the lower against its
 * middle. */
static float rounded(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    const uint32_t low = u & 0xffff, half = 0x8000;
    if (isnan(x))
        return x;
    if (fabsf(x) < 0x1p-126f)
        return copysignf(0, x);
    u -= low;
    if (low > half || (low == half && (u & 0x10000)))
        u += 0x10000;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* ---- rounding, seen through a product with a weight of 1 ---- */

static float through(const hst_products *p, float x)
{
    _Alignas(64) char row[256], packed[16384];
    float y, one[1] = {1};
    const double scale = 1, shift = 0;
    if (p->row_bytes(1) > sizeof row || p->packed_bytes(1, 1) > sizeof packed)
        return NAN;
    const float *bias = p->pack(&(hst_low_weights){one, &scale, &shift, 1, 1, packed, {1, 0}});
    p->convert(&(hst_low_rows){&x, 1, 1, 1, row, sizeof row, {1, 0}});
    p->multiply(&(hst_low_gemm){row, sizeof row, packed, bias, &y, 1, NULL, 1, 1, 1, 0});
    return y;
}

static int rounds_to(const hst_products *p, uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    const float got = through(p, x), want = rounded(x);
    return !(isnan(want) ? isnan(got) : got == want) && differs(bits, (double)got, (double)want);
}

int low_rounding(const hst_kernels *kn)
{
    static const uint32_t odd[] = {0x00000000, 0x80000000, 0x3f800000, 0x3f808000, 0x3f818000,
                                   0x3f808001, 0x3f807fff, 0x00800000, 0x007fffff, 0x80000001,
                                   0x7f7f7fff, 0x7f7f8000, 0x7f800000, 0xff800000, 0x7fc00000,
                                   0x7f800001, 0xffc12345, 0x477fffff};
    int wrong = 0;
    const hst_products *p = kn->products[HST_PRECISION_BF16];
    uint32_t bits = 12345;
    for (size_t k = 0; k < sizeof odd / sizeof *odd && !wrong; k++)
        wrong = rounds_to(p, odd[k]);
    for (int k = 0; k < 20000 && !wrong; k++) {
        bits = bits * 1664525 + 1013904223;
        if ((bits >> 23 & 0xff) > 2) /* what AMX and Arm flush in sums is no matter of rounding */
            wrong = rounds_to(p, bits);
    }
    if (wrong)
        say_wrong(kn, "rounding to bf16");
    return wrong;
}

/* ---- products ---- */

typedef struct product {
    int rows, k, n, residual;
    float clamp;
    int place;
} product;

enum { GAP = 3 }; /* floats between rows, which must be left alone */

typedef struct product_data {
    guarded x, w, shift, low, packed, residual, y;
    double *scale;
    size_t ldx, ldy, ld;
    hst_low_gemm g;
} product_data;

static product_data product_make(const hst_products *p, const product *c)
{
    product_data d = {.ldx = (size_t)c->k + GAP, .ldy = (size_t)c->n + GAP};
    const size_t last = (size_t)c->rows - 1, k = (size_t)c->k, n = (size_t)c->n;
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
        d.scale[i] = 0.5 + 0.25 * (double)(i % 5);
        d.scale[n + i] = (double)d.shift.p[i];
    }
    p->convert(&(hst_low_rows){d.x.p, d.ldx, (size_t)c->rows, c->k, d.low.p, d.ld, {1, 0}});
    d.g = (hst_low_gemm){.x = d.low.p,
                         .ldx = d.ld,
                         .w = d.packed.p,
                         .bias = p->pack(&(hst_low_weights){
                             d.w.p, d.scale, d.scale + n, c->k, c->n, d.packed.p, {1, 0}}),
                         .y = d.y.p,
                         .ldy = d.ldy,
                         .residual = c->residual ? d.residual.p : NULL,
                         .rows = (size_t)c->rows,
                         .k = c->k,
                         .n = c->n,
                         .clamp = c->clamp};
    return d;
}

static void product_end(product_data *d)
{
    guarded *all[] = {&d->x, &d->w, &d->shift, &d->low, &d->packed, &d->residual, &d->y};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        release(all[i]);
    free(d->scale);
}

static float clamped(float v, float clamp)
{
    return !(clamp > 0) ? v : v < 0 ? 0 : v > clamp ? clamp : v;
}

/* Whether sums have the order of products.h, and so the same bits. */
static int has_order(const hst_products *p)
{
    return strcmp(p->name, "amx") != 0 && strcmp(p->name, "neonbf16") != 0;
}

/* As products.h defines it, one rounding an addition; and in double. */
static int product_value(const hst_products *p, const product *c, const product_data *d, int row,
                         int col)
{
    const float *x = d->x.p + (size_t)row * d->ldx;
    const size_t at = (size_t)row * d->ldy + (size_t)col;
    const float r = c->residual ? d->residual.p[at] : 0;
    volatile float s = d->shift.p[col];
    double sum = (double)s + (double)r, sizes = fabs((double)s) + fabs((double)r);
    for (int i = 0; i < c->k + c->k % 2; i++) {
        const int k = i ^ 1; /* a pair's second first */
        if (k >= c->k)
            continue;
        const float w = d->w.p[(size_t)k * (size_t)c->n + (size_t)col];
        const float term = rounded(x[k]) * rounded((float)((double)w * d->scale[col]));
        s += term;
        sum += (double)term;
        sizes += fabs((double)term);
    }
    s += r;
    const float got = d->y.p[at];
    if (has_order(p) && got != clamped(s, c->clamp))
        return differs(at, (double)got, (double)clamped(s, c->clamp));
    const double want = !(c->clamp > 0) ? sum : fmin(fmax(sum, 0), (double)c->clamp);
    return far(at, (double)got, want, sizes, c->k);
}

/* 1 when it is wrong: a value, a float between rows, or other bits for a row or panel by itself. */
static int product_check(const hst_kernels *kn, const hst_products *p, const product *c)
{
    product_data d = product_make(p, c);
    const size_t n = (size_t)c->n, floats = ((size_t)c->rows - 1) * d.ldy + n;
    float *before = malloc(floats * sizeof *before), *alone = malloc(n * sizeof *alone);
    memcpy(before, d.y.p, floats * sizeof *before);
    p->multiply(&d.g);
    int wrong = 0;
    for (int r = 0; r < c->rows && !wrong; r++) {
        const size_t at = (size_t)r * d.ldy;
        for (int col = 0; col < c->n; col++)
            wrong |= product_value(p, c, &d, r, col);
        if (r + 1 < c->rows)
            wrong |= memcmp(d.y.p + at + n, before + at + n, GAP * sizeof *before) != 0;
        hst_low_gemm row = hst_low_gemm_rows(&d.g, (size_t)r, 1);
        row.y = alone;
        p->multiply(&row);
        wrong |= memcmp(alone, d.y.p + at, n * sizeof *alone) != 0;
        if (c->n <= p->panel)
            continue;
        hst_low_gemm last = hst_low_gemm_columns(p, &row, p->panel, c->n - p->panel);
        memset(alone, 0, n * sizeof *alone);
        p->multiply(&last);
        wrong |= memcmp(alone + p->panel, d.y.p + at + p->panel,
                        (n - (size_t)p->panel) * sizeof *alone) != 0;
    }
    if (wrong)
        say_wrong(kn, "%s product of %d rows, k %d, n %d, residual %d, clamp %g",
                  hst_precision_names[p->precision], c->rows, c->k, c->n, c->residual,
                  (double)c->clamp);
    free(before);
    free(alone);
    product_end(&d);
    return wrong;
}

int low_products(const hst_kernels *kn)
{
    static const int ks[] = {1, 2, 3, 27, 32, 33, 95, 150},
                     ns[] = {1, 3, 5, 8, 9, 15, 16, 17, 24, 31, 32, 33, 40, 67};
    int wrong = 0, i = 0;
    for (int rows = 1; rows <= 49 && !wrong; rows += rows < 34 ? 1 : 15)
        for (size_t k = 0; k < sizeof ks / sizeof *ks && !wrong; k++)
            for (size_t n = 0; n < sizeof ns / sizeof *ns && !wrong; n++, i++)
                wrong = product_check(kn, kn->products[HST_PRECISION_BF16],
                                      &(product){rows, ks[k], ns[n], i % 2,
                                                 i % 3 == 0   ? 0
                                                 : i % 3 == 1 ? 6
                                                              : INFINITY,
                                                 i % 2 ? AT_END : AT_START});
    return wrong;
}

/* ---- matrices of learning ---- */

/* x[rows][k] transposed, to be released. */
static guarded transposed(const float *x, size_t rows, size_t k, int place)
{
    guarded t = guard(rows * k, place);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < k; c++)
            t.p[c * rows + r] = x[r * k + c];
    return t;
}

/* 1: columns made rows are not what rows are, or a matrix packed as it is, either way, is not what
 * a packed one with scales of 1 is. */
static int matrix_check(const hst_products *p, int k, int n, int place)
{
    const size_t rows = (size_t)k, columns = (size_t)n, ld = p->row_bytes(k);
    const size_t panels = (columns + (size_t)p->panel - 1) / (size_t)p->panel;
    const size_t bytes = panels * (size_t)p->panel * p->column_bytes(k);
    guarded w = numbers(rows * columns, place, 1), t = transposed(w.p, rows, columns, place);
    guarded want = guard(p->packed_bytes(k, n) / sizeof(float), place);
    guarded got = guard(bytes / sizeof(float), place);
    double *one = calloc(2 * columns, sizeof *one);
    for (size_t i = 0; i < columns; i++)
        one[i] = 1;
    p->pack(&(hst_low_weights){w.p, one, one + columns, k, n, want.p, {1, 0}});
    hst_low_matrix m = {w.p, columns, k, n, 0, got.p, (size_t)p->panel * p->column_bytes(k)};
    p->pack_matrix(&m);
    int wrong = memcmp(got.p, want.p, bytes) != 0;
    memset(got.p, 1, bytes);
    m.w = t.p;
    m.ld = rows;
    m.transposed = 1;
    p->pack_matrix(&m);
    wrong |= memcmp(got.p, want.p, bytes) != 0;
    guarded row = guard(columns * ld / sizeof(float), place);
    guarded column = guard(columns * ld / sizeof(float), place);
    p->convert(&(hst_low_rows){t.p, rows, columns, k, row.p, ld, {1, 0}});
    p->convert_columns(&(hst_low_rows){w.p, columns, rows, n, column.p, ld, {1, 0}});
    wrong |= memcmp(row.p, column.p, columns * ld) != 0;
    guarded *all[] = {&w, &t, &want, &got, &row, &column};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        release(all[i]);
    free(one);
    return wrong;
}

int low_matrices(const hst_kernels *kn)
{
    static const int ks[] = {1, 2, 3, 15, 16, 31, 32, 33, 63, 66, 97},
                     ns[] = {1, 5, 15, 16, 17, 32, 33, 48, 67};
    int wrong = 0;
    for (size_t k = 0; k < sizeof ks / sizeof *ks && !wrong; k++)
        for (size_t n = 0; n < sizeof ns / sizeof *ns && !wrong; n++) {
            wrong = matrix_check(kn->products[HST_PRECISION_BF16], ks[k], ns[n],
                                 (k + n) % 2 ? AT_END : AT_START);
            if (wrong)
                say_wrong(kn, "a matrix of %d x %d packed for learning", ks[k], ns[n]);
        }
    return wrong;
}

/* ---- numbers that are none ---- */

int low_odd(const hst_kernels *kn)
{
    const hst_products *p = kn->products[HST_PRECISION_BF16];
    const float odd[] = {NAN, INFINITY, -INFINITY, 1}, clamps[] = {0, 6, INFINITY};
    int wrong = 0;
    for (int at = 0; at < 4; at++)
        for (int c = 0; c < 3; c++) {
            const product shape = {5, 3, 19, 0, clamps[c], AT_END};
            product_data d = product_make(p, &shape);
            d.x.p[2 * d.ldx + 1] = odd[at];
            p->convert(&(hst_low_rows){d.x.p, d.ldx, 5, 3, d.low.p, d.ld, {1, 0}});
            p->multiply(&d.g);
            for (size_t i = 0; i < 5 * 19; i++) {
                const size_t row = i / 19, col = i % 19;
                const float got = d.y.p[row * d.ldy + col], w = d.w.p[19 + col];
                const float want = isnan(odd[at]) ? NAN : clamped(odd[at] * w, clamps[c]);
                if (row == 2 && !isfinite(odd[at]) && w != 0)
                    wrong |= isnan(want) ? !isnan(got) : got != want;
                else
                    wrong |= !isfinite(got);
            }
            d.w.p[7] = odd[at]; /* weights that are no numbers are refused */
            const float *bias = p->pack(
                &(hst_low_weights){d.w.p, d.scale, d.scale + 19, 3, 19, d.packed.p, {1, 0}});
            wrong |= (bias != NULL) != (isfinite(odd[at]) != 0);
            product_end(&d);
        }
    if (wrong)
        say_wrong(kn, "NaN and infinities in %s", hst_precision_names[p->precision]);
    return wrong;
}
