/* token_body.h - rows of tokens: layer norm and softmax. A body: included by each isa_<isa>.c
 * behind activation_body.h.
 *
 * A row's sum runs over four vectors side by side, then over these and their numbers in one order,
 * so that it does not depend on the other rows. Numbers behind the last whole vector are taken as
 * part of a vector whose rest is 0. */

/* The sum of the numbers of a vector; the largest of two. */
static inline float sum_of(vf a)
{
    float part[V_N], sum = 0;
    v_store(part, a);
    for (int i = 0; i < V_N; i++)
        sum += part[i];
    return sum;
}

static inline float largest_of(vf a, vf b)
{
    float part[2 * V_N], most = -INFINITY;
    v_store(part, a);
    v_store(part + V_N, b);
    for (int i = 0; i < 2 * V_N; i++)
        most = part[i] > most ? part[i] : most;
    return most;
}

static inline float row_sum(const float *x, int n)
{
    vf s0 = v_set1(0), s1 = s0, s2 = s0, s3 = s0;
    int i = 0;
    for (; i + 4 * V_N <= n; i += 4 * V_N) {
        s0 = v_add(s0, v_load(x + i));
        s1 = v_add(s1, v_load(x + i + V_N));
        s2 = v_add(s2, v_load(x + i + 2 * V_N));
        s3 = v_add(s3, v_load(x + i + 3 * V_N));
    }
    for (; i + V_N <= n; i += V_N)
        s0 = v_add(s0, v_load(x + i));
    if (i < n)
        s1 = v_add(s1, v_load_part(x + i, n - i));
    return sum_of(v_add(v_add(s0, s1), v_add(s2, s3)));
}

static inline vf square_of(vf x, vf mean, vf sum)
{
    const vf d = v_sub(x, mean);
    return v_fma(d, d, sum);
}

/* sum (x - mean)^2; what stands behind the row would count, so the rest is summed by itself. */
static inline float row_squares(const float *x, float mean, int n)
{
    const vf m = v_set1(mean);
    vf s0 = v_set1(0), s1 = s0, s2 = s0, s3 = s0;
    int i = 0;
    for (; i + 4 * V_N <= n; i += 4 * V_N) {
        s0 = square_of(v_load(x + i), m, s0);
        s1 = square_of(v_load(x + i + V_N), m, s1);
        s2 = square_of(v_load(x + i + 2 * V_N), m, s2);
        s3 = square_of(v_load(x + i + 3 * V_N), m, s3);
    }
    for (; i + V_N <= n; i += V_N)
        s0 = square_of(v_load(x + i), m, s0);
    float rest = 0;
    for (; i < n; i++)
        rest += (x[i] - mean) * (x[i] - mean);
    return sum_of(v_add(v_add(s0, s1), v_add(s2, s3))) + rest;
}

/* One row, of which the squares are summed behind the mean: both from the first-level cache. */
static void layer_norm_row(const hst_layer_norm *p, const float *x, float *y)
{
    const float mean = row_sum(x, p->c) / (float)p->c;
    const float scale = 1 / sqrtf(row_squares(x, mean, p->c) / (float)p->c + p->epsilon);
    const vf m = v_set1(mean), by = v_set1(scale);
    int c = 0;
    for (; c + V_N <= p->c; c += V_N) {
        const vf d = v_mul(v_sub(v_load(x + c), m), by);
        v_store(y + c, v_fma(d, v_load(p->gamma + c), v_load(p->beta + c)));
    }
    if (c < p->c) {
        const int n = p->c - c;
        const vf d = v_mul(v_sub(v_load_part(x + c, n), m), by);
        v_store_part(y + c, n, v_fma(d, v_load_part(p->gamma + c, n), v_load_part(p->beta + c, n)));
    }
}

static void layer_norm(const hst_layer_norm *p)
{
    layer_norm_contract(p);
    for (size_t r = 0; r < p->rows; r++)
        layer_norm_row(p, p->x + r * p->ldx, p->y + r * p->ldy);
}

/* What a vector of channels adds to the sums over g and g x^, and to dgamma and dbeta. */
typedef struct norm_sums {
    vf g, product;
} norm_sums;

static inline __attribute__((always_inline)) norm_sums
norm_back_sums(const hst_layer_norm_back *b, const float *x, const float *dy, vf mean, vf by, int c,
               int n, const int partial, norm_sums s)
{
    const vf d = load_some(dy + c, n, partial), g = v_mul(d, load_some(b->gamma + c, n, partial));
    const vf normal = v_mul(v_sub(load_some(x + c, n, partial), mean), by);
    if (b->dgamma)
        store_some(b->dgamma + c, n, v_fma(d, normal, load_some(b->dgamma + c, n, partial)),
                   partial);
    if (b->dbeta)
        store_some(b->dbeta + c, n, v_add(load_some(b->dbeta + c, n, partial), d), partial);
    return (norm_sums){v_add(s.g, g), v_fma(g, normal, s.product)};
}

