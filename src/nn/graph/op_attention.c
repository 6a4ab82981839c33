/* op_attention.c - every token takes a mean of all values, weighted by how its query fits their
 * keys, for each head by itself (Vaswani et al. 2017, arXiv 1706.03762):
 *
 *   p = softmax(q k' / sqrt(d)),  y = p v,   d = c / heads channels
 *
 * A block of queries at a time, whose rows of p stay in the cache: [tokens][tokens] is never in
 * memory. */
#include "nn/infer/unit.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static const hst_attr attrs[] = {{"heads", HST_ATTR_INT, offsetof(hst_attention, heads), NULL}};

static int heads_of(const hst_node *n)
{
    return ((const hst_attention *)(const void *)n->attrs)->heads;
}

static int does_not_fit(int heads, hst_shape x, hst_err *err)
{
    return hst_fail(err, HST_EMODEL, "%d heads do not fit %d x %d tokens of %d numbers", heads, x.h,
                    x.w, x.c);
}

static int attention_type(hst_node *n, const hst_type *in, hst_err *err)
{
    const int heads = heads_of(n);
    const hst_shape x = hst_type_shape(in);
    if (x.h != 1 || x.c % 3 != 0 || heads < 1 || x.c / 3 % heads != 0)
        return does_not_fit(heads, x, err);
    n->type = hst_image_type((hst_shape){1, x.w, x.c / 3});
    return 0;
}

static int cross_type(hst_node *n, const hst_type *in, hst_err *err)
{
    const int heads = heads_of(n);
    const hst_shape q = hst_type_shape(&in[0]), kv = hst_type_shape(&in[1]);
    if (q.h != 1 || kv.h != 1 || heads < 1 || q.c % heads != 0 || kv.c != 2 * q.c)
        return does_not_fit(heads, kv, err);
    n->type = hst_image_type(q);
    return 0;
}

/* The value that has the keys and values: of attention, all three. */
static int is_cross(const hst_node *n)
{
    return n->op == &hst_op_cross_attention;
}

/* Two products, [queries][d] by [tokens] each, a head. */
static double flops(const hst_node *n, const hst_shape *in)
{
    return 4.0 * in[0].w * in[is_cross(n)].w * (is_cross(n) ? in[0].c : in[0].c / 3);
}

/* Sizes of a head, of which all have the same. */
typedef struct head {
    size_t queries, n, d, c; /* queries; tokens; channels of a head, of all */
    size_t ldq, ld;          /* floats between queries, between keys as between values */
    float by;                /* 1 / sqrt(d) */
} head;

static head head_of(const hst_node *n, const hst_shape *in)
{
    const hst_shape kv = in[is_cross(n)];
    head h = {.queries = (size_t)in[0].w, .n = (size_t)kv.w, .ldq = (size_t)in[0].c};
    h.ld = (size_t)kv.c;
    h.c = is_cross(n) ? h.ldq : h.ldq / 3;
    h.d = h.c / (size_t)heads_of(n);
    h.by = 1 / sqrtf((float)h.d);
    return h;
}

/* Where a head's queries, keys and values begin, or their gradients. */
typedef struct sides {
    float *q, *k, *v; /* NULL: not wanted */
} sides;

static sides sides_of(const hst_node *n, const head *h, float *const *x, size_t at)
{
    float *kv = x[is_cross(n)];
    const size_t behind = is_cross(n) ? 0 : h->c;
    return (sides){x[0] ? x[0] + at : NULL, kv ? kv + behind + at : NULL,
                   kv ? kv + behind + h->c + at : NULL};
}

/* Queries of a block, at most. */
enum { QUERIES = 56 };

static size_t blocks_of(size_t queries)
{
    return (queries + QUERIES - 1) / QUERIES;
}

/* Queries first .. end-1 are block i of so many: all blocks have as many, but for one more. */
static size_t block_at(size_t i, size_t queries)
{
    return queries * i / blocks_of(queries);
}

/* Floats of a thread: a head's keys and values, packed to be multiplied from either side, scores of
 * a block and, for backward, their gradients, and what scores are to be divided by. */
typedef struct places {
    size_t keys, values, keys_back, values_back, scores, dscores, of_sum, all;
} places;

/* Floats between rows of scores: whole cache lines. */
static size_t score_row(const head *h)
{
    return hst_whole_lines(h->n);
}

static places places_of(const head *h, const hst_kernels *k)
{
    const size_t across = hst_whole_lines(hst_gemm_packed(k, (int)h->d, (int)h->n));
    const size_t along = hst_whole_lines(hst_gemm_packed(k, (int)h->n, (int)h->d));
    const size_t scores = QUERIES * score_row(h);
    places p = {.keys = 0, .values = across};
    p.scores = p.values + along;
    p.of_sum = p.scores + scores;
    p.keys_back = p.of_sum + hst_whole_lines(QUERIES);
    p.values_back = p.keys_back + along;
    p.dscores = p.values_back + across;
    p.all = p.dscores + scores;
    return p;
}

