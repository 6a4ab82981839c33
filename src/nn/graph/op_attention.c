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

static int attention_type(hst_node *n, const hst_type *in, hst_err *err)
{
    const int heads = heads_of(n);
    const hst_shape x = hst_type_shape(in);
    if (x.h != 1 || x.c % 3 != 0 || heads < 1 || x.c / 3 % heads != 0)
        return hst_fail(err, HST_EMODEL, "%d heads do not fit %d x %d tokens of %d numbers", heads,
                        x.h, x.w, x.c);
    n->type = hst_image_type((hst_shape){1, x.w, x.c / 3});
    return 0;
}

/* Two products, [tokens][d] by [tokens] each, a head. */
static double flops(const hst_node *n, const hst_shape *in)
{
    (void)n;
    return 4.0 * in->w * in->w * (in->c / 3);
}

/* Sizes of a head. */
typedef struct head {
    size_t n, d, c, ld; /* tokens; channels of a head, of all; floats between tokens of qkv */
    float by;           /* 1 / sqrt(d) */
} head;

static head head_of(const hst_node *n, hst_shape in)
{
    const size_t c = (size_t)in.c / 3, d = c / (size_t)heads_of(n);
    return (head){(size_t)in.w, d, c, (size_t)in.c, 1 / sqrtf((float)d)};
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

static places places_of(const head *h, const hst_kernels *k)
{
    const size_t across = hst_whole_lines(hst_gemm_packed(k, (int)h->d, (int)h->n));
    const size_t along = hst_whole_lines(hst_gemm_packed(k, (int)h->n, (int)h->d));
    const size_t scores = hst_whole_lines(QUERIES * h->n);
    places p = {.keys = 0, .values = across};
    p.scores = p.values + along;
    p.of_sum = p.scores + scores;
    p.keys_back = p.of_sum + hst_whole_lines(QUERIES);
    p.values_back = p.keys_back + along;
    p.dscores = p.values_back + across;
    p.all = p.dscores + scores;
    return p;
}

static size_t scratch(const hst_node *n, hst_shape in, const hst_kernels *k)
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
                        .ldy = h->n,
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
                        .ldx = h->n,
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
    multiply_across(h, k, x, h->ld, rows, scratch + at.keys, scratch + at.scores);
    k->softmax(&(hst_softmax){.x = scratch + at.scores,
                              .ldx = h->n,
                              .rows = rows,
                              .n = (int)h->n,
                              .of_sum = scratch + at.of_sum});
}

/* The head whose queries begin at x, of block i of the queries. */
static void attend(const head *h, const hst_kernels *k, const float *x, size_t first, size_t rows,
                   float *scratch, float *y)
{
    const places at = places_of(h, k);
    scores_of(h, k, x + first * h->ld, rows, scratch);
    y += first * h->c;
    multiply_along(h, k, scratch + at.scores, rows, scratch + at.values, y, h->c, 0);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < h->d; j++)
            y[i * h->c + j] *= scratch[at.of_sum + i];
}

static void pack_head(const head *h, const hst_kernels *k, const float *x, float *scratch)
{
    const places at = places_of(h, k);
    pack_across(h, k, x + h->c, h->by, scratch + at.keys);
    pack_along(h, k, x + 2 * h->c, scratch + at.values);
}

/* x [tokens][3][heads][d], y [tokens that are needed][heads][d]. Threads share out the blocks of
 * queries of all heads. */
static void infer(const hst_infer_unit *u, const hst_run_args *a)
{
    const head h = head_of(&u->node, u->in);
    const size_t queries = (size_t)u->out.w, blocks = blocks_of(queries);
    const hst_share share = hst_share_of(a, heads_of(&u->node) * (int)blocks);
    for (size_t i = (size_t)share.first; i < (size_t)share.end; i++) {
        const size_t at = i / blocks * h.d, first = block_at(i % blocks, queries);
        if (i == (size_t)share.first || i % blocks == 0)
            pack_head(&h, a->kernels, a->x[0] + at, a->scratch);
        attend(&h, a->kernels, a->x[0] + at, first, block_at(i % blocks + 1, queries) - first,
               a->scratch, a->y + at);
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
static void scores_back(const head *h, const float *y, const float *dy, size_t rows, float *scratch,
                        const places *at)
{
    float *p = scratch + at->scores, *dp = scratch + at->dscores;
    for (size_t i = 0; i < rows; i++, p += h->n, dp += h->n) {
        const float of_sum = scratch[at->of_sum + i];
        const float sum = dot(y + i * h->c, dy + i * h->c, h->d);
        for (size_t j = 0; j < h->n; j++) {
            p[j] *= of_sum;
            dp[j] = p[j] * (dp[j] - sum) * h->by;
        }
    }
}

/* With the head's x, y and dy from a block's first query on, dx from its first token:
 *   dp = dy v',  dv += p' dy,  dq += ds k,  dk += ds' q */
static void backward_block(const hst_op_args *a, const head *h, size_t at_head, size_t first,
                           size_t rows)
{
    const hst_kernels *k = a->kernels;
    const places at = places_of(h, k);
    float *scratch = a->scratch, *p = scratch + at.scores, *ds = scratch + at.dscores;
    const float *q = a->x[0] + first * h->ld + at_head, *dy = a->dy + first * h->c + at_head;
    float *dx = a->dx[0] + at_head;
    scores_of(h, k, q, rows, scratch);
    multiply_across(h, k, dy, h->c, rows, scratch + at.values_back, ds);
    scores_back(h, a->y + first * h->c + at_head, dy, rows, scratch, &at);
    multiply_along(h, k, ds, rows, scratch + at.keys_back, dx + first * h->ld, h->ld, 1);
    hst_grad_gemm g = {.a = ds,
                       .b = q,
                       .lda = h->n,
                       .ldb = h->ld,
                       .dw = dx + h->c,
                       .ldw = h->ld,
                       .rows = rows,
                       .m = (int)h->n,
                       .n = (int)h->d};
    k->grad_gemm(&g);
    g.a = p;
    g.b = dy;
    g.ldb = h->c;
    g.dw = dx + 2 * h->c;
    k->grad_gemm(&g);
}

static void backward(const hst_op_args *a)
{
    const head h = head_of(a->node, a->in[0]);
    const places at = places_of(&h, a->kernels);
    const size_t blocks = blocks_of(h.n);
    for (size_t c = 0; a->dx[0] && c < h.c; c += h.d) {
        const float *x = a->x[0] + c;
        pack_head(&h, a->kernels, x, a->scratch);
        pack_along(&h, a->kernels, x + h.c, a->scratch + at.keys_back);
        pack_across(&h, a->kernels, x + 2 * h.c, 1, a->scratch + at.values_back);
        for (size_t i = 0; i < blocks; i++)
            backward_block(a, &h, c, block_at(i, h.n), block_at(i + 1, h.n) - block_at(i, h.n));
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