/* dx of a vector of channels: by (g - sum - x^ product). */
static inline __attribute__((always_inline)) void
norm_back_inputs(const hst_layer_norm_back *b, const float *x, const float *dy, float *dx, vf mean,
                 vf by, norm_sums s, int c, int n, const int partial)
{
    const vf g = v_mul(load_some(dy + c, n, partial), load_some(b->gamma + c, n, partial));
    const vf normal = v_mul(v_sub(load_some(x + c, n, partial), mean), by);
    const vf rest = v_sub(v_sub(g, s.g), v_mul(normal, s.product));
    store_some(dx + c, n, v_fma(rest, by, load_some(dx + c, n, partial)), partial);
}

/* One row, three times from the first-level cache. Where dy is 0, as behind the row, nothing is
 * added. */
static void layer_norm_back_row(const hst_layer_norm_back *b, const float *x, const float *dy,
                                float *dx)
{
    const float average = row_sum(x, b->c) / (float)b->c;
    const vf mean = v_set1(average), zero = v_set1(0), share = v_set1(1 / (float)b->c);
    const vf by = v_set1(1 / sqrtf(row_squares(x, average, b->c) / (float)b->c + b->epsilon));
    const int full = b->c / V_N * V_N;
    norm_sums s = {zero, zero};
    for (int c = 0; c < full; c += V_N)
        s = norm_back_sums(b, x, dy, mean, by, c, V_N, 0, s);
    if (full < b->c)
        s = norm_back_sums(b, x, dy, mean, by, full, b->c - full, 1, s);
    if (!dx)
        return;
    s.g = v_mul(v_set1(sum_of(s.g)), share);
    s.product = v_mul(v_set1(sum_of(s.product)), share);
    for (int c = 0; c < full; c += V_N)
        norm_back_inputs(b, x, dy, dx, mean, by, s, c, V_N, 0);
    if (full < b->c)
        norm_back_inputs(b, x, dy, dx, mean, by, s, full, b->c - full, 1);
}

static void layer_norm_back(const hst_layer_norm_back *b)
{
    layer_norm_back_contract(b);
    for (size_t r = 0, at = 0; r < b->rows; r++, at += (size_t)b->c)
        layer_norm_back_row(b, b->x + at, b->dy + at, b->dx ? b->dx + at : NULL);
}

static inline float row_largest(const float *x, int n)
{
    vf a = v_set1(-INFINITY), b = a;
    int i = 0;
    for (; i + 2 * V_N <= n; i += 2 * V_N) {
        a = v_at_least(a, v_load(x + i));
        b = v_at_least(b, v_load(x + i + V_N));
    }
    float most = largest_of(a, b);
    for (; i < n; i++)
        most = x[i] > most ? x[i] : most;
    return most;
}

/* e^(x - most), to e^-87. */
static inline vf below_most(vf x, vf most)
{
    return power(v_clamp(v_set1(0), v_set1(87), v_sub(most, x)));
}

/* A row's powers in place, and their sum in the order of row_sum. */
static inline float softmax_row(float *x, int n)
{
    const vf most = v_set1(row_largest(x, n));
    vf s0 = v_set1(0), s1 = s0, s2 = s0, s3 = s0;
    int i = 0;
#define NEXT(s, at)                                                                                \
    {                                                                                              \
        const vf e = below_most(v_load(x + (at)), most);                                           \
        v_store(x + (at), e);                                                                      \
        s = v_add(s, e);                                                                           \
    }
    for (; i + 4 * V_N <= n; i += 4 * V_N) {
        NEXT(s0, i)
        NEXT(s1, i + V_N)
        NEXT(s2, i + 2 * V_N)
        NEXT(s3, i + 3 * V_N)
    }
    for (; i + V_N <= n; i += V_N)
        NEXT(s0, i)
#undef NEXT
    if (i < n) {
        v_store_part(x + i, n - i, below_most(v_load_part(x + i, n - i), most));
        s1 = v_add(s1, v_load_part(x + i, n - i));
    }
    return sum_of(v_add(v_add(s0, s1), v_add(s2, s3)));
}

/* The largest may miss a NaN, the sum does not: it makes all of the row NaN. */
static void softmax(const hst_softmax *s)
{
    softmax_contract(s);
    for (size_t r = 0; r < s->rows; r++)
        s->of_sum[r] = 1 / softmax_row(s->x + r * s->ldx, s->n);
}

static inline __attribute__((always_inline)) void
softmax_back_vector(float *x, float *dx, vf of_sum, vf sum, vf by, int n, const int partial)
{
    const vf p = v_mul(load_some(x, n, partial), of_sum);
    store_some(x, n, p, partial);
    store_some(dx, n, v_mul(v_mul(p, v_sub(load_some(dx, n, partial), sum)), by), partial);
}

static void softmax_back(const hst_softmax_back *b)
{
    softmax_back_contract(b);
    const int full = b->n / V_N * V_N;
    for (size_t r = 0; r < b->rows; r++) {
        float *x = b->x + r * b->ldx, *dx = b->dx + r * b->ldx;
        const vf of_sum = v_set1(b->of_sum[r]), sum = v_set1(b->sum[r]), by = v_set1(b->by);
        for (int i = 0; i < full; i += V_N)
            softmax_back_vector(x + i, dx + i, of_sum, sum, by, V_N, 0);
        if (full < b->n)
            softmax_back_vector(x + full, dx + full, of_sum, sum, by, b->n - full, 1);
    }
}