static size_t scratch(const hst_node *n, const hst_shape *in, const hst_kernels *k)
{
    const head h = head_of(n, in);
    return places_of(&h, k).all;
}

/* x[n][d], tokens h->ld apart, as panels of the matrix [n][d], for products with rows of n. */
static void pack_along(const head *h, const hst_kernels *k, const float *x, float *out)
{
    const size_t panel = (size_t)k->panel;
    for (size_t c = 0; c < h->d; c += panel) {
        const size_t count = h->d - c < panel ? h->d - c : panel;
        for (size_t i = 0; i < h->n; i++, out += panel) {
            memcpy(out, x + i * h->ld + c, count * sizeof *out);
            memset(out + count, 0, (panel - count) * sizeof *out);
        }
    }
    memset(out, 0, hst_round_up(h->d, panel) * sizeof *out); /* the bias */
}

/* The same times `by` as panels of its transpose [d][n], for products with rows of d. */
static void pack_across(const head *h, const hst_kernels *k, const float *x, float by, float *out)
{
    const size_t panel = (size_t)k->panel;
    for (size_t i = 0; i < h->n; i += panel, out += panel * h->d) {
        const size_t count = h->n - i < panel ? h->n - i : panel;
        for (size_t c = 0; c < h->d; c++) {
            for (size_t j = 0; j < count; j++)
                out[c * panel + j] = x[(i + j) * h->ld + c] * by;
            memset(out + c * panel + count, 0, (panel - count) * sizeof *out);
        }
    }
    memset(out, 0, hst_round_up(h->n, panel) * sizeof *out);
}

/* y[rows][n] = x[rows][d] packed, rows of x ldx apart. */
static void multiply_across(const head *h, const hst_kernels *k, const float *x, size_t ldx,
                            size_t rows, const float *packed, float *y)
{
    const int n = (int)h->n, d = (int)h->d;
    k->gemm(&(hst_gemm){.x = x,
                        .ldx = ldx,
                        .w = packed,
                        .bias = hst_gemm_bias(k, packed, d, n),
                        .y = y,
                        .ldy = score_row(h),
                        .rows = rows,
                        .k = d,
                        .n = n});
}

/* y[rows][d] = x[rows][n] packed [+ y], rows of y ldy apart. */
static void multiply_along(const head *h, const hst_kernels *k, const float *x, size_t rows,
                           const float *packed, float *y, size_t ldy, int adds)
{
    const int n = (int)h->n, d = (int)h->d;
    k->gemm(&(hst_gemm){.x = x,
                        .ldx = score_row(h),
                        .w = packed,
                        .bias = hst_gemm_bias(k, packed, n, d),
                        .y = y,
                        .ldy = ldy,
                        .residual = adds ? y : NULL,
                        .rows = rows,
                        .k = n,
                        .n = d});
}

/* Scores of `rows` queries from x on, and what they are to be divided by, into scratch. */
static void scores_of(const head *h, const hst_kernels *k, const float *x, size_t rows,
                      float *scratch)
{
    const places at = places_of(h, k);
    multiply_across(h, k, x, h->ldq, rows, scratch + at.keys, scratch + at.scores);
    k->softmax(&(hst_softmax){.x = scratch + at.scores,
                              .ldx = score_row(h),
                              .rows = rows,
                              .n = (int)h->n,
                              .of_sum = scratch + at.of_sum});
}

/* Queries first .. first + rows of a head. */
static void attend(const head *h, const hst_kernels *k, const float *q, size_t first, size_t rows,
                   float *scratch, float *y)
{
    const places at = places_of(h, k);
    scores_of(h, k, q + first * h->ldq, rows, scratch);
    y += first * h->c;
    multiply_along(h, k, scratch + at.scores, rows, scratch + at.values, y, h->c, 0);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < h->d; j++)
            y[i * h->c + j] *= scratch[at.of_sum + i];
}

static void pack_head(const head *h, const hst_kernels *k, const sides *x, float *scratch)
{
    const places at = places_of(h, k);
    pack_across(h, k, x->k, h->by, scratch + at.keys);
    pack_along(h, k, x->v, scratch + at.values);
}

/* q [queries][heads][d], k and v [tokens][heads][d], y [queries that are needed][heads][d]. Threads
 * share out the blocks of queries of all heads. */
static void infer(const hst_infer_unit *u, const hst_run_args *a)
{
    const head h = head_of(&u->node, (hst_shape[2]){u->in, u->in2});
    const size_t queries = (size_t)u->out.w, blocks = blocks_of(queries);
    const hst_share share = hst_share_of(a, heads_of(&u->node) * (int)blocks);
    for (size_t i = (size_t)share.first; i < (size_t)share.end; i++) {
        const size_t at = i / blocks * h.d, first = block_at(i % blocks, queries);
        const sides x = sides_of(&u->node, &h, (float *const *)a->x, at);
        if (i == (size_t)share.first || i % blocks == 0)
            pack_head(&h, a->kernels, &x, a->scratch);
        attend(&h, a->kernels, x.q, first, block_at(i % blocks + 1, queries) - first, a->scratch,
               a->y + at);
    }
}

static float dot(const float *a, const float *b, size_t n)
{
    float sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* p / its sum, and dp becomes ds = p (dp - sum p dp) / sqrt(d), where sum p dp = y dy. */
static void scores_back(const head *h, const hst_kernels *k, const float *y, const float *dy,
                        size_t rows, float *scratch)
{
    const places at = places_of(h, k);
    float sum[QUERIES];
    for (size_t i = 0; i < rows; i++)
        sum[i] = dot(y + i * h->c, dy + i * h->c, h->d);
    k->softmax_back(&(hst_softmax_back){.x = scratch + at.scores,
                                        .dx = scratch + at.dscores,
                                        .ldx = score_row(h),
                                        .rows = rows,
                                        .n = (int)h->n,
                                        .of_sum = scratch + at.of_sum,
                                        .sum = sum,
                                        .by = h->by});
}

/* A block of queries from the first on, with the head's sides, y and dy:
 *   dp = dy v',  dv += p' dy,  dq += ds k,  dk += ds' q */
static void backward_block(const hst_op_args *a, const head *h, size_t at_head, size_t first,
                           size_t rows)
{
    const hst_kernels *k = a->kernels;
    const places at = places_of(h, k);
    const sides x = sides_of(a->node, h, (float *const *)a->x, at_head);
    const sides dx = sides_of(a->node, h, a->dx, at_head);
    float *scratch = a->scratch, *ds = scratch + at.dscores;
    const float *q = x.q + first * h->ldq, *dy = a->dy + first * h->c + at_head;
    scores_of(h, k, q, rows, scratch);
    multiply_across(h, k, dy, h->c, rows, scratch + at.values_back, ds);
    scores_back(h, k, a->y + first * h->c + at_head, dy, rows, scratch);
    if (dx.q)
        multiply_along(h, k, ds, rows, scratch + at.keys_back, dx.q + first * h->ldq, h->ldq, 1);
    if (!dx.k)
        return;
    hst_grad_gemm g = {.a = ds,
                       .b = q,
                       .lda = score_row(h),
                       .ldb = h->ldq,
                       .dw = dx.k,
                       .ldw = h->ld,
                       .rows = rows,
                       .m = (int)h->n,
                       .n = (int)h->d};
    k->grad_gemm(&g);
    g.a = scratch + at.scores;
    g.b = dy;
    g.ldb = h->c;
    g.dw = dx.v;
    k->grad_gemm(&g);
}

static void backward(const hst_op_args *a)
{
    const head h = head_of(a->node, a->in);
    const places at = places_of(&h, a->kernels);
    const size_t blocks = blocks_of(h.queries);
    for (size_t c = 0; c < h.c; c += h.d) {
        const sides x = sides_of(a->node, &h, (float *const *)a->x, c);
        pack_head(&h, a->kernels, &x, a->scratch);
        pack_along(&h, a->kernels, x.k, a->scratch + at.keys_back);
        pack_across(&h, a->kernels, x.v, 1, a->scratch + at.values_back);
        for (size_t i = 0; i < blocks; i++) {
            const size_t first = block_at(i, h.queries);
            backward_block(a, &h, c, first, block_at(i + 1, h.queries) - first);
        }
    }
}

const hst_op hst_op_attention = {.name = "attention",
                                 .n_inputs = 1,
                                 .attrs = attrs,
                                 .n_attrs = 1,
                                 .attr_bytes = sizeof(hst_attention),
                                 .infer_type = attention_type,
                                 .flops = flops,
                                 .counts = 1,
                                 .infer = infer,
                                 .scratch = scratch,
                                 .backward = backward,
                                 .reads = HST_READS_INPUT | HST_READS_OUTPUT};
const hst_op hst_op_cross_attention = {.name = "cross_attention",
                                       .n_inputs = 2,
                                       .attrs = attrs,
                                       .n_attrs = 1,
                                       .attr_bytes = sizeof(hst_attention),
                                       .infer_type = cross_type,
                                       .flops = flops,
                                       .counts = 1,
                                       .infer = infer,
                                       .scratch = scratch,
                                       .backward = backward,
                                       .reads = HST_READS_INPUT | HST_READS_OUTPUT};
